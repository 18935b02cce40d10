"""The table of ``docs/proofs.md``: what each property assumes, who guarantees that, and the mutants it catches.

``python -m formal.table`` writes it anew; a test compares.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from amaranth.hdl import Fragment

from formal.assumptions import ASSUMPTIONS, Assumption
from formal.prove import PROOFS
from khhw.mutants import Finder, imported, mutants_of

__all__ = ["PAGE", "assumptions_of", "faults", "inserted", "table"]

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "proofs.md"
BEGIN, END = "<!-- table: python -m formal.table -->\n", "<!-- end of table -->\n"


@cache
def assumptions_of() -> dict[str, tuple[str, ...]]:
    """Names of what each property assumes, as its harness says when it is elaborated."""
    found = {}
    for job in PROOFS:
        if job.properties[0] not in found:
            with imported(job.module, None) as module:
                harness = getattr(module, job.harness)
                harness = harness(harness.properties)
                Fragment.get(harness, None)
            found |= dict.fromkeys(harness.properties, tuple(name for name in ASSUMPTIONS if name in harness.assumed))
    return found


def faults(assumed: dict[str, tuple[str, ...]]) -> Iterator[str]:
    """What is wrong with assumptions and properties, in words.

    Parameters
    ----------
    assumed : dict
        As :func:`assumptions_of` gives it.
    """
    for name, assumption in ASSUMPTIONS.items():
        if not any(name in names for names in assumed.values()):
            yield f"assumption {name}: no property needs it"
        if not (assumption.properties or assumption.tests or assumption.trusted):
            yield f"assumption {name}: nobody guarantees it"
        yield from (f"assumption {name}: there is no property {guarantor}"
                    for guarantor in assumption.properties if guarantor not in assumed)
        yield from (f"assumption {name}: there is no test {test}"
                    for test in assumption.tests if not _exists(test))
    for name in assumed:
        if name in _needs(name, assumed):
            yield f"property {name}: it is guaranteed by itself, by way of what it assumes"
        if not any(mutant.breaks == name for mutant in mutants_of(Finder.PROOF)):
            yield f"property {name}: no mutant breaks it"


def _needs(name: str, assumed: dict[str, tuple[str, ...]]) -> set[str]:
    """All properties that a property rests on."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for assumption in assumed.get(waiting.pop(), ()):
            new = set(ASSUMPTIONS[assumption].properties) - found
            found |= new
            waiting += new
    return found


def _exists(test: str) -> bool:
    """Whether there is a test of that path and name; in a testbench, a case."""
    path, _, name = test.partition("::")
    file = ROOT / path
    if not file.is_file():
        return False
    return any(isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name
               for node in ast.walk(ast.parse(file.read_text())))


def _who(assumption: Assumption) -> str:
    """Guarantors, in a cell."""
    named = [f"`{name}`" for name in (*assumption.properties, *assumption.tests)]
    return ", ".join([*named, *([f"trusted: {assumption.trusted}"] if assumption.trusted else [])])


def table() -> str:
    """The table, and what the names of assumptions mean."""
    rows = ["| property | assumption | who guarantees it | mutant |", "|---|---|---|---|"]
    for name, assumed in assumptions_of().items():
        mutants = "; ".join(mutant.what for mutant in mutants_of(Finder.PROOF) if mutant.breaks == name)
        cells = [(assumption, _who(ASSUMPTIONS[assumption])) for assumption in assumed] or [("none", "")]
        for number, (assumption, who) in enumerate(cells):
            rows.append(f"| {'' if number else f'`{name}`'} | {assumption} | {who} | {'' if number else mutants} |")
    rows += ["", "| assumption | says |", "|---|---|"]
    rows += [f"| {name} | {assumption.says} |" for name, assumption in ASSUMPTIONS.items()]
    return "\n".join(rows) + "\n"


def inserted(page: str) -> str:
    """A page with the table in its place."""
    before, found, rest = page.partition(BEGIN)
    _, also_found, after = rest.partition(END)
    if not (found and also_found):
        raise SystemExit(f"{PAGE} has no place for the table: {BEGIN.strip()} and {END.strip()}")
    return before + BEGIN + "\n" + table() + "\n" + END + after


if __name__ == "__main__":
    PAGE.write_text(inserted(PAGE.read_text()))
