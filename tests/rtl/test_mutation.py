"""The list of faults that testbenches must see; ``python -m tests.rtl.mutation`` tries them."""

import pytest

from khhw.build.testbench import find_testbenches
from khhw.mutants import imported
from tests.rtl.mutation import MUTANTS, fails


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.what.replace(" ", "-").replace(",", ""))
def test_mutants_fit_design_and_testbenches(mutant):
    with imported(mutant.module, mutant):
        pass
    block, case = mutant.breaks.split(".")
    (bench,) = find_testbenches(block)
    assert f"async def {case}(" in bench.file.read_text()


def test_a_mutant_is_seen():
    (mutant,) = [mutant for mutant in MUTANTS if mutant.what == "a chosen packet that loses its room waits for more"]
    assert fails(mutant)
