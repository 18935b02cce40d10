"""Deliberate faults in the RTL: what each breaks, and who is expected to find it.

Nothing outside proofs, tests and attack campaigns imports the design with one of them.
"""

from khhw.mutants.campaign import CAMPAIGN
from khhw.mutants.mutant import Finder, Mutant, imported, mutated
from khhw.mutants.proofs import PROOFS
from khhw.mutants.testbenches import TESTBENCHES

__all__ = ["MUTANTS", "Finder", "Mutant", "imported", "mutants_of", "mutated"]

MUTANTS = (*PROOFS, *TESTBENCHES, *CAMPAIGN)


def mutants_of(finder: Finder) -> tuple[Mutant, ...]:
    """The faults that a proof, a testbench or a campaign is expected to find."""
    return tuple(mutant for mutant in MUTANTS if mutant.finder is finder)
