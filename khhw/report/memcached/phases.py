"""The same measurement in several phases: what else went on in the machine changed it by how much."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from khhw.machine.alike import held
from khhw.machine.results import MemcachedPoint
from khhw.report.memcached.estimates import changed
from khhw.report.memcached.words import NAMES, samples_of, size
from khhw.report.words import count, signed

__all__ = ["Change", "changes", "phase_rows", "phase_text"]


@dataclass(frozen=True)
class Change:
    """A measurement in two phases.

    Parameters
    ----------
    before, after : MemcachedPoint
        Alike but for the phase.
    differs : bool or None
        Whether the medians do, judged together with those of all such measurements of the run; None where no interval
        can be given.
    """

    before: MemcachedPoint
    after: MemcachedPoint
    differs: bool | None

    @property
    def median(self) -> float:
        """Median after over median before."""
        return self.after.latency_cycles.p50 / self.before.latency_cycles.p50


def changes(points: Sequence[MemcachedPoint]) -> list[Change]:
    """What was measured in a phase and again in a later one, against the first."""
    first: dict[tuple[object, ...], MemcachedPoint] = {}
    pairs = []
    for point in points:
        before = first.setdefault((point.path, point.op, *held(point)), point)
        if before.phase != point.phase:
            pairs.append((before, point))
    return [Change(*pair, judgement.differs) for pair, judgement in zip(pairs, changed(pairs), strict=True)]


def phase_text(found: Sequence[Change]) -> str:
    """What the changes say in a sentence or two."""
    moved = [change for change in found if change.differs]
    unknown = [point for change in found if change.differs is None for point in (change.before, change.after)]
    text = (f"{count(len(found), 'measurement')} of one phase {'was' if len(found) == 1 else 'were'} taken again in "
            f"another. ")
    if all(change.before.quantiles == change.after.quantiles for change in found):
        return text + "Every quantile is the same to the cycle."
    if moved:
        most = max(moved, key=lambda change: abs(math.log(change.median)))
        text += (f"{count(len(moved), 'median differs', 'medians differ')}; the most that of "
                 f"{NAMES[most.after.path]} {NAMES[most.after.op]}, {size(most.after)}: {signed(most.median)} in "
                 f"{most.after.phase} against {most.before.phase}.")
    elif len(unknown) < 2 * len(found):
        text += "No difference of medians is seen."
    if unknown:
        text = f"{text.rstrip()} No interval can be given for {len(unknown) // 2} ({samples_of(unknown)})."
    return text


def phase_rows(found: Sequence[Change]) -> list[list[str]]:
    """A row a change that is seen or cannot be judged: what, phases, median, tail (99th percentile or longest),
    operations a second."""
    return [[f"{NAMES[change.after.path]} {NAMES[change.after.op]}, {size(change.after)}",
             f"{change.before.phase} → {change.after.phase}", *_cells(change)]
            for change in found if change.differs is not False]


def _cells(change: Change) -> list[str]:
    before, after = change.before, change.after
    tails = [point.latency_cycles.p99 for point in (before, after)]
    longest = None in tails
    first, last = (point.latency_cycles.max if longest else point.latency_cycles.p99 or 0 for point in (before, after))
    return [_arrow(before.latency_cycles.p50, after.latency_cycles.p50),
            f"{'longest' if longest else '99th percentile'} {_arrow(first, last)}",
            _arrow(before.ops_per_second, after.ops_per_second)]


def _arrow(before: float, after: float) -> str:
    return f"{before:,.0f} → {after:,.0f} ({signed(after / before)})"
