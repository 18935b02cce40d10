"""A deliberate fault in the RTL, and two ways to import the design with it."""

import ast
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["Finder", "Mutant", "imported", "mutated"]


class Finder(StrEnum):
    """Who is expected to find a fault."""

    PROOF = "proof"
    TESTBENCH = "testbench"
    CAMPAIGN = "campaign"


@dataclass(frozen=True)
class Mutant:
    """A fault, what it breaks and who finds that: one replacement in the source of one module of the design.

    Parameters
    ----------
    breaks : str
        A property of ``formal/``; ``block.case`` of a testbench; or the check of the campaign's scoreboard that
        sees it first. Which of them says `finder`.
    what : str
        What goes wrong.
    module, old, new : str
        In the source of `module`, `old` (it must be there exactly once) becomes `new`.
    depth : int
        Of a proof: cycles within which the property must be seen to fail.
    finder : Finder
        Who is expected to find it.
    name : str
        Of a campaign's mutant: short, for results.
    """

    breaks: str
    what: str
    module: str
    old: str
    new: str
    depth: int = 4
    finder: Finder = Finder.PROOF
    name: str = ""

    def load(self) -> ModuleType:
        """Import the module with the fault in it, in the place of the module.

        Raises
        ------
        LookupError
            If the source has changed so that the replacement no longer fits.
        """
        spec = importlib.util.find_spec(self.module)
        if spec is None or spec.origin is None:
            raise LookupError(f"mutant {self.what!r}: there is no module {self.module}")
        source = Path(spec.origin).read_text(encoding="utf-8")
        if source.count(self.old) != 1:
            raise LookupError(f"mutant {self.what!r}: {self.old!r} is {source.count(self.old)} times in {self.module}, "
                              "not once; adapt khhw/mutants to the design")
        module = importlib.util.module_from_spec(spec)
        sys.modules[self.module] = module
        exec(compile(source.replace(self.old, self.new), spec.origin, "exec"), module.__dict__)
        return module


@contextmanager
def imported(name: str, mutant: Mutant | None) -> Iterator[ModuleType]:
    """A module, with everything it imports of the design imported anew, and a fault in it if asked for.

    Parameters
    ----------
    name : str
        Of the module; the others of its package are imported anew, too.
    mutant : Mutant, optional
    """
    package = name.partition(".")[0] + "."
    with _anew(lambda other: _package(other) == "rtl" or other.startswith(package)):
        if mutant is not None:
            mutant.load()
        yield importlib.import_module(name)


def mutated(component: str, mutant: Mutant) -> Any:
    """A component with a fault in it that fits into the design as it is.

    Only the modules that lie between the component's and the faulty one are made anew: all others, and with them
    enumerations, layouts and signatures, are shared with the design.

    Parameters
    ----------
    component : str
        ``module:Name`` of a component, or of a function that makes one.
    mutant : Mutant

    Raises
    ------
    LookupError
        If the replacement does not fit the source.
    """
    module, _, name = component.partition(":")
    # Whoever asks this process for what it has read finds the module itself among it.
    importlib.import_module(module)
    between = _users(mutant.module, {"rtl", _package(module)})
    with _anew(between.__contains__):
        mutant.load()
        return getattr(importlib.import_module(module), name)


@contextmanager
def _anew(chosen: Callable[[str], bool]) -> Iterator[None]:
    """Inside, modules of the chosen names are imported anew; behind, they are what they were."""
    saved = {name: sys.modules.pop(name) for name in list(sys.modules) if chosen(name)}
    try:
        yield
    finally:
        for name in [name for name in sys.modules if chosen(name)]:
            del sys.modules[name]
        sys.modules.update(saved)
        for name, module in saved.items():
            # An import leaves a module in its package, too.
            package, _, own = name.rpartition(".")
            if package in sys.modules:
                setattr(sys.modules[package], own, module)


def _users(name: str, packages: set[str]) -> set[str]:
    """Loaded modules of some packages that import a module, directly or by way of others, and the module itself."""
    imports = {other: _imports(module) for other, module in list(sys.modules.items()) if _package(other) in packages}
    users, new = {name}, {name}
    while new:
        new = {other for other, found in imports.items() if found & new} - users
        users |= new
    return users


def _imports(module: ModuleType) -> set[str]:
    """Names of the modules, and of what is in them, that a module's source imports."""
    found: set[str] = set()
    if module.__file__ is None:
        return found
    for node in ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def _package(name: str) -> str:
    return name.partition(".")[0]
