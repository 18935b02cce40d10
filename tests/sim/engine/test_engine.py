"""The engine as arrays over nodes: registers, memories, waiting, sleeping, threads."""

from collections.abc import Iterator

import numpy as np
import pytest

from khhw.build.engine import EngineBuild, build_engine
from khhw.sim.engine import Engine, Reason
from khhw.sim.engine.opening import open_up
from rtl.registers import MAGIC, REGISTERS

SHAPE = (3, 2, 2)


@pytest.fixture(scope="module")
def build() -> EngineBuild:
    return build_engine({"traffic": True})


@pytest.fixture
def engine(build: EngineBuild) -> Iterator[Engine]:
    with Engine(build, SHAPE, threads=1) as engine:
        open_up(engine)
        yield engine


def send(engine: Engine, ranks: object, packets: int) -> None:
    """Let nodes send so many packets to all others."""
    engine.write(ranks, REGISTERS["TRAFFIC_PROBABILITY"].address, 1 << 28)
    engine.write(ranks, REGISTERS["TRAFFIC_COUNT"].address, packets)
    engine.write(ranks, REGISTERS["TRAFFIC_CONTROL"].address, 0b11)


def received(engine: Engine) -> np.ndarray:
    return engine.read(np.arange(engine.nodes), REGISTERS["TRAFFIC_RECEIVED"].address)


def test_registers_of_all_nodes_are_one_call(engine: Engine) -> None:
    everybody = np.arange(engine.nodes)
    assert (engine.read(everybody, REGISTERS["MAGIC"].address) == MAGIC).all()
    before = engine.now
    engine.write(everybody[::2], REGISTERS["TRAFFIC_TARGET"].address, everybody[::2])
    assert engine.now - before < 20, "all at the same time"
    assert (engine.read(everybody, REGISTERS["TRAFFIC_TARGET"].address) == np.where(everybody % 2, 0, everybody)).all()


def test_what_is_opened_is_what_the_owner_would_open(engine: Engine) -> None:
    assert not engine.held.any()
    send(engine, np.arange(engine.nodes), 20)
    engine.run_until(cycle=engine.now + 50_000, vector=engine.quiescent, every=True)
    assert received(engine).sum() == 20 * engine.nodes
    errors = [engine.read(np.arange(engine.nodes), REGISTERS["TRAFFIC_ERRORS"].at(kind)).sum() for kind in range(6)]
    assert errors == [0] * 6


def test_memories_are_copied_in_batches_and_big_endian(engine: Engine) -> None:
    data = np.random.default_rng(3).integers(0, 256, (4, 77), np.uint8)
    addresses = np.array([0, 5, 1000, 65536 - 77])
    engine.poke_all([0, 3, 5, 11], addresses, data)
    assert (engine.peek_all([0, 3, 5, 11], addresses, 77) == data).all()
    assert engine.peek(3, 5, 77) == data[1].tobytes()
    engine.poke(2, 64, bytes(range(1, 9)))
    # The host port reads the same memory, most significant byte first.
    assert engine.read([2], 0x800000 + 64)[0] == 0x01020304
    assert engine.read([2], 0x800000 + 68)[0] == 0x05060708
    assert engine.read_name(2, "memory.ram", 2) >> 192 == 0x0102030405060708


def test_a_run_ends_at_what_it_waits_for(engine: Engine) -> None:
    began = engine.now
    assert engine.run_until(cycle=began + 7) is Reason.CYCLE
    assert engine.now == began + 7
    send(engine, [4], 3)
    mask = np.zeros(engine.nodes, np.uint8)
    mask[4] = 1
    assert engine.run_until(cycle=engine.now + 1000, vector=engine.quiescent, equals=0, mask=mask) is Reason.CONDITION
    assert engine.quiescent[4] == 0
    assert engine.run_until(cycle=engine.now + 10_000, reasons=Reason.IDLE) is Reason.IDLE
    assert engine.quiescent.all()
    assert received(engine).sum() == 3


def test_nodes_that_have_nothing_to_do_cost_nothing(engine: Engine) -> None:
    engine.run_until(cycle=engine.now + 1000, reasons=Reason.IDLE)
    before = engine.evaluations
    engine.run(100_000)
    assert engine.evaluations == before
    time = int(engine.read([7], REGISTERS["TIME_LOW"].address)[0])
    assert 0 <= engine.now - time < 10, "a node that slept knows the time"


def test_threads_change_nothing(build: EngineBuild) -> None:
    seen = []
    for threads in (1, 2):
        with Engine(build, SHAPE, threads=threads) as engine:
            engine.sign()
            open_up(engine)
            send(engine, np.arange(engine.nodes), 30)
            engine.run(3000)
            seen.append((engine.now, engine.signatures.tolist(), received(engine).tolist(), engine.evaluations))
    assert seen[0] == seen[1]
    assert len(set(seen[0][1])) == 12
