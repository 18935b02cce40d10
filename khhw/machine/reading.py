"""Reading a machine file: TOML in, a checked description out, every error with its line and its mend."""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from khhw.machine.checks import find_inconsistency
from khhw.machine.file import MachineFile, schema
from khhw.machine.locate import line_of

__all__ = ["MachineFileError", "load"]

_LINE = re.compile(r"at line (\d+)")


class MachineFileError(ValueError):
    """A machine file that cannot be run.

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


def load(source: Path | str, *, parts: Mapping[str, str] | None = None) -> MachineFile:
    """Read and check a machine file; nothing is built or run.

    Parameters
    ----------
    source : Path or str
        A TOML file.
    parts : mapping of str to str, optional
        Replacements that win over the file's own ``[parts]``.

    Raises
    ------
    MachineFileError
        For the first thing that is wrong, with its line.
    """
    try:
        text = Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MachineFileError(str(source), 1, f"cannot be read: {error}") from None
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = int(found[1]) if (found := _LINE.search(str(error))) else len(text.splitlines())
        raise MachineFileError(str(source), line, f"is not TOML: {error}") from None

    if parts and isinstance(document.get("parts", {}), dict):
        document["parts"] = {**document.get("parts", {}), **parts}

    def fail(path: Sequence[str | int], message: str) -> MachineFileError:
        return MachineFileError(str(source), line_of(text, path), f"{_dotted(path)}: {message}")

    try:
        machine = MachineFile.model_validate_json(json.dumps(document, default=str), strict=True)
    except ValidationError as error:
        path, message = _first_error(error)
        raise fail(path, message) from None
    if found_error := find_inconsistency(machine, Path(source).parent):
        raise fail(*found_error)
    return machine


def _first_error(error: ValidationError) -> tuple[tuple[str | int, ...], str]:
    """Path and words of the first thing pydantic refused."""
    # A misspelt key is why another is missing, so it comes first.
    first = min(error.errors(), key=lambda found: found["type"] == "missing")
    path = tuple(first["loc"])
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return path, f"unknown key; keys here are {', '.join(_keys_at(path[:-1]))}"
    if first["type"] in ("missing", "value_error"):
        return path, first["msg"].removeprefix("Value error, ")
    return path, f"{first['msg']}, not {first['input']!r}"


def _keys_at(path: tuple[str | int, ...]) -> list[str]:
    """Keys the schema allows in the table at `path`."""
    root = schema()
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
    return text.removeprefix(".") or "machine"
