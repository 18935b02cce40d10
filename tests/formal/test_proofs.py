"""The proofs' machinery, on the quickest of them; ``make prove`` runs all."""

import ast
import dataclasses
import math
import sys
from pathlib import Path

import pytest
from amaranth.hdl import Fragment
from hypothesis import given
from hypothesis import strategies as st

from formal import prove, table
from formal.assumptions import ASSUMPTIONS, Assumption
from formal.harness import Harness
from khhw.mutants import Finder, Mutant, imported, mutants_of
from rtl.fabric import check_shape, straps_of

MUTANTS = mutants_of(Finder.PROOF)


def test_every_property_is_proved_once_and_has_a_mutant():
    stated = set()
    for module, harness in {(job.module, job.harness) for job in prove.PROOFS}:
        with imported(module, None) as loaded:
            stated |= set(getattr(loaded, harness).properties)
    proved = [name for job in prove.PROOFS for name in job.properties]
    assert sorted(proved) == sorted(stated)
    assert {mutant.breaks for mutant in MUTANTS} == stated


@pytest.fixture(scope="module")
def assumed():
    return table.assumptions_of()


def test_everything_assumed_is_guaranteed_and_everything_proved_catches_a_mutant(assumed):
    assert list(table.faults(assumed)) == []


@pytest.mark.parametrize(("change", "words"), [
    ({"properties": (), "tests": (), "trusted": ""}, "nobody guarantees it"),
    ({"properties": ("torus-receivre", )}, "there is no property torus-receivre"),
    ({"tests": ("tests/formal/test_scaled.py::test_not", )}, "there is no test tests/formal/test_scaled.py::test_not"),
    ({"properties": ("torus-source", )}, "guaranteed by itself"),
])
def test_an_assumption_nobody_guarantees_is_found(assumed, monkeypatch, change, words):
    wrong = dataclasses.replace(ASSUMPTIONS["torus-receivers"], **change)
    monkeypatch.setitem(ASSUMPTIONS, "torus-receivers", wrong)
    assert any(words in fault for fault in table.faults(assumed))


def test_an_assumption_no_property_needs_is_found(assumed, monkeypatch):
    monkeypatch.setitem(ASSUMPTIONS, "idle", Assumption("nothing", trusted="it is true"))
    assert list(table.faults(assumed)) == ["assumption idle: no property needs it"]


def test_nothing_is_assumed_without_a_name():
    class Hopeful(Harness):
        def elaborate(self, platform):
            self.assume(None, "all-is-well", 1)

    with pytest.raises(KeyError, match=r"formal/assumptions\.py"):
        Fragment.get(Hopeful(()), None)
    for file in [*Path(prove.__file__).parent.glob("*.py"), *Path(prove.__file__).parents[1].glob("rtl/**/*.py")]:
        uses = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, (ast.Name, ast.Attribute))
                and (node.id if isinstance(node, ast.Name) else node.attr) in ("Assume", "Property")]
        assert len(uses) == (file.name == "harness.py"), file


@pytest.mark.usefixtures("assumed")
def test_the_page_has_the_table_and_counts_right():
    page = table.PAGE.read_text()
    assert page == table.inserted(page), "run: python -m formal.table"
    covers = sum("cover" in name for job in prove.PROOFS for name in job.properties)
    proved = sum(len(job.properties) for job in prove.PROOFS) - covers
    words = (f"proved {proved} properties for any number of cycles, reached {covers} covers, "
             f"caught {len(MUTANTS)} mutants")
    assert words in " ".join(page.split())
    assert f"proves {proved} properties" in (table.ROOT / "README.md").read_text()


@given(st.data())
def test_the_straps_of_every_machine_are_a_place(choose):
    shape = tuple(choose.draw(st.integers(1, 64), label=axis) for axis in "xyz")
    try:
        check_shape(shape)
    except ValueError:
        return
    straps = straps_of(choose.draw(st.integers(0, math.prod(shape) - 1), label="rank"), shape)
    sizes = [straps[f"size_{axis}"] for axis in "xyz"]
    assert all(straps[axis] < size <= 64 for axis, size in zip("xyz", sizes, strict=True))
    assert sum((size - 1).bit_length() for size in sizes) <= 16


def test_covers_are_counted_apart(monkeypatch, capsys):
    monkeypatch.setattr(prove, "run", lambda job: prove.Outcome(True, 1.0, "", cover="cover" in job.properties[0]))
    assert prove.main(["two-nodes-tree-cover"]) == 0 and prove.main(["owner-commit"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("proved")]
    assert lines == ["proved 0 properties for any number of cycles, reached 1 covers, caught 1 mutants",
                     "proved 3 properties for any number of cycles, reached 0 covers, caught 1 mutants"]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.what.replace(" ", "-").replace(",", ""))
def test_mutants_fit_the_design(mutant):
    before = sys.modules.get(mutant.module)
    with imported("formal.harness", mutant):
        assert sys.modules[mutant.module] is not before
    assert sys.modules.get(mutant.module) is before


def test_a_mutant_that_no_longer_fits_is_an_error():
    with pytest.raises(LookupError, match=r"is 0 times in rtl\.guard\.table, not once"):
        Mutant("egress-row", "nothing", "rtl.guard.table", "no such text", "").load()


@pytest.mark.parametrize(("mutant", "parts", "good"), [
    (None, [True, True], True), (None, [True, False, True], False), (None, [False, True], False),
    (MUTANTS[0], [False, True, False], True), (MUTANTS[0], [False, False], False),
])
def test_a_proof_needs_all_parts_and_a_mutant_one(monkeypatch, mutant, parts, good):
    class InParts(prove.Job):
        def designs(self):
            yield from parts

    monkeypatch.setattr(prove, "_run", lambda _job, part: prove.Outcome(part, 1.0, ""))
    assert prove.run(InParts("", "", (), mutant=mutant)).good == good


@pytest.mark.parametrize("caught", [False, True], ids=["proof", "mutant"])
def test_smoke(caught, tmp_path, monkeypatch):
    monkeypatch.setattr(prove, "BUILD", tmp_path)
    job = next(job for job in prove.jobs("owner-commit") if bool(job.mutant) == caught)
    first, again = prove.run(job), prove.run(job)
    assert first.good and first.seconds, first.log
    assert again.good and not again.seconds
