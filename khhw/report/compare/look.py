"""How two runs share a picture: the first dashed, the second solid."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from khhw.report.style import INK

__all__ = ["RUNS", "legend"]

RUNS: tuple[Any, Any] = ((0, (4, 1.6)), "-")


def legend(drawing: Figure, keys: Sequence[Line2D]) -> None:
    """Keys below a picture."""
    drawing.legend(handles=list(keys), loc="outside lower center", ncols=len(keys), frameon=False, fontsize=8.5,
                   labelcolor=INK, handlelength=2.6)
