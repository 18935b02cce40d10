"""``khhw bench cosim``: what it measures, on a machine of two nodes, and what it makes of the measurements.

cocotb's own build takes many minutes even for two nodes, so here the lean one plays both parts.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from khhw.bench import cosim
from khhw.build.simulator import BuildTime, Simulation, SimulationBuild
from khhw.cli import main
from khhw.commands import bench
from khhw.machine.machine import Machine
from khhw.machine.results import LatencySample, RunRecord

MACHINE = """
[torus]
shape = [2, 1, 1]
[node]
memory_bytes = 4194304
[domains.both]
rules = ["0 -> 0 1", "1 -> 0 1"]
[[phases]]
name = "probe"
domains = "both"
measure = "matrix"
kernels = [{ kernel = "probe", arguments = "seed={seed} settle=600 quiet=1500" }]
[[phases]]
name = "latency"
measure = "latency"
kernels = [{ kernel = "latency", arguments = "source=0 destinations=1 sizes=8 repeat=1" }]
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the command prints; the build it asks for as cocotb's own is the lean one."""
    asked = []

    def lean(**values: Any) -> Simulation:
        asked.append(values.pop("stock"))
        return Simulation(**values)

    folder = tmp_path_factory.mktemp("bench")
    (folder / "pair.toml").write_text(MACHINE)
    printed: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cosim, "Simulation", lean)
        patch.setattr("builtins.print", lambda *words, file=None, **_: None if file else printed.extend(words))
        assert main(["bench", "cosim", "--machine", str(folder / "pair.toml"), "--repeat", "2", "--seconds", "0.3",
                     "--json"]) == 0
    assert asked == [True, False]
    (text,) = printed
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.rare
def test_one_object_says_what_was_measured_on_what(measured: dict[str, Any]) -> None:
    assert {"version", "seed", "parameters", "build", "cpu_model", "results"} < measured.keys()
    assert (measured["seed"], measured["build"], measured["cpu_model"]) == (1, "fast", "ideal")
    assert measured["parameters"]["machine"]["torus"]["shape"] == [2, 1, 1]
    assert (measured["parameters"]["repeat"], measured["parameters"]["seconds"]) == (2, 0.3)


@pytest.mark.rare
def test_every_load_runs_on_both_builds(measured: dict[str, Any]) -> None:
    rows = {(row["build"], row["load"]): row for row in measured["results"]}
    assert set(rows) == {(build, load) for build in ("stock", "lean") for load in ("idle", "probe", "latency")}
    assert all(row["samples"] == 2 for row in rows.values())
    for load in ("probe", "latency"):
        assert rows["stock", load]["cycles"] == rows["lean", load]["cycles"] > 1500


@pytest.mark.rare
def test_idle_is_simulated_and_not_jumped(measured: dict[str, Any]) -> None:
    for row in measured["results"]:
        if row["load"] == "idle":
            speed = row["cycles_per_second"]
            assert speed["min"] <= speed["median"] <= speed["max"]
            assert 1_000 < speed["median"] < 3_000_000
            assert 0.3 * speed["min"] * 0.5 < row["cycles"]


@pytest.mark.rare
def test_one_distance_gives_no_cycles_per_hop(measured: dict[str, Any]) -> None:
    assert measured["cycles_per_hop"] is None


def lap(cycles: int, wall: float) -> dict[str, float]:
    return {"cycles": cycles, "wall_seconds": wall, "cpu_seconds": wall / 2}


def sample(hops: int, cycles: int, size: int = 8) -> LatencySample:
    return LatencySample(source=0, destination=hops, hops=hops, size_bytes=size, cycles=cycles)


def test_ratios_are_of_medians(tmp_path: Path) -> None:
    laps = {("stock", "idle"): [lap(1000, 1), lap(1000, 2), lap(1000, 10)],
            ("lean", "idle"): [lap(8000, 2), lap(8000, 1), lap(8000, 2)]}
    build = SimulationBuild(simulation=None, folder=tmp_path)  # type: ignore[arg-type]
    found = cosim.summary(laps, {"stock": build, "lean": build}, RunRecord())
    assert found["ratio"] == {"idle": {"wall": 8.0, "cpu": 8.0}}
    assert found["results"][0]["cycles_per_second"] == {"median": 500, "min": 100, "max": 1000}
    assert found["results"][1]["cycles_per_cpu_second"]["median"] == 8000
    assert found["build_seconds"] == {"stock": None, "lean": None}


def test_one_build_alone_has_no_ratio(capsys: pytest.CaptureFixture[str]) -> None:
    found = cosim.summary({("lean", "idle"): [lap(1000, 2.0)]}, {}, RunRecord())
    assert found["ratio"] == {} and [row["build"] for row in found["results"]] == ["lean"]
    bench.print_cosim(found.pop("results"), found)
    assert [line.split() for line in capsys.readouterr().out.splitlines()[1:]] == [["idle", "500"]]


@pytest.mark.rare
def test_a_build_remembers_what_it_took(measured: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "pair.toml").write_text(MACHINE)
    build = Machine.load(tmp_path / "pair.toml").build()
    copy = replace(build, folder=tmp_path)
    assert copy.time is None
    (tmp_path / "build-time.json").write_text('{"wall_seconds": 12.5, "cpu_seconds": 20.0}')
    assert copy.time == BuildTime(wall_seconds=12.5, cpu_seconds=20.0)


def test_cycles_per_hop_is_the_slope_of_the_smallest_messages() -> None:
    samples = [sample(1, 30), sample(1, 32), sample(1, 90), sample(2, 35), sample(3, 38), sample(3, 900, size=64)]
    assert cosim.cycles_per_hop(RunRecord(latency=samples)) == pytest.approx(3.0)
    assert cosim.cycles_per_hop(RunRecord(latency=samples[:3])) is None
    assert cosim.cycles_per_hop(RunRecord()) is None


@pytest.mark.parametrize("options", [
    ["--repeat", "0"], ["--seconds", "0"], ["--seconds", "-1"], ["--machine", "no.toml"]])
def test_wrong_requests_are_refused_before_anything_is_built(
    options: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "cosim", *options]) == 2
    assert capfd.readouterr().out == ""
