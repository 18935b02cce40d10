"""Long `elaborate` methods, and their parts, say their stages in short comments: a reader finds the one of interest."""

import ast
import tokenize
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from tests.structure.test_imports import parsed

ROOT = Path(__file__).resolve().parents[2]
LONG = 40
"""Lines of a method, `def` included, from which on it names its stages."""
STAGE_LINES = 25
"""At most so many lines a stage, on the average."""


def unnamed(text: str) -> Iterator[int]:
    """Lines on which long methods begin that have too few comments on lines of their own."""
    lines = text.splitlines()
    comments = [token.start[0] for token in tokenize.generate_tokens(StringIO(text).readline)
                if token.type == tokenize.COMMENT and lines[token.start[0] - 1].lstrip().startswith("#")]
    for node in ast.walk(parsed(text)):
        if isinstance(node, ast.FunctionDef) and builds_hardware(node):
            begin, end = node.lineno, node.end_lineno or node.lineno
            own = [line for line in comments if begin < line <= end]
            # A comment of several lines is one.
            stages = [line for line in own if line - 1 not in own]
            length = end - begin + 1
            if length >= LONG and len(stages) < -(-length // STAGE_LINES):
                yield begin


def builds_hardware(function: ast.FunctionDef) -> bool:
    """Whether a function is `elaborate`, or a part of one: it is given the module `m`."""
    return function.name == "elaborate" or "m" in [argument.arg for argument in function.args.args]


def test_long_elaborate_methods_name_their_stages() -> None:
    assert [f"{file.relative_to(ROOT)}:{line}" for folder in ("rtl", "khhw", "formal", "testbenches")
            for file in sorted((ROOT / folder).rglob("*.py")) for line in unnamed(file.read_text())] == []


def test_a_method_without_stages_is_found() -> None:
    head, step = "class A:\n    def elaborate(self, platform):\n", "        m = 1\n"
    comment = "        # A stage.\n"
    assert list(unnamed(head + 39 * step)) == [2]
    assert list(unnamed(head + 38 * step)) == []
    assert list(unnamed(head + comment + 19 * step + comment + 18 * step)) == []
    assert list(unnamed(head + comment + comment + 37 * step)) == [2]
    assert list(unnamed(head + 39 * step.replace("\n", "  # Not a stage.\n"))) == [2]
    staged = head + 2 * (comment + 23 * step)
    assert list(unnamed(staged + step)) == []
    assert list(unnamed(staged + 2 * step)) == [2]
    assert list(unnamed(staged + comment + step)) == []


def test_a_part_of_elaborate_is_found() -> None:
    step = "        m.d.comb += a.eq(1)\n"
    assert list(unnamed("class A:\n    def _check(self, m: Module, lane: int) -> None:\n" + 39 * step)) == [2]
    assert list(unnamed("class A:\n    def _check(self, bench) -> None:\n" + 39 * step)) == []
