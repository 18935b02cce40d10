"""Throughput over time, client by client, and the operations around one change."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from khhw.report.picture import Picture
from khhw.report.style import ALARM, keys_below, plain_numbers, quiet, styled

__all__ = ["picture"]

COLOURS = ("#1d5b8f", "#7ad3b1", "#b79fd0")
"""Of what the servers answered, in the order of their ranks; the first two are apart in grey too."""
AROUND = 4000
"""Cycles before and after the first change that are drawn closely."""
PHASES = (("started", ":"), ("refused", "--"), ("finished", "-"))


def picture(results: dict[str, Any], records: dict[str, list[list[int]]], moved: int, answered: int) -> Picture:
    """What a run of the example showed.

    Parameters
    ----------
    results : dict
        Of the written object.
    records : dict of str to list
        Cycle, cycles it took, server and outcome of every operation, by client.
    moved : int
        Rank of the node that changes its domain.
    answered : int
        The outcome that counts.
    """
    start, window, clients = results["start"], results["window"], results["clients"]
    servers = sorted({server for client in clients for server in client["per_window"]}, key=int)
    colours = dict(zip(servers, COLOURS, strict=False))
    clients = sorted(clients, key=lambda client: (min(client["per_window"], key=int), client["node"] == moved))
    first = results["changes"][0]
    middle = (first["started"] + first["finished"]) // 2 - start
    shown = (middle - AROUND, middle + AROUND)
    with styled():
        drawing = Figure(figsize=(11, 1.15 * len(clients) + 1.6), layout="constrained")
        axes = drawing.subplots(len(clients), 2, sharex="col", width_ratios=(3, 2))
        for (left, right), client in zip(axes, clients, strict=True):
            _windows(left, client, window, colours)
            _operations(right, records[str(client["node"])], start, shown, colours, answered)
            for change in results["changes"]:
                _phases(left, change, start)
            _phases(right, first, start)
            left.set_title(f"node {client['node']}{' moves' if client['node'] == moved else ''}", fontsize=9, pad=3)
            left.set_ylim(0, 1.25 * max(max(counts) for one in clients for counts in one["per_window"].values()))
        _ends(axes, results, window)
        _legend(drawing, colours)
    rows = [(client["node"], server, start + index * window, number) for client in clients
            for server, counts in client["per_window"].items() for index, number in enumerate(counts)]
    return Picture(name="throughput", title="A moving node", caption=_caption(results, moved), figure=drawing,
                   columns=("client", "server", "from_cycle", "answered"), rows=rows)


def _windows(axes: Axes, client: dict[str, Any], window: int, colours: dict[str, str]) -> None:
    quiet(axes)
    for server, counts in client["per_window"].items():
        edges = [window * index for index in range(len(counts) + 1)]
        axes.stairs(counts, edges, fill=True, color=colours[server], alpha=0.85, linewidth=0)


def _operations(
    axes: Axes, records: list[list[int]], start: int, shown: tuple[int, int], colours: dict[str, str], answered: int,
) -> None:
    """Every operation as a line from its beginning to its end, as far as it is among the cycles that are shown."""
    for cycle, took, server, outcome in records:
        begin, end = cycle - took - start, cycle - start
        if end <= shown[0] or begin >= shown[1]:
            continue
        good = outcome == answered
        axes.plot([max(begin, shown[0]), min(end, shown[1])], [0.5, 0.5], color=colours[str(server)] if good else ALARM,
                  linewidth=9 if good else 2, solid_capstyle="butt")
        if begin >= shown[0]:
            axes.plot([begin, begin], [0.2, 0.8], color="white", linewidth=0.8)
    axes.set_xlim(shown)
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=3)


def _phases(axes: Axes, change: dict[str, Any], start: int) -> None:
    for name, style in PHASES:
        axes.axvline(change[name] - start, color="black", linestyle=style, linewidth=0.9)


def _ends(axes: Any, results: dict[str, Any], window: int) -> None:
    """What belongs to the outermost axes."""
    axes[-1][0].set_xlim(0, results["cycles"])
    for panel in axes[-1]:
        panel.set_xlabel("cycles from the beginning of the load")
        panel.xaxis.set_major_locator(MaxNLocator(5))
        plain_numbers(panel.xaxis)
    axes[0][1].set_title("the first change, operation by operation", fontsize=9, pad=3)
    for left, _ in axes:
        left.set_ylabel(f"GETs in\n{window:,} cycles")


def _legend(drawing: Figure, colours: dict[str, str]) -> None:
    keys: list[Patch | Line2D] = [Patch(color=colour, label=f"answered by node {server}")
                                  for server, colour in colours.items()]
    keys.append(Line2D([], [], color=ALARM, linewidth=2, label="not answered"))
    labels = {"started": "change begins", "refused": "revoked pairs are refused", "finished": "new pairs are allowed"}
    keys += [Line2D([], [], color="black", linestyle=style, linewidth=0.9, label=labels[name])
             for name, style in PHASES]
    keys_below(drawing, keys, 4, handlelength=2)


def _caption(results: dict[str, Any], moved: int) -> str:
    took = " and ".join(f"{change['finished'] - change['started']:,}" for change in results["changes"])
    return f"Node {moved} is moved to another domain and back; the changes took {took} cycles."
