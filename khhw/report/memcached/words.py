"""What every text about memcached says the same way."""

from collections.abc import Iterable

from khhw.machine.alike import mixed
from khhw.machine.results import Breakdown, MemcachedPoint
from khhw.report.words import count, duration

__all__ = ["NAMES", "PARTS", "circumstances", "cycles", "of_size", "parts", "per_cent", "samples_of", "size", "times"]

NAMES = {"tcp": "TCP", "rdma": "RDMA", "get": "GET", "set": "SET"}
PARTS = {"hops": "hops", "serialization": "serialization", "ni": "NI", "software": "software", "wait": "wait"}
"""Parts of the time of an operation, in the order they are drawn: the wire's first, so that its bound is their end."""


def parts(breakdown: Breakdown) -> dict[str, float]:
    """Cycles by part."""
    return {part: float(getattr(breakdown, part)) for part in PARTS}


def circumstances(point: MemcachedPoint, *vary: str) -> str:
    """How a point was measured: ``1 client, closed loop, uniform keys, ppc450``; without what is varied."""
    words = [] if "clients" in vary else [count(point.clients, "client")]
    if point.connections > 1:
        words[-1:] = [f"{words[-1] if words else 'each client'} with {point.connections} connections"]
    if mixed(point):
        words.append(f"{point.gets_per_cent} % GETs")
    if "value_bytes" not in vary:
        words.append(size(point))
    offer = point.offered_per_second is not None and "offered_per_second" not in vary
    words.append(f"{point.loop} loop" + (f" offering {point.offered_per_second:,.0f} operations/s" if offer else ""))
    words.append(f"{'Zipf' if point.distribution == 'zipf' else point.distribution} keys")
    scaled = "cpu_scale" not in vary and point.cpu_model != "ideal" and point.cpu_scale != 1
    words.append(f"software time {point.cpu_model}" + (f" x {point.cpu_scale:g}" if scaled else ""))
    return ", ".join(words)


def of_size(value: float) -> str:
    """``4,096 bytes``."""
    return count(round(value), "byte")


def size(point: MemcachedPoint) -> str:
    """Size of a point's values: ``4,096 bytes``, ``ETC sizes``."""
    return f"ETC sizes (mean {of_size(point.value_bytes)})" if point.values == "etc" else of_size(point.value_bytes)


def samples_of(points: Iterable[MemcachedPoint]) -> str:
    """How many samples points are made of: ``n=3``, ``n=3 to 88``."""
    numbers = [point.samples for point in points]
    low, high = min(numbers), max(numbers)
    return f"n={low:,}" if low == high else f"n={low:,} to {high:,}"


def cycles(value: float, clock_hz: int) -> str:
    """``512 cycles (9.64 µs)``."""
    return f"{value:,.0f} cycles ({duration(value, clock_hz)})"


def times(ratio: float) -> str:
    """``1.06 times``, ``201 times``."""
    return f"{ratio:.3g} times" if ratio < 1000 else f"{ratio:,.0f} times"


def per_cent(share: float) -> str:
    """``94 %``; more digits for small shares."""
    return f"{100 * share:.0f} %" if share >= 0.1 or share == 0 else f"{100 * share:.2g} %"
