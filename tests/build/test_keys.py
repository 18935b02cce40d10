"""What the name of a build depends on, and what it must not depend on."""

import json
import sys
from pathlib import Path

import pytest

from khhw.build import Simulation, backends, convert, runners, toolchain
from khhw.build import design as design_module
from khhw.build.cache import digest
from khhw.build.simulator import REQUEST

PROJECT = Path(__file__).parent / "projects" / "running_sum"


@pytest.fixture(scope="module")
def design():
    return convert("running_sum:RunningSum", path=[PROJECT])


def key(design, **options):
    simulation = Simulation(design=design, **options)
    return digest(simulation.facts(simulation.backend()))


def test_headers_for_waves_change_builds_with_waves_only(design, monkeypatch):
    keys = []
    for there in (False, True):
        monkeypatch.setattr(toolchain, "has_fst_headers", lambda there=there: there)
        keys.append((key(design), key(design, waves=True)))
    assert keys[0][0] == keys[1][0]
    assert keys[0][1] != keys[1][1]


def test_another_environment_uses_the_same_builds(design, monkeypatch):
    lean, stock = key(design), key(design, stock=True)
    elsewhere = toolchain.Verilator(Path("/elsewhere/bin/verilator"), toolchain.require_tools().version, Path("/else"))
    if toolchain.require_tools().origin == "package":
        monkeypatch.setattr(toolchain, "require_tools", lambda: elsewhere)
    monkeypatch.setattr(sys, "prefix", "/elsewhere")
    monkeypatch.setattr(sys, "version", "3.99")
    assert key(design) == lean
    # Its runner puts the path of this environment's library in.
    assert key(design, stock=True) != stock


@pytest.mark.parametrize("changed", [
    lambda patch: patch.setattr(backends, "VERILATOR_OPTIONS", ("-O0",)),
    lambda patch: patch.setattr(backends, "RUNTIME_OPTION", "OPT_GLOBAL=-Os"),
    lambda patch: patch.setattr(backends.LeanBackend, "build", lambda *_: None),
    lambda patch: patch.setattr(runners.LeanVerilator, "_build_command", lambda *_: []),
    lambda patch: patch.setattr(toolchain, "gxx_version", lambda: "99"),
    lambda patch: patch.setitem(backends.VARIANTS, "fast", backends.Variant((), ())),
], ids=["options", "runtime", "steps", "commands", "compiler", "variant"])
def test_what_builds_is_in_the_key(design, monkeypatch, changed):
    before = key(design)
    changed(monkeypatch)
    assert key(design) != before


def test_what_only_runs_is_not_in_the_key(design, monkeypatch):
    before = key(design)
    monkeypatch.setattr(backends.Backend, "run", lambda *_: "")
    monkeypatch.setattr(runners, "run_followed", lambda: None)
    assert key(design) == before


def test_a_build_says_what_makes_it_again(design):
    built = Simulation(design=design, variant="debug").build()
    asked = json.loads((built.folder / REQUEST).read_text())
    assert (asked["variant"], asked["waves"], asked["design"]["target"]) == ("debug", False, "running_sum:RunningSum")
    assert asked["design"]["path"] == [str(PROJECT)]


def test_the_library_of_another_environment_is_not_needed(design, tmp_path, monkeypatch):
    """An executable finds this environment's cocotb, whatever path was built into it."""
    monkeypatch.setenv("LD_LIBRARY_PATH", "/elsewhere")
    simulation = Simulation(design=design)
    runner = simulation.backend().runner()
    runner.env = {}
    runner._set_env_common()
    first, *others = runner.env["LD_LIBRARY_PATH"].split(":")
    assert list(Path(first).glob("libcocotbvpi_verilator*"))
    assert others == ["/elsewhere"]


def test_a_command_finds_what_a_test_converted(design, monkeypatch):
    """Its folder of commands is on its path, and each other folder may be there twice."""
    monkeypatch.setattr(design_module, "_converter", lambda _: {"refused": "it converts"})
    monkeypatch.setattr(sys, "path", [str(Path(sys.executable).parent), *sys.path, *sys.path])
    assert convert("running_sum:RunningSum", path=[PROJECT]) == design
