"""Nodes in lanes against verilated nodes: the same machine twice, compared at every step.

Rare: lanes of such a node take minutes to compile.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from khhw.bench.engine import SHAPES, node_parameters
from khhw.build.engine import EVALUATORS, EngineBuild, build_engine
from khhw.build.lanes.demands import lacking_instructions
from khhw.control.owner import Write
from khhw.errors import RequestError
from khhw.host.transport import BusError
from khhw.node.tree_packets import control_packet
from khhw.sim.engine import Engine, Reason
from khhw.sim.engine.engine import ENOUGH_FOR_LANES, evaluator_for
from khhw.sim.engine.opening import open_up
from rtl.fabric import Shape
from rtl.formats import TreeHeader, pack
from rtl.registers import REGISTERS

COUNTERS = ("GENERATED", "INJECTED", "RECEIVED", "ACCEPTED_FLITS", "LATENCY_SUM", "OVERRUNS", "SELF", "LATENCY_MAX")


class Both:
    """One machine with both evaluators; what is done is done to both, and must show and return the same."""

    def __init__(self, builds: Sequence[EngineBuild], shape: Shape, threads: int) -> None:
        self.engines = [Engine(build, shape, threads=threads) for build in builds]
        for engine in self.engines:
            engine.sign()

    def __call__(self, action: Callable[[Engine], Any]) -> Any:
        verilated, lanes = self.engines
        first, second = action(verilated), action(lanes)
        np.testing.assert_array_equal(first, second)
        assert verilated.now == lanes.now
        for name in ("irq", "held", "quiescent", "signatures"):
            np.testing.assert_array_equal(getattr(verilated, name), getattr(lanes, name), f"{name}, {verilated.now}")
        return second

    def write(self, name: str, values: Any) -> None:
        self(lambda engine: engine.write(np.arange(engine.nodes), REGISTERS[name].address, values))

    def read(self, name: str, index: int = 0) -> Any:
        return self(lambda engine: engine.read(np.arange(engine.nodes), REGISTERS[name].at(index)))

    def tell(self, words: Callable[[int], int], register: str) -> None:
        """Let the owner write a register of every node, with a value for each rank."""
        def serve(engine: Engine) -> Any:
            return engine.serve(np.array([
                [flit | (pack(TreeHeader, owner=1, external=1, vector=rank) if index == 0 else 0) for index, flit in
                 enumerate(control_packet([Write(register, words(rank)).word], vector=0, conn_id=0).flits())]
                for rank in range(engine.nodes)], np.uint64))
        self(serve)

    def send(self, probability: int, packets: int = 0) -> None:
        self.write("TRAFFIC_PROBABILITY", probability)
        self.write("TRAFFIC_SEED", 1 + np.arange(self.engines[0].nodes))
        self.write("TRAFFIC_COUNT", packets)
        self.write("TRAFFIC_CONTROL", 0b11)

    def steps(self, count: int, cycles: int) -> None:
        for _ in range(count):
            self(lambda engine: engine.run(cycles))

    def counters(self) -> None:
        for name in COUNTERS:
            self.read(f"TRAFFIC_{name}")
        for kind in range(6):
            self.read("TRAFFIC_ERRORS", kind)


@pytest.fixture(scope="module")
def builds() -> list[EngineBuild]:
    if lacking := lacking_instructions():
        pytest.skip(f"lanes need a processor with {', '.join(lacking)}")
    return [build_engine(node_parameters(SHAPES).as_dict(), evaluator=evaluator) for evaluator in EVALUATORS]


@pytest.fixture
def both(builds: list[EngineBuild], request: pytest.FixtureRequest) -> Iterator[Both]:
    shape, threads = request.param
    pair = Both(builds, shape, threads)
    yield pair
    for engine in pair.engines:
        engine.close()


@pytest.mark.rare
@pytest.mark.parametrize(("both", "cycles", "packets"), [
    (((4, 4, 2), 1), 1000, 0),
    (((3, 3, 3), 1), 600, 0),
    (((2, 1, 5), 1), 400, 0),
    # More than one set of lanes, and a few packets of each node.
    (((9, 8, 8), 2), 80, 3),
], indirect=["both"])
def test_traffic_is_the_same_in_every_cycle(both: Both, cycles: int, packets: int) -> None:
    both(open_up)
    both.send(probability=0xFFFFFFFF, packets=packets)
    both.steps(cycles // 20, 20)
    assert packets or both.read("TRAFFIC_OVERRUNS").any(), "more is offered than the torus carries"
    both.write("TRAFFIC_CONTROL", 0)
    both(lambda engine: engine.run_until(cycle=engine.now + 50_000, reasons=Reason.IDLE))
    assert both.engines[1].quiescent.all()
    both.counters()
    assert both.read("TRAFFIC_RECEIVED").any()


@pytest.mark.rare
@pytest.mark.parametrize("both", [((4, 4, 2), 1)], indirect=True)
def test_held_nodes_and_refused_packets_are_the_same(both: Both) -> None:
    both.steps(5, 1)
    with pytest.raises(BusError):
        both.engines[0].write(0, REGISTERS["TRAFFIC_COUNT"].address, 1)
    with pytest.raises(BusError):
        both.engines[1].write(0, REGISTERS["TRAFFIC_COUNT"].address, 1)
    both.tell(lambda rank: rank % 5 == 3, "HOLD")
    assert both.engines[1].held.sum() == 6
    free = np.flatnonzero(both.engines[1].held == 0)
    for name, value in (("TRAFFIC_PROBABILITY", 1 << 27), ("TRAFFIC_CONTROL", 0b11)):
        both(lambda engine, name=name, value=value: engine.write(free, REGISTERS[name].address, value))
    both.steps(10, 30)
    both(lambda engine: engine.write(free, REGISTERS["TRAFFIC_CONTROL"].address, 0))
    both(open_up)
    both.tell(lambda rank: rank % 5 == 3, "HOLD")
    both(lambda engine: engine.write(free, REGISTERS["TRAFFIC_CONTROL"].address, 0b11))
    both.steps(20, 30)


@pytest.mark.rare
@pytest.mark.parametrize("both", [((3, 3, 3), 1)], indirect=True)
def test_memories_and_time_are_the_same_after_sleep(both: Both) -> None:
    both(open_up)
    data = np.random.default_rng(5).integers(0, 256, (3, 77), np.uint8)
    both(lambda engine: engine.poke_all([0, 5, 26], [0, 1000, 65536 - 77], data))
    both(lambda engine: engine.peek_all([0, 5, 26], [0, 1000, 65536 - 77], 77))
    assert both.engines[1].peek(5, 1000, 77) == data[1].tobytes()
    for address in (0x800000 + 1004, 0x800000):
        both(lambda engine, address=address: engine.read(np.arange(27), address))
    # What the host port has just read changes behind its back.
    both(lambda engine: engine.poke(7, 0, bytes(range(1, 9))))
    assert both(lambda engine: engine.read(np.arange(27), 0x800000))[7] == 0x01020304
    both(lambda engine: engine.write(np.arange(27), 0x800000 + 64, np.arange(27)))
    both(lambda engine: engine.peek_all(np.arange(27), 0, 128))
    both(lambda engine: engine.run_until(cycle=engine.now + 50_000, reasons=Reason.IDLE))
    both(lambda engine: engine.jump(engine.now + (3 << 32)))
    low, high = both.read("TIME_LOW"), both.read("TIME_HIGH")
    assert (high == 3).all()
    assert (low == low[0]).all()
    both.send(probability=1 << 26, packets=3)
    both(lambda engine: engine.run_until(cycle=engine.now + 50_000, vector=engine.quiescent, every=True))
    both.counters()
    assert (both.read("TRAFFIC_RECEIVED").sum()) == 3 * 27 - both.read("TRAFFIC_SELF").sum()


@pytest.mark.rare
def test_registers_by_name_are_for_verilated_nodes(builds: list[EngineBuild]) -> None:
    with Engine(builds[1], (2, 1, 1)) as engine, pytest.raises(LookupError, match=r"memory.ram\[0\] to be seen"):
        engine.read_name(0, "memory.ram")


@pytest.mark.rare
def test_lanes_say_that_they_are(builds: list[EngineBuild]) -> None:
    with Engine(builds[1], (2, 1, 1)) as engine:
        assert engine.evaluator == "lanes"


def test_lanes_are_chosen_where_they_pay_and_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("khhw.sim.engine.engine.missing_for_lanes", lambda: ())
    assert evaluator_for(ENOUGH_FOR_LANES) == "lanes"
    assert evaluator_for(ENOUGH_FOR_LANES - 1) == "verilated"
    monkeypatch.setattr("khhw.sim.engine.engine.missing_for_lanes", lambda: ("Yosys",))
    assert evaluator_for(4096) == "verilated"


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor: 0\nflags\t\t: fpu avx512f avx512bw avx512vl avx512dq avx512vbmi avx512_vbmi2\n")
    assert lacking_instructions(cpuinfo) == ("gfni",)
    assert len(lacking_instructions(tmp_path / "none")) == 7
    monkeypatch.setattr("khhw.build.lanes.demands.missing_for_lanes", lambda: ("a processor with gfni", "Yosys"))
    with pytest.raises(RequestError, match="nodes in lanes need a processor with gfni and Yosys; the eval"):
        build_engine({}, evaluator="lanes")


@pytest.mark.parametrize(("how", "message"), [
    ({"evaluator": "lane"}, "no evaluator 'lane'; there are verilated, lanes"),
    ({"evaluator": "lanes", "variant": "debug"}, "nodes in lanes have no variant 'debug'"),
])
def test_bad_requests_are_refused(how: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("khhw.build.lanes.demands.missing_for_lanes", lambda: ())
    with pytest.raises(RequestError, match=message):
        build_engine({}, **how)
