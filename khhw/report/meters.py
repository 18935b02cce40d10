"""Readings of meters as text: a row a node and kind of peer, and what must hold between them."""

from collections.abc import Iterable, Sequence

from khhw.machine.meter_record import MeterLaw, MeterReading
from rtl.formats import FLIT_BYTES

__all__ = ["law_lines", "meter_lines"]

_ROW = "{:<6} {:<9} {:>10} {:>14} {:>10} {:>14} {:>16} {:>12}"
_HEADER = ("node", "peers", "sent", "bytes", "received", "bytes", "byte-hops", "busy cycles")
_KINDS = ("own", "shared", "external")
_ENDS = ("copied", "refused", "dropped")
MOST_NODES = 64
"""Of which each has rows of its own."""


def meter_lines(readings: Sequence[MeterReading]) -> list[str]:
    """A table of all meters and their total.

    Parameters
    ----------
    readings : sequence of MeterReading
        Of all nodes, by rank.
    """
    total = {name: sum(reading.counts[name] for reading in readings) for name in readings[0].counts}
    lines = [_ROW.format(*_HEADER)]
    if len(readings) <= MOST_NODES:
        for reading in readings:
            lines += _rows(str(reading.node), reading.counts)
    else:
        lines.append(f"{len(readings):,} nodes: those of each are in the file of -o, or with --json")
    lines += _rows("all", total)
    ends = ", ".join(f"{total[f'{end.upper()}_PACKETS']:,} {end} ({total[f'{end.upper()}_FLITS'] * FLIT_BYTES:,} bytes)"
                     for end in _ENDS)
    return [*lines, f"packets that were {ends}"]


def _rows(node: str, counts: dict[str, int]) -> list[str]:
    """A row for each kind of peer with which there was any traffic, and one in any case."""
    rows: list[str] = []
    for kind in _KINDS:
        sent, sent_flits, received, received_flits = (
            counts[f"{kind.upper()}_{what}_{unit}"] for what in ("SENT", "RECEIVED") for unit in ("PACKETS", "FLITS"))
        if not (sent or received or kind == "own"):
            continue
        # A tree has no distances.
        hops = "" if kind == "external" else f"{counts[f'{kind.upper()}_FLIT_HOPS'] * FLIT_BYTES:,}"
        rows.append(_ROW.format(
            node if not rows else "", kind, f"{sent:,}", f"{sent_flits * FLIT_BYTES:,}", f"{received:,}",
            f"{received_flits * FLIT_BYTES:,}", hops, "" if rows else f"{counts['BUSY_CYCLES']:,}").rstrip())
    return rows


def law_lines(laws: Iterable[MeterLaw]) -> list[str]:
    """What was checked, a line each, with both numbers."""
    return [f"{'holds' if law.holds else 'DOES NOT HOLD':<13}  {law.name}: {law.left:,} and {law.right:,}"
            for law in laws]
