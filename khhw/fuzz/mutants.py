"""Mutants as parts of a machine: a guard or a network interface with a fault in it, which the campaign must find.

Each is the real part with one replacement in the source of one of its modules, made while a machine with the part is
built. The design itself stays as it is.
"""

from typing import Any

from khhw.mutants import Finder, Mutant, mutants_of, mutated

__all__ = ["MUTANTS", "parts_with"]

MUTANTS = mutants_of(Finder.CAMPAIGN)

_PARTS = {"rtl.guard": ("guard", "rtl.guard.guard:Guard"), "rtl.ni": ("ni", "rtl.ni.ni:NI")}
"""The part of a node that a package makes, and its component."""


def parts_with(mutant: Mutant) -> dict[str, str]:
    """The machine's parts with a fault in one of them, as :func:`khhw.build.engine.build_engine` takes them."""
    part, _ = _part(mutant)
    return {part: f"{__name__}:{_identifier(mutant)}"}


def _part(mutant: Mutant) -> tuple[str, str]:
    return _PARTS[mutant.module.rpartition(".")[0]]


def _identifier(mutant: Mutant) -> str:
    return mutant.name.title().replace(" ", "")


def __getattr__(name: str) -> Any:
    """A part with a fault, made when it is asked for: only the process that builds a machine needs one."""
    for mutant in MUTANTS:
        if name == _identifier(mutant):
            return mutated(_part(mutant)[1], mutant)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
