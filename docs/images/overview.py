"""README's picture: software in Python, one node in RTL, and the machine it is part of.

Run it in the root of the checkout: ``python -m docs.images.overview`` writes ``docs/images/overview.png``.
"""

from itertools import pairwise, product
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle

from khhw.report.style import ALARM, EMPTY, INK, MUTED, styled

__all__ = ["draw"]

WIDTH, HEIGHT = 90, 43
"""Units of the drawing; ten pixels each where the picture is 900 pixels wide."""
DOMAINS = {"A": ("#1d5b8f", (0, 1, 4)), "B": ("#009e73", (2, 3, 6)), "C": ("#b0799f", (5, 7))}
"""Colour and ranks of each domain."""
PAIR = "#b8c2cc"
"""Cables between nodes of different domains."""
SOFTWARE, HARDWARE = "#fdf3df", "#e6eff7"
REFUSED = (4, 6)
"""Ranks between which the crossed-out packet would go."""

LEFT, LINE, NODE, TORUS = 1.2, 27.5, 33, 65
"""Left edges of the three parts, and where Python ends."""


def draw() -> Figure:
    """The whole picture, at 100 dots an inch 900 pixels wide."""
    figure = Figure(figsize=(WIDTH / 10, HEIGHT / 10))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(0, HEIGHT)
    axes.set_axis_off()
    _headings(axes)
    _magnifier(axes)
    _software(axes)
    _border(axes)
    _node(axes)
    _torus(axes)
    return figure


def _headings(axes: Axes) -> None:
    for left, title, text in ((LEFT, "Software", "Python"), (NODE - 1, "One node", "RTL in Amaranth"),
                              (TORUS - 1.5, "The machine", "a 2x2x2 torus of nodes")):
        axes.text(left, 39.9, title, fontsize=12, fontweight="bold", va="baseline")
        axes.text(left, 37.4, text, fontsize=9.5, color=MUTED, va="baseline")


def _box(axes: Axes, left: float, bottom: float, width: float, height: float, colour: str, title: str,
         *lines: str) -> None:
    axes.add_patch(FancyBboxPatch((left, bottom), width, height, boxstyle="round,pad=0,rounding_size=0.7",
                                  facecolor=colour, edgecolor=MUTED, linewidth=0.8, zorder=3))
    axes.text(left + 1.1, bottom + height - 2.35, title, fontsize=10.5, fontweight="bold", zorder=4)
    for number, line in enumerate(lines):
        axes.text(left + 1.1, bottom + height - 4.5 - 1.9 * number, line, fontsize=9, zorder=4)


def _arrow(axes: Axes, begin: tuple[float, float], end: tuple[float, float], style: str = "<|-|>",
           colour: str = INK) -> None:
    axes.add_patch(FancyArrowPatch(begin, end, arrowstyle=style, mutation_scale=9, color=colour, linewidth=1.2,
                                   shrinkA=0, shrinkB=0, zorder=5))


def _software(axes: Axes) -> None:
    width = 20.5
    _box(axes, LEFT, 27.3, width, 7.4, SOFTWARE, "memcached", "answers ordinary clients", "over TCP")
    _box(axes, LEFT, 17.1, width, 7.4, SOFTWARE, "Kernels", "programs on the nodes:", "streams, remote memory")
    _box(axes, LEFT, 4.5, width, 9.3, SOFTWARE, "Owner", "decides which nodes may", "send to which, and changes",
         "it while they run")
    _arrow(axes, (LEFT + width, 32.4), (NODE, 32.4))
    axes.plot((29.6, 29.6), (20.8, 30.2), color=INK, linewidth=1.2, zorder=4)
    _arrow(axes, (29.6, 30.2), (NODE, 30.2), "-|>")
    _arrow(axes, (29.6, 20.8), (LEFT + width, 20.8), "-|>")
    _arrow(axes, (LEFT + width, 12.6), (NODE, 12.6))
    axes.text(LINE + 0.6, 13.3, "tree", fontsize=9)


def _border(axes: Axes) -> None:
    """The line between Python and RTL."""
    axes.plot((LINE, LINE), (2.6, 41.5), color=MUTED, linewidth=1.3, linestyle=(0, (5, 3)), zorder=2)
    axes.text(LINE - 0.9, 2.3, "Python", fontsize=9, fontweight="bold", color=MUTED, ha="right")
    axes.text(LINE + 0.9, 2.3, "RTL", fontsize=9, fontweight="bold", color=MUTED)


def _node(axes: Axes) -> None:
    width = 24
    parts = (
        (28.3, 6.4, HARDWARE, "Host port", "registers, interrupt"),
        (20.0, 6.4, HARDWARE, "Network interface", "messages, remote put and get"),
        (11.7, 6.4, "#f8dcc8", "Guard", "may this packet pass?"),
        (3.4, 6.4, HARDWARE, "Router", "six cables to the neighbours"),
    )
    axes.add_patch(FancyBboxPatch((NODE - 1, 1.9), width + 2, 34.2, boxstyle="round,pad=0,rounding_size=1",
                                  facecolor="white", edgecolor=INK, linewidth=1.3, zorder=2))
    for bottom, height, colour, title, line in parts:
        _box(axes, NODE, bottom, width, height, colour, title, line)
    for (above, *_), (below, height, *_) in pairwise(parts):
        _arrow(axes, (NODE + width / 2, above), (NODE + width / 2, below + height))


def _position(rank: int) -> tuple[float, float]:
    """Where a node of the 2x2x2 torus is drawn: x to the right, y to the back, z up."""
    x, y, z = rank & 1, rank >> 1 & 1, rank >> 2
    return TORUS + 1 + 13 * x + 7.6 * y, 10 + 12.6 * z + 7.8 * y


def _domain(rank: int) -> str:
    return next(name for name, (_, ranks) in DOMAINS.items() if rank in ranks)


def _magnifier(axes: Axes) -> None:
    """Lines from a node of the machine to the node drawn large."""
    x, y = _position(REFUSED[0])
    for corner, side in ((35.4, 1.6), (2.6, -1.6)):
        axes.plot((NODE + 25, x), (corner, y + side), color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)


def _torus(axes: Axes) -> None:
    radius = 1.9
    for rank, axis in product(range(8), range(3)):
        if not rank >> axis & 1:
            _cables(axes, rank, rank | 1 << axis)
    for rank in range(8):
        position = _position(rank)
        axes.add_patch(Circle(position, radius, facecolor=DOMAINS[_domain(rank)][0], edgecolor="white", linewidth=1.5,
                              zorder=6))
        axes.text(*position, str(rank), color="white", fontsize=10, fontweight="bold", ha="center",
                  va="center_baseline", zorder=7)
    _refused(axes)
    axes.text(TORUS - 1.5, 4.5, "domains", fontsize=9, va="center_baseline")
    for number, (name, (colour, _)) in enumerate(DOMAINS.items()):
        left = TORUS + 6.2 + 4.6 * number
        axes.add_patch(Circle((left, 4.5), 0.85, facecolor=colour, edgecolor="none"))
        axes.text(left + 1.4, 4.5, name, fontsize=9, va="center_baseline")


def _cables(axes: Axes, first: int, second: int) -> None:
    """Both cables between two neighbours: in a ring of two each direction leads to the same node."""
    same = _domain(first) == _domain(second)
    (x0, y0), (x1, y1) = _position(first), _position(second)
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
    across, up = 0.42 * (y1 - y0) / length, 0.42 * (x1 - x0) / length
    for side in (-1, 1):
        axes.plot((x0 + side * across, x1 + side * across), (y0 - side * up, y1 - side * up),
                  color=DOMAINS[_domain(first)][0] if same else PAIR, linewidth=2.2 if same else 1.2,
                  zorder=4 if same else 3)


def _refused(axes: Axes) -> None:
    """A packet to another domain, crossed out at the node whose guard refuses it."""
    (x0, y0), (x1, y1) = _position(REFUSED[0]), _position(REFUSED[1])
    x, y = x0 + 0.3 * (x1 - x0), y0 + 0.3 * (y1 - y0)
    axes.add_patch(Rectangle((x - 1.2, y - 0.8), 2.4, 1.6, facecolor=EMPTY, edgecolor=INK, linewidth=1, zorder=8))
    for slope in (-1, 1):
        axes.plot((x - 1.5, x + 1.5), (y - 1.4 * slope, y + 1.4 * slope), color=ALARM, linewidth=2.6,
                  solid_capstyle="round", zorder=9)
    axes.text(x - 0.2, y + 2.2, f"refused by\n{REFUSED[0]}'s guard", fontsize=9, fontweight="bold", color=ALARM,
              ha="right", zorder=9, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})


def main() -> None:
    with styled():
        draw().savefig(Path(__file__).with_suffix(".png"), dpi=200, metadata={"Software": None})


if __name__ == "__main__":
    main()
