"""What limits a measurement: the server's processor or lane, a part of the operation's time, or the wire."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from khhw.machine.results import MemcachedPoint
from khhw.report.memcached.sweep import together
from khhw.report.memcached.words import PARTS, of_size, parts, per_cent
from khhw.report.words import listing

__all__ = ["Limit", "busy", "limit", "limits"]

_NAMES = {"serialization": "the wire's serialization", "hops": "the wire's hops", "ni": "the NI",
          "wait": "waiting for others"}
_SATURATED = 0.9
_FULL = 0.85
_AT_THE_WIRE = 1.2


@dataclass(frozen=True)
class Limit:
    """What limits a point.

    Parameters
    ----------
    name : str
        ``the server's processor``, ``software``.
    detail : str
        The number that says so: ``97 % busy``, ``79 % of the time``.
    short : str
        Both in two or three words.
    """

    name: str
    detail: str
    short: str

    def __str__(self) -> str:
        return f"{self.name} ({self.detail})"


def busy(point: MemcachedPoint, points: Iterable[MemcachedPoint]) -> float:
    """Share of the time that the server's processor ran software during the measurement of a point, 0 to 1."""
    charged = sum(p.ops_per_second * p.server_cpu_ns_per_op for p in together(point, points)) * 1e-9
    # The server's time is read a little before and after the measurement.
    return min(1.0, charged)


def limit(point: MemcachedPoint, points: Iterable[MemcachedPoint], clock_hz: int) -> Limit | None:
    """What limits a point; None where its measurement does not tell.

    A busy server first: everybody waits for it. Then the largest part of the operation's time, where that was taken
    apart. Then the lane through which packets reach or leave the server, if operations at the wire's bound
    would fill the time; or the wire itself, if the median is near its bound.
    """
    measurement = together(point, points)
    load = busy(point, measurement)
    if load >= _SATURATED:
        return Limit("the server's processor", f"{per_cent(load)} busy", f"server {per_cent(load)} busy")
    if point.breakdown is not None and (total := sum(found := parts(point.breakdown).values())) > 0:
        part, value = max(zip(PARTS, found, strict=True), key=lambda item: item[1])
        share = per_cent(value / total)
        return Limit(_NAMES.get(part, PARTS[part]), f"{share} of the time", f"{PARTS[part]} {share}")
    # A request may travel beside an earlier answer, so the sum can exceed the time there is.
    full = min(1.0, sum(p.ops_per_second * p.wire_bound_cycles for p in measurement) / clock_hz)
    if full >= _FULL:
        return Limit("the server's lane", f"{per_cent(full)} full", f"lane {per_cent(full)} full")
    ratio = point.latency_cycles.p50 / point.wire_bound_cycles
    if ratio <= _AT_THE_WIRE:
        return Limit("the wire", f"{ratio:.3g} times its bound", "wire")
    return None


def limits(line: Iterable[MemcachedPoint], points: Sequence[MemcachedPoint], clock_hz: int) -> str:
    """What limits each point: ``software (79 % of the time at 64 bytes) and the wire's serialization (...)``."""
    found: dict[str, list[str]] = {}
    for point in line:
        if what := limit(point, points, clock_hz):
            found.setdefault(what.name, []).append(f"{what.detail} at {of_size(point.value_bytes)}")
    return listing(f"{name} ({', '.join(details)})" for name, details in found.items()) if found else ""
