"""``khhw demo``: a list, and demonstrations that share one build and show what they say."""

import json
from pathlib import Path

import pytest

from khhw.cli import main
from khhw.commands.demo import FOLDER, demonstrations
from khhw.machine.machine import Machine
from khhw.machine.results import Results
from tests.machine.machines import TALK, said


def test_the_list_names_all_and_what_they_show(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "list"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["domains", "consoles", "memcached", "noisy"]
    assert all(len(line.split()) > 8 for line in lines[:4])
    assert lines[-1] == f"machine files: {FOLDER}"
    assert main(["demo", "list", "--json"]) == 0
    listed = json.loads(capfd.readouterr().out)["results"]
    assert {one["name"]: one["shows"] for one in listed} == demonstrations()


def test_every_machine_file_is_listed() -> None:
    assert {file.stem for file in FOLDER.glob("*.toml")} == set(demonstrations())


def test_an_unknown_one_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "fireworks"]) == 2
    assert "there are domains, consoles, memcached, noisy" in capfd.readouterr().err


@pytest.mark.parametrize("name", demonstrations())
def test_one_build_serves_all(name: str) -> None:
    demo, talk = Machine.load(FOLDER / f"{name}.toml").file, Machine.load(TALK).file
    assert (demo.torus, demo.node, demo.parts) == (talk.torus, talk.node, talk.parts)


def run(name: str, folder: Path) -> Results:
    """A demonstration as its spectator runs it."""
    assert main(["demo", name, "-o", str(folder), "--engine", "native"]) == 0
    assert (folder / "report.html").is_file()
    return Results.read(folder / "results.json")


def test_text_stays_in_its_domain(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    results = run("consoles", tmp_path / "consoles")
    heard = [[line.removeprefix("chat: heard ") for line in said(results, node) if line.startswith("chat: heard ")]
             for node in range(8)]
    halves = ["2 4 6", "3 5 7", "0 4 6", "1 5 7", "0 2 6", "1 3 7", "0 2 4", "1 3 5"]
    lecture = ["nobody"] + ["0"] * 7
    assert heard == [[half, talk, half] for half, talk in zip(halves, lecture, strict=True)]
    loads = {len(load.nodes): load.packets for load in results.results.load}
    assert set(loads) == {1, 2, 4, 8} and len(set(loads.values())) == 1


@pytest.mark.rare
def test_a_flood_next_door_is_felt_and_harms_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    results = run("noisy", tmp_path / "noisy")
    points = {(point.phase, point.path): point for point in results.results.memcached}
    assert set(points) == {(phase, path) for phase in ("quiet", "flooded") for path in ("tcp", "rdma")}
    for path in ("tcp", "rdma"):
        quiet, flooded = points["quiet", path], points["flooded", path]
        assert quiet.errors == flooded.errors == quiet.misses == flooded.misses == 0
        assert flooded.latency_cycles.p50 > quiet.latency_cycles.p50
    for sender, receiver in ((0, 6), (3, 5)):
        assert any(f" bytes to node {receiver}, " in line for line in said(results, sender))
    printed = capfd.readouterr().out
    assert "quiet" in printed and "flooded" in printed and "change of the median" in printed
