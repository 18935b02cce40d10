"""Few packets decide nothing: a point is measured again for longer, up to a bound; then it is said what to raise."""

import io
from itertools import pairwise

import numpy as np
import pytest
from rich.console import Console

from khhw.report.sweep import print_sweep
from khhw.report.sweep.page import sweep_page
from khhw.sweep.grid import curves
from khhw.sweep.plan import Plan
from khhw.sweep.reading import load
from khhw.sweep.results import SweepResults
from khhw.sweep.store import Record
from khhw.traffic.capacity import capacity
from khhw.traffic.measurement import Batch, Measurement
from tests.sweep.specs import written

SHORT = """
[grid]
loads = [0.1, 0.3, 0.5, 0.7]
shapes = [[4, 4, 1]]
[measure]
warmup = 500
cycles = 2000
"""
"""So short that an idle network has about 48 packets at the load of 0.02."""
FLITS = 32
LATENCY = 60


def carried(point):
    """A network that carries everything up to a load of 0.62: packets are created at random and arrive later."""
    unit = capacity(point.shape, point.build.node.lanes)
    random = np.random.default_rng([point.seed, round(1e6 * point.load), point.cycles])
    flow = point.nodes * unit / FLITS
    created = np.sort(random.uniform(-1000, point.cycles, random.poisson(point.load * flow * (point.cycles + 1000))))
    latency = random.normal(LATENCY, 10, len(created)) / max(0.1, 1 - point.load / 0.65)
    arrived = created + latency
    edges = np.linspace(0, point.cycles, point.batches + 1)
    taken = min(1.0, 0.62 / point.load)
    batches, length = [], point.cycles / point.batches
    for low, high in pairwise(edges):
        inside = (arrived >= low) & (arrived < high)
        batches.append(Batch(
            offered=np.count_nonzero((created >= low) & (created < high)) * FLITS / length / point.nodes,
            accepted=taken * np.count_nonzero(inside) * FLITS / length / point.nodes, packets=int(inside.sum()),
            latency_mean=float(latency[inside].mean()) if inside.any() else None))
    measured = (created >= 0) & (created < point.cycles)
    return Measurement(
        offered=float(np.mean([batch.offered for batch in batches])), packets=int(measured.sum()),
        accepted=float(np.mean([batch.accepted for batch in batches])), latency_mean=float(latency[measured].mean()),
        latency_p50=1.0, latency_p99=None, latency_max=1, errors=0, drained=True, batches=tuple(batches), cycles=1,
        wall_seconds=0.0)


def swept(folder, text, measure=carried):
    """A sweep without workers, and every point that was measured."""
    spec = load(written(folder, text))
    (curve,) = curves(spec, folder)
    plan, points = Plan(spec, [curve]), []
    while needed := plan.needed(curve):
        for point in needed:
            assert point not in points
            points.append(point)
            plan.add(Record(id=point.identity("b", "v"), point=point, build="b", version="v", state="done",
                            measurement=measure(point)))
    return SweepResults(
        version="v", parameters=spec.model_dump(mode="json"), source="s.toml", state="done", message="", reused=0,
        wall_seconds=1.0, results=list(plan.rows()), saturation=list(plan.saturation())), points


def said(results, folder):
    output = io.StringIO()
    print_sweep(results, folder / "report.html", console=Console(file=output, width=200))
    return output.getvalue(), sweep_page(results, [], "khhw sweep s.toml")


def test_an_idle_network_is_not_saturated(tmp_path):
    """Also for seeds with which less than 95 % of what is offered arrives by chance."""
    short = []
    for seed in range(1, 21):
        results, points = swept(tmp_path, SHORT.replace("[measure]", f"seeds = [{seed}]\n[measure]"))
        (found,) = results.saturation
        assert found.state in ("found", "unclear") and found.carried >= 0.3, seed
        first = carried(points[0])
        short.append(first.accepted < 0.95 * first.offered)
        assert points[0].load == 0.02 and max(point.cycles for point in points if point.load == 0.02) > 2000
    assert any(short)


def test_what_cannot_be_told_says_what_to_raise(tmp_path):
    results, points = swept(tmp_path, SHORT + "extend = 1\n")
    assert {point.cycles for point in points} == {2000}
    (found,) = results.saturation
    assert (found.state, found.carried, found.saturated) == ("unclear", None, None)
    assert results.unclear[0].load == 0.02
    terminal, page = said(results, tmp_path)
    for text in (terminal, page):
        assert "Whether load 0.02" in text and "packets at the least" in text
        assert "raise measure.cycles (2000) or measure.extend (1)" in text
    assert "Complete." not in page and "Complete, with loads that cannot be told." in page
    assert "is already saturated" not in terminal


def test_it_is_extended_up_to_the_bound_and_no_farther(tmp_path):
    def never(point):
        found = carried(point)
        wild = tuple(Batch(offered=1.0, accepted=float(number % 2 * 2), packets=1, latency_mean=60.0)
                     for number in range(10))
        return Measurement(**{**vars(found), "latency_mean": 60.0, "batches": wild})

    results, points = swept(tmp_path, SHORT + "extend = 20\n", never)
    # Then the highest load is tried, 1.
    assert [(point.load, point.cycles) for point in points if point.load < 1] == [
        *((load, 2000) for load in (0.02, 0.1, 0.3, 0.5, 0.7)), (0.02, 8000), (0.02, 32000),
        *((load, 8000) for load in (0.1, 0.3, 0.5, 0.7)), *((load, 32000) for load in (0.1, 0.3, 0.5, 0.7))]
    assert [(row.cycles, row.saturated) for row in results.results[:5]] == [(32000, None)] * 5
    assert "raise measure.cycles (2000) or measure.extend (20)" in results.remedy


def test_what_is_clear_is_measured_once(tmp_path):
    def still(point):
        value = min(point.load, 0.6)
        batch = Batch(offered=point.load, accepted=value, packets=10, latency_mean=60.0)
        return Measurement(**{**vars(carried(point)), "offered": point.load, "accepted": value, "latency_mean": 60.0,
                              "batches": (batch,) * 10})

    results, points = swept(tmp_path, SHORT, still)
    assert {point.cycles for point in points} == {2000}
    assert results.saturation[0].carried == pytest.approx(0.6 / 0.95, abs=0.01)
    assert results.remedy == "" and "Complete." in said(results, tmp_path)[1]
