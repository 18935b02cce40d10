"""The same measurement in several phases: what else went on in the machine changed it by how much."""

from collections.abc import Sequence
from dataclasses import dataclass

from khhw.machine.results import MemcachedPoint
from khhw.report.memcached.sweep import held
from khhw.report.memcached.words import NAMES, size
from khhw.report.words import count

__all__ = ["Change", "changes", "phase_rows", "phase_text", "signed"]

_NOTHING = 0.005


@dataclass(frozen=True)
class Change:
    """A measurement in two phases.

    Parameters
    ----------
    before, after : MemcachedPoint
        Alike but for the phase.
    """

    before: MemcachedPoint
    after: MemcachedPoint

    @property
    def median(self) -> float:
        """Median after over median before."""
        return self.after.latency_cycles.p50 / self.before.latency_cycles.p50


def changes(points: Sequence[MemcachedPoint]) -> list[Change]:
    """What was measured in a phase and again in a later one, against the first."""
    first: dict[tuple[object, ...], MemcachedPoint] = {}
    found = []
    for point in points:
        before = first.setdefault((point.path, point.op, *held(point)), point)
        if before.phase != point.phase:
            found.append(Change(before, point))
    return found


def phase_text(found: Sequence[Change]) -> str:
    """What the changes say in a sentence or two."""
    moved = [change for change in found if abs(change.median - 1) >= _NOTHING]
    text = (f"{count(len(found), 'measurement')} of one phase {'was' if len(found) == 1 else 'were'} taken again in "
            f"another. ")
    if all(change.before.quantiles == change.after.quantiles for change in found):
        return text + "Every quantile is the same to the cycle."
    if not moved:
        return text + "No median changed by half a per cent."
    most = max(moved, key=lambda change: abs(change.median - 1))
    return (f"{text}{count(len(moved), 'median')} changed by half a per cent or more; the most that of "
            f"{NAMES[most.after.path]} {NAMES[most.after.op]}, {size(most.after)}: {signed(most.median)} in "
            f"{most.after.phase} against {most.before.phase}.")


def phase_rows(found: Sequence[Change]) -> list[list[str]]:
    """A row a change that can be seen: what, phases, median, tail (99th percentile or longest), operations a second."""
    return [[f"{NAMES[change.after.path]} {NAMES[change.after.op]}, {size(change.after)}",
             f"{change.before.phase} → {change.after.phase}", *_cells(change)]
            for change in found if abs(change.median - 1) >= _NOTHING]


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


def signed(ratio: float) -> str:
    """A change in per cent: ``+3.1 %``, ``-12 %``, ``0 %``."""
    value = round(100 * (ratio - 1), 1)
    if value == 0:
        return "0 %"
    return f"{value:+.0f} %" if abs(value) >= 10 else f"{value:+.1f} %"
