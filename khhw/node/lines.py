"""Cutting bytes into lines: bounded, and in time that grows with the bytes alone."""

from dataclasses import dataclass

__all__ = ["LineCutter", "Piece"]


@dataclass(frozen=True)
class Piece:
    """A line, or a part of one that was too long.

    Parameters
    ----------
    data : bytes
        Without the newline.
    begins, ends : bool
        Whether it is the beginning and the end of its line.
    """

    data: bytes
    begins: bool = True
    ends: bool = True


class LineCutter:
    """Keeps what a stream of bytes has of an unfinished line; what is longer than `limit` comes in pieces.

    Parameters
    ----------
    limit : int
        Bytes of a piece, 4 or more. A character of UTF-8 is not cut.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = bytearray()
        self._begins = True

    @property
    def inside(self) -> bool:
        """Whether a line has begun and not ended."""
        return bool(self._held) or not self._begins

    def feed(self, data: bytes) -> list[Piece]:
        """What is complete with `data`."""
        pieces: list[Piece] = []
        *ended, rest = data.split(b"\n")
        for part in ended:
            self._add(part, pieces)
            pieces.append(self._piece(len(self._held), ends=True))
        self._add(rest, pieces)
        return pieces

    def forget(self) -> list[Piece]:
        """What there is of an unfinished line; nothing is kept of it."""
        return [self._piece(len(self._held), ends=True)] if self.inside else []

    def _add(self, part: bytes, pieces: list[Piece]) -> None:
        offset = 0
        while offset < len(part):
            if len(self._held) == self._limit:
                pieces.append(self._piece(_whole(self._held), ends=False))
            step = self._limit - len(self._held)
            self._held += part[offset:offset + step]
            offset += step

    def _piece(self, length: int, *, ends: bool) -> Piece:
        piece = Piece(bytes(self._held[:length]), self._begins, ends)
        del self._held[:length]
        self._begins = ends
        return piece


def _whole(text: bytearray) -> int:
    """How many of the bytes are not of a character that is still to be completed."""
    for back in range(1, 4):
        byte = text[-back]
        if byte & 0xC0 != 0x80:
            bytes_of_it = 1 if byte < 0xC0 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(text) - back if bytes_of_it > back else len(text)
    return len(text)
