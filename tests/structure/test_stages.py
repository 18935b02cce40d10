"""A long `elaborate` says its stages in short comments, so that a reader finds the one of interest."""

import ast
import tokenize
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LONG = 40
"""Lines of a method, `def` included, from which on it names its stages."""
STAGES = 2


def unnamed(text: str) -> Iterator[int]:
    """Lines on which long `elaborate` methods begin that have fewer than two comments on lines of their own."""
    lines = text.splitlines()
    comments = [token.start[0] for token in tokenize.generate_tokens(StringIO(text).readline)
                if token.type == tokenize.COMMENT and lines[token.start[0] - 1].lstrip().startswith("#")]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name == "elaborate":
            begin, end = node.lineno, node.end_lineno or node.lineno
            own = [line for line in comments if begin < line <= end]
            # A comment of several lines is one.
            stages = [line for line in own if line - 1 not in own]
            if end - begin + 1 >= LONG and len(stages) < STAGES:
                yield begin


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
