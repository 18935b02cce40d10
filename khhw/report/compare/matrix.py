"""isAllowed as two runs observed it."""

import numpy as np

from khhw.report.compare.pair import Pair
from khhw.report.matrix import draw_matrices
from khhw.report.picture import Picture
from khhw.report.style import styled
from khhw.report.words import count, listing

__all__ = ["matrix_changes", "matrix_pictures", "matrix_words"]

_MOST_NAMED = 6


def matrix_changes(pair: Pair) -> dict[str, list[tuple[int, int]]]:
    """(source, destination) of cells that only one of the runs observed, by phase that both measured."""
    found = {}
    for phase in pair.first.results.matrix:
        if phase in pair.second.results.matrix:
            unlike = pair.first.matrix(phase, "observed") != pair.second.matrix(phase, "observed")
            found[phase] = [(int(source), int(destination)) for source, destination in np.argwhere(unlike)]
    return found


def matrix_words(pair: Pair) -> list[str]:
    """What the matrices say: a sentence a phase that differs, one for all that do not."""
    found = matrix_changes(pair)
    same = [phase for phase, cells in found.items() if not cells]
    texts = [f"Both runs observed the same cells in {listing(same)}."] if same else []
    for phase, cells in found.items():
        if cells:
            seen = pair.second.matrix(phase, "observed")
            named = [f"{source}→{destination} only in {pair.names[bool(seen[source, destination])]}"
                     for source, destination in cells[:_MOST_NAMED]]
            more = f" and {len(cells) - _MOST_NAMED} more" if len(cells) > _MOST_NAMED else ""
            texts.append(f"{phase}: {count(len(cells), 'cell differs', 'cells differ')}: {', '.join(named)}{more}.")
    return texts


def matrix_pictures(pair: Pair) -> list[Picture]:
    """A picture a phase that both runs measured."""
    with styled():
        return [_picture(pair, phase, cells) for phase, cells in matrix_changes(pair).items()]


def _picture(pair: Pair, phase: str, unlike: list[tuple[int, int]]) -> Picture:
    first, second = (run.results.matrix[phase].observed for run in (pair.first, pair.second))
    nodes = range(len(first))
    return Picture(
        name=f"compare_matrix_{phase}", title=phase,
        caption=f"Observed in {pair.names[0]} and in {pair.names[1]}; crosses mark cells that differ.",
        figure=draw_matrices((first, second), pair.names, unlike, "differs"),
        columns=("source", "destination", "first", "second"),
        rows=[(source, destination, first[source][destination], second[source][destination])
              for source in nodes for destination in nodes])
