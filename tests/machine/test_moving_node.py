"""The example that moves node 3 between domains under load, in a short form."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread

import khhw
from khhw.machine.file import MachineFile

ROOT = Path(__file__).parents[2]
CYCLES = 90_000
ANSWERED = 0
LEFT, RIGHT = 0, 2
"""Servers."""
NOTED = 400
"""Cycles in which the client's software may still note an answer that had arrived: half of what an operation takes."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the program leaves."""
    folder = tmp_path_factory.mktemp("moving")
    done = subprocess.run(
        [sys.executable, "examples/moving_node/moving_node.py", "-o", str(folder), "--seed", "5", "--cycles",
         str(CYCLES), "--window", "6000"], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    assert "Node 3 is moved to another domain and back" in done.stdout
    return folder


@pytest.fixture(scope="module")
def seen(folder: Path) -> dict[str, Any]:
    """What the simulator found in the clients' memories."""
    results: dict[str, Any] = json.loads((folder / "run.json").read_text())["results"]
    return results


def operations(seen: dict[str, Any], rank: int) -> list[tuple[int, int, int, int]]:
    """Beginning, end, server and outcome of what a client did."""
    return [(end - took, end, server, outcome) for end, took, server, outcome in seen["clients"][str(rank)]]


def test_node_3_gets_nothing_of_a_server_it_may_not_ask(seen: dict[str, Any]) -> None:
    away, home = seen["changes"]
    answered = [(end, server) for _, end, server, outcome in operations(seen, 3) if outcome == ANSWERED]
    for end, server in answered:
        if not any(0 < end - change["refused"] <= NOTED for change in (away, home)):
            assert server == (RIGHT if away["refused"] < end <= home["refused"] else LEFT)
    # And it works at both places, before and after.
    for since, until, server in ((0, away["started"], LEFT), (away["finished"], home["started"], RIGHT),
                                 (home["finished"], seen["start"] + CYCLES, LEFT)):
        assert sum(since < end < until and of == server for end, of in answered) >= 10


def test_what_was_under_way_is_not_answered(seen: dict[str, Any]) -> None:
    failed = [one for one in operations(seen, 3) if one[3] != ANSWERED]
    assert [server for _, _, server, _ in failed] == [LEFT, RIGHT]
    for (began, end, _, _), change in zip(failed, seen["changes"], strict=True):
        assert began < change["finished"] < end
    assert seen["refused"]["ROW"] > 0


@pytest.mark.parametrize("rank", [1, 4, 5, 7])
def test_nobody_else_loses_an_operation(seen: dict[str, Any], rank: int) -> None:
    done = operations(seen, rank)
    assert {outcome for *_, outcome in done} == {ANSWERED}
    # A packet that had to be sent again would take 4,000 cycles.
    assert max(end - began for began, end, *_ in done) < 2000


@pytest.mark.parametrize("rank", [1, 7])
def test_the_domain_that_does_not_change_does_not_become_slower(seen: dict[str, Any], rank: int) -> None:
    took = [(began, end - began) for began, end, *_ in operations(seen, rank)]
    typical = sorted(cycles for _, cycles in took)[len(took) // 2]
    during = [cycles for began, cycles in took for change in seen["changes"]
              if change["started"] - 2000 < began < change["finished"]]
    assert len(during) >= 6
    assert max(during) < 1.1 * typical


def test_phases_are_in_order(seen: dict[str, Any]) -> None:
    for change in seen["changes"]:
        assert change["phases"] == 2
        assert change["started"] < change["refused"] < change["finished"] < change["started"] + 10_000


def test_the_object_it_writes(folder: Path, seen: dict[str, Any]) -> None:
    report = json.loads((folder / "moving_node.json").read_text())
    assert (report["version"], report["seed"], report["cpu_model"]) == (khhw.__version__, 5, "ppc450")
    MachineFile.model_validate({key: value for key, value in report["parameters"].items() if key != "engine"})
    for client in report["results"]["clients"]:
        counts = client["per_window"]
        noted = [end for _, end, _, outcome in operations(seen, client["node"]) if outcome == ANSWERED]
        assert client["answered"] == len(noted)
        within = sum(end < seen["start"] + CYCLES for end in noted)
        assert sum(map(sum, counts.values())) == within
    with (folder / "throughput.csv").open() as file:
        assert sum(int(row["answered"]) for row in csv.DictReader(file)) == sum(
            sum(map(sum, client["per_window"].values())) for client in report["results"]["clients"])
    assert imread(folder / "throughput.png").shape[1] == 2200
