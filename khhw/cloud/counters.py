"""What a reading of the cloud holds: the lines of a node's meter, by name."""

from collections.abc import Sequence

from rtl.meter_lines import MeterLine

__all__ = ["NAMES", "counters"]

NAMES = tuple(line.name.lower() for line in MeterLine)
"""Of counters, in the order of :class:`~rtl.meter_lines.MeterLine`."""


def counters(counts: Sequence[int]) -> dict[str, int]:
    """Counters by name.

    Parameters
    ----------
    counts : sequence of int
        By :class:`~rtl.meter_lines.MeterLine`.
    """
    return dict(zip(NAMES, counts, strict=True))
