"""An owner that was started again, on the reference machine: what it takes for granted, and what it does not."""

from contextlib import suppress
from itertools import count

import pytest

from khhw.control.changes import AdoptError, EpochError
from khhw.control.domains import DomainError, Domains
from khhw.control.epochs import EpochControl
from khhw.control.outside import Outside
from khhw.control.owner import Owner, Write
from khhw.control.tables import table_crc, table_writes
from khhw.host.sync import timeout
from rtl.formats import STALE_COMMITS
from rtl.registers import REGISTERS
from tests.control.stopped import StoppedError, stop_after
from tests.reference import ReferenceMachine, Rig

NODES = 6
OLD = Domains.from_rules(["0 1 2 <-> 0 1 2"], NODES)
NEW = Domains.from_rules(["0 1 <-> 0 1", "3 <-> 4"], NODES)


@pytest.fixture
def rig():
    return Rig((3, 2, 1))


def again(rig):
    """The owner, who has forgotten everything."""
    return EpochControl(Owner(rig.outside, rig.machine.shape))


def rows(rig):
    """Tables of node 0 whenever it commits."""
    node, seen = rig.machine.nodes[0], []
    write = node.write

    def watching(name, index, value):
        result = write(name, index, value)
        if name == "COMMIT":
            seen.append(node.active["ROW", 0])
        return result

    node.write = watching
    return seen


def test_what_both_allow_is_kept_after_an_adoption(rig):
    rig.run(EpochControl(rig.owner).change(OLD, revision=3))
    rig.run(rig.owner.hold(5))
    epochs = again(rig)
    assert rig.run(epochs.adopt(OLD, 3)) == [5]
    assert (epochs.current, epochs.revision) == (OLD, 3)
    seen = rows(rig)
    assert rig.run(epochs.change(NEW, revision=4)).phases == 2
    assert seen == [0b011, 0b011]


def test_nothing_is_taken_for_granted_without_one(rig):
    rig.run(EpochControl(rig.owner).change(OLD, revision=3))
    epochs, seen = again(rig), rows(rig)
    assert rig.run(epochs.change(NEW)).phases == 2
    assert seen == [0, 0b011]


def test_nodes_that_differ_are_named(rig):
    rig.run(EpochControl(rig.owner).change(OLD, revision=3))
    epochs = again(rig)
    with pytest.raises(AdoptError, match=r"Nodes 0, 1, 2, 3, 4, 5: revision 3, not 4") as wrong:
        rig.run(epochs.adopt(OLD, 4))
    assert set(wrong.value.nodes) == set(range(NODES))
    # What differs between the two domains are the tables of nodes 2, 3 and 4, and who may talk to 2.
    with pytest.raises(AdoptError, match=r"Nodes? .*2.*: other tables of revision 3: TABLE_CRC is 0x") as wrong:
        rig.run(epochs.adopt(NEW, 3))
    assert set(wrong.value.nodes) == {0, 1, 2, 3, 4}
    assert epochs.current is None


def test_nothing_was_ever_committed(rig):
    with pytest.raises(AdoptError, match="Nodes 0, 1, 2, 3, 4, 5: no tables were committed"):
        rig.run(again(rig).adopt(OLD, 1))


def test_between_two_revisions_is_what_both_allow(rig):
    first = EpochControl(rig.owner)
    rig.run(first.change(OLD, revision=3))

    async def stop(_moment, _domains):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        rig.run(first.change(NEW, revision=4, watch=stop))
    epochs = again(rig)
    for domains, revision in ((OLD, 3), (NEW, 4)):
        with pytest.raises(AdoptError, match="revision 0, not"):
            rig.run(epochs.adopt(domains, revision))
    rig.run(epochs.adopt(OLD & NEW, 0))
    seen = rows(rig)
    rig.run(epochs.change(NEW, revision=4))
    assert seen == [0b011, 0b011]


def test_a_shadow_that_was_loaded_by_half_makes_no_difference(rig):
    rig.run(EpochControl(rig.owner).change(OLD, revision=3))
    rig.run(rig.owner.write(2, *table_writes(NEW, rig.machine.shape, 2, 9)[:3]))
    epochs = again(rig)
    rig.run(epochs.adopt(OLD, 3))
    rig.run(epochs.change(NEW, revision=4))
    rig.run(again(rig).adopt(NEW, 4, epochs.sums))


def test_packets_of_the_owner_before_are_waited_for(rig):
    rig.run(EpochControl(rig.owner).change(OLD))
    # Of the epoch before the one that is in force: whoever committed that was stopped before they had arrived.
    rig.machine.nodes[2].counts["INJECTED", 1 - rig.machine.nodes[2].epoch] += 1
    epochs = EpochControl(Owner(rig.outside, rig.machine.shape), limit=5000)
    commits = rows(rig)
    with pytest.raises(EpochError, match=r"1 packets of epoch parity 0 are still under way after 5\d{3} cycles"):
        rig.run(epochs.change(NEW))
    assert not commits


def test_nodes_in_different_epochs_are_named(rig):
    rig.run(EpochControl(rig.owner).change(OLD))
    rig.run(rig.owner.write(3, Write("COMMIT", 1)))
    with pytest.raises(EpochError, match="Node 3 and node 0 have not made the same commits"):
        rig.run(again(rig).change(NEW))


def test_answers_to_the_owner_before_are_not_taken_for_ones_to_this(rig):
    node = rig.machine.nodes[4]
    prompt = node.tree

    async def program():
        node.tree = lambda packet: rig.machine.at(500, prompt, packet)
        with pytest.raises(TimeoutError):
            async with timeout(100):
                await Owner(rig.outside, rig.machine.shape).read(4, "GRANTS")
        # The same question, by its number, and the answer to the other one comes first.
        fresh = Owner(rig.outside, rig.machine.shape)
        await rig.outside.sleep(1)
        node.values["GRANTS", 0] = 1
        return await fresh.read(4, "GRANTS")

    async def late():
        """The first question was answered before the register was written."""
        read = node.read
        node.read = lambda name, index: 0 if name == "GRANTS" and rig.machine.now < asked + 600 else read(name, index)
        return await program()

    asked = rig.machine.now
    assert rig.run(late()) == [1]


@pytest.mark.parametrize("ever", [True, False], ids=["changed before", "never changed"])
def test_wherever_the_owner_was_stopped_old_text_is_stale_at_the_release(ever):
    """Four commits between the last clear and the release that follows it."""
    machine, commits = ReferenceMachine((2, 1, 1)), []
    outside, both = Outside(machine.host.root), Domains.from_rules(["0 1 -> 0 1"], 2)

    def fresh():
        return EpochControl(Owner(outside, machine.shape))

    machine.run(outside.start())
    if ever:
        machine.run(fresh().change(both))
    node = machine.nodes[1]
    write = node.write

    def watching(name, index, value):
        if name == "HOLD" and value:
            commits.append(0)
        elif name == "COMMIT":
            commits[-1] += 1
        return write(name, index, value)

    node.write = watching
    for packets in count():
        immortal = stop_after(outside, packets)
        try:
            machine.run(fresh().hand_over([1], both, {}))
        except StoppedError:
            machine.run(fresh().hand_over([1], both, {}))
        else:
            break
    immortal()
    assert commits[1::2] == [STALE_COMMITS] * packets
    assert commits[-1] == STALE_COMMITS
    assert packets > 20


def test_the_checksum_is_that_of_the_writes(rig):
    epochs = EpochControl(rig.owner)
    rig.run(epochs.change(NEW, revision=4))
    wanted = [table_crc(table_writes(NEW, rig.machine.shape, rank, 4)) for rank in range(NODES)]
    assert rig.run(rig.owner.read_all("TABLE_CRC")) == wanted
    assert len(set(wanted)) > 1


def test_only_what_differs_is_written_and_the_sum_goes_on(rig):
    epochs, writes = EpochControl(rig.owner), []
    for revision, domains in enumerate((OLD, NEW, OLD), 1):
        rig.run(epochs.change(domains, revision=revision))
    node = rig.machine.nodes[5]
    write = node.write
    node.write = lambda name, index, value: (writes.append(name), write(name, index, value))[1]
    # Node 5 is nobody's, so it hears of revisions and commits alone.
    rig.run(epochs.change(NEW, revision=4))
    assert writes == ["REVISION", "COMMIT"] * 2
    sums = [rig.run(rig.owner.read_all("TABLE_CRC"))]
    assert sums == [epochs.sums]
    with pytest.raises(AdoptError, match="other tables of revision 4") as wrong:
        rig.run(again(rig).adopt(NEW, 4))
    assert set(wrong.value.nodes) == set(range(NODES))
    assert rig.run(again(rig).adopt(NEW, 4, epochs.sums)) == []
    with pytest.raises(AdoptError, match="Node 3: other tables of revision 4"):
        rig.run(again(rig).adopt(NEW, 4, [value ^ (rank == 3) for rank, value in enumerate(epochs.sums)]))


def test_a_load_that_was_stopped_is_not_taken_for_granted(rig):
    epochs = EpochControl(rig.owner)
    for revision, domains in enumerate((OLD, NEW, OLD), 1):
        rig.run(epochs.change(domains, revision=revision))
    immortal = stop_after(rig.outside, 1)
    with pytest.raises(StoppedError):
        rig.run(epochs.change(NEW, revision=4))
    immortal()
    rig.run(epochs.change(NEW, revision=5))
    assert rig.run(rig.owner.read_all("TABLE_CRC")) == epochs.sums
    wanted = [rig.machine.nodes[rank].active["ROW", 0] for rank in range(NODES)]
    fresh = Rig((3, 2, 1))
    fresh.run(EpochControl(fresh.owner).change(NEW))
    assert wanted == [fresh.machine.nodes[rank].active["ROW", 0] for rank in range(NODES)]


def test_wherever_the_owner_was_stopped_one_of_two_states_is_found(rig):
    """With what was kept before each commit, what old and new domains both allow is never lost."""
    kept = []

    async def keep(*state):
        kept.append(state)

    def owner():
        return EpochControl(Owner(rig.outside, rig.machine.shape), keep=keep)

    epochs = owner()
    for revision, domains in enumerate((OLD, NEW, OLD), 1):
        rig.run(epochs.change(domains, revision=revision))
    for packets in count():
        new = (NEW, OLD)[packets % 2]
        immortal = stop_after(rig.outside, packets)
        try:
            rig.run(epochs.change(new, revision=packets + 4))
        except StoppedError:
            epochs, found = owner(), []
            for state in kept[-2:]:
                with suppress(AdoptError):
                    rig.run(epochs.adopt(*state))
                    found.append(state)
            assert len(found) == 1
            assert (epochs.current, epochs.revision, epochs.sums) == found[0]
            rig.run(epochs.change(new, revision=packets + 4))
        else:
            immortal()
            break
        assert rig.run(rig.owner.read_all("TABLE_CRC")) == epochs.sums
    assert packets > 10


def test_an_owner_who_has_adopted_writes_only_what_differs_in_the_bank_that_he_knows(rig):
    first = EpochControl(rig.owner)
    for revision, domains in enumerate((OLD, NEW, OLD), 1):
        rig.run(first.change(domains, revision=revision))
    epochs = again(rig)
    rig.run(epochs.adopt(OLD, 3, first.sums))
    assert epochs.sums == first.sums
    rig.run(epochs.change(NEW, revision=4))
    assert rig.run(rig.owner.read_all("TABLE_CRC")) == epochs.sums
    assert [node.active["ROW", 0] for node in rig.machine.nodes] == [
        write.value for rank in range(NODES) for write in table_writes(NEW, rig.machine.shape, rank)
        if write.register == "ROW"]


def test_tables_that_somebody_else_has_loaded_are_written_again(rig):
    epochs = EpochControl(rig.owner)
    for revision, domains in enumerate((OLD, NEW, OLD), 1):
        rig.run(epochs.change(domains, revision=revision))
    rig.run(rig.owner.write(None, Write("ROW", 0x3F)))
    epochs.forget_tables()
    seen = rows(rig)
    rig.run(epochs.change(NEW, revision=4))
    assert seen == [0b011, 0b011]


def test_sums_of_another_machine(rig):
    with pytest.raises(DomainError, match="sums: 5 sums for a machine of 6 nodes"):
        rig.run(again(rig).adopt(OLD, 1, [0] * 5))


def test_who_refuses_a_commit_is_named(rig):
    epochs = EpochControl(rig.owner)
    rig.run(epochs.change(OLD))
    access = rig.machine.nodes[2].access
    rig.machine.nodes[2].access = lambda address, value, owner=False: access(
        address + (1 << 17) * (address == REGISTERS["COMMIT"].at()), value, owner)
    with pytest.raises(EpochError, match="A node refused the write of 0x1 to COMMIT: Node 2; a fabric reset is needed"):
        rig.run(epochs.change(NEW))


@pytest.mark.parametrize("revision", [-1, 1 << 32])
def test_there_is_no_such_revision(rig, revision):
    with pytest.raises(DomainError, match=f"revision: a revision is a number from 0 to 4294967295, not {revision}"):
        rig.run(again(rig).change(NEW, revision=revision))
