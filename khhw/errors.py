"""The errors that a command reports: wrong requests and failed builds; and names that are not there."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

__all__ = ["BuildError", "RequestError", "named"]

_Value = TypeVar("_Value")


class RequestError(ValueError):
    """What was asked for is wrong: nothing was built. Exit code 2."""


class BuildError(RuntimeError):
    """A tool failed. Exit code 1.

    Parameters
    ----------
    message : str
        What failed.
    log : pathlib.Path, optional
        File with the tool's whole output; the end of it becomes part of the message.
    """

    TAIL_LINES = 20

    def __init__(self, message: str, log: Path | None = None) -> None:
        self.log = log
        if log is not None and log.is_file():
            tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-self.TAIL_LINES:]
            message = "\n".join([f"{message}; the end of {log}:", *("    " + line for line in tail)])
        super().__init__(message)


def named(values: Mapping[str, _Value], name: str, what: str) -> _Value:
    """The value with a name.

    Parameters
    ----------
    values : mapping
    name : str
    what : str
        A value in words, for the error.

    Raises
    ------
    LookupError
        If there is none; says which there are.
    """
    if name in values:
        return values[name]
    known = ", ".join(map(repr, values))
    raise LookupError(f"no {what} {name!r}; " + (f"there are {known}" if values else "there is none"))
