"""Ranks and coordinates are computed in one place, `rtl.torus.coordinates`; who needs them asks there."""

import ast

from tests.structure.test_imports import modules, parsed

HOME = "rtl.torus.coordinates"
SHAPES = {"shape", "sizes", "size"}


def by_hand(name: str, text: str) -> list[str]:
    """Lines of a module that multiply by the size of a torus in one dimension, given by its number, or divide by it.

    The number of all nodes is `math.prod` of the sizes.
    """
    return [f"{name}:{line}" for line in sorted({
        node.lineno for node in ast.walk(parsed(text))
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.FloorDiv, ast.Mod))
        and (of_a_dimension(node.right) or (isinstance(node.op, ast.Mult) and of_a_dimension(node.left)))})]


def of_a_dimension(node: ast.AST) -> bool:
    """Whether an expression is ``sizes[0]``, or ``self.shape[1]``."""
    match node:
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=ast.Constant(value=int())):
            return name in SHAPES
    return False


def test_torus_arithmetic_is_in_one_place():
    assert [line for name, text in modules("rtl", "khhw", "testbenches", "formal", "benchmarks", "examples")
            if name != HOME for line in by_hand(name, text)] == []


def test_it_is_found():
    text = """
rank = x + sizes[0] * (y + sizes[1] * z)
x = rank % self.shape[0]
last, more, odd = sizes[2] - 1, rows[0] * 2, sizes[0] % 2
"""
    assert by_hand("m", text) == ["m:2", "m:3"]
    assert by_hand(HOME, dict(modules("rtl"))[HOME])
