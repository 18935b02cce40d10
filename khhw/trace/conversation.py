"""Where commands and answers of memcached's text protocol begin and end in the bytes of a stream."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Command", "answers", "commands"]

_LINE_END = b"\r\n"
_STORING = {b"set": 5, b"add": 5, b"replace": 5, b"append": 5, b"prepend": 5, b"cas": 6}
"""Commands with a data block, and the words of their lines."""
_READING = (b"get", b"gets", b"gat", b"gats")
_LISTS = (*_READING, b"stats", b"rindex")
"""Commands whose answer goes on to a line ``END``."""
_BYTES = 4
"""Index of the length among the words of a command, one before that in a ``VALUE`` line."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command in a stream.

    Parameters
    ----------
    words : tuple of bytes
        Of its line.
    begin, end : int
        Its bytes, data block included.
    """

    words: tuple[bytes, ...]
    begin: int
    end: int

    @property
    def reads(self) -> bool:
        """Whether it is a GET."""
        return self.words[0] in _READING

    @property
    def keys(self) -> tuple[bytes, ...]:
        """Keys of a GET."""
        return self.words[2 if self.words[0].startswith(b"gat") else 1:]

    @property
    def silent(self) -> bool:
        """Whether no answer comes."""
        return self.words[-1] == b"noreply" or self.words[0] == b"quit"


def commands(sent: bytes) -> Iterator[Command]:
    """The commands a client sent, as far as they are whole."""
    begin = 0
    while (line := _line(sent, begin)) is not None:
        words, end = line
        if words:
            if words[0] in _STORING and len(words) >= _STORING[words[0]] and words[_BYTES].isdigit():
                end += int(words[_BYTES]) + len(_LINE_END)
            if end > len(sent):
                return
            yield Command(words, begin, end)
        begin = end


def answers(sent: bytes, asked: Sequence[Command]) -> list[tuple[int, int] | None]:
    """The bytes of the answer to each command; None where none comes, or not all of it has."""
    found: list[tuple[int, int] | None] = []
    offset = 0
    for command in asked:
        end = None if command.silent else _answer_end(sent, offset, command)
        found.append(None if end is None else (offset, end))
        if end is None and not command.silent:
            return found + [None] * (len(asked) - len(found))
        offset = offset if end is None else end
    return found


def _answer_end(sent: bytes, begin: int, command: Command) -> int | None:
    offset = begin
    while (line := _line(sent, offset)) is not None:
        words, offset = line
        word = words[0] if words else b""
        if word == b"VALUE":
            offset += int(words[_BYTES - 1]) + len(_LINE_END)
        elif word != b"SLOT" and (word not in (b"STAT", b"INDEX") or command.words[0] not in _LISTS):
            return offset if offset <= len(sent) else None
    return None


def _line(sent: bytes, begin: int) -> tuple[tuple[bytes, ...], int] | None:
    end = sent.find(b"\n", begin)
    return None if end < 0 else (tuple(sent[begin:end].split()), end + 1)
