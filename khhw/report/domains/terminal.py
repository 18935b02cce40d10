"""Domains on the terminal."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table
from rich.text import Text

from khhw.control.reach import DomainChange, Reach
from khhw.report.domains.groups import Chain, Groups, ranges
from khhw.report.show import plain, show
from khhw.report.words import count

__all__ = ["print_change", "print_relays", "print_state"]

_MOST_DRAWN = 32
"""Lines up to which the matrix is drawn."""
_MOST_LINES = 40
"""Lines that are told; the rest is for --json and --png."""
_CELL = {0: ("·", "dim"), 1: ("■", "blue"), 2: ("+", "bold green"), 3: ("-", "bold red")}


def print_state(name: str, reach: Reach, console: Console) -> None:
    """Print one state of isAllowed.

    Parameters
    ----------
    name : str
    reach : Reach
    console : rich.console.Console
    """
    groups = Groups(reach.domains)
    matrix = reach.domains.matrix
    _heading(console, name, groups, reach.domains.nodes)
    chains = groups.chains(reach, reach.relayed)
    columns = {"sends to": [" ".join(names) or "-" for names in groups.others(matrix)],
               "only through relays": [_via(found) for found in chains]}
    _print_lines(console, groups, groups.cells(matrix), columns)
    unreached = Text(f"{ranges(reach.unreached)} (no other node may send there)" if reach.unreached else "none")
    _fact(console, "unreached", unreached)
    if reach.mute:
        _fact(console, "mute", Text(f"{ranges(reach.mute)} (may send to no other node)"))


def print_relays(states: Iterable[Reach], console: Console) -> None:
    """Say what 'through relays' means, by an example out of some states, if there is one."""
    for reach in states:
        if reach.relayed.any():
            source, destination = (int(rank) for rank in np.argwhere(reach.relayed & (reach.hops == 2))[0])
            (relay,) = reach.relays(source, destination)
            console.print()
            console.print(
                "Relays are software: a node may pass on whatever it was sent, and no hardware can tell that from a "
                "message of its own. Using a node without its software is refused: a remote get is answered to whoever "
                f"asked, so {source} cannot use {relay} to reach {destination}.")
            return


def print_change(names: tuple[str, str], change: DomainChange, console: Console) -> None:
    """Print what a change does.

    Parameters
    ----------
    names : (str, str)
        Of the states.
    change : DomainChange
    console : rich.console.Console
    """
    groups = Groups(change.old, change.new)
    _heading(console, " -> ".join(names), groups, change.old.nodes)
    kept = change.kept.matrix
    _print_lines(console, groups, groups.cells(kept, change.added, change.revoked), {})
    _pairs(console, "adds", groups, change.added)
    _pairs(console, "revokes", groups, change.revoked)
    _fact(console, "keeps", Text(f"{count(int(kept.sum()), 'pair')}, without interruption. The first phase holds these "
                                 "and nothing else; what is added comes with the second."))
    _chained(console, "evaded", "revoked, but relays still lead there:", groups, change.after, change.evaded)
    _chained(console, "gained", "through relays now, not at all before:", groups, change.after, change.gained)
    _chained(console, "lost", "through relays before, not at all now:", groups, change.before, change.lost)
    if change.carried.any():
        _fact(console, "carried", _carried(groups, change))


def _heading(console: Console, name: str, groups: Groups, nodes: int) -> None:
    text = plain(name, "bold")
    if not groups.single:
        text.append(f"  {count(nodes, 'node')} in {count(len(groups.members), 'group')} that are treated alike",
                    style="not bold")
    show(console)
    show(console, text)


def _print_lines(
    console: Console, groups: Groups, cells: Sequence[Sequence[int]], columns: Mapping[str, Sequence[str]],
) -> None:
    """A line for each group: its row of the matrix, and further columns beside it."""
    drawn = len(groups.members) <= _MOST_DRAWN
    width = max(map(len, groups.names))
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("", justify="right", style="dim")
    if not groups.single:
        table.add_column("nodes", max_width=32)
    if drawn:
        table.add_column(" ".join(f"{name:>{width}}" for name in groups.names), no_wrap=True)
    for heading in columns:
        table.add_column(heading)
    for index, name in enumerate(groups.names[:_MOST_LINES]):
        members = [] if groups.single else [Text(ranges(groups.members[index]))]
        row = [_row(cells[index], width)] if drawn else []
        table.add_row(Text(name), *members, *row, *(Text(column[index]) for column in columns.values()))
    console.print(table)
    if (left := len(groups.names) - _MOST_LINES) > 0:
        console.print(f"and {count(left, 'group')} more; --json has all, --png draws them", style="dim")


def _row(cells: Sequence[int], width: int) -> Text:
    line = Text()
    for index, cell in enumerate(cells):
        mark, style = _CELL[cell]
        line.append((" " if index else "") + f"{mark:>{width}}", style=style)
    return line


def _via(chains: Iterable[Chain]) -> str:
    """Destinations by the relays that lead there: ``6 via 3; 1 5 via 3 2``."""
    by_relays: dict[tuple[int, ...], list[str]] = {}
    for chain in chains:
        by_relays.setdefault(chain.via, []).append(chain.to)
    return "; ".join(f"{' '.join(to)} via {' '.join(map(str, via))}" for via, to in by_relays.items()) or "-"


def _fact(console: Console, name: str, text: Text) -> None:
    """A name, and beside it text that wraps."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=10, style="dim")
    grid.add_column()
    grid.add_row(name, text)
    console.print(grid)


def _pairs(console: Console, name: str, groups: Groups, mask: npt.NDArray[np.bool_]) -> None:
    """Pairs of a mask, line by line, and what single nodes may do to themselves."""
    parts = [f"{source} -> {' '.join(to)}" for source, to in zip(groups.names, groups.others(mask), strict=True) if to]
    itself = ranges([int(rank) for rank in np.flatnonzero(np.diag(mask))])
    parts += [f"{itself} to itself"] if itself else []
    number = int(np.count_nonzero(mask))
    _fact(console, name, Text(f"{count(number, 'pair')}: {_shortened(parts)}" if number else "nothing"))


def _chained(
    console: Console, name: str, meaning: str, groups: Groups, reach: Reach, mask: npt.NDArray[np.bool_],
) -> None:
    if not mask.any():
        return
    lines = groups.chains(reach, mask)
    parts = [f"{source} -> {_via(chains)}" for source, chains in zip(groups.names, lines, strict=True) if chains]
    _fact(console, name, Text(f"{meaning}\n{_shortened(parts, chr(10))}"))


def _carried(groups: Groups, change: DomainChange) -> Text:
    parts = [f"{one} -> {other} by {carrier}" for one, other, _, _, carrier in groups.carriers(change)]
    return Text("reached neither before nor after, but a node may remember across the change, unless its memory is "
                f"cleared: {_shortened(parts)}")


def _shortened(parts: Sequence[str], between: str = "; ") -> str:
    more = len(parts) - _MOST_LINES
    return between.join([*parts[:_MOST_LINES], *([f"and {more} more"] if more > 0 else [])])
