"""What must hold of every picture: it shows the numbers that stand beside it, whole, and can be read."""

import re
from collections import defaultdict
from itertools import combinations, pairwise
from statistics import median

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.container import ErrorbarContainer
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from khhw.report.style import styled

DISPLAY = 952
"""Pixels of a report's page that a picture has at most."""
SMALLEST = 9.5
"""Pixels of a letter's height (its font size) that can be read."""
NEAR = 1e-3
"""Of a number that was rounded for its CSV file."""
TINY = 1e-9
OVERLAP = 1.0
"""Pixels by which boxes of texts may overlap: they have room around their letters."""


def drawn(picture):
    """The picture as it is saved, with its layout; pytest makes errors of warnings, as of a layout without room."""
    with styled():
        picture.figure.draw_without_rendering()
    return picture


def faults(picture):
    """Everything that is wrong with a picture, a sentence each."""
    drawn(picture)
    return [*outside(picture), *unknown(picture), *unreadable(picture), *overlapping(picture), *unlabelled(picture),
            *broken_bars(picture)]


def shown(picture):
    """Axes with data: not the second scales."""
    return [axes for axes in picture.figure.axes if axes.get_visible()]


def data_points(line):
    """Points of a line that are points of data, shape (n, 2)."""
    data = line.get_transform().contains_branch(line.axes.transData)
    return np.asarray(line.get_xydata(), dtype=float) if data else np.empty((0, 2))


def outside(picture):
    """Data that are not in the frame."""
    found = []
    for axes in shown(picture):
        (left, right), (bottom, top) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
        for x, y in [point for line in axes.lines for point in data_points(line)] + _segments(axes) + _bars(axes):
            wrong_x = not left - NEAR * abs(left) <= x <= right + NEAR * abs(right)
            wrong_y = not bottom - NEAR * abs(bottom) <= y <= top + NEAR * abs(top)
            if wrong_x or wrong_y:
                found.append(f"({x:g}, {y:g}) is outside {axes.get_xlim()}, {axes.get_ylim()}")
    return found


def _segments(axes):
    return [tuple(point) for collection in axes.collections if hasattr(collection, "get_segments")
            for segment in collection.get_segments() for point in segment]


def _bars(axes):
    return [(x, y) for bars in axes.containers for bar in getattr(bars, "patches", ())
            for x, y in (bar.get_xy(), (bar.get_x() + bar.get_width(), bar.get_y() + bar.get_height()))]


def unknown(picture):
    """Points with a marker that no row of the picture's numbers has, nor a median of rows that are alike."""
    rows = [[value for value in row if isinstance(value, int | float)] for row in picture.rows]
    table = np.array(sorted({(float(x), float(y)) for row in rows for x in row for y in row}))
    points = [(axes, *point) for axes in shown(picture) for line in axes.lines
              if line.get_marker() not in ("", "None", None) and line not in _caps(axes) for point in data_points(line)]
    missing = [point for point in points if not _known(table, *point)]
    if missing:
        table = np.array(sorted(_medians(picture)))
    return [f"({x:g}, {y:g}) is not among the numbers" for axes, x, y in missing if not _known(table, axes, x, y)]


def _caps(axes):
    """Ends of intervals."""
    return {cap for each in axes.containers if isinstance(each, ErrorbarContainer) for cap in each[1]}


def _known(table, axes, x, y):
    near = np.abs(table[:, 1] - y) <= NEAR * abs(y) + TINY
    # Of an axis of names, only the value is a number.
    if not any(re.search("[a-z]{4}", label.get_text()) for label in axes.get_xticklabels()):
        near &= np.abs(table[:, 0] - x) <= NEAR * abs(x) + TINY
    return bool(near.any())


def _medians(picture):
    """(x, median of a column) of rows that are alike in up to three others, of which one is x."""
    columns = list(zip(*picture.rows, strict=True))
    numeric = [column for column in columns if all(isinstance(value, int | float) for value in column)]
    found = set()
    for size in (1, 2, 3):
        for alike in combinations(columns, size):
            for up in numeric:
                groups = defaultdict(list)
                for value, *key in zip(up, *alike, strict=True):
                    groups[tuple(key)].append(value)
                found |= {(float(x), float(median(values))) for key, values in groups.items() for x in key
                          if isinstance(x, int | float)}
    return found or {(np.nan, np.nan)}


def texts(picture):
    """Every text that is seen, with its box in pixels."""
    hidden = set(_hidden(picture))
    return [(text, text.get_window_extent()) for text in picture.figure.findobj(Text)
            if text.get_text().strip() and text.get_visible() and text not in hidden]


def _hidden(picture):
    """Texts of what is not drawn: hidden axes, and ticks outside the limits."""
    for axes in (each for parent in picture.figure.axes for each in (parent, *parent.child_axes)):
        if not axes.get_visible():
            yield from axes.findobj(Text)
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                if not low - TINY * abs(low) <= tick.get_loc() <= high + TINY * abs(high):
                    yield from (tick.label1, tick.label2)


def unreadable(picture):
    """Texts that leave the figure, or are too small where the picture is as wide as a page."""
    frame, found = picture.figure.bbox, []
    scale = min(1.0, DISPLAY / (100 * picture.figure.get_figwidth())) * 100 / 72
    for text, box in texts(picture):
        if box.x0 < frame.x0 - OVERLAP or box.x1 > frame.x1 + OVERLAP or box.y0 < frame.y0 - OVERLAP or (
                box.y1 > frame.y1 + OVERLAP):
            found.append(f"{text.get_text()!r} leaves the figure")
        if text.get_fontsize() * scale < SMALLEST:
            found.append(f"{text.get_text()!r} is {text.get_fontsize() * scale:.1f} pixels high")
    return found


def overlapping(picture):
    """Pairs of texts that cover each other."""
    boxes = [(text.get_text(), Bbox([[box.x0 + OVERLAP, box.y0 + OVERLAP], [box.x1 - OVERLAP, box.y1 - OVERLAP]]))
             for text, box in texts(picture)]
    return [f"{first!r} covers {second!r}" for (first, one), (second, other) in combinations(boxes, 2)
            if one.overlaps(other)]


def unlabelled(picture):
    """Axes whose scales say not what they are."""
    found = []
    for axes in shown(picture):
        for name, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
            labels = [label.get_text() for label in axis.get_ticklabels() if label.get_visible() and label.get_text()]
            above = any(axes.get_shared_y_axes().joined(axes, other) and other.get_ylabel() for other in shown(picture))
            if any(re.match(r"[\d,.]+$", label) for label in labels) and not axis.get_label_text() and not (
                    name == "y" and above):
                found.append(f"the {name} axis of {axes.get_title(loc='left')!r} says not what it is")
    return found


def broken_bars(picture):
    """Bars that do not begin at zero, or at the end of another."""
    found = []
    for axes in shown(picture):
        bars = [bar for container in axes.containers for bar in getattr(container, "patches", ())]
        rows = defaultdict(list)
        for bar in bars:
            rows[bar.get_y()].append((bar.get_x(), bar.get_x() + bar.get_width()))
        for ends in rows.values():
            ordered = sorted(ends)
            if ordered[0][0] != 0 or any(abs(one[1] - other[0]) > 1e-6 for one, other in pairwise(ordered)):
                found.append(f"bars {ordered} do not begin at zero")
    return found


def brightness(colour):
    """Of a colour in a print without colours, 0 to 1."""
    return float(np.dot([0.299, 0.587, 0.114], to_rgb(colour)))
