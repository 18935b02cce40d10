"""The points of a sweep as lines over the load, seeds together, with intervals of confidence."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from khhw.report.words import count
from khhw.statistics import half_width
from khhw.sweep.results import CurveSaturation, Row, SweepResults

__all__ = ["Estimate", "Line", "Panel", "LoadPoint", "panels", "words_of_states"]

_MOST_LINES = 6
"""In one picture."""
_LAST = "pattern"
"""What stays together longest where there are too many lines for one picture."""


@dataclass(frozen=True)
class Estimate:
    """A mean and half its 95 % interval, None where there is nothing to tell it from."""

    mean: float
    half: float | None


@dataclass(frozen=True, kw_only=True)
class LoadPoint:
    """A line at one load.

    Parameters
    ----------
    load : float
        Offered, in capacities.
    latency : Estimate or None
        Mean latency in cycles; None if nothing arrived. Without an interval where the load is saturated: latencies then
        tell of no steady state.
    p50, p99 : float or None
        Means over seeds of the quantiles.
    offered : float
        What was created, in capacities; mean over seeds. Less than `load` where nodes have nobody to send to.
    accepted : Estimate
        In capacities.
    saturated : bool or None
        For at least half of the seeds; None where those that do not tell could make it so.
    seeds : int
        That were measured.
    """

    load: float
    latency: Estimate | None
    p50: float | None
    p99: float | None
    offered: float
    accepted: Estimate
    saturated: bool | None
    seeds: int


@dataclass(frozen=True, kw_only=True)
class Line:
    """Everything but load and seed fixed.

    Parameters
    ----------
    label : str
        What tells it from the others in its picture.
    points : tuple of LoadPoint
        Loads rising; those that all seeds have.
    searched : tuple of (load, latency, offered, accepted)
        Points of single seeds, from the search for saturation.
    carried : Estimate or None
        The highest load that is carried, over seeds; None where a search found none.
    zero_load_latency : float or None
        In cycles, mean over seeds.
    saturation : tuple of CurveSaturation
        Of its seeds.
    """

    label: str
    points: tuple[LoadPoint, ...]
    searched: tuple[tuple[float, float | None, float, float], ...]
    carried: Estimate | None
    zero_load_latency: float | None
    saturation: tuple[CurveSaturation, ...]


@dataclass(frozen=True)
class Panel:
    """A picture: its file name, what its lines have in common, and the lines."""

    name: str
    title: str
    lines: tuple[Line, ...]


def panels(results: SweepResults) -> list[Panel]:
    """The pictures of a sweep; lines without a single point are left out."""
    by_kind: dict[_Kind, list[Row]] = {}
    for row in results.results:
        if row.state == "done":
            by_kind.setdefault(_Kind(row), []).append(row)
    kinds = list(by_kind)
    varying = [name for name in _names(kinds) if len({kind.words[name] for kind in kinds}) > 1]
    seeds = len({row.seed for row in results.results})
    found = []
    for fixed, group in _split(kinds, varying):
        rest = [name for name in varying if name not in fixed]
        lines = tuple(_line(kind.label(rest), by_kind[kind], seeds, _of(kind, results.saturation)) for kind in group)
        common = [name for name in _names(kinds) if name in fixed or (name in _BASIC and name not in rest)]
        slug = "".join(f"_{kind.slug(name)}" for kind in group[:1] for name in fixed)
        found.append(Panel(f"latency_load{slug}", group[0].label(common), lines))
    return found


_BASIC = ("shape", "pattern", "lengths")


class _Kind:
    """What the rows of a line have in common, in words, by name."""

    def __init__(self, row: Row | CurveSaturation) -> None:
        hot = f" ({row.hot_share:.3g} to node {row.hot_node})" if row.hot_share else ""
        lengths = "/".join(str(32 * length) for length in row.lengths)
        self.words: dict[str, str] = {
            "shape": "x".join(map(str, row.shape)), "lengths": f"{lengths} bytes",
            **{f"node.{name}": f"{name} {value}" for name, value in row.node.items()},
            "parts": ", ".join(f"{part} {name.rpartition(':')[2]}" for part, name in sorted(row.parts.items()))
            or "khhw's parts",
            "pattern": row.pattern.replace("_", " ") + hot}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Kind) and self.words == other.words

    def __hash__(self) -> int:
        return hash(tuple(self.words.items()))

    def label(self, names: Sequence[str]) -> str:
        """Words of some of its properties."""
        return ", ".join(self.words[name] for name in names) or self.words["pattern"]

    def slug(self, name: str) -> str:
        """A property for a file name."""
        return "".join(letter if letter.isalnum() else "-" for letter in self.words[name])


def _names(kinds: Sequence[_Kind]) -> list[str]:
    return list(kinds[0].words) if kinds else []


def _split(kinds: Sequence[_Kind], varying: Sequence[str]) -> Iterator[tuple[tuple[str, ...], list[_Kind]]]:
    """Kinds in groups of a few lines, each with the names of what was split by."""
    groups: dict[Hashable, list[_Kind]] = {(): list(kinds)} if kinds else {}
    by: tuple[str, ...] = ()
    for name in sorted(varying, key=lambda name: name == _LAST):
        if all(len(group) <= _MOST_LINES for group in groups.values()):
            break
        by = (*by, name)
        groups = {}
        for kind in kinds:
            groups.setdefault(tuple(kind.words[each] for each in by), []).append(kind)
    for group in groups.values():
        yield by, group


def _of(kind: _Kind, saturation: Sequence[CurveSaturation]) -> tuple[CurveSaturation, ...]:
    return tuple(curve for curve in saturation if _Kind(curve) == kind)


def _line(label: str, rows: Sequence[Row], seeds: int, saturation: tuple[CurveSaturation, ...]) -> Line:
    by_load: dict[float, list[Row]] = {}
    for row in rows:
        by_load.setdefault(row.load, []).append(row)
    # A load that the search chose for one seed says nothing of the others.
    points = tuple(_point(load, group) for load, group in sorted(by_load.items())
                   if len(group) == seeds or any(row.role == "grid" for row in group))
    shown = {point.load for point in points}
    carried = [curve.carried for curve in saturation
               if curve.state in ("found", "unclear", "above") and curve.carried is not None]
    zero = [curve.zero_load_latency for curve in saturation if curve.zero_load_latency is not None]
    return Line(
        label=label, points=points, saturation=saturation,
        searched=tuple((row.load, row.latency_mean, row.offered or 0.0, row.accepted or 0.0)
                       for row in rows if row.load not in shown),
        carried=_estimate(carried) if carried and len(carried) == len(saturation) else None,
        zero_load_latency=fmean(zero) if zero else None)


def _point(load: float, rows: Sequence[Row]) -> LoadPoint:
    latencies = [row.latency_mean for row in rows if row.latency_mean is not None]
    accepted = [row.accepted or 0.0 for row in rows]
    if len(rows) == 1:
        latency = Estimate(latencies[0], rows[0].latency_mean_ci95) if latencies else None
        taken = Estimate(accepted[0], rows[0].accepted_ci95)
    else:
        latency, taken = _estimate(latencies) if latencies else None, _estimate(accepted)
    saturated = _half([row.saturated for row in rows])
    if latency and saturated:
        latency = replace(latency, half=None)
    return LoadPoint(
        load=load, latency=latency, offered=fmean(row.offered or 0.0 for row in rows), accepted=taken, seeds=len(rows),
        p50=_mean([row.latency_p50 for row in rows]), p99=_mean([row.latency_p99 for row in rows]),
        saturated=saturated)


def _half(answers: Sequence[bool | None]) -> bool | None:
    """Whether half of the answers are yes; None where it depends on those that are not known."""
    if 2 * answers.count(True) >= len(answers):
        return True
    return None if 2 * (answers.count(True) + answers.count(None)) >= len(answers) else False


def _estimate(values: Sequence[float]) -> Estimate:
    return Estimate(fmean(values), half_width(values))


def _mean(values: Sequence[float | None]) -> float | None:
    """None where one of the values is not known: the mean of the others would be another quantity."""
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) and known else None


def words_of_states(saturation: Sequence[CurveSaturation]) -> str:
    """How searches ended that found no load."""
    texts: Mapping[str, str] = {
        "unclear": "where exactly it saturates cannot be told from what was measured",
        "above": "the highest load tried is carried", "below": "the lowest load is already saturated",
        "failed": "a point that the search needs failed", "unfinished": "the search has not ended"}
    states = [curve.state for curve in saturation if curve.state != "found"]
    return "; ".join(f"{texts[state]} ({count(states.count(state), 'seed')})" for state in dict.fromkeys(states))
