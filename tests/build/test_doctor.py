"""``khhw doctor``: what it finds, and what it says of what is not there."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from khhw.build import RequestError, toolchain

NEEDED = ("python3", "g++", "make", "perl", "ar", "as", "ld", "sh", "env")


@pytest.fixture
def fresh_toolchain():
    """Answers are kept for the life of a process; these tests change what they depend on."""
    functions = (toolchain.find_verilator, toolchain.gxx_version, toolchain.compiles, toolchain.libpython)
    for function in functions:
        function.cache_clear()
    yield
    for function in functions:
        function.cache_clear()


@pytest.fixture
def folder_without(tmp_path):
    """A folder of commands that lacks some."""
    def make(*missing: str) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir()
        for name in set(NEEDED) - set(missing):
            if found := shutil.which(name):
                (folder / name).symlink_to(found)
        return folder
    return make


def doctor(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).parents[2])
    return subprocess.run([sys.executable, "-m", "khhw", "doctor", *arguments], capture_output=True, text=True,
                          check=False, env={**os.environ, "PYTHONPATH": root, **environment})


def fake_verilator(folder: Path, banner: str) -> None:
    command = folder / "verilator"
    command.write_text(f"#!/bin/sh\necho '{banner}'\n")
    command.chmod(0o755)


def test_everything_needed_is_here():
    done = doctor("--json")
    report = json.loads(done.stdout)
    tools = {tool["name"]: tool for tool in report["results"]}
    assert (done.returncode, done.stderr) == (0, "")
    assert all(tool["present"] and tool["version"] for name, tool in tools.items()
               if tool["needed"] and name != "build folder")
    assert {"khhw", "Python", "amaranth", "cocotb", "Verilator", "g++", "make", "perl", "iverilog"} <= set(tools)


def test_names_what_is_missing_and_the_remedy(folder_without):
    done = doctor(PATH=str(folder_without("g++", "perl")))
    assert done.returncode == 1
    missing = [line.split() for line in done.stdout.splitlines() if line.startswith("MISSING")]
    assert [words[1] for words in missing] == ["g++", "perl"]
    assert "apt-get install perl" in done.stdout
    assert "2 missing" in done.stdout


def test_make_names_missing_packages_before_anything_else(folder_without, checkout):
    folder = folder_without("g++", "perl")
    done = subprocess.run(["make", "system", f"PYTHON={sys.executable}"], cwd=checkout, text=True,
                          env={**os.environ, "PATH": str(folder)}, capture_output=True, check=False)
    assert done.returncode == 2
    assert "  sudo apt-get install g++ perl\n" in done.stderr


def test_a_build_folder_that_cannot_be_is_missing(tmp_path):
    (tmp_path / "file").touch()
    done = doctor(KHHW_BUILD=str(tmp_path / "file" / "build"))
    assert done.returncode == 1
    assert "set KHHW_BUILD" in done.stdout


def test_a_build_says_what_is_missing(folder_without, fresh_toolchain, monkeypatch):
    monkeypatch.setenv("PATH", str(folder_without("make")))
    with pytest.raises(RequestError, match=r"cannot build a simulation without make \(apt-get install make\)$"):
        toolchain.require_tools()


@pytest.mark.parametrize(("banner", "origin"), [
    ("Verilator 5.036 2025-04-27 rev v5.036", "system"),
    ("Verilator 5.006 2023-01-22 rev (Debian 5.006-3)", "package"),
    ("rev vUNKNOWN-built20260516", "package"),
])
def test_a_new_system_verilator_comes_first(tmp_path, fresh_toolchain, monkeypatch, banner, origin):
    fake_verilator(tmp_path, banner)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = toolchain.find_verilator()
    assert found is not None
    assert found.origin == origin
    assert (found.executable.parent == tmp_path) == (origin == "system")
    assert bool(found.make_variables()) == (origin == "package")


def test_the_package_on_the_path_is_still_the_package(fresh_toolchain, monkeypatch):
    root = toolchain.wheel_root()
    assert root is not None
    monkeypatch.setenv("PATH", f"{root / 'bin'}:{os.environ['PATH']}")
    found = toolchain.find_verilator()
    assert found is not None
    assert found.root == root
    assert found.environment()["VERILATOR_ROOT"] == str(root)
