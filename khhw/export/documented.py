"""What the sources say about a constant or an enum member: the string that follows it."""

import ast
import enum
import functools
import inspect
import itertools
from types import ModuleType

__all__ = ["constant_docs", "member_docs"]


@functools.cache
def constant_docs(module: ModuleType) -> dict[str, str]:
    """Text by name, of every module constant that is followed by a string."""
    return _attribute_docs(ast.parse(inspect.getsource(module)).body)


@functools.cache
def member_docs(kind: type[enum.Enum]) -> dict[str, str]:
    """Text by name, of every member of an enum that is followed by a string."""
    definition = ast.parse(inspect.cleandoc("\n" + inspect.getsource(kind))).body[0]
    assert isinstance(definition, ast.ClassDef)
    return _attribute_docs(definition.body)


def _attribute_docs(body: list[ast.stmt]) -> dict[str, str]:
    docs = {}
    for statement, following in itertools.pairwise(body):
        target = (statement.targets[0] if isinstance(statement, ast.Assign)
                  else statement.target if isinstance(statement, ast.AnnAssign) else None)
        if (isinstance(target, ast.Name) and isinstance(following, ast.Expr)
                and isinstance(following.value, ast.Constant) and isinstance(following.value.value, str)):
            docs[target.id] = inspect.cleandoc(following.value.value)
    return docs
