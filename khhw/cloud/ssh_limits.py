"""What somebody may have open by ssh, and how a client is told that it is too much."""

import secrets
import struct
from collections import Counter
from collections.abc import Callable
from typing import Any

import asyncssh

__all__ = ["MOST_CONNECTIONS", "MOST_SESSIONS", "Callers", "Sessions", "refusal"]

MOST_CONNECTIONS = 32
"""Of one principal who has logged in."""
MOST_SESSIONS = 10
"""Of one connection, as OpenSSH's server has them (MaxSessions)."""
_BLOCK, _LEAST_PADDING = 8, 4
_MSG_DISCONNECT = 1


def refusal(sentence: str) -> bytes:
    """What a client of ssh is sent that is refused before anything is agreed on; it shows the sentence.

    The server's version, and a message that ends the connection (RFC 4253, 4.2, 6 and 11.1).
    """
    text = sentence.encode()
    payload = struct.pack(f">BII{len(text)}sI", _MSG_DISCONNECT, asyncssh.DISC_TOO_MANY_CONNECTIONS, len(text), text, 0)
    padding = _LEAST_PADDING + -(4 + 1 + len(payload) + _LEAST_PADDING) % _BLOCK
    return (b"SSH-2.0-khhw\r\n" + struct.pack(">IB", 1 + len(payload) + padding, padding) + payload
            + secrets.token_bytes(padding))


class Callers:
    """How many connections each principal has who has logged in."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def refusal(self, name: str) -> str | None:
        """Why a principal gets no further connection, in a sentence; None if he does."""
        if self._open[name] >= MOST_CONNECTIONS:
            return f"{name} has {MOST_CONNECTIONS} connections by ssh, and nobody has more; end one first"
        return None

    def enter(self, name: str) -> Callable[[], None]:
        """He has one more; to be called when it has ended."""
        self._open[name] += 1

        def leave() -> None:
            self._open[name] -= 1
            if not self._open[name]:
                del self._open[name]

        return leave


class Sessions:
    """The sessions of one connection.

    Parameters
    ----------
    attend : callable
        What each is attended by.
    """

    def __init__(self, attend: Callable[["asyncssh.SSHServerProcess[str]"], Any]) -> None:
        self._attend = attend
        self._open = 0

    def one_more(self) -> "asyncssh.SSHServerProcess[str]":
        """A new one.

        Raises
        ------
        asyncssh.ChannelOpenError
            If there are too many.
        """
        if self._open >= MOST_SESSIONS:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_RESOURCE_SHORTAGE, (
                f"a connection has at most {MOST_SESSIONS} sessions; end one, or connect once more"))
        self._open += 1
        return _Session(self._attend, self._ended)

    def _ended(self) -> None:
        self._open -= 1


class _Session(asyncssh.SSHServerProcess[str]):
    """A session that says when it has ended."""

    def __init__(self, attend: Callable[["asyncssh.SSHServerProcess[str]"], Any], ended: Callable[[], None]) -> None:
        super().__init__(attend, None, asyncssh.sftp.MIN_SFTP_VERSION, False)
        self._on_end = ended

    def connection_lost(self, exc: Exception | None) -> None:
        """It has."""
        super().connection_lost(exc)
        self._on_end()
