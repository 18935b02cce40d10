"""A campaign: machine after machine, round after round, until enough packets were tried or one did harm."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from khhw.build.engine import EngineBuild, build_engine
from khhw.fuzz.scenario import SCENARIOS
from khhw.fuzz.scoreboard import Violation
from khhw.fuzz.session import Finding, Session
from khhw.fuzz.stimulus import Stimulus, change, draw
from khhw.sim.engine import Engine
from khhw.sim.engine.bridge import drive
from khhw.sim.options import Options, Outcome, State
from rtl.parameters import Parameters

__all__ = ["Campaign", "Findings", "attack"]

_ROUNDS = 24
"""Rounds of one machine; then the next begins, from reset."""
_FRESH = 0.4
"""Share of rounds that are drawn anew although there are some worth changing."""
_STALL = 300_000


@dataclass
class Findings:
    """What came of a campaign so far.

    Parameters
    ----------
    packets, rounds, machines, cycles : int
    seconds : float
        Wall time, builds left out.
    tried, refused, cover : Counter
        As in :class:`~khhw.fuzz.session.Finding`, summed.
    kept : int
        Rounds that showed something new, and were changed further.
    violations : list of Violation
    found_by : dict or None
        The round of the first violation, its scenario and machine.
    interrupted : bool
        A person or a signal stopped it.
    """

    packets: int = 0
    rounds: int = 0
    machines: int = 0
    cycles: int = 0
    seconds: float = 0.0
    tried: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    cover: Counter[str] = field(default_factory=Counter)
    kept: int = 0
    violations: list[Violation] = field(default_factory=list)
    found_by: dict[str, Any] | None = None
    interrupted: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Plain values by name, for JSON; counts by name, largest first or in alphabetical order."""
        return asdict(self) | {
            "seconds": round(self.seconds, 1), "packets_per_second": round(self.packets / max(self.seconds, 1e-9)),
            "tried": dict(self.tried.most_common()), "refused": dict(self.refused.most_common()),
            "cover": dict(sorted(self.cover.items())), "cover_points": len(self.cover)}


class Campaign:
    """Draws rounds, runs them, and keeps those that reach a cover point no round has reached.

    Parameters
    ----------
    build : EngineBuild
        Of the machine under attack.
    seed : int
        Everything follows from it: two campaigns with the same seed and build are the same.
    packets : int
        It ends after the round in which so many hostile packets are reached.
    tell : callable, optional
        Told of the findings after each round.
    """

    def __init__(
        self, build: EngineBuild, *, seed: int, packets: int, tell: Callable[[Findings], None] | None = None,
    ) -> None:
        self.findings = Findings()
        self._build = build
        self._seed = seed
        self._packets = packets
        self._tell = tell or (lambda _: None)
        self._rng = np.random.default_rng(seed)
        self._corpus: list[Stimulus] = []
        self._left = 0
        self._before = 0

    def run(self) -> Findings:
        """Attack until there were enough packets, or a violation."""
        began, found = time.monotonic(), self.findings
        while found.packets < self._packets and not found.violations and not found.interrupted:
            scenario = SCENARIOS[found.machines % len(SCENARIOS)]
            found.machines += 1
            self._left, self._before = _ROUNDS, found.cycles
            with Engine(self._build, scenario.shape.sizes, threads=1) as engine:
                session = Session(engine, scenario, int(self._rng.integers(1 << 31)), self._next, self._took)
                outcome = drive(engine, session.host, Options(stall_cycles=_STALL))
            found.seconds = time.monotonic() - began
            if found.found_by is not None:
                found.found_by |= {"scene": scenario.name, "machine": found.machines}
            self._check(outcome)
        return found

    def _check(self, outcome: Outcome) -> None:
        """A machine that came to no end is a violation, too: somebody stopped it, and it was not the user."""
        if outcome.state == State.INTERRUPTED:
            self.findings.interrupted = True
        elif outcome.state != State.FINISHED and not self.findings.violations:
            self.findings.violations.append(Violation("run", f"{outcome.state}: {outcome.message}"))

    def _next(self) -> Stimulus | None:
        if not self._left or self.findings.packets >= self._packets:
            return None
        self._left -= 1
        if not self._corpus or self._rng.random() < _FRESH:
            return draw(self._rng)
        return change(self._corpus[int(self._rng.integers(len(self._corpus)))], self._rng)

    def _took(self, finding: Finding) -> None:
        found = self.findings
        if any(point not in found.cover for point in finding.cover):
            self._corpus.append(finding.stimulus)
            found.kept += 1
        found.packets += finding.packets
        found.rounds += 1
        found.cycles = self._before + finding.cycles
        found.tried += finding.tried
        found.refused += finding.refused
        found.cover += finding.cover
        found.violations += finding.violations
        if finding.violations:
            found.found_by = finding.stimulus.as_dict()
        self._tell(found)


def attack(
    node: Parameters, parts: Mapping[str, str] | None = None, *, seed: int, packets: int,
    tell: Callable[[Findings], None] | None = None,
) -> Findings:
    """Build a machine of such nodes, with other parts if asked for, and attack it; see :class:`Campaign`.

    `node` is :data:`~khhw.fuzz.memory_map.NODE`, or that with other `lanes`.
    """
    build = build_engine(node.as_dict(), dict(parts or {}))
    return Campaign(build, seed=seed, packets=packets, tell=tell).run()
