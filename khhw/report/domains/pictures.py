"""Domains as pictures: who may send to whom, who reaches whom only through relays, what a change does."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from khhw.control.reach import DomainChange, Reach
from khhw.report.matrix import draw_cells, heading, side
from khhw.report.picture import Picture
from khhw.report.style import ALARM, ALLOWED, EMPTY, INK, grid, keys_below, settle, styled
from khhw.report.words import count

__all__ = ["change_picture", "state_picture", "states_picture"]

_RELAYED = "#a9c9e2"
_ADDED = "#7ad3b1"
"""Lighter than what is revoked: they differ in grey too."""
_MOST_MARKED = 16
"""Nodes up to which cells have room for a sign."""
_STATE = {"a packet may pass": ALLOWED, "only through relays": _RELAYED, "not at all": EMPTY}
_CHANGE = {"kept": ALLOWED, "added": _ADDED, "revoked": ALARM}
_STATE_COLOURS = (EMPTY, ALLOWED, _RELAYED)
_CHANGE_COLOURS = (EMPTY, ALLOWED, _ADDED, ALARM)
_COLUMNS = 3
_LEAST, _NARROW = 4.2, 5.0
"""Inches that a picture has at least, and below which keys stand below each other."""


def state_picture(name: str, reach: Reach) -> Picture:
    """One state of isAllowed."""
    return states_picture({name: reach}, name)


def states_picture(states: Mapping[str, Reach], title: str = "domains") -> Picture:
    """States of isAllowed of one machine, side by side.

    Parameters
    ----------
    states : mapping of str to Reach
        By name.
    title : str
        Of the picture.
    """
    nodes = next(iter(states.values())).domains.nodes
    columns = min(_COLUMNS, len(states))
    with styled():
        drawing, axes = _figure(nodes, columns, -(-len(states) // columns))
        wide = max(_LEAST / columns, side(nodes, columns))
        for panel, (name, reach) in zip(axes, states.items(), strict=False):
            draw_cells(panel, _state_cells(reach), heading(name, wide), _STATE_COLOURS)
        for panel in axes[len(states):]:
            panel.set_visible(False)
        _legend(drawing, _STATE)
    rows = [(name, source, destination, int(reach.domains.matrix[source, destination]),
             int(reach.hops[source, destination]))
            for name, reach in states.items() for source in range(nodes) for destination in range(nodes)]
    caption = " ".join(
        f"{name}: {count(int(reach.domains.matrix.sum()), 'pair')} may talk, {int(reach.relayed.sum()):,} more only "
        "through relays." for name, reach in states.items())
    return Picture(name=f"domains_{title}", title=title, caption=caption, figure=drawing,
                   columns=("domains", "source", "destination", "allowed", "hops"), rows=rows)


def change_picture(names: tuple[str, str], change: DomainChange) -> Picture:
    """Two states, and the difference.

    Parameters
    ----------
    names : (str, str)
        Of the states.
    change : DomainChange
    """
    nodes = change.old.nodes
    marks = change.kept.matrix + 2 * change.added + 3 * change.revoked.astype(int)
    with styled():
        drawing, axes = _figure(nodes, 3, 1)
        wide = side(nodes, 3)
        draw_cells(axes[0], _state_cells(change.before), heading(names[0], wide), _STATE_COLOURS)
        draw_cells(axes[1], _state_cells(change.after), heading(names[1], wide), _STATE_COLOURS)
        draw_cells(axes[2], marks.tolist(), "the change", _CHANGE_COLOURS)
        if nodes <= _MOST_MARKED:
            _mark(axes[2], change.added, "+", INK)
            _mark(axes[2], change.revoked, "\N{MINUS SIGN}", "white")
        _legend(drawing, {**_STATE, **{name: colour for name, colour in _CHANGE.items() if name != "kept"}})
    words = {0: "refused", 1: "kept", 2: "added", 3: "revoked"}
    return Picture(
        name=f"change_{names[0]}_{names[1]}", title=f"{names[0]} -> {names[1]}",
        caption=f"{count(int(change.added.sum()), 'pair')} added, {count(int(change.revoked.sum()), 'pair')} revoked, "
                f"{count(int(change.kept.matrix.sum()), 'pair')} kept.", figure=drawing,
        columns=("source", "destination", "what"),
        rows=[(source, destination, words[int(marks[source, destination])])
              for source in range(nodes) for destination in range(nodes)])


def _state_cells(reach: Reach) -> list[list[int]]:
    cells: list[list[int]] = np.minimum(reach.hops, 2).tolist()
    return cells


def _figure(nodes: int, columns: int, rows: int) -> tuple[Figure, Sequence[Axes]]:
    wide = side(nodes, columns)
    drawing, axes = grid(max(_LEAST, columns * wide + 0.3), wide + (0.75 if rows == 1 else 0.4), rows, columns)
    return drawing, [panel for row in axes for panel in row]


def _legend(drawing: Figure, colours: Mapping[str, str]) -> None:
    # Five keys are wider than one matrix.
    columns = len(colours) if drawing.get_figwidth() > _NARROW else 1
    keys_below(drawing, [Patch(color=colour, label=name) for name, colour in colours.items()], columns,
               handlelength=1, handleheight=1)
    settle(drawing)


def _mark(axes: Axes, mask: npt.NDArray[np.bool_], sign: str, colour: str) -> None:
    for source, destination in np.argwhere(mask).tolist():
        axes.text(destination, source, sign, ha="center", va="center", color=colour, fontweight="bold", fontsize=11)
