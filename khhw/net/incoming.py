"""The receiving half of a connection: bytes in order out of segments in any order."""

from dataclasses import dataclass, field

from khhw.net.buffers import Buffer
from khhw.node import Area, Event, Memory

__all__ = ["Incoming", "Reader"]

_MOST_GAPS = 32
"""Pieces kept behind gaps; more are dropped, and come again."""


@dataclass(eq=False)
class Reader:
    """A task that wants bytes: at least `least`, at most `most`, in `buffer` or as bytes.

    Parameters
    ----------
    least, most : int
    buffer : Buffer or None
        Node memory to fill.
    """

    least: int
    most: int
    buffer: Buffer | None
    got: int = 0
    parts: list[bytes] = field(default_factory=list)
    ready: Event = field(default_factory=lambda: Event("bytes of a stream"))


class Incoming:
    """Sequence numbers here do not wrap.

    Parameters
    ----------
    memory : Memory
    area : Area
        Receive buffer; its length is the window.
    first : int
        Sequence number of the first byte.

    Attributes
    ----------
    next : int
        All before this number has come.
    taken : int
        All before this number has been handed to the caller.
    acknowledged : int
        The number last told to the peer.
    edge : int
        Where the window last told to the peer ends.
    end : int or None
        Where the stream ends, once the peer has said so.
    urgent : bool
        The peer should be told soon: something came twice, out of order, or it asked.
    """

    def __init__(self, memory: Memory, area: Area, first: int) -> None:
        self._memory = memory
        self._area = area
        self.next = self.taken = self.acknowledged = first
        self.edge = first + area.length
        self.end: int | None = None
        self.urgent = False
        self.copied = 0
        self._pieces: list[tuple[int, int]] = []
        self._reader: Reader | None = None

    @property
    def window(self) -> int:
        """Bytes there is room for behind `next`. The end of the stream has a number, but takes no room."""
        return self._area.length - self.available

    @property
    def gap(self) -> int:
        """End of the first gap; `next` if there is none."""
        return self._pieces[0][0] if self._pieces else self.next

    @property
    def available(self) -> int:
        """Bytes that can be handed out."""
        return min(self.next, self.end if self.end is not None else self.next) - self.taken

    @property
    def ended(self) -> bool:
        """Whether the peer's FIN and all before it has come."""
        return self.end is not None and self.next > self.end

    @property
    def unacknowledged(self) -> int:
        """Bytes that have come and that the peer was not told about."""
        return self.next - self.acknowledged

    @property
    def wants_update(self) -> bool:
        """Whether the window has opened by half of the buffer since the peer was last told."""
        return self.next + self.window - self.edge >= self._area.length // 2

    @property
    def reading(self) -> bool:
        """Whether a task waits for bytes."""
        return self._reader is not None

    def told(self) -> None:
        """The peer is being told `next` and `window`."""
        self.acknowledged, self.edge, self.urgent = self.next, self.next + self.window, False

    def finish(self, sequence: int) -> bool:
        """The peer says that the stream ends at `sequence`; False if that cannot be."""
        if (sequence < self.next and self.end != sequence) or sequence > self.taken + self._area.length:
            return False
        if self.end is not None and self.end != sequence:
            return False
        self.end, self.urgent = sequence, True
        self._pass_end()
        return True

    def take(self, sequence: int, payload: bytes) -> bool:
        """Bytes from the peer; False if they are outside the window."""
        limit = self.taken + self._area.length
        if self.end is not None:
            limit = min(limit, self.end)
        end = sequence + len(payload)
        if end <= self.next or self.ended:
            self.urgent = True
            return self.next - self._area.length < end <= self.next
        if sequence > limit:
            return False
        if sequence < self.next:
            payload, sequence = payload[self.next - sequence:], self.next
        if end > limit:
            payload, end = payload[:limit - sequence], limit
        if sequence == self.next:
            self._in_order(payload)
            self._join()
            self._pass_end()
        elif payload:
            self._behind_gap(sequence, end, payload)
        return True

    def _in_order(self, payload: bytes) -> None:
        """Straight to who waits for it, the rest to the receive buffer."""
        reader, used = self._reader, 0
        if reader is not None and self.taken == self.next:
            used = min(len(payload), reader.most - reader.got)
            self._give(reader, payload[:used])
            self.taken += used
        if used < len(payload):
            self._store(self.next + used, payload[used:])
        self.next += len(payload)

    def _behind_gap(self, start: int, end: int, payload: bytes) -> None:
        self.urgent = True
        if len(self._pieces) >= _MOST_GAPS:
            return
        self._store(start, payload)
        pieces: list[tuple[int, int]] = []
        for piece in sorted([*self._pieces, (start, end)]):
            if pieces and piece[0] <= pieces[-1][1]:
                pieces[-1] = pieces[-1][0], max(pieces[-1][1], piece[1])
            else:
                pieces.append(piece)
        self._pieces = pieces

    def _join(self) -> None:
        """What waited behind a gap that is closed now is in order."""
        while self._pieces and self._pieces[0][0] <= self.next:
            self.next = max(self.next, self._pieces.pop(0)[1])
        reader = self._reader
        if reader is not None and self.available and reader.got < reader.most:
            self._give(reader, self.fetch(reader.most - reader.got))

    def _pass_end(self) -> None:
        if self.end is not None and self.next == self.end:
            self.next += 1
            self.wake()

    def _store(self, sequence: int, payload: bytes) -> None:
        offset = sequence % self._area.length
        first = self._area.length - offset
        self._memory[self._area.base + offset] = payload[:first]
        self._memory[self._area.base] = payload[first:]
        self.copied += len(payload)

    def fetch(self, limit: int) -> bytes:
        """Up to `limit` bytes out of the receive buffer."""
        length = min(limit, self.available)
        data = self._memory.ring(self._area.base, self._area.length, self.taken % self._area.length, length)
        self.taken += length
        self.copied += length
        return data

    def _give(self, reader: Reader, data: bytes) -> None:
        if reader.buffer is None:
            reader.parts.append(data)
        else:
            self._memory[reader.buffer.address + reader.got] = data
        reader.got += len(data)
        self.copied += len(data)
        if reader.got >= reader.least:
            reader.ready.set()

    def wake(self) -> None:
        """Let a task that waits look again: the stream has ended, or the connection."""
        if self._reader is not None:
            self._reader.ready.set()

    def attach(self, reader: Reader) -> None:
        """`reader` waits; what comes goes straight to it."""
        self._reader = reader
        if self.available:
            self._give(reader, self.fetch(min(self.available, reader.most)))

    def detach(self) -> None:
        """It does not wait any more."""
        self._reader = None
