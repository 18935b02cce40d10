"""Sweeps on real workers: what is continued, what is lost, what fails. The network they measure takes no time."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, nullcontext
from pathlib import Path

import pytest
from pyarrow import parquet

from khhw.estimate import Left
from khhw.sweep import cluster as clusters
from khhw.sweep.reading import load
from khhw.sweep.run import Sweep
from tests.sweep.fake import FAKE, SATURATION
from tests.sweep.specs import SMALL, written

ROOT = Path(__file__).resolve().parents[2]


class View:
    """Remembers what it is told."""

    def __init__(self):
        self.notes, self.told = [], []

    def note(self, text):
        self.notes.append(text)

    def stage(self, text):
        self.told.append(text)

    def progress(self, progress):
        self.told.append(progress)


@pytest.fixture(scope="module")
def orders(tmp_path_factory):
    """The folder with what the network is to do; see :mod:`tests.sweep.fake`."""
    folder = tmp_path_factory.mktemp("orders")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KHHW_FAKE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def workers(orders):
    with clusters.local(2) as cluster:
        yield cluster


@pytest.fixture
def sweep(workers, orders, tmp_path):
    """Sweeps a specification in ``out``; what it came to, and what it told."""
    for path in orders.iterdir():
        path.unlink()

    def run(text=SMALL):
        view = View()
        source = written(tmp_path, text)
        return Sweep(load(source), source, tmp_path / "out", lambda: nullcontext(workers), view, FAKE).run(), view

    return run


def log(orders, kind="point"):
    path = orders / "log"
    return [line for line in path.read_text().splitlines() if line.startswith(kind)] if path.exists() else []


def test_measures_everything_once(sweep, orders):
    results, view = sweep()
    assert (results.state, results.reused, results.failed) == ("done", 0, [])
    assert len(log(orders)) == len(set(log(orders))) == len(results.results) == len({row.id for row in results.results})
    grid = {(row.pattern, row.load) for row in results.results if row.role == "grid"}
    assert grid == {(pattern, load) for pattern in ("uniform", "tornado") for load in (0.1, 0.5, 0.9)}
    for found in results.saturation:
        assert found.state == "found"
        assert found.saturated - found.carried <= 0.05
        assert found.carried < SATURATION[found.pattern]
    done = [told.done for told in view.told if not isinstance(told, str)]
    assert done == sorted(done)
    assert view.told[-1].done == view.told[-1].expected == len(results.results)
    assert view.told[-1].left == Left(0.0, 0.0)


def test_finished_points_are_not_measured_again(sweep, orders):
    first, _ = sweep()
    (orders / "log").unlink()
    again, view = sweep()
    assert log(orders) == []
    assert again.reused == len(again.results)
    assert [row.model_dump() for row in again.results] == [row.model_dump() for row in first.results]
    assert f"{again.reused} points are in" in view.notes[0]
    more, _ = sweep(SMALL.replace("0.9]", "0.9, 0.95]"))
    assert {line.split("-")[1] for line in log(orders)} == {"0.95"}
    assert more.reused == len(first.results)


def test_another_build_is_another_point(sweep, orders):
    sweep()
    results, view = sweep(SMALL + "[node]\nslots = 4\n")
    assert results.reused == 0
    assert "of another specification, hardware or version" in view.notes[0]


def test_a_failed_point_is_named_and_the_others_go_on(sweep, orders):
    (orders / "fail-uniform-0.5-1").touch()
    results, view = sweep()
    assert results.state == "failed"
    assert "1 of" in results.message
    (failed,) = results.failed
    assert (failed.pattern, failed.load, failed.latency_mean) == ("uniform", 0.5, None)
    assert "ValueError: told to fail at uniform-0.5-1" in failed.reason
    assert [note for note in view.notes if "uniform at load 0.5 on 4x4x4, seed 1" in note and "told to fail" in note]
    assert sum(row.state == "done" for row in results.results) >= 10
    (orders / "fail-uniform-0.5-1").unlink()
    (orders / "log").unlink()
    again, _ = sweep()
    assert again.state == "done"
    assert "point uniform-0.5-1" in log(orders)
    assert "point uniform-0.1-1" not in log(orders)


def test_a_lost_worker_is_told_and_its_point_handed_on(sweep, orders):
    (orders / "kill-once-tornado-0.9-1").touch()
    results, view = sweep()
    assert (results.state, results.failed) == ("done", [])
    (note,) = [note for note in view.notes if "was lost" in note]
    assert "tornado at load 0.9 on 4x4x4, seed 1" in note
    (row,) = [row for row in results.results if row.lost_workers]
    assert (row.pattern, row.load, row.lost_workers) == ("tornado", 0.9, 1)


def test_a_point_that_takes_workers_with_it_is_given_up(sweep, orders):
    (orders / "kill-tornado-0.9-1").touch()
    results, view = sweep()
    assert results.state == "failed"
    (failed,) = results.failed
    assert (failed.load, failed.lost_workers) == (0.9, 3)
    assert "every worker that measured it was lost" in failed.reason
    assert sum("tornado at load 0.9" in note for note in view.notes if note.startswith("worker")) == 3


def test_nodes_that_cannot_be_built_fail_alone(sweep, orders):
    results, _ = sweep(SMALL + "[grid.node]\nslots = [3, 7]\n")
    assert results.state == "failed"
    assert {row.node["slots"] for row in results.failed} == {7}
    assert all("cannot be built: OSError: no compiler for seven slots" in row.reason for row in results.failed)
    assert {row.node["slots"] for row in results.results if row.state == "done"} == {3}
    assert log(orders, "build 7") == ["build 7 [64]"]


def test_a_worker_with_other_hardware_measures_nothing(sweep, monkeypatch):
    from khhw.sweep import run

    monkeypatch.setattr(run, "identify", lambda *_: "of other sources")
    results, _ = sweep()
    assert results.state == "failed"
    assert all("are not those the sweep began with" in row.reason for row in results.failed)


def test_hardware_that_is_edited_meanwhile_is_not_measured(sweep, orders):
    (orders / "edit-uniform-0.9-1").touch()
    results, _ = sweep()
    assert results.state == "failed"
    assert {row.build for row in results.results} == {results.results[0].build}
    assert any("start the sweep again after an edit" in row.reason for row in results.failed)
    measured = [row for row in results.results if row.state == "done"]
    assert 0 < len(measured) < len(results.results)


def test_full_disk(sweep, monkeypatch):
    from khhw.sweep import store

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.os, "fsync", full)
    with pytest.raises(store.WriteError, match="No space left on device; make room"):
        sweep()


@pytest.fixture
def own_orders(tmp_path):
    folder = tmp_path / "orders"
    folder.mkdir()
    return folder


@pytest.fixture
def start(own_orders, tmp_path):
    """Starts a module as a program, in a group of its own as a terminal does; what is left over is ended."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "KHHW_FAKE": str(own_orders)}
    with ExitStack() as stack:
        def run(*command):
            process = stack.enter_context(subprocess.Popen(
                [sys.executable, "-m", *map(str, command)], cwd=ROOT, env=environment, start_new_session=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
            stack.callback(process.kill)
            return process

        yield run


SWEEP = "tests.sweep.sweeper"


def until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def finished(out):
    return list((out / "points").glob("*.json"))


def group_is_gone(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.rare
def test_killed_and_started_again_it_goes_on(tmp_path, own_orders, start):
    """SIGKILL in the middle; then Ctrl-C; then to the end: no point is measured twice."""
    source, out = written(tmp_path), tmp_path / "out"
    (own_orders / "slow").touch()
    first = start(SWEEP, source, "-o", out)
    until(lambda: len(finished(out)) >= 3)
    first.kill()
    first.wait()
    until(lambda: group_is_gone(first.pid))
    kept = finished(out)
    for path in kept:
        assert json.loads(path.read_text())["state"] == "done"

    second = start(SWEEP, source, "-o", out)
    until(lambda: len(finished(out)) >= len(kept) + 2)
    os.killpg(second.pid, signal.SIGINT)
    printed, complaints = second.communicate()
    assert second.returncode == 130
    assert complaints == ""
    assert "interrupted" in printed
    until(lambda: group_is_gone(second.pid))
    part = json.loads((out / "sweep.json").read_text())
    assert part["state"] == "interrupted"
    assert len(part["results"]) == len(finished(out)) == parquet.read_table(out / "sweep.parquet").num_rows
    assert (out / "report.html").is_file()

    (own_orders / "slow").unlink()
    third = start(SWEEP, source, "-o", out, "--json")
    printed, _ = third.communicate()
    assert third.returncode == 0
    whole = json.loads(printed)
    assert whole == json.loads((out / "sweep.json").read_text())
    assert whole["reused"] == len(part["results"])
    # Those that were cut off were begun again; what was finished was not.
    begun = log(own_orders)
    assert len(begun) - len(set(begun)) <= 2 * 2
    assert len(set(begun)) == len(whole["results"]) == len(finished(out))
    check_table(out, whole)


def check_table(out, whole):
    with (out / "sweep.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = parquet.read_table(out / "sweep.parquet").to_pylist()
    assert len(rows) == len(columns) == len(whole["results"])
    for text, values, row in zip(rows, columns, whole["results"], strict=True):
        assert list(text) == list(values)
        assert {name: "" if value is None else str(value) for name, value in values.items()} == text
        assert values["latency_mean"] == row["latency_mean"]
        assert (values["size_x"], values["nodes"], values["node_slots"], values["node_bubble"]) == (4, 64, 3, "slots")
        assert (values["seed"], values["version"], values["lengths"]) == (1, whole["version"], "8")


@pytest.mark.rare
def test_an_existing_cluster(tmp_path, start):
    """A scheduler without workers, then with one."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    start("distributed.cli.dask_scheduler", "--port", port, "--host", "127.0.0.1", "--no-dashboard")
    until(lambda: answers(port))
    source, out = written(tmp_path), tmp_path / "out"
    alone = start(SWEEP, source, "-o", out, "--scheduler", address)
    _, complaints = alone.communicate(timeout=60)
    assert alone.returncode == 2
    assert f"the scheduler at {address} has no workers; start them with 'dask worker {address}" in complaints
    assert not out.exists()
    start("distributed.cli.dask_worker", address, "--nthreads", 1, "--no-nanny", "--no-dashboard", "--local-directory",
          tmp_path)
    done = start(SWEEP, source, "-o", out, "--scheduler", address)
    printed, complaints = done.communicate(timeout=60)
    assert done.returncode == 0, complaints
    assert "accepts" in printed


def answers(port):
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.mark.rare
def test_a_scheduler_that_does_not_answer(tmp_path, start):
    address = f"tcp://127.0.0.1:{free_port()}"
    began = time.monotonic()
    done = start(SWEEP, written(tmp_path), "-o", tmp_path / "out", "--scheduler", address)
    _, complaints = done.communicate(timeout=60)
    assert time.monotonic() - began < 30
    assert done.returncode == 2
    assert f"no Dask scheduler answers at {address}" in complaints
    assert "leave --scheduler out" in complaints
    assert complaints.count("\n") == 1
    assert not (tmp_path / "out").exists()


