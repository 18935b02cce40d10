"""memcached on the page: what was found, the pictures, and every measurement in a table."""

from collections.abc import Sequence

from khhw.machine.results import MemcachedPoint, Results
from khhw.report import html
from khhw.report.html import escape
from khhw.report.memcached.phases import changes, phase_rows, phase_text
from khhw.report.memcached.summary import headline
from khhw.report.memcached.sweep import measured
from khhw.report.memcached.words import NAMES

__all__ = ["memcached_blocks"]

_HEADS = ("phase", "way", "op", "value size", "clients", "software time", "operations", "p50", "p99", "longest",
          "wire", "p50 / wire", "operations/s", "server ns/op", "misses", "retries", "errors")
_OPEN_ROWS = 12


def memcached_blocks(results: Results, figures: Sequence[str]) -> list[str]:
    """Blocks of the section; none for a run that did not measure memcached.

    Parameters
    ----------
    results : Results
        The run.
    figures : sequence of str
        HTML of :func:`khhw.report.memcached.memcached_pictures`.
    """
    points = results.results.memcached
    if not points:
        return []
    texts = [f"<p>{escape(' '.join(headline(results)))}</p>"]
    return [*texts, *figures, *_phases(measured(points)), _table(points)]


def _phases(points: Sequence[MemcachedPoint]) -> list[str]:
    found = changes(points)
    if not found:
        return []
    blocks = ["<h3>The same measurement in several phases</h3>", f"<p>{escape(phase_text(found))}</p>"]
    rows = [[escape(cell) for cell in row] for row in phase_rows(found)]
    heads = ["measurement", "phases", "median, cycles", "tail, cycles", "operations/s"]
    return [*blocks, html.table(heads, rows)] if rows else blocks


def _table(points: Sequence[MemcachedPoint]) -> str:
    text = ("Latencies in cycles, from the call to the verified answer. Wire: the least cycles that the packets and "
            "hops of such an operation can take. Server ns/op: software time of the server's processor over all "
            "operations of the measurement.")
    table = html.table(_HEADS, [_row(point) for point in points], numbers=(3, 4, *range(6, len(_HEADS))))
    opened = " open" if len(points) <= _OPEN_ROWS else ""
    return (f"<details{opened}><summary>All {len(points)} measurements</summary>\n<p>{escape(text)}</p>\n"
            f'<div class="wide">{table}</div>\n</details>')


def _row(point: MemcachedPoint) -> list[str]:
    latency = point.latency_cycles
    software = point.cpu_model if point.cpu_model == "ideal" else f"{point.cpu_model} x {point.cpu_scale:g}"
    wire = point.wire_bound_cycles
    cells = [
        point.phase, NAMES[point.path], NAMES[point.op],
        f"{'ETC, mean ' if point.values == 'etc' else ''}{round(point.value_bytes):,}",
        f"{point.clients}{' (open)' if point.loop == 'open' else ''}", software, f"{point.ops:,}",
        f"{latency.p50:,.0f}", "·" if latency.p99 is None else f"{latency.p99:,.0f}", f"{latency.max:,}",
        f"{wire:,.0f}", f"{latency.p50 / wire:.3g}" if wire > 0 else "·", f"{point.ops_per_second:,.0f}",
        f"{point.server_cpu_ns_per_op:,.0f}", *(str(n or "·") for n in (point.misses, point.retries, point.errors))]
    return [escape(cell) for cell in cells]
