"""The kernels and what is read from the memories they leave, on the reference machine."""

import pytest

from khhw.control.attacks import judge_attacks, read_victims
from khhw.control.console import ConsoleError
from khhw.control.domains import Domains
from khhw.control.epochs import EpochControl
from khhw.control.log import clear_logs, read_logs
from khhw.kernels import attack, latency, probe, victim
from khhw.kernels.image import build_image
from khhw.kernels.results import ResultError, latency_samples, observed_matrix
from rtl.formats import Reason
from tests.reference import Rig

SLIDE = Domains.from_rules(
    ["0 -> 0 3 4", "1 -> 1 2 5 7", "2 -> 1 2 5 6 7", "3 -> 0 3 4 6", "4 -> 0 3 4", "5 -> 1 2 5 7", "6 -> 2 3 6",
     "7 -> 1 2 5 7"], 8)
FORBIDDEN = [1, 2, 5, 6, 7]


@pytest.fixture
def rig():
    rig = Rig()
    rig.run(EpochControl(rig.owner).change(SLIDE))
    return rig


def memories(rig):
    return [rig.memory(rank) for rank in rig.ranks]


def run_attacks(rig):
    """All attacks of node 0; judged."""
    console, address = rig.console, rig.machine.layout.image.base

    async def program():
        await clear_logs(rig.owner)
        await console.load(build_image(attack), address, [0])
        await console.load(build_image(victim), address, range(1, 8))
        mark = await console.boot(address, "", [0])
        await console.boot(address, "reader=0 at=3", range(1, 8))
        await console.done("attack", [0], since=mark)
        await console.line("stop", range(1, 8))
        await console.done("victim", range(1, 8), since=mark)
        return await read_logs(rig.owner)

    logs = rig.run(program())
    layout, peeks = rig.machine.layout, memories(rig)
    results = judge_attacks(peeks, logs, layout, rig.machine.shape)
    return {result.name: result for result in results}


def test_every_attack_is_refused_or_made_harmless_as_often_as_it_was_tried(rig):
    results = run_attacks(rig)
    assert list(results) == list(attack.ATTACKS)
    assert {name: result.delivered for name, result in results.items()} == dict.fromkeys(attack.ATTACKS, 0)
    assert {name: result.refused + result.harmless for name, result in results.items()} == {
        name: result.tried for name, result in results.items()}
    assert {name: result.harmless for name, result in results.items() if result.harmless} == {
        "forged source": 4, "deputy": 3}
    assert results["forged source"].refused == results["deputy"].refused == 0
    assert results["hints"].tried == results["deposit"].tried == 64 * len(FORBIDDEN)
    assert results["forged source"].where == "stamp of node 0, node 3 saw source 0: 4"
    assert "answer sent to node 0 instead: 3" in results["deputy"].where
    assert "console endpoint of node 1, TREE: 2" in results["tree"].where
    assert "network interface of node 4, WINDOW: 1" in results["closed window"].where


def _no_row(node):
    def egress(header, destination, check=node.egress):
        reason = check(header, destination)
        return None if reason == Reason.ROW else reason
    node.egress = egress


def _no_priority(node):
    def egress(header, destination, check=node.egress):
        reason = check(header, destination)
        return None if reason == Reason.PRIORITY else reason
    node.egress = egress


def _no_stamp(node):
    def packet(header, software, at, payload, is_get, send=node.packet):
        own, node.id = node.id, header["source"]
        send(header, software, at, payload, is_get)
        node.id = own
    node.packet = packet


@pytest.mark.parametrize(("weaken", "columns", "name"), [
    (_no_row, True, "plain"), (_no_row, True, "hints"), (_no_priority, False, "priority"),
    (_no_stamp, False, "forged source"),
])
def test_a_hole_in_the_hardware_is_seen_in_the_victims_memory(rig, weaken, columns, name):
    weaken(rig.machine.nodes[0])
    if columns:
        for node in rig.machine.nodes:
            node.active["COLUMN", 0] |= 1
    if weaken is _no_stamp:
        rig.machine.nodes[3].active["COLUMN", 0] |= 1 << 6
    result = run_attacks(rig)[name]
    assert result.delivered > 0
    assert result.refused + result.harmless < result.tried


def test_a_console_without_a_column_check_is_seen(rig):
    node = rig.machine.nodes[1]
    node.active["COLUMN", 0] |= 1
    assert run_attacks(rig)["tree"].delivered == 2


def test_a_register_that_can_be_written_is_seen(rig):
    node = rig.machine.nodes[0]
    access = node.access

    def weak(address, value, owner=False):
        return 0 if address == 0x4004 else access(address, value, owner)

    node.access = weak
    assert run_attacks(rig)["registers"].delivered == 3


def test_a_probe_is_the_same_every_time():
    def run():
        rig = Rig()
        rig.run(EpochControl(rig.owner).change(SLIDE))
        rig.run(rig.run_kernel(build_image(probe), "probe", "seed=5"))
        return rig.machine.now, [bytes(node.memory) for node in rig.machine.nodes]

    assert run() == run()


def test_a_probe_of_another_seed_does_not_count(rig):
    rig.run(rig.run_kernel(build_image(probe), "probe", "seed=5"))
    with pytest.raises(ResultError, match="Node 0 holds no finished probe of seed 6"):
        observed_matrix(memories(rig), rig.machine.layout, rig.machine.shape, 6)


def test_latency_grows_with_distance(rig):
    rig.run(rig.run_kernel(build_image(latency), "latency", "sizes=8,600 repeat=2"))
    samples = latency_samples(rig.memory(2), rig.machine.layout)
    assert [(s.destination, s.hops, s.length) for s in samples[::2]] == [
        (6, 1, 8), (6, 1, 600), (1, 2, 8), (1, 2, 600), (5, 3, 8), (5, 3, 600)]
    by_hops = [min(s.cycles for s in samples if s.hops == hops) for hops in (1, 2, 3)]
    assert by_hops == sorted(by_hops)
    assert 0 < by_hops[0] < by_hops[2]


def test_latency_says_who_does_not_answer(rig):
    with pytest.raises(ConsoleError, match="node 0> error: latency: node 1 does not answer"):
        rig.run(rig.run_kernel(build_image(latency), "latency", "source=0 destinations=3,1 patience=2000", [0, 3]))
    rig.run(rig.outside.sleep(5000))
    with pytest.raises(ResultError, match="1 destinations"):
        latency_samples(rig.memory(0), rig.machine.layout)


def test_wrong_options_are_said_on_the_console(rig):
    async def program():
        await rig.console.load(build_image(probe), rig.machine.layout.image.base, rig.ranks)
        mark = await rig.console.boot(rig.machine.layout.image.base, "sed=5", rig.ranks)
        await rig.console.wait(rig.ranks, "error: kernel probe failed: ValueError: no option 'sed=5'", since=mark,
                               refuse=())

    rig.run(program())


def test_victims_end_by_themselves_when_it_is_quiet(rig):
    rig.run(rig.run_kernel(build_image(victim), "victim", "quiet=3000"))
    assert set(read_victims(dict(enumerate(memories(rig))), rig.machine.layout)) == set(range(8))
