"""Calls to a machine that is up: a line of JSON each way at a Unix socket, for the user who runs it."""

import json
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from khhw.errors import RequestError

__all__ = ["Call", "Calls", "call"]

_LONGEST = 1 << 20
_SECONDS = 60.0


class Call:
    """What somebody asks, and a way to answer.

    Parameters
    ----------
    asked : mapping
    connection : socket.socket
        Closed by the answer.
    """

    def __init__(self, asked: Mapping[str, Any], connection: socket.socket) -> None:
        self.asked = asked
        self._connection = connection

    def answer(self, values: Mapping[str, Any]) -> None:
        """Say it."""
        with self._connection as connection, suppress(OSError):
            connection.sendall(json.dumps(values).encode() + b"\n")


class Calls:
    """Takes calls, in a thread of its own. The folder of the socket is the user's alone.

    Parameters
    ----------
    path : Path
        Of the socket.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()

    def start(self, take: Callable[[Call], None]) -> None:
        """Have calls taken by `take`, in the thread."""
        threading.Thread(target=self._run, args=(take,), name="calls", daemon=True).start()

    def close(self) -> None:
        """Take no more."""
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _run(self, take: Callable[[Call], None]) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.settimeout(_SECONDS)
                try:
                    take(Call(_line(connection), connection))
                except (OSError, ValueError):
                    connection.close()


def _line(connection: socket.socket) -> dict[str, Any]:
    with connection.makefile("rb") as file:
        values = json.loads(file.readline(_LONGEST))
    if not isinstance(values, dict):
        raise ValueError("a call is an object")
    return values


def call(path: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Ask the machine whose socket is at `path`; its answer.

    Raises
    ------
    RequestError
        If it refuses, or does not answer.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_SECONDS)
            connection.connect(str(path))
            connection.sendall(json.dumps(asked).encode() + b"\n")
            answer = _line(connection)
    except (OSError, ValueError) as error:
        raise RequestError(f"the machine does not answer: {error}") from None
    if "error" in answer:
        raise RequestError(answer["error"])
    return answer
