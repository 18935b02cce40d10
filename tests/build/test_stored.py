"""What the build folder holds, what removes it and what does not; and outputs of designs that have one name."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from khhw.build.cache import COMPLETE, UNUSED_DAYS, build_once, claim_folder
from khhw.build.conversions import Conversion, keep
from khhw.build.stored import clean, stored
from khhw.cli import main
from khhw.machine.machine import Machine

ROOT = Path(__file__).resolve().parents[2]
DAY = 86400
USER = """
import sys
from pathlib import Path
from khhw.build.cache import build_once
build_once(Path(sys.argv[1]), {}, lambda folder: (folder / "data").write_bytes(bytes(9000)))
print("there", flush=True)
sys.stdin.read()
"""
"""A process that builds a folder, or finds it, and lives until it is told not to."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KHHW_BUILD", str(tmp_path))
    return tmp_path


@pytest.fixture
def started():
    """Starts a process that uses a folder, and ends it."""
    processes = []

    def start(path):
        process = subprocess.Popen([sys.executable, "-c", USER, str(path)], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout.readline() == "there\n"
        return process

    yield start
    for process in processes:
        process.communicate()


def end(process):
    process.communicate()
    assert process.returncode == 0


def built(started, path, days=0):
    """A build that somebody made so many days ago and uses no more."""
    end(started(path))
    for file in path.iterdir():
        os.utime(file, (time.time() - days * DAY,) * 2)


def names():
    return {each.name for each in stored()}


def test_a_build_in_use_is_not_removed_by_anybody(folder, started):
    path = folder / "sim" / "router-verilator-fast-0123456789abcdef"
    user = started(path)
    (found,) = stored()
    assert found.in_use and (found.kind, found.size_bytes >= 9000) == ("sim", True)
    gone, kept = clean()
    assert (gone, [each.name for each in kept]) == ([], [path.name])
    assert (path / COMPLETE).is_file()
    end(user)
    gone, kept = clean()
    assert ([each.name for each in gone], kept) == ([path.name], [])
    assert not path.exists()


def test_who_finds_a_build_uses_it_too(folder, started):
    path = folder / "engine" / "cell-verilated-fast-0123456789abcdef"
    end(started(path))
    user = started(path)
    assert clean() == ([], stored())
    end(user)


def test_a_build_that_is_used_does_not_go_because_it_is_old(folder, started):
    old, new = (folder / "sim" / f"router-verilator-fast-{digit * 16}" for digit in "01")
    user = started(old)
    os.utime(old / COMPLETE, (time.time() - 2 * UNUSED_DAYS * DAY,) * 2)
    build_once(new, {}, lambda _: None)
    assert old.is_dir()
    end(user)
    build_once(folder / "sim" / "router-verilator-fast-2222222222222222", {}, lambda _: None)
    assert not old.exists()


def test_a_run_that_goes_on_is_kept(folder):
    with claim_folder(folder / "runs", "guard-default-verilator") as claimed:
        (claimed / "simulator.log").write_text("x")
        assert [each.in_use for each in stored()] == [True]
        assert clean()[0] == []
    assert [each.name for each in clean()[0]] == ["guard-default-verilator"]


def test_a_machine_without_a_folder_uses_the_one_it_runs_in(folder):
    seen = []

    def look(event):
        seen.extend(stored())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Machine.load(ROOT / "examples" / "talk.toml").run(on_report=look)
    assert [(each.kind, each.in_use) for each in seen] == [("runs", True)]


def test_what_khhw_did_not_make_stays(folder, tmp_path_factory, capsys):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    mine = [folder / "runs" / "thesis" / "data", folder / "app" / "flake" / "source", elsewhere / "data",
            elsewhere / "deep" / COMPLETE, elsewhere / COMPLETE]
    for file in mine:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("mine")
    (folder / "app" / "flake.lock").write_text("a package manager's")
    (folder / "linked").symlink_to(elsewhere)
    (folder / "sim").mkdir()
    (folder / "sim" / "router-0123").symlink_to(elsewhere)
    for lock in (elsewhere / "deep.lock", folder / "sim" / "router-0123.lock"):
        lock.touch()
    (folder / "verilog" / "index").mkdir(parents=True)
    (folder / "verilog" / "index" / "broken.json").write_text("[1]")
    assert main(["cache", "clean", "--all"]) == 0
    assert "0 removed" in capsys.readouterr().out
    assert [file.read_text() for file in mine] == ["mine"] * len(mine)


def test_an_empty_name_is_nobodys(folder, capsys):
    with claim_folder(folder / "runs", "router"):
        pass
    assert main(["cache", "clean", ""]) == 2
    assert names() == {"router"}


def test_what_is_removed_is_what_was_asked_for(folder, started):
    fresh, old = folder / "sim" / "router-verilator-fast-aaaa", folder / "sim" / "router-verilator-debug-bbbb"
    other = folder / "engine" / "khhw_cell-verilated-fast-cccc"
    built(started, fresh)
    built(started, old, days=5)
    built(started, other, days=5)
    assert [each.name for each in stored()][-1] == fresh.name, "what was used last is at the end"
    assert {each.name for each in clean(unused_days=3, dry_run=True)[0]} == {old.name, other.name}
    assert names() == {fresh.name, old.name, other.name}, "a dry run removes nothing"
    for asked, found in (("router", {fresh.name, old.name}), ("router-verilator-debug", {old.name}),
                         (fresh.name, {fresh.name}), ("*cell*", {other.name}), ("rout", set())):
        assert {each.name for each in clean([asked], dry_run=True)[0]} == found
    clean(["router"], unused_days=3)
    assert names() == {fresh.name, other.name}


def test_verilog_that_is_gone_is_converted_again(folder, started):
    path = folder / "verilog" / "guard-0123456789abcdef"
    built(started, path)
    index = folder / "verilog" / "index"
    index.mkdir()
    for name, what in (("a", path.name), ("b", "gone-0123456789abcdef")):
        keep(index / f"{name}.json", Conversion(what, {}, {}))
    clean(["nothing"])
    assert [file.name for file in index.glob("*.json")] == ["a.json"]
    clean()
    assert not list(index.glob("*.json"))


def test_the_command(folder, started, capsys):
    path = folder / "sim" / "router-verilator-fast-0123456789abcdef"
    built(started, path, days=3)
    assert main(["cache", "list"]) == 0
    line = capsys.readouterr().out.splitlines()[1].split()
    assert line[0] == path.name and line[1] == "sim" and line[-4:] == ["3", "d", "3", "d"]
    assert main(["cache", "clean", "router", "--dry-run"]) == 0
    assert "1 would be removed" in capsys.readouterr().out and path.is_dir()
    assert main(["cache", "clean", "--older", "4", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["results"] == {
        "removed": [], "in_use": [], "failed": [], "dry_run": False}
    user = started(path)
    assert main(["cache", "clean", "--all"]) == 0
    assert f"kept, it is in use: {path.name}" in capsys.readouterr().out
    end(user)
    assert main(["cache", "clean", "--all"]) == 0
    assert not path.exists()


def test_what_cannot_be_removed_is_said(folder, started, capsys, monkeypatch):
    path = folder / "sim" / "router-verilator-fast-0123456789abcdef"
    built(started, path)
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)
    assert main(["cache", "clean", "--all"]) == 1
    told = capsys.readouterr()
    assert "0 removed" in told.out and f"could not be removed; see who may write to it: {path}" in told.err
    monkeypatch.undo()
    assert path.is_dir()


@pytest.mark.parametrize(("words", "message"), [
    ([], "say what to remove"), (["--all", "router"], "--all takes no names"), (["--older", "-1"], "0 or more"),
    (["router"], "`khhw cache list` shows what there is"),
])
def test_requests_that_cannot_be(folder, words, message, capsys):
    assert main(["cache", "clean", *words]) == 2
    assert message in capsys.readouterr().err


TWIN = """
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from amaranth.hdl import Module

class Twin(wiring.Component):
    out: Out(8)

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.out.eq({value})
        return m
"""
BENCH = """
import cocotb
from cocotb.triggers import Timer

DUT = "twin:Twin"

@cocotb.test()
async def test_value(dut):
    await Timer(1, "ns")
    assert int(dut.out.value) == {value}
"""


@pytest.mark.rare
def test_testbenches_and_designs_of_one_name_do_not_share_a_folder(tmp_path, capsys):
    found = []
    for value in (3, 5):
        here = tmp_path / f"project_{value}"
        here.mkdir()
        (here / "twin.py").write_text(TWIN.format(value=value))
        (here / "test_twin.py").write_text(BENCH.format(value=value))
        assert main(["test", str(here / "test_twin.py"), "--json"]) == 0
        found += json.loads(capsys.readouterr().out)["results"]
    folders = [Path(one["folder"]) for one in found]
    assert folders[0] != folders[1], "the second run must not replace what the first one left"
    for one in folders:
        assert (one / "results.xml").is_file() and (one / "simulator.log").is_file()
    # With -o they lie where they are asked for, and the command that repeats a case asks for the same.
    out = tmp_path / "out"
    (tmp_path / "project_5" / "test_twin.py").write_text(BENCH.format(value=6))
    assert main(["test", str(tmp_path / "project_5" / "test_twin.py"), "-o", str(out)]) == 1
    (run,) = out.iterdir()
    assert (run / "results.xml").is_file() and (run / "simulator.log").is_file()
    said = capsys.readouterr().out
    assert f"results and log: {run}" in said and f"-o {out}" in said
    assert main(["test", str(tmp_path / "project_5" / "test_twin.py"), "-o", str(run / "results.xml")]) == 2
