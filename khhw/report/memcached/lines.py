"""memcached on the terminal: a short table, and the result in words."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from khhw.machine.results import MemcachedPoint, Results
from khhw.report.memcached.halves import Half, halves
from khhw.report.memcached.limits import limit
from khhw.report.memcached.summary import headline, measured_with, typical
from khhw.report.memcached.sweep import Sweep
from khhw.report.memcached.words import NAMES, samples_of, size
from khhw.report.show import plain, show
from khhw.report.words import duration

__all__ = ["print_memcached"]

_MOST_SIZES = 6


def print_memcached(console: Console, results: Results) -> None:
    """Print medians both ways beside the wire's bound, what limits them, and the result in words."""
    found = [(half, sweep) for half in halves(results) if (sweep := typical(half.points)) is not None]
    if found:
        console.print(_table(found, results.clock_hz))
        for text in measured_with([half for half, _ in found]):
            show(console, text, "dim")
    for text in headline(results, medians=False):
        show(console, text)


def _table(found: Sequence[tuple[Half, Sweep]], clock_hz: int) -> Table:
    """A row an operation and size; of one under several conditions, one below the other."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("memcached")
    for name in ("samples", "TCP p50", "RDMA p50", "wire", "TCP/RDMA"):
        table.add_column(name, justify="right")
    table.add_column("what limits it")
    sizes = sorted({value_bytes for _, sweep in found for value_bytes in sweep.values})
    if len(sizes) > _MOST_SIZES:
        sizes = [sizes[round(index * (len(sizes) - 1) / (_MOST_SIZES - 1))] for index in range(_MOST_SIZES)]
    for op in sorted({op for _, sweep in found for op in sweep.ops}):
        for value_bytes in sizes:
            for half, sweep in found:
                if both := {path: point for path in NAMES if (point := sweep.at(path, op, value_bytes))}:
                    table.add_row(*_cells(op, half, both, clock_hz))
    return table


def _cells(op: str, half: Half, found: dict[str, MemcachedPoint], clock_hz: int) -> list[Text]:
    medians = {path: point.latency_cycles.p50 for path, point in found.items()}
    wire = min(point.wire_bound_cycles for point in found.values())
    ratio = f"{medians['tcp'] / medians['rdma']:.3g}" if len(medians) == 2 else "·"
    limits = [f"{NAMES[path]}: {what.short}" for path, point in found.items()
              if (what := limit(point, half.points, clock_hz))]
    return [plain(half.titled(f"{NAMES[op]} {size(next(iter(found.values())))}")), plain(samples_of(found.values())),
            *(plain(duration(medians[path], clock_hz) if path in medians else "·") for path in ("tcp", "rdma")),
            plain(duration(wire, clock_hz)), plain(ratio), plain(", ".join(limits))]
