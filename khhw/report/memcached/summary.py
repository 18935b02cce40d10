"""memcached in a few lines: for the head of the page and for the terminal."""

from collections.abc import Sequence
from typing import Literal

from khhw.machine.results import MemcachedPoint, Results
from khhw.report.memcached.clients import client_rates
from khhw.report.memcached.cost import cost_doubts, cost_sweeps, verdict
from khhw.report.memcached.estimates import changed, hedged
from khhw.report.memcached.halves import Half, beside, halves
from khhw.report.memcached.sweep import Sweep, best_by_model, sweeps
from khhw.report.memcached.words import NAMES, circumstances, cycles, of_size, samples_of, size, times
from khhw.report.words import count, listing

__all__ = ["headline", "measured_with", "troubles", "typical"]

_MIDDLE = 4096


def typical(points: Sequence[MemcachedPoint]) -> Sweep | None:
    """The measurements that stand for all: both ways, the model's own cost; over sizes if these were varied."""
    alike = sweeps([p for p in points if p.values == "fixed" and p.loop == "closed"], "value_bytes", least=1)
    found = best_by_model(alike or sweeps(points, "value_bytes", least=1))
    return next(iter(found.values()), None)


def headline(results: Results, *, medians: bool = True) -> list[str]:
    """The result in sentences: latency both ways, the winner over software cost, operations a second, trouble.

    Of a run that measured under several conditions, each sentence names those that it holds under.
    """
    found, clock_hz = halves(results), results.clock_hz
    texts = []
    if medians:
        texts += [half.titled(text) for half in found for text in _medians(half.points, clock_hz)]
        texts += [f"Measured with {text}." for text in measured_with(found)]
    texts += [half.titled(text) for half in found
              for text in (*_winners(half.points), *_rates(half.points, clock_hz))]
    return [*texts, *beside(found), *troubles(results.results.memcached)]


def measured_with(found: Sequence[Half]) -> list[str]:
    """How the measurements that stand for all were made: once, where that is the same in every half."""
    made = [(half, circumstances(sweep.first, "value_bytes")) for half in found if (sweep := typical(half.points))]
    every = list(dict.fromkeys(text for _, text in made))
    return every if len(every) < 2 else [half.titled(text) for half, text in made]


def troubles(points: Sequence[MemcachedPoint]) -> list[str]:
    """Errors and misses, which a run without trouble has none of; and how often GETs were read again."""
    ops, errors, misses = (sum(getattr(p, name) for p in points) for name in ("ops", "errors", "misses"))
    retries = sum(p.retries for p in points)
    found = []
    if errors or misses:
        found.append(f"{count(errors, 'operation')} of {ops:,} ended in an error; {count(misses, 'GET')} missed.")
    if retries:
        found.append(f"{count(retries, 'GET')} by RDMA {'was' if retries == 1 else 'were'} read again, stale or torn.")
    return found


def _medians(points: Sequence[MemcachedPoint], clock_hz: int) -> list[str]:
    sweep = typical(points)
    if sweep is None:
        return []
    value_bytes = min(sweep.values, key=lambda value: abs(value - _MIDDLE))
    return [text for op in sweep.ops if (text := _operation(sweep, op, value_bytes, clock_hz))]


def _rates(points: Sequence[MemcachedPoint], clock_hz: int) -> list[str]:
    texts = []
    for model, rates in client_rates(points, clock_hz).items():
        best = [(path, max(line, key=lambda rate: rate.per_second)) for path, line in rates.items()]
        most = [f"{rate.per_second:,.0f} by {NAMES[path]} (n={rate.samples:,})" for path, rate in best]
        clients = max(rate.point.clients for line in rates.values() for rate in line)
        texts.append(f"Operations/s with up to {count(clients, 'client')}, {model}: {listing(most)}.")
    return texts


def _operation(sweep: Sweep, op: str, value_bytes: float, clock_hz: int) -> str:
    found = {path: point for path in NAMES if (point := sweep.at(path, op, value_bytes))}
    medians = [f"{cycles(point.latency_cycles.p50, clock_hz)} by {NAMES[path]} ({samples_of([point])})"
               for path, point in found.items()]
    if not medians:
        return ""
    text = f"The median {NAMES[op]} of {size(next(iter(found.values())))} takes {listing(medians)}"
    if len(found) == 2:
        ratio = found["tcp"].latency_cycles.p50 / found["rdma"].latency_cycles.p50
        (judgement,) = changed([(found["tcp"], found["rdma"])])
        if judgement.differs is False:
            text += ": no difference is seen"
        else:
            text += f": {'RDMA' if ratio >= 1 else 'TCP'} is {times(max(ratio, 1 / ratio))} as fast"
            text += "" if judgement.differs else " in these samples, and no interval can be given"
    bounds = listing(dict.fromkeys(f"{point.wire_bound_cycles:,.0f}" for point in found.values()))
    return f"{text}. The wire allows {bounds}."


def _winners(points: Sequence[MemcachedPoint]) -> list[str]:
    return [text for op in ("get", "set") for text in _winners_of(points, op)]


def _winners_of(points: Sequence[MemcachedPoint], op: Literal["get", "set"]) -> list[str]:
    found = [(sweep, verdict(sweep, op)) for sweep in cost_sweeps(points) if op in sweep.ops
             and all(len(sweep.line(path, op)) > 1 for path in ("tcp", "rdma"))]
    if not found:
        return []
    name = op.upper()
    doubts = cost_doubts([sweep for sweep, _ in found], op)
    if all(text.startswith("RDMA wins throughout") for _, text in found):
        low, high = (function(cost for sweep, _ in found for cost in sweep.values) for function in (min, max))
        text = (f"RDMA wins throughout from {low:g} to {high:g} times the software cost, for {name}s of "
                f"{listing(f'{round(sweep.first.value_bytes):,}' for sweep, _ in found)} bytes.")
        return [hedged(text, doubts), *doubts]
    return [*(f"Over software cost, {name} of {of_size(sweep.first.value_bytes)}: {hedged(text, doubts, first=False)}."
              for sweep, text in found), *doubts]
