"""Registered memory: what peers may read and write."""

import enum
import struct
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from khhw.net.buffers import Buffer
from khhw.net.errors import WindowError
from khhw.node import ANSWER_RING, Node, ReceptionCounter

__all__ = ["ANY", "Anybody", "RemoteBuffer", "Window"]

EXPORT = struct.Struct(">BBBBI")
"""Injection counter that reads, reception counter that writes, injection ring that answers, {key: 6, what is open: 2};
bytes."""
_READS, _WRITES = 1, 2
_KEY = 2
"""Offset of the key, in bits, beside what is open."""
_SHORTEST_LOOK = 16
_LONGEST_LOOK = 1024


class Anybody(enum.Enum):
    """Type of :data:`ANY`."""

    ANY = "any"


ANY = Anybody.ANY
"""Instead of a rank: every node that may send here."""


@dataclass(frozen=True)
class RemoteBuffer:
    """Bytes of a window of a peer.

    Parameters
    ----------
    rank : int
        The peer.
    reads, writes : int or None
        Its counters; None: the window is not open for that.
    ring : int
        Its injection ring that answers reads.
    offset, length : int
        Where in the window, in bytes.
    key : int
        What puts to it carry.
    """

    rank: int
    reads: int | None
    writes: int | None
    ring: int
    offset: int
    length: int
    key: int = 0

    @classmethod
    def parse(cls, data: bytes, rank: int) -> "RemoteBuffer":
        """What :meth:`Window.export` of node `rank` gave.

        Raises
        ------
        WindowError
            If it is no export.
        """
        if len(data) != EXPORT.size:
            raise WindowError(f"an exported window has {EXPORT.size} bytes, not {len(data)}")
        reads, writes, ring, rights, length = EXPORT.unpack(data)
        return cls(rank, reads if rights & _READS else None, writes if rights & _WRITES else None, ring, 0, length,
                   rights >> _KEY)

    def slice(self, offset: int, length: int) -> "RemoteBuffer":
        """`length` bytes from `offset` on.

        Raises
        ------
        ValueError
            If they leave the buffer.
        """
        if offset < 0 or length < 0 or offset + length > self.length:
            raise ValueError(f"{length} bytes at offset {offset} leave a remote buffer of {self.length} bytes")
        return replace(self, offset=self.offset + offset, length=length)


class Window:
    """Registered memory of this node. Made by :meth:`Net.register`.

    Parameters
    ----------
    node : Node
    buffer : Buffer
    reads : int or None
        Injection counter that reads.
    writes : ReceptionCounter or None
        Counter that writes.
    key : int
        What puts to it must carry.
    closing : callable (bool)
        Takes the window from the hardware, and its counters back; told whether bytes may come yet.
    """

    def __init__(
        self, node: Node, buffer: Buffer, reads: int | None, writes: ReceptionCounter | None, key: int,
        closing: Callable[[bool], Coroutine[Any, Any, None]],
    ) -> None:
        self.buffer = buffer
        self.reads = reads
        self.writes = None if writes is None else writes.number
        self.key = key
        self._counter = writes
        self._closing = closing
        self._node = node
        self._expected = 0
        self._complete = False
        self._open = True

    def export(self) -> bytes:
        """What a peer needs to use the window, 8 bytes for :meth:`RemoteBuffer.parse`."""
        rights = self.key << _KEY | (self.writes is not None) * _WRITES | (self.reads is not None) * _READS
        return EXPORT.pack(self.reads or 0, self.writes or 0, ANSWER_RING, rights, self.buffer.length)

    async def expect(self, length: int) -> None:
        """Count anew, and raise the interrupt after `length` bytes. To be called while no put is under way."""
        await self._writes().expect(length)
        self._expected = length
        self._complete = False

    async def written(self, length: int, timeout: int | None = None) -> bool:
        """Wait until `length` bytes were put since the window was opened or :meth:`expect` was called.

        If they are as many as were expected the interrupt ends the wait, else the counter is looked at now and then.

        Parameters
        ----------
        length : int
        timeout : int or None
            Cycles to wait at most.

        Returns
        -------
        bool
            False if that lasted too long.

        Raises
        ------
        WindowError
            If the window is not open for writing.
        """
        counter = self._writes()
        if length == self._expected and length:
            self._complete = await counter.wait(timeout)
            return self._complete
        end = None if timeout is None else self._node.now + timeout
        while True:
            missing = length - (self._expected - await counter.value() & 0xFFFFFFFF)
            if missing <= 0:
                return True
            nap = min(_LONGEST_LOOK, max(_SHORTEST_LOOK, missing // 8))
            if end is not None:
                nap = min(nap, end - self._node.now)
            if nap <= 0:
                return False
            await self._node.sleep(nap)

    def _writes(self) -> ReceptionCounter:
        if self._counter is None or not self._open:
            raise WindowError("the window is not open for writing")
        return self._counter

    async def close(self) -> None:
        """Let nobody write any more, and nobody begin to read."""
        if self._open:
            self._open = False
            await self._closing(not self._complete)
