"""Bit diagrams in plain text: 32 bits a row, the most significant left, bit numbers on top."""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["ROW_BITS", "bit_diagram"]

ROW_BITS = 32
MINIMUM_WIDTH = 66


@dataclass
class _Cell:
    label: str
    high: int
    low: int
    width: int = 0

    @property
    def bits(self) -> int:
        return self.high - self.low + 1

    @property
    def numbers(self) -> str:
        """Bit numbers, the higher one left and the lower one right in the cell."""
        if self.bits == 1:
            return f"{self.high:^{self.width}}"
        return f"{self.high}{self.low:>{self.width - len(str(self.high))}}"


def bit_diagram(fields: Iterable[tuple[str, int, int]]) -> str:
    """A diagram of a format.

    Parameters
    ----------
    fields : iterable of (str, int, int)
        Name, lowest bit and width, the most significant field first, without gaps.
    """
    rows = _rows(list(fields))
    total = max([MINIMUM_WIDTH, *(sum(_minimum(cell) + 1 for cell in row) + 1 for row in rows)])
    lines: list[str] = []
    for row in rows:
        _stretch(row, total - 1 - len(row))
        border = "+" + "".join("-" * cell.width + "+" for cell in row)
        lines += [" " + " ".join(cell.numbers for cell in row), border,
                  "|" + "".join(f"{cell.label:^{cell.width}}|" for cell in row), border]
    return "\n".join(line.rstrip() for line in lines)


def _rows(fields: list[tuple[str, int, int]]) -> list[list[_Cell]]:
    """Cells by row; a field that spans rows has one in each, with the bits of the field it holds."""
    rows: dict[int, list[_Cell]] = {}
    for name, low, width in fields:
        high = low + width - 1
        label = "" if name.startswith("reserved") else name
        for row in range(high // ROW_BITS, low // ROW_BITS - 1, -1):
            top, bottom = min(high, row * ROW_BITS + ROW_BITS - 1), max(low, row * ROW_BITS)
            whole = top == high and bottom == low
            part = label if whole or not label else f"{label}[{top - low}:{bottom - low}]"
            rows.setdefault(row, []).append(_Cell(part, top, bottom))
    return [rows[row] for row in sorted(rows, reverse=True)]


def _minimum(cell: _Cell) -> int:
    numbers = len(str(cell.high)) + (1 + len(str(cell.low)) if cell.bits > 1 else 0)
    return max(len(cell.label) + 2, numbers, cell.bits)


def _stretch(row: list[_Cell], room: int) -> None:
    """Give the cells of a row their minimum, and what is left of `room` by their bits."""
    for cell in row:
        cell.width = _minimum(cell)
    spare = room - sum(cell.width for cell in row)
    shared = 0
    bits = 0
    total = sum(cell.bits for cell in row)
    for cell in row:
        bits += cell.bits
        share = spare * bits // total - shared
        cell.width += share
        shared += share
