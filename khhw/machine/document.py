"""A TOML file against a model that describes it: all that is wrong with it, each with its line and its remedy."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from khhw.errors import RequestError
from khhw.files import UnreadableError, parse_toml, read_text
from khhw.machine.locate import lines_of
from khhw.machine.repair import Faults, KeyPath, StandIns, repaired
from khhw.patterns import IN_WORDS

__all__ = ["DocumentError", "Wrong", "read_document"]

Wrong = tuple[KeyPath, str]
"""Where in a document, and what is wrong there."""

_MOST = 20
"""Errors of a file that are said; one wrong number in a large matrix can be thousands."""
_LONGEST = 200
"""Characters of a wrong value that are said."""
_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
_MOST_REPAIRS = 10
"""A repair may show that more must be left out: a list that lacks its wrong entries may be too short."""
_KINDS: tuple[tuple[type, set[str]], ...] = (
    (bool, {"boolean"}), (int, {"integer", "number"}), (float, {"number"}), (list, {"array"}), (dict, {"object"}))
"""Of values, as JSON schemas name them; all others are strings."""
_Model = TypeVar("_Model", bound=BaseModel)


class DocumentError(RequestError):
    """A file that does not say what it must.

    Parameters
    ----------
    file : str
        Path as the user gave it.
    problems : sequence of (int, str)
        Line from 1, or 0 for what no line of the file says; and what is wrong there and would be right.

    Attributes
    ----------
    line : int
        Of the first problem.
    message : str
        Of the first problem.
    """

    def __init__(self, file: str, problems: Sequence[tuple[int, str]]) -> None:
        self.file, self.problems = file, list(problems)
        self.line, self.message = self.problems[0]
        said = [f"{file}:{line}: {message}" if line else message for line, message in self.problems[:_MOST]]
        more = len(self.problems) - _MOST
        super().__init__("\n".join([*said, *([f"{file}: and {more} more errors"] if more > 0 else [])]))


def read_document(
    source: Path | str, model: type[_Model], check: Callable[[_Model, Faults], Iterable[Wrong]], *, whole: str,
    error: type[DocumentError] = DocumentError, amend: Callable[[dict[str, Any]], None] | None = None,
    each: Callable[[dict[str, Any]], Iterable[Wrong]] | None = None, stand_ins: StandIns | None = None,
    given: Mapping[KeyPath, str] | None = None,
) -> _Model:
    """Read a TOML file into a model and check it.

    What is wrong is left out and the rest is checked, so that one call finds all errors that do not follow from others.

    Parameters
    ----------
    source : Path or str
        The file.
    model : type
        What it must be, key by key.
    check : callable
        Finds what takes more than one key to see; told what cannot be relied on, as it was wrong or has been left out.
    whole : str
        Names the document where an error is about no key of it.
    error : type
        What is raised.
    amend : callable, optional
        Changes what was read before it is checked.
    each : callable, optional
        Finds wrong values in what was read, for tables whose own model names only the first of several.
    stand_ins : mapping, optional
        What stands for values that must be there, while the rest is checked.
    given : mapping of KeyPath to str, optional
        By path, who says what stands there if it is not the file.

    Raises
    ------
    DocumentError
        As `error`: with all that is wrong, each with its line.
    """
    try:
        text = read_text(source)
        document = parse_toml(text, source)
    except UnreadableError as reason:
        raise error(str(source), [(reason.line or 1, reason.message)]) from None
    if amend is not None:
        amend(document)
    value, wrong, faults = _read(document, model, list(each(document)) if each else [], stand_ins or {})
    if value is not None:
        wrong = [*wrong, *((faults.in_file(path), message) for path, message in check(value, faults))]
    if wrong or value is None:
        raise error(str(source), _problems(wrong, text, whole, given or {}))
    return value


def _read(
    document: dict[str, Any], model: type[_Model], wrong: list[Wrong], stand_ins: StandIns,
) -> tuple[_Model | None, list[Wrong], Faults]:
    """The model of a document without what is wrong in it; all that is wrong with its keys; what was left out."""
    removed, absent = {path for path, _ in wrong}, set[KeyPath]()
    left, faults = document, Faults()
    for repairs in range(_MOST_REPAIRS):
        if removed:
            if (found := repaired(document, removed, absent, stand_ins)) is None:
                break
            left, faults = found
        try:
            return model.model_validate_json(json.dumps(left, default=str), strict=True), wrong, faults
        except ValidationError as reason:
            details = _innermost([(_in_document(detail, left), detail) for detail in reason.errors()])
        if not repairs:
            # Later ones are about what the repair has left.
            schema = model.model_json_schema()
            absent = _misspelt([path for path, detail in details if detail["type"] in _UNKNOWN], left, schema)
            wrong = [*wrong, *((faults.in_file(path), words)
                               for path, words in _all_errors(details, absent, schema))]
        removed = removed | {faults.in_file(path) for path, _ in details}
    return None, wrong, faults


def _problems(wrong: Sequence[Wrong], text: str, whole: str, given: Mapping[KeyPath, str]) -> list[tuple[int, str]]:
    """Line and words, in the order of lines; first, with line 0, those that are about no line."""
    line_of = lines_of(text)
    # The order is that of importance where lines are equal; sorting is stable.
    return sorted(((0, f"{given[path]}: {message}") if path in given else
                   (line_of(path), f"{_dotted(path) or whole}: {message}")
                   for path, message in dict.fromkeys(wrong)), key=lambda problem: problem[0])


def _misspelt(unknown: Sequence[KeyPath], document: Any, schema: dict[str, Any]) -> set[KeyPath]:
    """Keys that are not there, and that an unknown one may have been meant to be, by the kind of its value."""
    found = set()
    for path in unknown:
        table = document
        for step in path[:-1]:
            table = table[step]
        value = table[path[-1]]
        kinds = next((kinds for kind, kinds in _KINDS if isinstance(value, kind)), {"string"})
        for key, one in _properties_at(path[:-1], schema).items():
            if key not in table and (not (wanted := _kinds(one, schema)) or wanted & kinds):
                found.add((*path[:-1], key))
            elif isinstance(table.get(key), dict) and isinstance(value, dict) and "properties" not in one:
                # A table of names that the user chooses.
                found |= {(*path[:-1], key, name) for name in value if name not in table[key]}
            elif isinstance(table.get(key), list) and isinstance(value, list):
                # Tables in a row: those that follow.
                found.add((*path[:-1], key, len(table[key])))
    return found


def _kinds(node: dict[str, Any], root: dict[str, Any]) -> set[str]:
    """Kinds of values a schema allows, as it names them; none if it does not say."""
    if "anyOf" in node:
        return set().union(*(_kinds(one, root) for one in node["anyOf"]))
    node = _resolve(node, root)
    return {node["type"]} if "type" in node else set()


def _all_errors(
    details: Sequence[tuple[KeyPath, ErrorDetails]], misspelt: set[KeyPath], schema: dict[str, Any],
) -> list[Wrong]:
    """Paths and words of all that pydantic refused, but that keys are missing which are only misspelt."""
    found: dict[KeyPath, list[str]] = {}
    for path, detail in details:
        if detail["type"] == "missing" and path in misspelt:
            continue
        words = found.setdefault(path, [])
        if (said := _words(detail, path, schema)) not in words:
            words.append(said)
    return [(path, _joined(words)) for path, words in found.items()]


def _innermost(details: Sequence[tuple[KeyPath, ErrorDetails]]) -> list[tuple[KeyPath, ErrorDetails]]:
    """Without errors of words that could stand for a list: it is one, and what is in it is wrong."""
    return [(path, detail) for path, detail in details if detail["type"] != "literal_error" or not any(
        other[:len(path)] == path and len(other) > len(path) for other, _ in details)]


def _in_document(detail: ErrorDetails, document: Any) -> KeyPath:
    """The keys and positions of an error's path, without pydantic's names for the forms that a value may have."""
    if detail["type"] == "missing":
        return tuple(detail["loc"])
    path: list[str | int] = []
    for step in detail["loc"]:
        there = step in document if isinstance(document, dict) else (
            isinstance(document, list) and isinstance(step, int) and step < len(document))
        if there:
            document = document[step]
            path.append(step)
    return tuple(path)


def _joined(words: Sequence[str]) -> str:
    """What is wrong by each of the forms that a value may have, in one sentence."""
    if len(words) == 1:
        return words[0]
    heads = [word.rpartition(", not ")[0] or word for word in words]
    tail = words[0].rpartition(", not ")[2]
    return f"{', or '.join([heads[0], *(head[:1].lower() + head[1:] for head in heads[1:])])}, not {tail}"


def _words(detail: ErrorDetails, path: KeyPath, schema: dict[str, Any]) -> str:
    kind, message = detail["type"], detail["msg"]
    if kind in _UNKNOWN:
        return f"unknown key; keys here are {', '.join(sorted(_properties_at(path[:-1], schema)))}"
    if kind == "too_short":
        return f"has {detail['ctx']['actual_length']} entries; it needs {detail['ctx']['min_length']} or more"
    if kind == "json_invalid":
        return "has brackets in brackets too deep to be read"
    if kind in ("missing", "value_error"):
        return message.removeprefix("Value error, ")
    given = repr(detail["input"])
    if kind == "string_pattern_mismatch":
        message = f"should be {IN_WORDS[detail['ctx']['pattern']]}"
    return f"{message}, not {given if len(given) <= _LONGEST else f'{given[:_LONGEST]}...'}"


def _properties_at(path: KeyPath, root: dict[str, Any]) -> dict[str, Any]:
    """Keys the schema allows in the table at `path`, and the schemas of their values."""
    node = root
    for step in path:
        node = _resolve(node, root)
        node = node.get("items", {}) if isinstance(step, int) else (
            node.get("properties", {}).get(step) or node.get("additionalProperties") or {})
    properties: dict[str, Any] = _resolve(node, root).get("properties", {})
    return properties


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
