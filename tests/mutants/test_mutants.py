"""The one list of faults in the RTL, and the two ways to import the design with one."""

import sys
from dataclasses import replace

import pytest

import rtl.formats
import rtl.guard.egress
import rtl.guard.guard
import rtl.guard.table
from khhw.mutants import MUTANTS, Finder, Mutant, imported, mutants_of, mutated

EGRESS = Mutant("a case", "every packet has source 1", "rtl.guard.egress", "stamped.source.eq(self.node_id)",
                "stamped.source.eq(1)")


def rtl_modules() -> dict[str, object]:
    return {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "rtl"}


def test_every_finder_has_its_mutants_and_none_is_there_twice() -> None:
    assert [len(mutants_of(finder)) for finder in Finder] == [158, 63, 7]
    assert sum(len(mutants_of(finder)) for finder in Finder) == len(MUTANTS)
    assert len(set(MUTANTS)) == len(MUTANTS)


@pytest.mark.parametrize("finder", Finder)
def test_every_replacement_fits_the_design(finder: Finder) -> None:
    for mutant in mutants_of(finder):
        with imported(mutant.module, mutant) as module:
            assert module.__name__ == mutant.module


def test_a_component_with_a_fault_shares_the_rest_of_the_design() -> None:
    before = rtl_modules()
    guard = mutated("rtl.guard.guard:Guard", EGRESS)
    names = guard.__init__.__globals__
    assert guard is not rtl.guard.guard.Guard
    assert names["EgressGuard"] is not rtl.guard.egress.EgressGuard
    assert names["IngressGuard"] is rtl.guard.guard.IngressGuard
    assert rtl_modules() == before and rtl.guard.egress is sys.modules["rtl.guard.egress"]


def test_a_faulty_component_is_made_of_the_faulty_source() -> None:
    broken = replace(EGRESS, old="class EgressGuard", new="FAULT = 1\n\n\nclass EgressGuard")
    assert mutated("rtl.guard.egress:FAULT", broken) == 1
    assert not hasattr(rtl.guard.egress, "FAULT")


def test_the_design_is_imported_anew_and_then_what_it_was() -> None:
    with imported("rtl.guard.guard", EGRESS) as module:
        assert module is not rtl.guard.guard and sys.modules["rtl.formats"] is not rtl.formats
    assert sys.modules["rtl.guard.guard"] is rtl.guard.guard and sys.modules["rtl.formats"] is rtl.formats


@pytest.mark.parametrize("load", [Mutant.load, lambda mutant: mutated("rtl.guard.guard:Guard", mutant)])
def test_a_replacement_that_no_longer_fits_is_an_error_and_changes_nothing(load) -> None:
    before = rtl_modules()
    with pytest.raises(LookupError, match=r"is 0 times in rtl\.guard\.table, not once; adapt khhw/mutants"):
        load(Mutant("egress-row", "nothing", "rtl.guard.table", "no such text", ""))
    assert rtl_modules() == before
