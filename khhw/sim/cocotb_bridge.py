"""The cocotb back end: one coroutine between a simulated fabric and its host.

The rule it follows is in ``docs/host-time.md``. Python wakes when an interrupt changes that somebody waits for,
when a packet comes out of the root, at each clock edge while a register access or a packet is under way, and
for the next host event; else the simulator runs by itself. When the machine is idle its time is set forward to
the next host event. With an inbox, an idle machine waits for the outside, and its time passes as on the wall.
"""

import time
from typing import Any

import cocotb.simulator
from cocotb.clock import Clock
from cocotb.handle import HierarchyObject
from cocotb.triggers import ReadWrite, RisingEdge, Timer

from khhw.host.ports import Access, Host
from khhw.sim.bridge import PERIOD, RESET_CYCLES, SHORTEST_JUMP, Bridge, Stuck
from khhw.sim.channels import HostBuses, OwnerPort
from khhw.sim.either import Either
from khhw.sim.options import Options, Outcome, State
from khhw.sim.pace import Pace, Progress
from khhw.sim.signals import Backdoor, Vector, reader

__all__ = ["drive"]


async def drive(
    dut: HierarchyObject,
    host: Host,
    options: Options | None = None,
    *,
    progress: Progress | None = None,
    stuck: Stuck | None = None,
) -> Outcome:
    """Reset a fabric and run the host's tasks on it.

    Parameters
    ----------
    dut : HierarchyObject
        The fabric.
    host : Host
        Its tasks; they start in cycle 0.
    options : Options
        How to run.
    progress : callable or None
        Called with (cycles, wall seconds) now and then.
    stuck : callable or None
        Asked where packets are when the machine did not come to an end by itself. It is given a function that
        reads a signal by its path.

    Returns
    -------
    Outcome
        How it ended. All tasks are closed.
    """
    options = options or Options()
    with Pace(progress, options.progress_seconds) as pace:
        return await _CocotbBridge(dut, host, options, pace).run(stuck)


class _CocotbBridge(Bridge):
    def __init__(self, dut: HierarchyObject, host: Host, options: Options, pace: Pace) -> None:
        super().__init__(host, options, pace)
        self.dut = dut
        self.buses = HostBuses(dut, host)
        self.owner = OwnerPort(dut, host)
        self.irq = Vector(dut, "irq")
        self.held = Vector(dut, "held")
        self.idle = Vector(dut, "idle")
        self.quiescent = Vector(dut, "quiescent")
        self.time = Vector(dut, "now")
        self.time_load, self.time_value = Vector(dut, "time_load"), Vector(dut, "time_value")
        self._edge: RisingEdge = RisingEdge(dut["clk"])  # type: ignore[arg-type]
        self._settle = ReadWrite()
        self._settled = True
        self._timed = False
        self._origin = 0
        self._held = -1
        # Machines without signatures exist: testbenches have their own.
        self._signed = Vector(dut, "signatures") if hasattr(dut, "signatures") else None
        host.memory = Backdoor(dut, len(host.nodes))

    async def run(self, stuck: Stuck | None) -> Outcome:
        await self._reset()
        self.phase()
        while self.outcome is None:
            await self._reach_edge()
            if self.outcome is None:
                await self._finish_cycle()
        await self._settle_down()
        if self.time.get() != self.cycle:
            raise RuntimeError(f"the machine's time is {self.time.get()} in cycle {self.cycle}")
        return self.result(stuck, reader(self.dut), self._signature())

    def begin(self, accesses: list[Access]) -> None:
        self.buses.start(accesses)
        self.owner.start()

    def quiescent_nodes(self) -> int:
        return self.quiescent.get()

    def transfers(self) -> dict[str, int]:
        return {"accesses": self.buses.accesses, "packets": self.owner.packets}

    async def _reset(self) -> None:
        """Returns at the beginning of cycle 0, when signals have settled."""
        reset = Vector(self.dut, "rst")
        reset.set(1)
        self.time_load.set(0)
        self.time_value.set(0)
        Clock(self.dut["clk"], PERIOD, "step").start()  # type: ignore[arg-type]
        for _ in range(RESET_CYCLES):
            await self._edge
        reset.set(0)
        # A fabric's own reset ends a cycle later.
        self.time_load.set(1)
        await self._edge
        self.time_load.set(0)
        self._origin = _steps()
        await self._settle
        if self.time.get() != 0:
            raise RuntimeError(f"the machine's time is {self.time.get()} after reset, not 0")

    async def _finish_cycle(self) -> None:
        """At the edge that ends a cycle: see what the machine did in it, then begin the next."""
        cycle = self.cycle
        if (held := self.held.get()) != self._held:
            self._held = held
            self.host.held(cycle, held)
        if self.buses.busy:
            self.buses.sample(cycle)
        self.owner.sample(cycle)
        if self.host.listening and (levels := self.irq.get()):
            self.host.interrupts(cycle, levels)
        self.cycle = cycle + 1
        self._settled = False
        if self.out_of_cycles():
            return
        if self.host.ready or self.owner.startable or self.scheduler.next_cycle() == self.cycle:
            await self._settle_down()
            self.phase()

    def _signature(self) -> list[int]:
        """Signatures of all nodes, as they have settled to."""
        if self._signed is None:
            return []
        value = self._signed.get()
        return [value >> 64 * rank & (1 << 64) - 1 for rank in range(len(self.host.nodes))]

    async def _settle_down(self) -> None:
        """Let the machine see the edge it is at; signals then have their values of this cycle."""
        if not self._settled:
            await self._wake(self._settle)
            self._settled = True
            self._timed = False

    async def _wake(self, trigger: Any) -> Any:
        self.wakes += 1
        return await trigger

    async def _reach_edge(self) -> None:
        """Return at the next edge that matters, before the machine has seen it."""
        while self.outcome is None:
            self.pace.look(self.cycle)
            if self.wants_signatures:
                await self._settle_down()
                self.keep_signatures(self._signature())
            if self.host.inbox is not None and self.host.inbox.waiting:
                self.host.inbox.deliver(self.scheduler, self.cycle + 1)
            due = self.scheduler.next_cycle()
            if self.is_hopeless(due):
                return
            if self.buses.busy or self.owner.busy or due == self.cycle + 1:
                break
            await self._settle_down()
            if self._is_calling():
                break
            if self.idle.get():
                if self.host.inbox is not None:
                    due = self.wait_outside(self.host.inbox, due)
                    if self.is_hopeless(due):
                        return
                if due is None:
                    self.end(State.QUIET, "all tasks wait, and the machine is idle")
                    return
                if self.options.jump and due - self.cycle > SHORTEST_JUMP:
                    await self._jump(due)
                    return
            if await self._sleep(due):
                return
        if self._timed:
            # A timer may fire in front of the edge of its step, which is then not the one waited for here.
            await self._settle_down()
        await self._wake(self._edge)

    def _is_calling(self) -> bool:
        """Whether the machine wants something of its host in this cycle."""
        listening = self.host.listening
        return bool(self.owner.out_valid.get() or (listening and self.irq.get() & listening)
                    or self.held.get() != self._held)

    async def _jump(self, due: int) -> None:
        """Make this cycle the last one before `due`, and go to its end."""
        target = due if self.options.max_cycles is None else min(due, self.options.max_cycles)
        skipped = target - 1 - self.cycle
        self.time_value.set(target)
        self.time_load.set(1)
        await self._wake(self._edge)
        self.time_load.set(0)
        self.cycle += skipped
        self._origin -= skipped * PERIOD
        self.jumped(skipped)

    async def _sleep(self, due: int | None) -> bool:
        """Let the simulator run by itself. Returns whether it is at an edge; else something changed after one."""
        until = self.longest(due) - 1
        began, before = self.cycle, time.monotonic()
        timer = Timer(self._origin + (until + 1) * PERIOD - _steps(), "step")
        watched = [self.owner.out_valid, self.held]
        if self.host.listening:
            watched.append(self.irq)
        if due is None or due - self.cycle > SHORTEST_JUMP:
            watched.append(self.idle)
        first = Either(timer, *(vector.change for vector in watched))
        await self._wake(first)
        at_edge = first.fired is timer
        self.cycle = until if at_edge else (_steps() - self._origin) // PERIOD
        self._settled = not at_edge
        self._timed = at_edge
        self.pace.slept(self.cycle - began, time.monotonic() - before)
        return at_edge


def _steps() -> int:
    high, low = cocotb.simulator.get_sim_time()
    return high << 32 | low
