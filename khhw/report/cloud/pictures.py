"""Pictures of a scenario: who had which node over machine time, and who reached whom."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from khhw.cloud.scenario.record import Held, Record
from khhw.report.matrix import matrix_picture
from khhw.report.picture import Picture
from khhw.report.style import INK, MUTED, RULE, figure, keys_below, quiet, shortened, styled
from khhw.report.words import count

__all__ = ["pictures"]

_COLOURS = ("#8fb4d3", "#efc57f", "#9dcdb4", "#d6aac8", "#c4ccd3")
_HATCHES = ("", "///", "...", "xxx", "\\\\\\")
"""Of principals: hatches tell them apart in grey, and where there are more of them than colours."""
_MOST_ROWS = 64
"""Nodes that have a row with a number each."""
_ROW, _LINE, _LETTER = 0.28, 0.2, 0.085
"""Height of a row, height of a label, and width of one of its letters, in inches."""
_WIDTH = 8.0


def pictures(record: Record, nodes: int, clock_hz: int) -> list[Picture]:
    """Leases over time, then a matrix a probe.

    Parameters
    ----------
    record : Record
    nodes : int
        Of the machine.
    clock_hz : int
    """
    leases = [_leases(record, nodes, clock_hz)] if record.held else []
    return [*leases, *(matrix_picture(name, matrix, "by the nodes that it was sent to")
                       for name, matrix in record.matrix.items())]


def _leases(record: Record, nodes: int, clock_hz: int) -> Picture:
    principals = list(dict.fromkeys(held.who for held in sorted(record.held, key=lambda held: held.begin)))
    looks = {who: _look(index) for index, who in enumerate(principals)}
    scale = 1000 / clock_hz
    with styled():
        drawing, (axes,) = figure(_WIDTH, 1.3 + _ROW * min(nodes, _MOST_ROWS), 1)
        for change in record.changes:
            axes.axvspan(change.started * scale, change.finished * scale, color=RULE, linewidth=0, zorder=0)
        for held in record.held:
            _bar(axes, held, record.cycles, scale, looks[held.who])
        for group in _groups(record.held, record.cycles // 100):
            if len(group) * _ROW * min(1, _MOST_ROWS / nodes) > _LINE:
                _label(axes, group, record.cycles, scale)
        _probes(axes, record, scale)
        quiet(axes)
        axes.grid(visible=False)
        axes.set(xlim=(0, record.cycles * scale), ylim=(nodes - 0.5, -0.5), ylabel="node",
                 xlabel="machine time in milliseconds")
        axes.set_yticks(range(0, nodes, max(1, nodes // _MOST_ROWS)))
        keys = [Patch(facecolor=colour, hatch=hatch, edgecolor=INK, linewidth=0.6, label=shortened(who, 24))
                for who, (colour, hatch) in looks.items()]
        keys_below(drawing, [*keys, Patch(color=RULE, label="a change is under way")], handleheight=1)
    return Picture(
        name="leases", title="Who had which node", caption=_caption(record, nodes, principals), figure=drawing,
        columns=("node", "lease", "principal", "from_cycle", "to_cycle"),
        rows=[(held.rank, held.lease, held.who, held.begin, "" if held.end is None else held.end)
              for held in record.held])


def _look(index: int) -> tuple[str, str]:
    """Colour and hatch of a principal: each pair once among the first 25."""
    turn, colour = divmod(index, len(_COLOURS))
    return _COLOURS[colour], _HATCHES[(colour + turn) % len(_HATCHES)]


def _bar(axes: Axes, held: Held, cycles: int, scale: float, look: tuple[str, str]) -> None:
    colour, hatch = look
    end = cycles if held.end is None else held.end
    axes.add_patch(Rectangle((held.begin * scale, held.rank - 0.4), (end - held.begin) * scale, 0.8, facecolor=colour,
                             hatch=hatch, edgecolor=INK, linewidth=0.6))


def _groups(held: Sequence[Held], apart: int) -> list[list[Held]]:
    """Neighbouring nodes of a lease that came and went together: nodes are read one after the other, some cycles
    apart."""
    groups: list[list[Held]] = []
    for one in sorted(held, key=lambda held: (held.lease, held.who, held.rank, held.begin)):
        last = groups[-1][-1] if groups else None
        if last is not None and (last.lease, last.who, last.rank + 1) == (one.lease, one.who, one.rank) and (
                abs(last.begin - one.begin) < apart and abs((last.end or 0) - (one.end or 0)) < apart):
            groups[-1].append(one)
        else:
            groups.append([one])
    return groups


def _label(axes: Axes, group: Sequence[Held], cycles: int, scale: float) -> None:
    """The name of a lease, where it is wide enough for that."""
    end = cycles if group[0].end is None else group[0].end
    wide = (end - group[0].begin) / max(1, cycles) * _WIDTH
    text = shortened(group[0].lease, 24)
    if wide > len(text) * _LETTER:
        axes.text((group[0].begin + end) / 2 * scale, (group[0].rank + group[-1].rank) / 2, text, ha="center",
                  va="center", fontsize=9, color=INK, zorder=4,
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5})


def _probes(axes: Axes, record: Record, scale: float) -> None:
    for event in record.events:
        if event.operation == "probe":
            axes.axvline(event.cycle * scale, color=MUTED, linewidth=1, linestyle=(0, (3, 2)), zorder=3)
            axes.annotate(shortened(event.words.removeprefix("probe "), 24), (event.cycle * scale, -0.5), (2, 3),
                          textcoords="offset points", fontsize=8.5, color=MUTED, annotation_clip=False)


def _caption(record: Record, nodes: int, principals: Sequence[str]) -> str:
    leases = len({(held.lease, held.who) for held in record.held})
    return (f"{count(leases, 'lease')} of {count(len(principals), 'principal')} on {count(nodes, 'node')}, over "
            f"{count(record.cycles, 'cycle')}. A node is a tenant's from the moment at which the tenant before could "
            "no longer send; while the change is under way it is cleared. Dashed lines are probes.")
