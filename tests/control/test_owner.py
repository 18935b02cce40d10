"""The owner, its log and its changes of domains, on the reference machine."""

import pytest

from khhw.control.changes import EpochError
from khhw.control.domains import DomainError, Domains
from khhw.control.epochs import EpochControl
from khhw.control.log import clear_logs, read_logs
from khhw.control.owner import ANSWER_LIMIT, ConsoleKeys, OwnerError, RefusedError, Write, register_name
from khhw.kernels import probe
from khhw.kernels.image import build_image
from khhw.kernels.results import observed_matrix
from khhw.node.tree_packets import Control
from rtl.formats import ControlOp, Reason
from rtl.registers import REGISTERS
from tests.reference import PATIENCE, Rig

SIZES = (3, 2, 1)
NODES = 6


@pytest.fixture
def rig():
    return Rig(SIZES)


def test_registers_are_written_and_read(rig):
    async def program():
        await rig.owner.write(4, Write("GRANTS", 1), Write("CONSOLE_RECEIVE_ID", 99, 3))
        return (await rig.owner.read_all("GRANTS"), await rig.owner.read(4, "CONSOLE_RECEIVE_ID", range(4)))

    assert rig.run(program()) == ([0, 0, 0, 0, 1, 0], [1, 2, 0, 99])


def test_more_words_than_a_packet_holds(rig):
    async def program():
        return await rig.owner.read(2, "REFUSED", [index % 16 for index in range(70)])

    assert rig.run(program()) == [0] * 70


@pytest.mark.parametrize(("words", "message"), [
    ([Write("GUARD_STATUS", 5)], r"Node 3 refused the write of 0x5 to GUARD_STATUS"),
    ([Write("GRANTS", 0), Write("ROW", 1, 60)], r"Node 3 refused the write of 0x1 to ROW\[60\]"),
])
def test_a_refused_word_is_named(rig, words, message):
    with pytest.raises(OwnerError, match=message):
        rig.run(rig.owner.write(3, *words))


def test_a_silent_node_is_named(rig):
    late = rig.machine.nodes[5].tree
    rig.machine.nodes[5].tree = lambda packet: rig.machine.at(ANSWER_LIMIT, late, packet)
    rig.machine.nodes[2].tree = lambda _packet: None
    with pytest.raises(OwnerError, match="Nodes 2, 5 did not answer within"):
        rig.run(rig.owner.read_all("HOLD"))
    # The late answer to this question must not be taken for one to the next.
    rig.run(rig.outside.sleep(ANSWER_LIMIT))
    assert rig.run(rig.owner.read(1, "HOLD")) == [0]


def test_all_nodes_answer_as_one(rig):
    status, counts = REGISTERS["GUARD_STATUS"], REGISTERS["INJECTED"]
    rig.run(EpochControl(rig.owner).change(Domains.nothing(NODES)))
    for rank, node in enumerate(rig.machine.nodes):
        node.counts["INJECTED", 0] = (1 << 32) - 1 if rank == 5 else 10 * rank
    rig.machine.nodes[4].epoch ^= 1
    words = [Control(op, register.at()) for op, register in (
        (ControlOp.ALL, status), (ControlOp.READ, status), (ControlOp.SUM, counts))]
    before = rig.machine.now
    every, some, total = (word.data for word in rig.run(rig.owner.combined(words)))
    assert (status.unpack(every)["epoch"], status.unpack(some)["epoch"]) == (0, 1)
    assert status.unpack(every)["valid"] == status.unpack(some)["valid"] == 1
    assert total == 10 * (0 + 1 + 2 + 3 + 4) - 1
    # One packet has come, not six.
    assert rig.machine.now - before < 100


def test_of_all_nodes_one_refuses(rig):
    read = rig.machine.nodes[3].access
    rig.machine.nodes[3].access = lambda address, value, owner=False: read(
        address + 0x10000 * (address == REGISTERS["GRANTS"].at()), value, owner)
    with pytest.raises(RefusedError, match="A node refused the write of 0x1 to GRANTS"):
        rig.run(rig.owner.write(None, Write("GRANTS", 1)))
    assert [node.values["GRANTS", 0] for node in rig.machine.nodes] == [1, 1, 1, 0, 1, 1]


def test_a_silent_node_is_named_when_all_shall_answer_as_one(rig):
    rig.machine.nodes[2].tree = lambda _packet: None
    with pytest.raises(OwnerError, match="Node 2 did not answer within"):
        rig.run(rig.owner.write(None, Write("GRANTS", 1)))


def test_a_slow_node_keeps_all_from_answering_as_one(rig):
    prompt = rig.machine.nodes[2].tree
    rig.machine.nodes[2].tree = lambda packet: rig.machine.at(2 * PATIENCE * packet.combine, prompt, packet)
    with pytest.raises(OwnerError, match="Answers have not come together as one, though each node answers"):
        rig.run(rig.owner.write(None, Write("GRANTS", 1)))
    rig.run(rig.outside.sleep(2 * PATIENCE))
    assert rig.run(rig.owner.read(2, "GRANTS")) == [1]


def test_register_names():
    assert register_name(0x4004) == "COMMIT"
    assert register_name(0x6004) == "ROW[1]"
    assert register_name(0x4108 + 16 * 3) == "LOG_TIME_HIGH[3]"
    assert register_name(0x5FFC) == "0x5ffc"


@pytest.mark.parametrize(("silent", "suspects"), [
    ([1, 3, 4, 5], "node 1 or its cable to node 0, node 5 or its cable to node 2"),
    ([1], "node 1"),
    (range(NODES), "node 0 or its cable to the outside"),
])
def test_where_the_tree_ends_is_named(rig, silent, suspects):
    for rank in silent:
        rig.machine.nodes[rank].tree = lambda _packet: None
    with pytest.raises(OwnerError, match=rf"answer within {ANSWER_LIMIT} cycles; look in the tree at {suspects}$"):
        rig.run(rig.owner.read_all("HOLD"))
    with pytest.raises(OwnerError, match=rf"Node 1 did not answer within {ANSWER_LIMIT} cycles$"):
        rig.run(rig.owner.read(1, "HOLD"))


def test_tables_hold_node_ids(rig):
    rig.run(EpochControl(rig.owner).change(Domains.from_rules(["1 -> 3 4"], NODES)))
    # 3x2: ids are x + 4 y, so ranks 3 and 4 are ids 4 and 5.
    assert rig.machine.nodes[1].active["ROW", 0] == 1 << 4 | 1 << 5
    assert rig.machine.nodes[4].active["COLUMN", 0] == 1 << 1
    assert [rig.machine.nodes[1].active.get(("REACH", d), 0) for d in range(6)] == [0, 0, 1, 1, 0, 0]


def test_a_change_goes_through_the_intersection(rig):
    old = Domains.from_rules(["0 -> 1 2", "1 -> 0"], NODES)
    new = Domains.from_rules(["0 -> 2 3"], NODES)
    epochs = EpochControl(rig.owner)
    rows = []
    node = rig.machine.nodes[0]
    write = node.write

    def watched(name, index, value):
        result = write(name, index, value)
        if name == "COMMIT":
            rows.append(node.active.get(("ROW", 0), 0))
        return result

    node.write = watched
    first = rig.run(epochs.change(old))
    second = rig.run(epochs.change(new))
    assert rows == [0b000110, 0b000100, 0b010100]
    assert (first.phases, second.phases) == (1, 2)
    assert second.started < second.refused < second.finished
    assert epochs.current == new


def test_a_packet_under_way_holds_up_the_next_epoch(rig):
    epochs = EpochControl(rig.owner, limit=5000)
    rig.run(epochs.change(Domains.from_rules(["* -> *"], NODES)))
    rig.machine.nodes[2].counts["INJECTED", rig.machine.nodes[2].epoch] += 1
    with pytest.raises(EpochError, match=r"1 packets of epoch parity 1 are still under way after 5\d\d\d "
                                         "cycles; no torus cable has lost anything"):
        rig.run(epochs.change(Domains.nothing(NODES)))


def watched(node, seen):
    """Keep in `seen` the column and the hold of a node at each of its commits."""
    write = node.write

    def watching(name, index, value):
        result = write(name, index, value)
        if name == "COMMIT":
            seen.append((node.active["COLUMN", 0], node.values["HOLD", 0]))
        return result

    node.write = watching


@pytest.mark.parametrize("known", [True, False])
def test_nodes_that_are_handed_over_are_cleared_and_alone_for_two_changes(rig, known):
    old = Domains.from_rules(["0 1 4 <-> 0 1 4", "2 <-> 3"], NODES)
    new = Domains.from_rules(["0 <-> 1 2 4", "2 <-> 3"], NODES)
    epochs, nodes, seen = EpochControl(rig.owner), rig.machine.nodes, {0: [], 2: [], 4: []}
    rig.run(epochs.change(old, revision=6))
    if not known:
        epochs = EpochControl(rig.owner)
    for rank in (0, 4):
        nodes[rank].memory[:] = b"x" * len(nodes[rank].memory)
        nodes[rank].values["GRANTS", 0] = 1
    for rank, commits in seen.items():
        watched(nodes[rank], commits)
    rig.run(epochs.hand_over([4, 0], new, {4: ConsoleKeys(77, [5, 6])}, 7))
    # Ids of ranks 3 and 4 are 4 and 5. Who is not handed over keeps what old and new allow, if the old ones are known.
    assert seen[0] == [(0, 1)] * 3 + [(0b100110, 1)]
    assert seen[4] == [(0, 1)] * 3 + [(0b000001, 1)]
    assert seen[2] == [(0b010000 if known else 0, 0), (0b010000, 0), (0b010000, 0), (0b010001, 0)]
    for rank in (0, 4):
        assert not any(nodes[rank].memory) and not nodes[rank].values["GRANTS", 0] and not nodes[rank].values["HOLD", 0]
    assert rig.run(rig.owner.read(4, "CONSOLE_RECEIVE_ID", range(4))) == [5, 6, 0, 0]
    assert [rig.run(rig.owner.read_all(name)) for name in ("CONSOLE_SEND_ID", "CONSOLE_LISTEN")] == [
        [0, 2, 2, 2, 77, 2], [0, 3, 3, 3, 3, 3]]
    assert rig.run(rig.owner.read_all("REVISION")) == [7] * NODES
    assert (epochs.current, epochs.revision) == (new, 7)


def test_a_node_that_nobody_gets_is_cleared_and_stays_in_hold(rig):
    nodes, new = rig.machine.nodes, Domains.from_rules(["2 <-> 3"], NODES)
    for rank in (0, 4):
        nodes[rank].memory[:] = b"x" * len(nodes[rank].memory)
    rig.run(EpochControl(rig.owner).hand_over([4, 0], new, {4: ConsoleKeys(77, [5])}, 7, vacant=[0]))
    assert rig.run(rig.owner.read_all("HOLD")) == [1, 0, 0, 0, 0, 0]
    assert not any(nodes[0].memory) and rig.run(rig.owner.read(0, "CONSOLE_SEND_ID")) == [0]


@pytest.mark.parametrize("vacant", [[0, 1], [4]])
def test_a_node_that_is_not_taken_or_has_keys_is_not_vacant(rig, vacant):
    with pytest.raises(DomainError, match=r"vacant: Node [14]: not handed over, or given keys, and yet vacant"):
        rig.run(EpochControl(rig.owner).hand_over([4, 0], Domains.nothing(NODES), {4: ConsoleKeys(7, [])},
                                                  vacant=vacant))
    assert rig.run(rig.owner.read_all("HOLD")) == [0] * NODES


@pytest.mark.parametrize(("ranks", "keys", "message"), [
    ([], {}, "ranks: there is no node to hand over"),
    ([6], {}, "ranks: no node 6; nodes are 0 to 5"),
    ([1], {2: ConsoleKeys(1, [])}, r"keys\[2\]: node 2 is not handed over; keys are for \[1\]"),
    ([1], {1: ConsoleKeys(1 << 32, [])}, r"keys\[1\]: a channel id has 32 bits, and 4294967296 has not"),
    ([1], {1: ConsoleKeys(1, range(9))}, r"keys\[1\]: 9 channels; no node hears more than 8"),
])
def test_who_cannot_be_handed_over(rig, ranks, keys, message):
    with pytest.raises(DomainError, match=message):
        rig.run(EpochControl(rig.owner).hand_over(ranks, Domains.nothing(NODES), keys))
    assert rig.run(rig.owner.read_all("HOLD")) == [0] * NODES


def test_domains_of_another_machine_are_refused(rig):
    with pytest.raises(DomainError, match="Domains of 2 nodes for a machine of 6"):
        rig.run(EpochControl(rig.owner).change(Domains.nothing(2)))


def test_refusals_are_counted_and_logged(rig):
    async def program():
        await EpochControl(rig.owner).change(Domains.from_rules(["0 -> 0"], NODES))
        await clear_logs(rig.owner)
        await rig.run_kernel(build_image(probe), "probe", "seed=3 quiet=2000", [0])
        return await read_logs(rig.owner)

    logs = rig.run(program())
    assert logs[0].counts[Reason.ROW] == 10
    assert [(e.source, e.destination, e.reason) for e in logs[0].entries[:2]] == [(0, 1, Reason.ROW)] * 2
    assert 0 < logs[0].entries[0].cycle < logs[0].entries[-1].cycle < rig.machine.now
    assert all(not log.entries for log in logs[1:])
    rig.run(clear_logs(rig.owner))
    assert rig.run(rig.owner.read_all("LOG_COUNT")) == [0] * NODES


def test_probes_see_what_the_owner_configured(rig):
    domains = Domains.from_rules(["0 -> 1-5", "2 -> 0 2", "5 -> 4", "4 <-> 3"], NODES)

    async def program():
        await EpochControl(rig.owner).change(domains)
        await rig.run_kernel(build_image(probe), "probe", "seed=77 quiet=2000")

    rig.run(program())
    memories = [rig.memory(rank) for rank in rig.ranks]
    observed = observed_matrix(memories, rig.machine.layout, rig.machine.shape, 77)
    assert (observed.matrix == domains.matrix).all()
    assert observed.consistent
