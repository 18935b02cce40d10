"""Numbers and lists as people write them."""

from collections.abc import Iterable, Sequence

__all__ = ["count", "duration", "listing", "plus", "si", "signed", "span"]


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 node``, ``1,024 nodes``, ``no node``."""
    if number == 0:
        return f"no {noun}"
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listing(items: Iterable[object]) -> str:
    """``1, 2 and 3``."""
    words: Sequence[str] = [str(item) for item in items]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "none"


def span(numbers: Iterable[int]) -> str:
    """``3``, or the least and the most: ``3 to 1,200``."""
    known = sorted(numbers)
    return f"{known[0]:,}" if known[0] == known[-1] else f"{known[0]:,} to {known[-1]:,}"


def si(number: float, unit: str) -> str:
    """Three significant digits with a prefix: ``53.1 MHz``."""
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n")):
        if abs(number) >= factor:
            return f"{number / factor:.3g} {prefix}{unit}"
    return f"{number:.3g} {unit}"


def duration(cycles: float, clock_hz: int) -> str:
    """Cycles as time: ``2.1 µs``."""
    return si(cycles / clock_hz, "s") if cycles else "0 s"


def plus(number: float) -> str:
    """A difference with its sign: ``+1``, ``-1,024.5``, ``0``."""
    text = f"{number:+,.1f}".removesuffix(".0")
    return "0" if text in ("+0", "-0") else text


def signed(ratio: float) -> str:
    """A change in per cent: ``+3.1 %``, ``-12 %``, ``0 %``."""
    value = round(100 * (ratio - 1), 1)
    if value == 0:
        return "0 %"
    return f"{value:+.0f} %" if abs(value) >= 10 else f"{value:+.1f} %"
