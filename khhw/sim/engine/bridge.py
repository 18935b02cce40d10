"""The native back end: between the engine and its host.

It follows ``docs/host-time.md``, as cocotb's does. The engine runs by itself, register accesses and packets under way
included, until something comes of it that a task waits for, or the next host event is due.
"""

import re
import time
from collections.abc import Callable

import numpy as np

from khhw.host.ports import Access, Host
from khhw.host.root_port import Packet
from khhw.sim.bridge import SHORTEST_JUMP, Bridge, Stuck
from khhw.sim.engine.engine import PIECE_NODE_CYCLES, Engine, Vector
from khhw.sim.engine.library import Reason
from khhw.sim.options import Options, Outcome, State
from khhw.sim.pace import Pace, Progress

__all__ = ["drive"]

_CALLS = Reason.ANSWER | Reason.TAKEN | Reason.PACKET | Reason.INTERRUPT | Reason.HELD
_NAME = re.compile(r"node_(?P<rank>\d+)\.(?P<path>.*?)(\[(?P<row>\d+)\])?")


def drive(
    engine: Engine, host: Host, options: Options | None = None, *, progress: Progress | None = None,
    stuck: Stuck | None = None,
) -> Outcome:
    """Run the host's tasks on a machine.

    Parameters
    ----------
    engine : Engine
        In cycle 0.
    host : Host
        Its tasks; they start in cycle 0.
    options : Options
        How to run.
    progress : callable or None
        Called with (cycles, wall seconds) now and then.
    stuck : callable or None
        See :meth:`khhw.sim.bridge.Bridge.result`.

    Returns
    -------
    Outcome
        How it ended. All tasks are closed.
    """
    options = options or Options()
    with Pace(progress, options.progress_seconds) as pace:
        return _EngineBridge(engine, host, options, pace).run(stuck)


class _EngineBridge(Bridge):
    def __init__(self, engine: Engine, host: Host, options: Options, pace: Pace) -> None:
        super().__init__(host, options, pace)
        self.engine = engine
        self._packet: Packet | None = None
        self._listening = 0
        self._accesses = self._packets = 0
        host.memory = engine
        engine.sign()

    def run(self, stuck: Stuck | None) -> Outcome:
        self.phase()
        while self.outcome is None:
            self._advance()
        return self.result(stuck, self._reader(), self.engine.signatures.tolist())

    def begin(self, accesses: list[Access]) -> None:
        self._accesses += len(accesses)
        self.engine.start_accesses([(access.rank, access.address, access.value) for access in accesses])
        if self._startable:
            self._packet = self.host.root.outgoing.popleft()
            self._packets += 1
            self.engine.send(self._packet.flits, self._packet.channel)

    @property
    def _startable(self) -> bool:
        """Whether a packet waits for the root and can begin."""
        return self._packet is None and bool(self.host.root.outgoing)

    def quiescent_nodes(self) -> int:
        return _mask(self.engine.quiescent)

    def transfers(self) -> dict[str, int]:
        return {"accesses": self._accesses, "packets": self._packets}

    def _advance(self) -> None:
        """Run to the next cycle in which the host has something to do, and let it."""
        self.pace.look(self.cycle)
        if self.wants_signatures:
            self.keep_signatures(self.engine.signatures.tolist())
        if self.host.inbox is not None and self.host.inbox.waiting:
            self.host.inbox.deliver(self.scheduler, self.cycle + 1)
        due = self.scheduler.next_cycle()
        if self.is_hopeless(due):
            return
        # With an inbox an idle machine waits for the outside, also between events that follow soon.
        worth_jumping = due is None or self.host.inbox is not None or due - self.cycle > SHORTEST_JUMP
        # A request to stop is seen in between, however many nodes are awake by then.
        until = min(self.longest(due), self.cycle + 1 + PIECE_NODE_CYCLES // self.engine.nodes)
        reason = self._run(until, _CALLS | (Reason.IDLE if worth_jumping else Reason(0)))
        if reason is Reason.IDLE:
            self._skip(due)
        else:
            self._deliver(reason)
        if self.outcome is not None or self.out_of_cycles():
            return
        if self.host.ready or self._startable or self.scheduler.next_cycle() == self.cycle:
            self.phase()

    def _run(self, until: int, reasons: Reason) -> Reason:
        self.wakes += 1
        if self.host.listening != self._listening:
            self._listening = self.host.listening
            self.engine.listening[:] = _levels(self._listening, self.engine.nodes)
        began, before = self.cycle, time.monotonic()
        reason = self.engine.run_until(cycle=until, reasons=reasons)
        self.cycle = self.engine.now
        self.pace.slept(self.cycle - began, time.monotonic() - before)
        return reason

    def _deliver(self, reason: Reason) -> None:
        """Tell the host what happened in the cycle before this one."""
        cycle = self.cycle - 1
        if Reason.HELD in reason:
            self.host.held(cycle, _mask(self.engine.held_before))
        if Reason.ANSWER in reason:
            for rank, value, error in self.engine.answers():
                self.host.nodes[rank].answered(cycle, value, error)
        if Reason.TAKEN in reason and self._packet is not None:
            packet, self._packet = self._packet, None
            packet.taken(cycle)
        if Reason.PACKET in reason and (came := self.engine.packet()) is not None:
            self._packets += 1
            self.host.root.arrived(cycle, *came)
        if Reason.INTERRUPT in reason:
            self.host.interrupts(cycle, _mask(self.engine.irq_before))

    def _skip(self, due: int | None) -> None:
        """Nothing happens by itself from this cycle on: go to the next event."""
        if self.host.inbox is not None:
            due = self.wait_outside(self.host.inbox, due)
            if self.is_hopeless(due):
                return
        if due is None:
            self.end(State.QUIET, "all tasks wait, and the machine is idle")
            return
        target = due if self.options.max_cycles is None else min(due, self.options.max_cycles)
        if self.options.jump:
            self.engine.jump(target)
            self.jumped(target - 1 - self.cycle)
            self.cycle = target
        else:
            self._deliver(self._run(min(target, self.longest(due)), _CALLS))

    def _reader(self) -> Callable[[str], int]:
        """A function that reads what :mod:`khhw.machine.stuck` asks for, by its path in a fabric."""
        def read(path: str) -> int:
            if path == "quiescent":
                return self.quiescent_nodes()
            found = _NAME.fullmatch(path)
            if found is None:
                raise LookupError(f"no signal {path}")
            return self.engine.read_name(int(found["rank"]), found["path"], int(found["row"] or 0))
        return read


def _mask(levels: Vector) -> int:
    """A vector of bytes as bits, bit r node r."""
    return int.from_bytes(np.packbits(levels, bitorder="little").tobytes(), "little")


def _levels(mask: int, nodes: int) -> Vector:
    """Bits as a vector of bytes."""
    packed = np.frombuffer(mask.to_bytes(-(-nodes // 8), "little"), np.uint8)
    return np.unpackbits(packed, count=nodes, bitorder="little")
