"""Texts beside points, each where it covers neither another text nor data."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from khhw.report.style import INK

__all__ = ["Labels"]

_OFFSETS = [(x * far, y * far) for far in (7, 12, 19, 28) for x, y in (
    (1, 0), (0, 1), (0, -1), (-1, 0), (0.8, 0.8), (-0.8, 0.8), (0.8, -0.8), (-0.8, -0.8))]
"""Where a label may stand from its point, in points of 1/72 inch, the best first."""
_APART = 1.5
"""Pixels kept free around a text."""
_STEP = 3.0
"""Pixels between the points at which a line is looked at."""
_TEXT, _POINT, _LINE, _FRAME = 50.0, 12.0, 1.0, 200.0
"""How bad it is to cover a text, a point or a piece of a line, and to leave the frame."""


@dataclass
class Labels:
    """Collects labels while a picture is drawn, and places them when it is complete.

    Parameters
    ----------
    drawing : matplotlib.figure.Figure
        The picture; its axes have their limits and its legends are there when :meth:`place` is called.
    """

    drawing: Figure
    _wanted: list[tuple[Axes, Annotation, bool, float]] = field(default_factory=list)

    def add(
        self, axes: Axes, text: str, point: tuple[float, float], *, colour: str = INK, needed: bool = True,
        aside: float = 0,
    ) -> None:
        """Want a text beside a point.

        Parameters
        ----------
        axes : matplotlib.axes.Axes
        text : str
        point : (float, float)
            In data.
        colour : str
        needed : bool
            Whether it is drawn even where there is no free place for it; otherwise it is left out then.
        aside : float
            How far its marker reaches to both sides, in points.
        """
        label = axes.annotate(text, point, xytext=(0, 0), textcoords="offset points", ha="center", va="center",
                              fontsize=8.5, color=colour, zorder=6)
        # Its position depends on the layout, so the layout must not depend on its position.
        label.set_in_layout(False)
        self._wanted.append((axes, label, needed, aside))

    def place(self) -> None:
        """Give every label its position."""
        if not self._wanted:
            return
        for _, label, *_ in self._wanted:
            label.set_visible(False)
        self.drawing.draw_without_rendering()
        taken = _texts(self.drawing)
        for axes, label, needed, aside in self._wanted:
            label.set_visible(True)
            points, lines = _drawn(axes)
            candidates = [(_cost(box, axes.bbox, taken, points, lines), index, offset, box)
                          for index, (offset, box) in enumerate(_candidates(label, aside))]
            cost, _, offset, box = min(candidates, key=lambda one: one[:2])
            label.set_position(offset)
            if cost >= _POINT and not needed:
                label.remove()
            else:
                taken.append(box)


def _candidates(label: Annotation, aside: float) -> Iterator[tuple[tuple[float, float], Bbox]]:
    """Offsets of a text's middle in points, and the pixels that it covers there: its nearest edge is as far from its
    point as the offset says."""
    assert label.figure is not None
    dots = label.figure.dpi / 72
    label.set_position((0, 0))
    box = label.get_window_extent()
    for x, y in _OFFSETS:
        across = (x + np.sign(x) * aside) * dots + np.sign(x) * box.width / 2
        up = y * dots + np.sign(y) * box.height / 2
        yield (across / dots, up / dots), box.translated(across, up)


def _cost(
    box: Bbox, frame: Bbox, taken: Sequence[Bbox], points: npt.NDArray[np.float64], lines: npt.NDArray[np.float64],
) -> float:
    """How bad a position is."""
    wide = box.padded(_APART)
    outside = box.x0 < frame.x0 or box.x1 > frame.x1 or box.y0 < frame.y0 or box.y1 > frame.y1
    return float(_FRAME * outside + _TEXT * sum(wide.overlaps(other) for other in taken)
            + _POINT * _inside(box.padded(3 * _APART), points) + _LINE * _inside(wide, lines))


def _inside(box: Bbox, pixels: npt.NDArray[np.float64]) -> int:
    return int(np.sum((pixels >= box.min).all(axis=1) & (pixels <= box.max).all(axis=1)))


def _texts(drawing: Figure) -> list[Bbox]:
    """Boxes of the legends of a picture."""
    legends = [*drawing.legends, *(legend for axes in drawing.axes if (legend := axes.get_legend()) is not None)]
    return [legend.get_window_extent() for legend in legends]


def _drawn(axes: Axes) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Pixels of points with markers, and along the lines between them; shape (pixels, 2) each."""
    points, lines = [np.empty((0, 2))], [np.empty((0, 2))]
    for line in axes.lines:
        pixels = line.get_transform().transform(line.get_xydata())
        if line.get_marker() not in ("", "None", None):
            points.append(pixels)
        if line.get_linestyle() != "None":
            lines += [_along(first, last) for first, last in pairwise(pixels)]
    return np.concatenate(points), np.concatenate(lines)


def _along(first: npt.NDArray[np.float64], last: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    length = float(np.hypot(*(last - first)))
    if not np.isfinite(length):
        return np.empty((0, 2))
    return np.linspace(first, last, 2 + int(length / _STEP))
