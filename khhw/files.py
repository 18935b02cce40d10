"""Files that people name: read with a sentence for what cannot be read, and folders that can be written to."""

import json
import re
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from khhw.errors import RequestError

__all__ = ["UnreadableError", "parse_toml", "read_json", "read_text", "refuse_file", "writable_file", "writable_folder"]

_TOML_LINE = re.compile(r"at line (\d+)")
_UNUSABLE = (OSError, ValueError)
"""What is raised for a path; ValueError if it can be none, as with a NUL, or with a letter that the locale lacks."""
_DEEP = "has brackets in brackets too deep to be read"
_LONG = "has a number with too many digits to be read"


class UnreadableError(RequestError):
    """A file that cannot be read, or is not in the language it should be in.

    Parameters
    ----------
    file : str
        Path as the user gave it.
    message : str
        What is wrong.
    line : int or None
        Line from 1, where there is one.
    """

    def __init__(self, file: str, message: str, line: int | None = None) -> None:
        self.file, self.message, self.line = file, message, line
        super().__init__(f"{file}{'' if line is None else f':{line}'}: {message}")


def read_text(path: Path | str) -> str:
    """The text of a file in UTF-8, without the mark (BOM) that some editors put in front.

    Raises
    ------
    UnreadableError
        If it cannot be read, or is in another encoding.
    """
    try:
        data = Path(path).read_bytes()
    except _UNUSABLE as error:
        raise UnreadableError(str(path), f"cannot be read: {_reason(error)}") from None
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UnreadableError(
            str(path), f"is not in UTF-8, the byte {data[error.start]:#04x} is none of it; save it in UTF-8", line,
        ) from None


def parse_toml(text: str, path: Path | str) -> dict[str, Any]:
    """The document that a text in TOML means.

    Parameters
    ----------
    text : str
        As :func:`read_text` gives it.
    path : Path or str
        Where it is from, for errors.

    Raises
    ------
    UnreadableError
        If it is no TOML.
    """
    try:
        document = tomllib.loads(text)
        # As a model takes it: numbers in hexadecimal, octal and binary, and dotted keys, are read without a limit.
        json.dumps(document, default=str)
        return document
    except tomllib.TOMLDecodeError as error:
        found = _TOML_LINE.search(str(error))
        line = int(found[1]) if found else max(1, len(text.splitlines()))
        raise UnreadableError(str(path), f"is not TOML: {error}", line) from None
    except RecursionError:
        raise UnreadableError(str(path), _DEEP, _deepest(text)) from None
    except ValueError as error:
        raise UnreadableError(str(path), f"{_LONG} ({error})") from None


def read_json(path: Path | str) -> Any:
    """The value in a JSON file.

    Raises
    ------
    UnreadableError
        If it cannot be read, or is no JSON.
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadableError(str(path), f"is not JSON: {error.msg}", error.lineno) from None
    except RecursionError:
        raise UnreadableError(str(path), _DEEP, _deepest(text)) from None
    except ValueError as error:
        raise UnreadableError(str(path), f"{_LONG} ({error})") from None


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _deepest(text: str) -> int:
    """The line on which most brackets are open; those in strings count too."""
    depth = deepest = 0
    found = line = 1
    for character in text:
        if character == "\n":
            line += 1
        elif character in "[{":
            depth += 1
            if depth > deepest:
                deepest, found = depth, line
        elif character in "]}":
            depth -= 1
    return found


def refuse_file(folder: Path) -> None:
    """Refuse a folder to write to that is a file.

    Raises
    ------
    RequestError
        Says so.
    """
    if folder.exists() and not folder.is_dir():
        raise RequestError(f"{folder} is a file; -o takes a folder")


def writable_folder(folder: Path) -> Path:
    """Make a folder if need be, and try whether it can be written to.

    Raises
    ------
    RequestError
        If it cannot be; nothing that was there is lost.
    """
    refuse_file(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"khhw")
            file.flush()
    except _UNUSABLE as error:
        raise RequestError(f"cannot write to {folder}: {_reason(error)}; choose another folder with -o") from None
    return folder


def writable_file(path: Path) -> Path:
    """A file that can be written, in a folder that is made if need be; it itself is left as it is.

    Raises
    ------
    RequestError
        If it cannot be, or something is there that is no file: a folder, a device.
    """
    if path.is_dir() or (path.exists() and not path.is_file()):
        raise RequestError(f"{path} is {'a folder' if path.is_dir() else 'no plain file'}; name a file to write")
    writable_folder(path.parent)
    return path
