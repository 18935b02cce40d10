"""isAllowed as configured, beside what was observed."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from khhw.machine.results import Matrix
from khhw.report.picture import Picture
from khhw.report.style import ALARM, ALLOWED, EMPTY, MUTED, figure, keys_below, settle, shortened, styled
from khhw.report.words import count, listing

__all__ = ["draw_cells", "draw_matrices", "heading", "matrix_caption", "matrix_picture", "side"]

_MOST_NAMED = 6
_STEPS = ((16, 1), (32, 4), (64, 8))
"""Nodes up to which every node, or one of so many, is numbered."""
_MOST_RULED = 64
"""Nodes up to which cells have room for white lines between them."""
_LETTER, _BESIDE = 0.105, 0.5
"""Width of a letter of a title, and of what stands left of a matrix, in inches."""
_WIDEST = 12.0
"""Of all matrices of a picture, in inches: wider ones are scaled down on a page until nobody can read them."""


def matrix_caption(matrix: Matrix, where: str = "in the destinations' memories") -> str:
    """What the two matrices say, in a sentence or two; `where` is where it was observed."""
    nodes, allowed = len(matrix.configured), sum(map(sum, matrix.configured))
    text = (f"{allowed} of {nodes * nodes} ordered pairs are allowed; "
            f"{sum(map(sum, matrix.observed))} were observed {where}. ")
    wrong = matrix.differences()
    if not wrong:
        return text + "Every cell is as configured."
    leaks = [cell for cell in wrong if matrix.observed[cell[0]][cell[1]]]
    parts = [f"{count(len(cells), 'pair')} {what} ({_pairs(cells)})" for cells, what in (
        (leaks, "got through that must not"), ([cell for cell in wrong if cell not in leaks], "did not get through"))
        if cells]
    return text + f"{count(len(wrong), 'cell differs', 'cells differ')}: {listing(parts)}."


def matrix_picture(phase: str, matrix: Matrix, where: str = "in the destinations' memories") -> Picture:
    """The picture of one phase; see :func:`matrix_caption`."""
    with styled():
        drawing = draw_matrices((matrix.configured, matrix.observed), ("configured", "observed"), matrix.differences(),
                                "not as configured")
    nodes = range(len(matrix.configured))
    return Picture(name=f"matrix_{phase}", title=phase, caption=matrix_caption(matrix, where), figure=drawing,
                   columns=("source", "destination", "configured", "observed"),
                   rows=[(source, destination, matrix.configured[source][destination],
                          matrix.observed[source][destination]) for source in nodes for destination in nodes])


def draw_matrices(
    cells: tuple[list[list[int]], list[list[int]]], titles: tuple[str, str], marked: list[tuple[int, int]], mark: str,
) -> Figure:
    """Two matrices side by side.

    Parameters
    ----------
    cells : (list, list)
        Rows of both, source first.
    titles : (str, str)
        Of both.
    marked : list of (int, int)
        Cells marked in the right one.
    mark : str
        What a mark means.
    """
    nodes = len(cells[0])
    wide = side(nodes, 2)
    drawing, (left, right) = figure(2 * wide + 0.3, wide + 0.75, 2)
    draw_cells(left, cells[0], heading(titles[0], wide))
    draw_cells(right, cells[1], heading(titles[1], wide))
    for source, destination in marked:
        leak = bool(cells[1][source][destination])
        right.add_patch(Rectangle((destination - 0.46, source - 0.46), 0.92, 0.92, linewidth=1.8, edgecolor=ALARM,
                                  facecolor=ALARM if leak else "none"))
        right.plot([destination], [source], marker="x", color="white" if leak else ALARM, markersize=6,
                   markeredgewidth=1.8)
    keys: list[Patch | Line2D] = [Patch(color=ALLOWED, label="1: a packet may pass"), Patch(color=EMPTY, label="0")]
    if marked:
        keys.append(Line2D([], [], marker="x", linestyle="none", color=ALARM, markeredgewidth=1.8, label=mark))
    keys_below(drawing, keys, handlelength=1, handleheight=1)
    settle(drawing)
    return drawing


def _pairs(cells: list[tuple[int, int]]) -> str:
    named = [f"{source}→{destination}" for source, destination in cells[:_MOST_NAMED]]
    return ", ".join(named) + (f" and {len(cells) - _MOST_NAMED} more" if len(cells) > _MOST_NAMED else "")


def draw_cells(
    axes: Axes, cells: Sequence[Sequence[int]], title: str, colours: Sequence[str] = (EMPTY, ALLOWED),
) -> None:
    """A matrix over nodes, source at the left and destination above.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    cells : sequence of sequence of int
        Rows, source first; the index of a colour each.
    title : str
    colours : sequence of str
    """
    nodes = len(cells)
    axes.imshow(cells, cmap=ListedColormap(list(colours)), vmin=0, vmax=len(colours) - 1, interpolation="none")
    step = next((step for most, step in _STEPS if nodes <= most), nodes // 8)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(range(0, nodes, step))
        if nodes <= _MOST_RULED:
            axis.set_ticks([edge + 0.5 for edge in range(-1, nodes)], minor=True)
    axes.grid(which="minor", color="white", linewidth=2.2 if nodes <= 16 else 0.8)
    axes.tick_params(which="both", length=0, top=False, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)
    axes.set_ylabel("source", color=MUTED, labelpad=5)
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("destination", color=MUTED, labelpad=5)
    axes.set_title(title, fontweight="bold", pad=8, loc="left")


def heading(title: str, wide: float) -> str:
    """A title as far as it fits above a matrix of so many inches."""
    return shortened(title, round((wide - _BESIDE) / _LETTER))


def side(nodes: int, columns: int) -> float:
    """Width of one of some matrices that stand side by side, with its numbers, in inches."""
    return min(_WIDEST / max(2, columns), 1.2 + 0.34 * nodes)
