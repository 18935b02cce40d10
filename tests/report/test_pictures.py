"""Every picture that khhw draws shows the numbers that stand beside it, whole, and can be read."""

import ast
import json
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex

from khhw.control.domains import Domains
from khhw.control.reach import DomainChange, Reach
from khhw.machine.reading import load
from khhw.machine.results import LatencySample, Load, OwnRecord, Results, RunRecord
from khhw.report.cloud.pictures import pictures as cloud_pictures
from khhw.report.compare.look import RUNS
from khhw.report.compare.pair import Pair
from khhw.report.domains.pictures import change_picture, states_picture
from khhw.report.picture import Picture
from khhw.report.registry import reports
from khhw.report.sweep.pictures import sweep_pictures
from khhw.report.write import pictures
from khhw.sweep.results import SweepResults
from tests.report.figures import brightness, data_points, faults, shown, texts
from tests.report.synthetic import synthetic_results
from tests.report.synthetic_cloud import rented
from tests.report.synthetic_memcached import FLOOD, QUIET, demo, point, study
from tests.sweep.specs import SMALL
from tests.sweep.synthetic import SEEDS, swept

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "docs" / "results"


def kept(name):
    return Results.read(KEPT / f"{name}.json")


def results_of(points, *phases):
    made = synthetic_results(cpu_model="ppc450", results=RunRecord(memcached=points))
    made.parameters["phases"] = list(phases)
    return made


def flooded(points):
    """The same measurements again while another domain floods the cables: each takes a fifth longer."""
    return [p.model_copy(update={
        "phase": "flood", "ops_per_second": p.ops_per_second / 1.2, "quantiles": [round(q * 1.2) for q in p.quantiles],
        "latency_cycles": p.latency_cycles.model_copy(update={
            "p50": p.latency_cycles.p50 * 1.2, "max": round(p.latency_cycles.max * 1.2),
            "p99": None if p.latency_cycles.p99 is None else p.latency_cycles.p99 * 1.2})}) for p in points]


def noisy():
    """A whole study, quiet and flooded."""
    points = [p.model_copy(update={"phase": "memcached"}) for p in study()]
    return results_of(points + flooded(points), QUIET, FLOOD)


def unlike():
    """Distributions under different circumstances, quiet and flooded."""
    points = [p.model_copy(update={"phase": "memcached"}) for p in study()
              if p.loop == "open" or (p.clients == 3 and p.values == "fixed")]
    return results_of(points + flooded(points), QUIET, FLOOD)


def large():
    """Many distances, sizes, kernels and repeats; names that somebody chose."""
    rng = np.random.default_rng(5)
    samples = [LatencySample(source=0, destination=hops, hops=hops, size_bytes=size,
                             cycles=60 + 9 * hops + size // 8 + int(rng.integers(0, 60)))
               for hops in range(1, 13) for size in (8, 16, 24, 32, 48, 64, 96, 128, 240, 256, 4096) for _ in range(7)]
    loads = [Load(kernel=f"kernels/of_somebody/with_a_long_name_{index}.py", nodes=list(range(nodes)), packets=9,
                  image_bytes=2000 + 900 * index, cycles=int(rng.integers(400, 9000)))
             for index in range(9) for nodes in (1, 2, 3, 5, 8, 13, 21, 34, 55, 64, 128, 256, 512) for _ in range(2)]
    return synthetic_results(results=RunRecord(latency=samples, load=loads))


def sparse():
    """One of everything."""
    record = synthetic_results().results
    return synthetic_results(results=RunRecord(latency=record.latency[:1], load=record.load[:1],
                                               memcached=[point(samples=1, ops=1)], matrix=record.matrix))


def few_of_some():
    """Five of some messages and operations, many of others."""
    points = [point(path=path, value_bytes=size, clients=clients, samples=samples, ops=samples)
              for path in ("tcp", "rdma") for size, clients, samples in ((64, 1, 5), (4096, 1, 900), (64, 2, 70))]
    messages = [LatencySample(source=0, destination=hops, hops=hops, size_bytes=size, cycles=5 * hops)
                for hops, size, samples in ((1, 8, 5), (1, 240, 40), (2, 8, 50)) for _ in range(samples)]
    return synthetic_results(cpu_model="ppc450", results=RunRecord(memcached=points, latency=messages))


def changed(results):
    """The same run with another router: a few cycles more a hop, and RDMA that takes a tenth longer."""
    other = results.model_copy(deep=True)
    for sample in other.results.latency:
        sample.cycles += 2 * sample.hops
    for p in other.results.memcached:
        if p.path == "rdma":
            p.latency_cycles.p50 *= 1.1
            p.latency_cycles.max = round(p.latency_cycles.max * 1.1)
            p.quantiles = [round(value * 1.1) for value in p.quantiles]
            p.ops_per_second /= 1.1
    return other


def compared(results, other=None, names=("base", "mine")):
    pair = Pair(results, changed(results) if other is None else other, names)
    return [picture for each in reports((pair.first, pair.second)).values() for picture in each.compared_pictures(pair)]


def domains(nodes=8):
    machine = load(ROOT / "examples" / "talk.toml")
    if nodes == 8:
        found = {name: Domains(np.array(machine.matrix(name))) for name in ("slide1", "slide2")}
    else:
        rng = np.random.default_rng(nodes)
        found = {name: Domains(rng.random((nodes, nodes)) < 0.2) for name in ("before_the_move", "after")}
    change = DomainChange(*found.values())
    return [states_picture({name: Reach(each) for name, each in found.items()}),
            *(states_picture({name: Reach(each)}, name) for name, each in found.items()),
            change_picture(tuple(found), change)]


def jitter():
    results = synthetic_results(results=RunRecord(own=[
        OwnRecord(measurement="jitter:MEASUREMENT", phase=phase,
                  found={"cycles": {"8": low, "240": 2 * low, "3840": 60}})
        for phase, low in (("alone", 0), ("beside_flood", 21))]))
    return pictures(results, ROOT / "examples" / "own_measurement")


def moving():
    """The plot of the example, of the results that are kept; operations as they were counted, one after the other."""
    sys.path.insert(0, str(ROOT / "examples" / "moving_node"))
    try:
        from moving_plot import picture
    finally:
        sys.path.pop(0)
    results = json.loads((KEPT / "moving-node.json").read_text())["results"]
    records = {str(client["node"]): [
        [results["start"] + index * results["window"] + (number + 1) * results["window"] // (count + 1), 700,
         int(server), 0] for server, counts in client["per_window"].items() for index, count in enumerate(counts)
        for number in range(count)] for client in results["clients"]}
    return [picture(results, records, 3, 0)]


@cache
def sweeps():
    import tempfile
    made = [SweepResults.model_validate_json((KEPT / "sweep-8x8x8.json").read_text())]
    with tempfile.TemporaryDirectory() as folder:
        made += [swept(Path(folder), text) for text in (
            SMALL, SEEDS, SEEDS.replace("tolerance = 0.05", "tolerance = 0.002"))]
    return made


INPUTS = {
    "talk": lambda: pictures(kept("talk")),
    "study": lambda: pictures(kept("memcached-study")),
    "made_up": lambda: pictures(synthetic_results()),
    "made_up_study": lambda: pictures(results_of(study())),
    "demo": lambda: pictures(results_of(demo())),
    "noisy": lambda: pictures(noisy()),
    "unlike": lambda: pictures(unlike()),
    "two_unlike_runs": lambda: compared(unlike()),
    "large": lambda: pictures(large()),
    "sparse": lambda: pictures(sparse()),
    "two_runs": lambda: compared(kept("talk")),
    "two_equal_runs": lambda: compared(kept("talk"), kept("talk")),
    "two_studies": lambda: compared(results_of(study())),
    "two_noisy_runs": lambda: compared(noisy(), names=("a" * 70, "$x$ " * 20)),
    "two_large_runs": lambda: compared(large()),
    "two_sparse_runs": lambda: compared(sparse()),
    "domains": domains,
    "large_domains": lambda: domains(48),
    "sweeps": lambda: [picture for each in sweeps() for picture in sweep_pictures(each)],
    "jitter": jitter,
    "moving_node": moving,
    "cloud": lambda: cloud_pictures(rented(), 8, 53_125_000),
    "large_cloud": lambda: cloud_pictures(rented(200), 200, 53_125_000),
}
"""What pictures are made of."""
LONG = {"two_large_runs", "two_noisy_runs", "two_unlike_runs", "large_domains"}
"""Two seconds and more; each is of a kind with another one."""


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.rare] * (name in LONG)) for name in INPUTS])
def test_a_picture_shows_its_numbers(name: str) -> None:
    found = INPUTS[name]()
    assert found
    assert {picture.name: faults(picture) for picture in found} == {picture.name: [] for picture in found}


def makers():
    """Modules that make pictures."""
    for folder in ("khhw", "examples"):
        for file in (ROOT / folder).rglob("*.py"):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            if any(isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Picture"
                   for node in ast.walk(tree)):
                yield file


def test_every_picture_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    used = set()
    make = Picture.__init__

    def noted(self, **parts):
        used.add(Path(sys._getframe(1).f_code.co_filename))
        make(self, **parts)

    monkeypatch.setattr(Picture, "__init__", noted)
    for name in ("made_up", "made_up_study", "two_studies", "two_large_runs", "domains", "sweeps", "jitter",
                 "moving_node", "two_runs", "cloud"):
        INPUTS[name]()
    assert set(makers()) - used == set()


class TestTwoRuns:
    def test_differ_in_colour_brightness_line_and_marker(self) -> None:
        first, second = RUNS
        assert abs(brightness(first["color"]) - brightness(second["color"])) > 0.3
        assert all(first[key] != second[key] for key in ("linestyle", "marker", "linewidth", "markersize"))

    @pytest.mark.parametrize("name", ["two_runs", "two_equal_runs"])
    def test_both_are_drawn_and_named(self, name: str) -> None:
        for picture in INPUTS[name]():
            if "matrix" in picture.name:
                titles = [axes.get_title(loc="left") for axes in shown(picture)]
                assert titles == ["base", "mine"]
                continue
            legend, = picture.figure.legends
            assert [text.get_text() for text in legend.get_texts()][:2] == ["base", "mine"]
            for axes in shown(picture):
                colours = [to_hex(line.get_color()) for line in axes.lines if line.get_marker() not in ("", "None")]
                for look in RUNS:
                    assert to_hex(look["color"]) in colours, picture.name

    def test_the_second_does_not_hide_the_first(self) -> None:
        first, second = RUNS
        assert first["linewidth"] > 2 * second["linewidth"] and first["markersize"] > 2 * second["markersize"]


@pytest.fixture(scope="module")
def drawn() -> dict[str, Picture]:
    """Pictures of a study beside a flood."""
    return {picture.name: picture for picture in pictures(noisy())}


class TestNoisyNeighbour:
    @pytest.mark.parametrize("name", ["size_ppc450", "parts_ppc450", "cdf", "clients_ppc450", "offered",
                                      "software_cost"])
    def test_both_halves_are_in_every_picture(self, drawn: dict[str, Picture], name: str) -> None:
        picture = drawn[f"memcached_{name}"]
        words = [text.get_text() for text, _ in texts(picture)]
        for half in ("memcached", "flood"):
            assert any(word == half or word.startswith((f"{half}: ", f"{half}\n")) for word in words), words
        assert {row[0] for row in picture.rows} == {"memcached", "flood"}
        assert "flood: beside flood on nodes 0 and 3 (to=6)" in picture.caption

    def test_halves_have_the_same_scales(self, drawn: dict[str, Picture]) -> None:
        picture = drawn["memcached_size_ppc450"]
        assert len({axes.get_ylim() for axes in shown(picture)}) == 1

    def test_what_ran_alone_is_one_half(self) -> None:
        alone = dict(QUIET, name="again")
        points = [p.model_copy(update={"phase": phase}) for phase in ("memcached", "again") for p in study()[:22]]
        for picture in pictures(results_of(points, QUIET, alone)):
            assert {row[0] for row in picture.rows} == {"memcached"}
            assert "beside" not in picture.caption

    def test_a_file_that_holds_other_phases_is_drawn(self) -> None:
        results = results_of(demo(), {"name": 3}, "x")
        assert pictures(results)


class TestParts:
    def test_the_wire_is_a_boundary_of_every_bar(self) -> None:
        for results in (kept("talk"), kept("memcached-study")):
            for picture in (each for each in pictures(results) if "parts" in each.name):
                axes, = picture.figure.axes
                bars = {}
                for container in axes.containers:
                    for bar in container.patches:
                        bars.setdefault(round(bar.get_y() + bar.get_height() / 2, 6), []).append(
                            bar.get_x() + bar.get_width())
                marks = {round(float(points[:, 1].mean()), 6): points[0, 0] for points in map(data_points, axes.lines)}
                assert bars.keys() == marks.keys()
                # The second part ends where the wire's bound stands: hops, then serialization.
                for at, ends in bars.items():
                    assert sorted(ends)[1] == pytest.approx(marks[at], abs=0.35), picture.name


    def test_what_work_and_waiting_are_not_known_to_be_is_said(self) -> None:
        picture = next(each for each in pictures(kept("talk")) if "parts" in each.name)
        keys = [text.get_text() for text in picture.figure.legends[0].get_texts()]
        assert keys == ["hops", "serialization", "NI at most", "software at most", "wait at least",
                        "what the wire allows"]


class TestFewSamples:
    def test_are_hollow_and_counted(self) -> None:
        picture = next(each for each in pictures(kept("talk")) if each.name == "memcached_size_ppc450")
        counts = {int(row[4]) for row in picture.rows}
        words = [text.get_text() for text, _ in texts(picture)]
        assert {f"n = {n}" for n in counts if n < 6} <= set(words)
        assert not {f"n = {n}" for n in counts if n >= 6} & set(words)
        hollow = sum(len(data_points(line)) for axes in shown(picture) for line in axes.lines
                     if line.get_markerfacecolor() == "white")
        assert hollow == sum(int(row[4]) < 6 for row in picture.rows)

    def test_are_hollow_in_a_distribution(self) -> None:
        picture = next(each for each in pictures(kept("talk")) if each.name == "memcached_cdf")
        counts = {tuple(row[:4]): int(row[4]) for row in picture.rows}
        hollow = sum(line.get_markerfacecolor() == "white" for axes in shown(picture) for line in axes.lines)
        assert hollow == sum(n < 6 for n in counts.values()) > 0


    @pytest.mark.parametrize("runs", ["same", "other"])
    def test_are_hollow_and_counted_where_two_runs_are_compared(self, runs: str) -> None:
        first = few_of_some()
        for picture in compared(first, first if runs == "same" else None):
            if "matrix" in picture.name:
                continue
            words = [text.get_text() for text, _ in texts(picture)]
            numbers = {word for word in words if word.startswith("n = ")}
            assert numbers == {"n = 5"}, picture.name
            assert any(word.startswith("n: fewer than 6 ") for word in words), picture.name
            hollow = {look["color"]: [] for look in RUNS}
            for axes in shown(picture):
                for line in axes.lines:
                    if line.get_marker() != "" and line.get_markerfacecolor() == "white":
                        hollow[line.get_color()] += data_points(line).tolist()
            assert all(hollow.values()) and len({len(found) for found in hollow.values()}) == 1, picture.name

    def test_are_hollow_among_others_of_the_same_distance(self) -> None:
        results = few_of_some()
        picture, = (each for each in pictures(results) if each.name == "latency")
        hollow = [point for line in shown(picture)[1].lines if line.get_markerfacecolor() == "white"
                  for point in data_points(line).tolist()]
        assert hollow == [[8.0, 5.0]]

    def test_a_key_is_hollow_where_all_points_are(self) -> None:
        picture = next(each for each in pictures(kept("talk")) if each.name == "latency")
        keys = [line for line in shown(picture)[1].lines if line.get_linestyle() != "None"]
        assert keys and {line.get_markerfacecolor() for line in keys} == {"white"}

    def test_a_run_is_full_where_its_points_are_of_many(self) -> None:
        for picture in compared(results_of(study())):
            lines = [line for axes in shown(picture) for line in axes.lines if len(line.get_xdata())]
            assert "white" not in {line.get_markerfacecolor() for line in lines}, picture.name
            assert not [text for text, _ in texts(picture) if text.get_text().startswith("n = ")]


class TestRepeats:
    def test_a_line_joins_medians_of_loads(self) -> None:
        picture = next(each for each in pictures(large()) if each.name == "console_load")
        for line in shown(picture)[0].lines:
            if line.get_linestyle() != "None":
                x = data_points(line)[:, 0].tolist()
                assert x == sorted(set(x))

    def test_more_hops_are_not_drawn_faster(self) -> None:
        picture = next(each for each in pictures(kept("talk")) if each.name == "latency")
        right = shown(picture)[1]
        lines = [data_points(line) for line in right.lines if line.get_linestyle() != "None"]
        assert len(lines) == 3
        at = [np.interp(100.0, line[:, 0], line[:, 1]) for line in lines]
        assert at == sorted(at)


def test_the_checks_see_what_they_are_to_see() -> None:
    """A picture with each of the faults."""
    from khhw.report.style import figure

    drawing, (axes,) = figure(5, 3, 1)
    axes.plot([1.02, 2], [5, 9], "o-")
    axes.barh([20], [3], left=[1])
    axes.set_ylim(0, 6)
    axes.text(1.5, 3, "one text")
    axes.text(1.5, 3, "another", fontsize=5)
    axes.text(40, 3, "far away").set_in_layout(False)
    found = faults(Picture(name="n", title="t", caption="c", figure=drawing, columns=("x", "y"),
                           rows=[(1, 5), (2, 9)]))
    for word in ("(2, 9) is outside", "(1.02, 5) is not among the numbers", "'one text' covers 'another'",
                 "'far away' leaves the figure", "pixels high", "the x axis of '' says not", "do not begin at zero"):
        assert any(word in fault for fault in found), (word, found)
