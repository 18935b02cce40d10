"""What every back end does between a machine and its host: phases, waiting for the outside, and how a run ends.

The rule is in ``docs/host-time.md``; ``khhw/sim/cocotb_bridge.py`` and ``khhw/sim/engine/bridge.py`` follow it.
"""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from khhw.host.inbox import Inbox
from khhw.host.ports import Access, Host
from khhw.host.scheduler import ROOT, Task, TaskError
from khhw.node.commands import list_ranks
from khhw.sim.options import Options, Outcome, State
from khhw.sim.pace import EndlessError, Pace
from khhw.tracebacks import with_traceback

__all__ = ["LOOK_CYCLES", "PERIOD", "RESET_CYCLES", "SHORTEST_JUMP", "Bridge", "Stuck"]

RESET_CYCLES = 4
PERIOD = 2
"""Clock period in steps of a simulator, and of waves: half of it each level."""
SHORTEST_JUMP = 16
"""Cycles a jump must save to be worth waking Python for."""
LOOK_CYCLES = 512
"""Cycles a busy machine runs without a look at its inbox."""
PACED_SECONDS = 0.001
"""Idle time worth waiting for on the wall; less is saved up."""

Stuck = Callable[[Callable[[str], int]], Sequence[str]]


class Bridge(ABC):
    """A run of a machine with its host, on some back end.

    Parameters
    ----------
    host : Host
        Its tasks; they start in cycle 0.
    options : Options
        How to run.
    pace : Pace
        Entered already.
    """

    def __init__(self, host: Host, options: Options, pace: Pace) -> None:
        self.host = host
        self.scheduler = host.scheduler
        self.options = options
        self.pace = pace
        pace.events = lambda: None if self.scheduler.current is None else self.scheduler.events
        self.cycle = 0
        self.outcome: tuple[State, str] | None = None
        self.wakes = self.phases = self.jumps = self.skipped = 0
        self.stirred = 0
        self.signatures: list[list[int]] = []
        self._quiescent = -1
        self._ahead = 0

    @abstractmethod
    def begin(self, accesses: list[Access]) -> None:
        """Show these accesses, and the next packet of the root if it can begin, from this cycle on."""

    @abstractmethod
    def quiescent_nodes(self) -> int:
        """Which nodes are quiescent, bit r node r."""

    @abstractmethod
    def transfers(self) -> dict[str, int]:
        """Register `accesses` and tree `packets` so far."""

    def phase(self) -> None:
        """Run the host at the beginning of this cycle, between two edges."""
        self.phases += 1
        self.stirred = self.cycle
        try:
            self.scheduler.run(self.cycle)
        except TaskError as error:
            state = State.INTERRUPTED if isinstance(error.__cause__, EndlessError) else State.FAILED
            self.end(state, with_traceback(str(error), error.__cause__ or error))
            return
        self.begin(self.host.start_accesses())
        if self.scheduler.finished:
            self.end(State.FINISHED, "all tasks have ended")

    def end(self, state: State, message: str) -> None:
        """The run is over."""
        self.outcome = state, message

    def out_of_cycles(self) -> bool:
        """Whether the limit is reached; the run is over then."""
        limit = self.options.max_cycles
        if limit is None or self.cycle < limit:
            return False
        self.end(State.BUDGET, f"the limit of {limit} cycles is reached")
        return True

    def is_hopeless(self, due: int | None) -> bool:
        """Whether somebody wants the run to end, or nothing has come of it for too long; it is over then."""
        if self.pace.stop is not None:
            self.end(State.INTERRUPTED, self.pace.stop)
        elif due is None and self.cycle - self.stirred >= self.options.stall_cycles:
            quiescent = self.quiescent_nodes()
            if quiescent == self._quiescent:
                quiet = self.options.stall_cycles
                self.end(State.STUCK, f"the machine is busy, but nothing happened for {quiet} cycles")
            self.stirred, self._quiescent = self.cycle, quiescent
        return self.outcome is not None

    def longest(self, due: int | None) -> int:
        """The cycle at whose beginning a machine that calls for nothing must be looked at again."""
        until = min(self.cycle + 1 + self.pace.nap,
                    self.stirred + self.options.stall_cycles if due is None else due)
        if self.options.max_cycles is not None:
            until = min(until, self.options.max_cycles)
        if self.host.inbox is not None:
            until = min(until, self.cycle + 1 + LOOK_CYCLES)
        if self.options.sign_every:
            until = min(until, max(self.cycle + 1, self._next_signature))
        return until

    @property
    def _next_signature(self) -> int:
        return self.options.sign_from + len(self.signatures) * self.options.sign_every

    @property
    def wants_signatures(self) -> bool:
        """Whether a sample of signatures is due."""
        return bool(self.options.sign_every) and self._next_signature <= self.cycle

    def keep_signatures(self, now: Sequence[int]) -> None:
        """Signatures in this cycle, for every cycle since the last ones that they were asked for."""
        while self.wants_signatures:
            self.signatures.append(list(now))

    def wait_outside(self, inbox: Inbox, due: int | None) -> int | None:
        """The machine is idle: block until something comes from outside, or until `due` as the wall counts.

        Returns
        -------
        int or None
            The cycle of the next event; None if the run was told to stop.
        """
        clock_hz = self.host.clock_hz
        self._ahead += 0 if due is None else due - self.cycle
        if due is not None and self._ahead < PACED_SECONDS * clock_hz:
            return due
        began = time.monotonic()
        end = math.inf if due is None else began + self._ahead / clock_hz
        self._ahead = 0
        told = False
        while self.pace.stop is None and not inbox.wait(min(end - time.monotonic(), self.options.progress_seconds)):
            if not told:
                # Once; then there is nothing new to tell.
                self.pace.look(self.cycle)
                told = True
            if time.monotonic() >= end:
                break
        waited = time.monotonic() - began
        if inbox.waiting:
            now = self.cycle + 1 + int(waited * clock_hz) if self.options.jump else self.cycle + 1
            inbox.deliver(self.scheduler, now if due is None else min(now, due))
        inbox.waited_seconds += waited
        return self.scheduler.next_cycle()

    def jumped(self, skipped: int) -> None:
        """The machine's time was set forward over `skipped` cycles in which nothing could happen."""
        self.skipped += skipped
        self.jumps += 1
        if self.host.inbox is not None:
            self.host.inbox.skipped_cycles = self.skipped

    def result(self, stuck: Stuck | None, read: Callable[[str], int], signature: Sequence[int]) -> Outcome:
        """How the run ended. All tasks are closed.

        Parameters
        ----------
        stuck : callable or None
            Asked where packets are when the machine did not come to an end by itself.
        read : callable
            Reads a signal by its path below the fabric.
        signature : sequence of int
            Of all nodes, now.
        """
        assert self.outcome is not None
        state, message = self.outcome
        lost = state in (State.STUCK, State.BUDGET, State.QUIET)
        outcome = Outcome(
            state=state, message=message, cycles=self.cycle, wall_seconds=self.pace.wall_seconds,
            waiting=_waiting(self.scheduler.tasks) if lost else [],
            stuck=list(stuck(read)) if lost and stuck is not None else [],
            statistics={
                "wakes": self.wakes, "phases": self.phases, "events": self.scheduler.events, **self.transfers(),
                "jumps": self.jumps, "skipped_cycles": self.skipped, "simulated_cycles": self.cycle - self.skipped,
            },
            signature=list(signature), signatures=self.signatures)
        self.scheduler.close()
        return outcome


def _waiting(tasks: Sequence[Task[Any]]) -> list[str]:
    """What each task waits for; nodes whose tasks wait for the same thing are named together."""
    ranks: dict[tuple[str, str], list[int]] = {}
    for task in tasks:
        ranks.setdefault((task.name, task.waits_for), []).append(task.rank)
    return [f"{name}{_of_nodes(where)} waits for {reason}" for (name, reason), where in ranks.items()]


def _of_nodes(ranks: Sequence[int]) -> str:
    return "" if ROOT in ranks else f" of node{'s' * (len(ranks) > 1)} {list_ranks(ranks)}"
