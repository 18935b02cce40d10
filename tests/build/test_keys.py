"""What the name of a build depends on, and what it must not depend on."""

import inspect
import json
import re
import sys
from pathlib import Path

import pytest

from khhw.build import Simulation, backends, convert, recipe, runners, toolchain
from khhw.build import design as design_module
from khhw.build.cache import digest
from khhw.build.code_facts import code_of, without_docstrings
from khhw.build.engine import EngineBuild, VerilatedRecipe, WavesRecipe
from khhw.build.lanes.recipe import LanesRecipe
from khhw.build.simulator import REQUEST
from khhw.build.yosys import has_yosys

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


class TestEngines:
    """Their steps are functions and files; what runs an engine, or only chooses waves, is not among them."""

    RECIPES = [VerilatedRecipe, WavesRecipe,
               pytest.param(LanesRecipe, marks=pytest.mark.skipif(not has_yosys(), reason="needs Yosys"))]

    def made(self, kind, design):
        return kind(design, design, "fast", toolchain.require_tools())

    def key(self, kind, design):
        return digest(self.made(kind, design).facts())

    @pytest.mark.parametrize("kind", RECIPES)
    @pytest.mark.parametrize("name", ["make", "_verilate", "compile"])
    def test_what_makes_a_library_is_in_the_key(self, design, monkeypatch, kind, name):
        before = self.key(kind, design)
        monkeypatch.setattr(next(each for each in kind.__mro__ if name in vars(each)), name, lambda *_: None)
        assert self.key(kind, design) != before

    @pytest.mark.parametrize("name", ["_one_clock", "verilator_root", "_keep", "_COMPILER", "VERILATOR_OPTIONS"])
    def test_so_is_what_that_calls(self, design, monkeypatch, name):
        before = self.key(VerilatedRecipe, design)
        monkeypatch.setattr(recipe, name, lambda *_: None) if name.islower() else monkeypatch.setattr(recipe, name, ())
        assert self.key(VerilatedRecipe, design) != before

    def test_what_only_runs_or_writes_waves_is_in_no_other_key(self, design, monkeypatch):
        plain, waves = self.key(VerilatedRecipe, design), self.key(WavesRecipe, design)
        monkeypatch.setattr(EngineBuild, "check", lambda *_: None)
        monkeypatch.setattr(recipe, "run_logged", lambda *_: None)
        assert (self.key(VerilatedRecipe, design), self.key(WavesRecipe, design)) == (plain, waves)
        monkeypatch.setattr(WavesRecipe, "prepare", lambda *_: None)
        assert self.key(VerilatedRecipe, design) == plain
        assert self.key(WavesRecipe, design) != waves

    @pytest.mark.parametrize("kind", RECIPES)
    def test_docstrings_are_in_no_key(self, design, kind):
        facts = self.made(kind, design).facts()["recipe"]
        steps = [*recipe._common_steps(), *self.made(kind, design).steps]
        assert facts == [code_of(step) for step in steps]
        changed = 0
        for step in steps:
            if isinstance(step, Path) and step.suffix != ".py":
                continue
            source = step.read_text(encoding="utf-8") if isinstance(step, Path) else inspect.getsource(step)
            other = re.sub(r'^(\s*)"""(?=\w)', r'\1"""Said otherwise: ', source, flags=re.MULTILINE)
            changed += other != source
            assert without_docstrings(other) == code_of(step)
        assert changed >= 4

    def test_code_is_in_the_key_of_a_file(self, tmp_path):
        file = tmp_path / "step.py"
        file.write_text('"""One."""\n\n\ndef f():\n    """Two."""\n    return 1  # so\n', encoding="utf-8")
        assert code_of(file) == "\n\ndef f():\n    return 1  # so\n"
        carry = tmp_path / "step.v"
        carry.write_text("module carry;", encoding="utf-8")
        assert code_of(carry) == "module carry;"
