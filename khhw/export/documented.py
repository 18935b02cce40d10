"""What the sources say about a constant, an enum member or a port, and as plain text."""

import ast
import enum
import functools
import inspect
import itertools
import re
from types import ModuleType

__all__ = ["constant_docs", "member_docs", "plain", "port_docs"]

_ROLE = re.compile(r":\w+:`~?([^`]+)`")
_PORT = re.compile(r"^(\w[\w*]*(?:, \w[\w*]*)*) : ", re.MULTILINE)


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


def port_docs(documentation: str) -> dict[str, str]:
    """Text by name, of every port that a docstring's section *Members* explains, on one line.

    A name may end in a star, for all ports that begin so. Ports without a text are left out.
    """
    section = inspect.cleandoc(documentation).partition("\nMembers\n")[2].partition("\n\n")[0]
    docs: dict[str, str] = {}
    for match, end in itertools.pairwise([*_PORT.finditer(section), None]):
        assert match is not None
        body = section[match.end():end.start() if end else None].partition("\n")[2]
        if text := plain(body):
            docs.update(dict.fromkeys(match[1].split(", "), text))
    return docs


def plain(text: str) -> str:
    """On one line, without the marks of the documentation's language."""
    unmarked = _ROLE.sub(lambda role: role[1].rpartition(".")[2], text).replace("`", "")
    return re.sub(r"\s+", " ", unmarked).strip()


def _attribute_docs(body: list[ast.stmt]) -> dict[str, str]:
    docs = {}
    for statement, following in itertools.pairwise(body):
        target = (statement.targets[0] if isinstance(statement, ast.Assign)
                  else statement.target if isinstance(statement, ast.AnnAssign) else None)
        if (isinstance(target, ast.Name) and isinstance(following, ast.Expr)
                and isinstance(following.value, ast.Constant) and isinstance(following.value.value, str)):
            docs[target.id] = inspect.cleandoc(following.value.value)
    return docs
