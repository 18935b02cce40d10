"""The proofs' machinery, on the quickest of them; ``make prove`` runs all."""

import sys

import pytest

from formal import prove
from formal.mutants import MUTANTS, Mutant, imported


def test_every_property_is_proved_once_and_has_a_mutant():
    stated = set()
    for module, harness in {(job.module, job.harness) for job in prove.PROOFS}:
        with imported(module, None) as loaded:
            stated |= set(getattr(loaded, harness).properties)
    proved = [name for job in prove.PROOFS for name in job.properties]
    assert sorted(proved) == sorted(stated)
    assert {mutant.breaks for mutant in MUTANTS} == stated


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
