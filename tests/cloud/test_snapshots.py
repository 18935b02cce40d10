"""Readings by the tags of a service, on the reference machine: which snapshots of the hardware they are."""

from khhw.cloud.snapshots import Snapshots, Tags
from khhw.control.meters import TAGS
from tests.reference import Rig


def held(rig):
    """Tags of the last snapshots, by rank."""
    return [node.values["METER_SNAPSHOT", 0] for node in rig.machine.nodes]


def rig_with(tags):
    """A machine whose nodes have these from an owner before."""
    rig = Rig((2, 2, 1))
    for node, tag in zip(rig.machine.nodes, tags, strict=True):
        node.values["METER_SNAPSHOT", 0] = tag
    return rig


async def read(snapshots, tag, ranks):
    await snapshots.take(tag, ranks)
    return await snapshots.read(tag, ranks)


def test_no_tag_that_a_node_has_is_used_again():
    rig = rig_with([2, 1, TAGS - 1, 4])
    tags = Tags(rig.owner)

    async def some():
        return [await tags.next() for _ in range(3)]

    assert rig.run(some()) == [3, 5, 6]


def test_when_all_numbers_are_over_the_nodes_are_looked_at_again():
    rig = rig_with([0, 0, 0, 0])
    tags = Tags(rig.owner)
    assert rig.run(tags.next()) == 1
    tags._last = TAGS - 2
    rig.machine.nodes[3].values["METER_SNAPSHOT", 0] = 1
    assert [rig.run(tags.next()) for _ in range(2)] == [TAGS - 1, 2]


def test_only_nodes_that_have_no_reading_of_a_tag_are_asked():
    rig = rig_with([0, 0, 0, 0])
    snapshots = Snapshots(rig.owner, Tags(rig.owner), boot=3)
    first = rig.run(read(snapshots, 70, [0, 2]))
    assert held(rig) == [1, 0, 1, 0]
    assert rig.run(read(snapshots, 70, [2, 3]))[0] == first[1]
    assert held(rig) == [1, 0, 1, 2]
    rig.run(read(snapshots, 71, [2]))
    assert held(rig) == [1, 0, 3, 2]


def test_snapshots_that_were_never_read_are_nobodys_reading():
    """Something failed behind them; whoever asks for another tag is not given them."""
    rig = rig_with([0, 0, 0, 0])
    snapshots = Snapshots(rig.owner, Tags(rig.owner), boot=3)
    first = rig.run(read(snapshots, 70, [0]))
    rig.run(snapshots.take(71, [1]))
    assert rig.run(read(snapshots, 70, [0])) == first
    (later,) = rig.run(read(snapshots, 70, [1]))
    assert (later.tag, later.clock.boot, held(rig)[1]) == (70, 3, 3)
