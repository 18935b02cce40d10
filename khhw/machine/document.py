"""A TOML file against a model that describes it: all that is wrong with it, each with its line and its remedy."""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from khhw.errors import RequestError
from khhw.files import UnreadableError, parse_toml, read_text
from khhw.machine.locate import lines_of

__all__ = ["DocumentError", "Place", "Wrong", "read_document", "without_unknown"]

Place = tuple[str | int, ...]
Wrong = tuple[Place, str]
"""Where in a document, as keys and list positions from the top, and what is wrong there."""

_MOST = 20
"""Errors of a file that are said; one wrong number in a large matrix can be thousands."""
_LONGEST = 200
"""Characters of a wrong value that are said."""
_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
_Model = TypeVar("_Model", bound=BaseModel)


class DocumentError(RequestError):
    """A file that does not say what it must.

    Parameters
    ----------
    file : str
        Path as the user gave it.
    problems : sequence of (int, str)
        Line from 1, and what is wrong there and would be right; the most important first.

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
        said = [f"{file}:{line}: {message}" for line, message in self.problems[:_MOST]]
        more = len(self.problems) - _MOST
        super().__init__("\n".join([*said, *([f"{file}: and {more} more errors"] if more > 0 else [])]))


def read_document(
    source: Path | str, model: type[_Model], check: Callable[[_Model], Iterable[Wrong]], *, whole: str,
    error: type[DocumentError] = DocumentError, amend: Callable[[dict[str, Any]], None] | None = None,
    spare: "Callable[[dict[str, Any], Place, bool], bool] | None" = None,
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
    spare : callable, optional
        (document, place, unknown): takes what is wrong at a place out of a document, or puts something harmless there,
        so that the rest can be checked too; `unknown` if it is a key that does not exist. Returns False where
        everything depends on it. :func:`without_unknown` by default.

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
    value, wrong, unknown = _validated(document, model)
    if value is None and all((spare or without_unknown)(document, place, place in unknown) for place, _ in wrong):
        value, *_ = _validated(document, model)
    if value is not None:
        wrong = [*wrong, *check(value)]
    if wrong or value is None:
        line_of = lines_of(text)
        # The order is that of importance where lines are equal; sorting is stable.
        raise error(str(source), sorted(
            ((line_of(place), f"{_dotted(place) or whole}: {message}") for place, message in dict.fromkeys(wrong)),
            key=lambda problem: problem[0]))
    return value


def _validated(document: dict[str, Any], model: type[_Model]) -> tuple[_Model | None, list[Wrong], set[Place]]:
    """The model of a document; without one, all that is wrong with its keys, and which of them do not exist."""
    try:
        return model.model_validate_json(json.dumps(document, default=str), strict=True), [], set()
    except ValidationError as reason:
        details = [(_in_document(detail, document), detail) for detail in reason.errors()]
    unknown = {place for place, detail in details if detail["type"] in _UNKNOWN}
    return None, _all_errors(details, {place[:-1] for place in unknown}, model.model_json_schema()), unknown


def without_unknown(document: Any, place: Place, unknown: bool) -> bool:
    """A `spare` of :func:`read_document`: takes out keys that do not exist. Returns whether this was one."""
    if unknown:
        for step in place[:-1]:
            document = document[step]
        document.pop(place[-1], None)
    return unknown


def _all_errors(
    details: Sequence[tuple[Place, ErrorDetails]], misspelt: set[Place], schema: dict[str, Any],
) -> list[Wrong]:
    """Paths and words of all that pydantic refused; `misspelt` are tables with a key that does not exist."""
    found: dict[Place, list[str]] = {}
    for place, detail in details:
        if detail["type"] == "missing" and place[:-1] in misspelt:
            # A misspelt key is why this one is missing.
            continue
        words = found.setdefault(place, [])
        if (said := _words(detail, place, schema)) not in words:
            words.append(said)
    return [(place, _joined(words)) for place, words in found.items()]


def _in_document(detail: ErrorDetails, document: Any) -> Place:
    """The keys and positions of an error's place, without pydantic's names for the forms that a value may have."""
    if detail["type"] == "missing":
        return tuple(detail["loc"])
    place: list[str | int] = []
    for step in detail["loc"]:
        there = step in document if isinstance(document, dict) else (
            isinstance(document, list) and isinstance(step, int) and step < len(document))
        if there:
            document = document[step]
            place.append(step)
    return tuple(place)


def _joined(words: Sequence[str]) -> str:
    """What is wrong by each of the forms that a value may have, in one sentence."""
    if len(words) == 1:
        return words[0]
    heads = [word.rpartition(", not ")[0] or word for word in words]
    tail = words[0].rpartition(", not ")[2]
    return f"{', or '.join([heads[0], *(head[:1].lower() + head[1:] for head in heads[1:])])}, not {tail}"


def _words(detail: ErrorDetails, place: Place, schema: dict[str, Any]) -> str:
    kind, message = detail["type"], detail["msg"]
    if kind in _UNKNOWN:
        return f"unknown key; keys here are {', '.join(_keys_at(place[:-1], schema))}"
    if kind == "too_short":
        return f"has {detail['ctx']['actual_length']} entries; it needs {detail['ctx']['min_length']} or more"
    if kind == "json_invalid":
        return "has brackets in brackets too deep to be read"
    if kind in ("missing", "value_error"):
        return message.removeprefix("Value error, ")
    given = repr(detail["input"])
    return f"{message}, not {given if len(given) <= _LONGEST else f'{given[:_LONGEST]}...'}"


def _keys_at(path: Place, root: dict[str, Any]) -> list[str]:
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
