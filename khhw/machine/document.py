"""A TOML file against a model that describes it: every error with its line and its remedy."""

import json
import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from khhw.machine.locate import line_of

__all__ = ["DocumentError", "Wrong", "read_document"]

Wrong = tuple[tuple[str | int, ...], str]
"""Where in a document, as keys and list positions from the top, and what is wrong there."""

_LINE = re.compile(r"at line (\d+)")
_Model = TypeVar("_Model", bound=BaseModel)


class DocumentError(ValueError):
    """A file that does not say what it must.

    Parameters
    ----------
    file : str
        Path as the user gave it.
    line : int
        Line from 1.
    message : str
        What is wrong, and what would be right.
    """

    def __init__(self, file: str, line: int, message: str) -> None:
        self.file, self.line, self.message = file, line, message
        super().__init__(f"{file}:{line}: {message}")


def read_document(
    source: Path | str, model: type[_Model], check: Callable[[_Model], Wrong | None], *, whole: str,
    error: type[DocumentError] = DocumentError, amend: Callable[[dict[str, Any]], None] | None = None,
) -> _Model:
    """Read a TOML file into a model and check it.

    Parameters
    ----------
    source : Path or str
        The file.
    model : type
        What it must be, key by key.
    check : callable
        Finds what takes more than one key to see.
    whole : str
        Names the document where an error is about no key of it.
    error : type
        What is raised.
    amend : callable, optional
        Changes what was read before it is checked.

    Raises
    ------
    DocumentError
        As `error`: for the first thing that is wrong, with its line.
    """
    try:
        text = Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as reason:
        raise error(str(source), 1, f"cannot be read: {reason}") from None
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as reason:
        line = int(found[1]) if (found := _LINE.search(str(reason))) else len(text.splitlines())
        raise error(str(source), line, f"is not TOML: {reason}") from None
    if amend is not None:
        amend(document)

    def fail(path: Sequence[str | int], message: str) -> DocumentError:
        return error(str(source), line_of(text, path), f"{_dotted(path) or whole}: {message}")

    try:
        value = model.model_validate_json(json.dumps(document, default=str), strict=True)
    except ValidationError as reason:
        raise fail(*_first_error(reason, model.model_json_schema())) from None
    if wrong := check(value):
        raise fail(*wrong)
    return value


def _first_error(error: ValidationError, schema: dict[str, Any]) -> Wrong:
    """Path and words of the first thing pydantic refused."""
    # A misspelt key is why another is missing, so it comes first.
    first = min(error.errors(), key=lambda found: found["type"] == "missing")
    path = tuple(first["loc"])
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return path, f"unknown key; keys here are {', '.join(_keys_at(path[:-1], schema))}"
    if first["type"] == "too_short":
        return path, f"has {first['ctx']['actual_length']} entries; it needs {first['ctx']['min_length']} or more"
    if first["type"] in ("missing", "value_error"):
        return path, first["msg"].removeprefix("Value error, ")
    return path, f"{first['msg']}, not {first['input']!r}"


def _keys_at(path: tuple[str | int, ...], root: dict[str, Any]) -> list[str]:
    """Keys the schema allows in the table at `path`."""
    node = root
    for step in path:
        node = _resolve(node, root)
        node = node.get("items", {}) if isinstance(step, int) else (
            node.get("properties", {}).get(step) or node.get("additionalProperties") or {})
    return sorted(_resolve(node, root).get("properties", {}))


def _resolve(node: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    for one in node.get("anyOf", ()):
        if "$ref" in one:
            return _resolve(one, root)
    if "$ref" in node:
        resolved: dict[str, Any] = root["$defs"][node["$ref"].rpartition("/")[2]]
        return resolved
    return node


def _dotted(path: Sequence[str | int]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")
