"""A deliberate fault, and a harness imported with it."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType

__all__ = ["Mutant", "imported"]


@dataclass(frozen=True)
class Mutant:
    """A fault and the property it breaks: one replacement in the source of one module of the design.

    Parameters
    ----------
    breaks : str
        The property.
    what : str
        What goes wrong.
    module, old, new : str
        In the source of `module`, `old` (it must be there exactly once) becomes `new`.
    depth : int
        Cycles within which the property must be seen to fail.
    """

    breaks: str
    what: str
    module: str
    old: str
    new: str
    depth: int = 4

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
        with open(spec.origin, encoding="utf-8") as file:
            source = file.read()
        if source.count(self.old) != 1:
            raise LookupError(f"mutant {self.what!r}: {self.old!r} is {source.count(self.old)} times in {self.module}, "
                              "not once; adapt formal/mutants.py to the design")
        module = importlib.util.module_from_spec(spec)
        sys.modules[self.module] = module
        exec(compile(source.replace(self.old, self.new), spec.origin, "exec"), module.__dict__)
        return module


@contextmanager
def imported(name: str, mutant: Mutant | None) -> Iterator[ModuleType]:
    """A harness module, with everything it imports of the design imported anew, and a fault in it if asked for.

    Parameters
    ----------
    name : str
        Of the harness module.
    mutant : Mutant, optional
    """
    def ours() -> list[str]:
        return [m for m in sys.modules if m.split(".")[0] == "rtl" or (m.startswith("formal.") and m != __name__)]

    saved = {m: sys.modules.pop(m) for m in ours()}
    try:
        if mutant is not None:
            mutant.load()
        yield importlib.import_module(name)
    finally:
        for module in ours():
            del sys.modules[module]
        sys.modules.update(saved)
