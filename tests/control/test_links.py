"""A cable that loses something is named, and no other; what waits behind other traffic is nobody's fault."""

import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from khhw.control.changes import EpochError
from khhw.control.domains import Domains
from khhw.control.epochs import EpochControl
from khhw.control.links import Cable, CableState, read_cables
from khhw.control.outside import Outside
from khhw.control.owner import Owner
from khhw.host.ports import Host
from khhw.host.scheduler import ROOT
from khhw.host.sync import spawn
from khhw.node import Node, Shape
from khhw.sim.engine import Engine
from khhw.sim.engine.bridge import drive
from khhw.sim.options import Options, State
from rtl.formats import Direction, VirtualChannel
from rtl.parameters import Parameters
from tests.control.faulty_cable import Loss

pytestmark = pytest.mark.rare  # An engine of its own; the router's testbench loses packets too.

SHAPE = Shape(5, 1, 1)
PARAMETERS = Parameters(memory_bytes=65536)
ALL = Domains.from_rules(["* -> *"], SHAPE.nodes)
FAULTY = Cable(1, Direction.XP, 2)
NAMED = "the cable from node 1 in direction X+ to node 2"
LIMIT = 40_000
ESCAPE = VirtualChannel.ESCAPE


class Line:
    """Five nodes on a ring whose cable from node 1 to node 2 loses packets by their length."""

    def __init__(self) -> None:
        self.host = Host(SHAPE.nodes, PARAMETERS.memory_bytes)
        self.outside = Outside(self.host.root)
        self.owner = Owner(self.outside, SHAPE)
        self.epochs = EpochControl(self.owner, limit=LIMIT)
        self.nodes: list[Node] = []

    async def send(self, loss: int, count: int = 1, *, source: int = 1, destination: int = 2) -> None:
        """Packets of so many chunks and one: what the faulty cable does to them is a :class:`Loss`."""
        for _ in range(count):
            await self.nodes[source].send(destination, bytes(32 * loss + 16))

    async def chat(self, source: int, destination: int) -> None:
        """Short packets without end."""
        while True:
            await self.send(0, source=source, destination=destination)

    async def busy(self) -> None:
        """Packets on the faulty cable and those before and behind it until the run ends."""
        for rank in range(3):
            await spawn(self.chat(rank, rank + 1), name=f"chat {rank}", daemon=True)

    async def faults(self) -> list[CableState]:
        """Cables that have lost something."""
        return [state for state in await read_cables(self.owner) if state.faulty]

    async def fails(self) -> str:
        """What a change says that does not end."""
        with pytest.raises(EpochError) as error:
            await self.epochs.change(ALL)
        return str(error.value)


def on_line(main: Callable[[Line], Coroutine[Any, Any, None]]) -> None:
    """Run `main` on a new machine, everybody allowed everything."""
    line, ended = Line(), []

    async def owner() -> None:
        await line.outside.start()
        await line.owner.release()
        await line.epochs.change(ALL)
        line.nodes = [await Node.open(port) for port in line.host.nodes]
        await main(line)
        ended.append(True)

    router = {"router": "faulty_cable:FaultyRouter"}
    with Engine.open(SHAPE.sizes, PARAMETERS, router, path=[Path(__file__).parent]) as engine:
        line.host.scheduler.spawn(owner(), rank=ROOT, name="owner")
        outcome = drive(engine, line.host, Options(max_cycles=400_000))
    assert outcome.state is State.FINISHED, outcome.message
    assert ended


def test_a_cable_that_loses_nothing_is_not_named() -> None:
    async def main(line: Line) -> None:
        for source, destination in ((1, 2), (2, 1), (0, 2), (1, 3)):
            await line.send(0, 5, source=source, destination=destination)
        assert not await line.faults()
        await line.busy()
        assert not await line.faults()
        change = await line.epochs.change(ALL)
        assert change.finished - change.started < 10_000
        assert not line.epochs.faulty

    on_line(main)


@pytest.mark.parametrize(("loss", "damaged", "gone", "busy"), [
    (Loss.SOURCE, 1, 0, False), (Loss.EPOCH, 1, 0, False), (Loss.HEADER, 1, 0, False), (Loss.PACKET, 0, 1, False),
    (Loss.EPOCH, 1, 0, True)])
def test_a_lost_packet_is_counted_at_its_cable_and_a_change_ends(
    loss: Loss, damaged: int, gone: int, busy: bool,
) -> None:
    async def main(line: Line) -> None:
        await line.send(loss)
        if busy:
            await line.busy()
        else:
            (state,) = await line.faults()
            assert (state.cable, sum(state.lost), state.damaged) == (FAULTY, 1, damaged)
            assert state.gone[ESCAPE] == gone
            assert str(state).startswith(f"{NAMED}: 1 packet lost")
        for _ in range(2):
            change = await line.epochs.change(ALL)
            assert change.finished - change.started < LIMIT
            assert [state.cable for state in line.epochs.faulty] == [FAULTY]
        assert [state.damaged for state in line.epochs.faulty] == [damaged]

    on_line(main)


def test_lost_credits_stall_the_cable_that_lost_them() -> None:
    async def main(line: Line) -> None:
        await line.send(Loss.CREDIT)
        await line.outside.sleep(200)
        (state,) = await line.faults()
        assert (state.cable, state.lost, state.stalled) == (FAULTY, (0, 0), False)
        assert state.gone == {ESCAPE: 1, VirtualChannel.PRIORITY: 0}
        assert str(state) == f"{NAMED}: 1 of 3 slots of escape gone"
        await line.epochs.change(ALL)

        await line.send(Loss.CREDIT)
        await line.outside.sleep(200)
        await spawn(line.send(0, 20), name="sender", daemon=True)
        await spawn(line.send(0, 20, source=0), name="other sender", daemon=True)
        await line.outside.sleep(2000)
        started = line.outside.now
        said = await line.fails()
        assert line.outside.now - started < LIMIT
        assert re.search(rf"packets of epoch parity \d are still under way after \d+ cycles; {re.escape(NAMED)}: "
                         r"2 of 3 slots of escape gone$", said), said

    on_line(main)


def test_a_packet_without_an_end_is_found_at_its_cable() -> None:
    async def main(line: Line) -> None:
        await line.send(Loss.END, destination=3)
        await line.outside.sleep(200)
        started = line.outside.now
        said = await line.fails()
        assert line.outside.now - started < LIMIT
        assert re.fullmatch(rf"Node 3: not drained after \d+ cycles; {re.escape(NAMED)}: "
                            r"the end of a packet lost", said), said
        # The next packet ends it, and is lost in its place.
        await line.send(0)
        await line.outside.sleep(200)
        (state,) = await line.faults()
        assert (state.cable, sum(state.lost), state.damaged, state.endless) == (FAULTY, 1, 1, False)

    on_line(main)


def test_who_only_waits_is_not_named() -> None:
    async def main(line: Line) -> None:
        await line.send(Loss.PLUG)
        await spawn(line.send(0, 20), name="sender", daemon=True)
        await spawn(line.send(0, 20, source=0), name="other sender", daemon=True)
        await line.outside.sleep(2000)
        started = line.outside.now
        said = await line.fails()
        assert line.outside.now - started > LIMIT
        assert re.search(r"[1-9]\d* packets of epoch parity \d are still under way after \d+ cycles; "
                         "no torus cable has lost anything$", said), said

    on_line(main)
