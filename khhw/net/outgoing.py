"""The sending half of a connection: what is on its way, and when it is sent again."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from khhw.net.buffers import ALIGN
from khhw.net.errors import SegmentError
from khhw.net.segments import Kind, unwrap
from khhw.node import Area, Event, RingSpace
from rtl.formats import PAYLOAD_BYTES

__all__ = ["Chunk", "Outgoing"]

FIRST_TIMEOUT = 10_000
"""Cycles until the first segment is sent again when no round trip has been measured."""
LEAST_TIMEOUT = 4_000
LONGEST_TIMEOUT = 200_000
_LONGEST_STALL = 10_000_000
"""Cycles after which a peer whose window is closed is asked at the latest. It says by itself when it opens."""
_MOST_DOUBLINGS = 6
_LEAST_WINDOW = 2 * PAYLOAD_BYTES


@dataclass(eq=False)
class Chunk:
    """A segment that was sent and is not acknowledged.

    Parameters
    ----------
    sequence, length : int
        Where in the stream, in bytes; a FIN has length 1.
    address : int
        Its first byte in memory; a prefix stands before it.
    kind : Kind
    push : bool
    staged : bool
        It is in the send buffer, not in the caller's.
    sent_at : int
        Cycle, the last time.
    again : int
        Times it was sent again.
    """

    sequence: int
    length: int
    address: int
    kind: Kind
    push: bool
    staged: bool
    sent_at: int = 0
    again: int = 0

    @property
    def end(self) -> int:
        """Sequence number behind it."""
        return self.sequence + self.length


class Outgoing:
    """Sequence numbers here do not wrap.

    Parameters
    ----------
    area : Area
        Send buffer.
    first : int
        Sequence number of the first byte.

    Attributes
    ----------
    first, next : int
        All before `first` is acknowledged; `next` is the next byte's.
    edge : int
        End of the peer's window.
    moved : Event
        Set when something was acknowledged or the window has opened.
    tries : int
        Time-outs in a row.
    due : int or None
        Cycle of the next time-out.
    """

    def __init__(self, area: Area, first: int) -> None:
        self.first = self.next = self.edge = first
        self.space = RingSpace(area)
        self.chunks: deque[Chunk] = deque()
        self.moved = Event("room in a stream")
        self.tries = 0
        self._doublings = 0
        self._stalls = 0
        self.due: int | None = None
        self._smoothed: float | None = None
        self._deviation = 0.0
        self._congestion = 1 << 30
        self._recover = first
        self._repeated = first - 1, 0

    @property
    def allowance(self) -> int:
        """Bytes that may be sent now."""
        return min(self.edge - self.next, self._congestion - (self.next - self.first))

    @property
    def patience(self) -> int:
        """Cycles until the oldest segment is sent again."""
        base = FIRST_TIMEOUT if self._smoothed is None else int(self._smoothed + 4 * self._deviation)
        return min(LONGEST_TIMEOUT, max(LEAST_TIMEOUT, base) << self._doublings)

    def sent(self, chunk: Chunk, now: int) -> None:
        """A new segment is on its way."""
        chunk.sent_at = now
        self.chunks.append(chunk)
        self.next = chunk.end
        if self.due is None:
            self.due = now + self.patience

    def acknowledge(self, number: int, window: int, gap: int, now: int) -> tuple[int, int] | None:
        """What the peer says it has.

        Parameters
        ----------
        number, window, gap : int
            As in a prefix.
        now : int
            Cycle.

        Returns
        -------
        (int, int) or None
            What to send again at once, from and up to which number; None if nothing.

        Raises
        ------
        SegmentError
            If the peer acknowledges what was never sent.
        """
        upto = unwrap(number, self.first)
        missing = unwrap(gap, upto)
        if upto > self.next:
            raise SegmentError(f"{upto - self.next} bytes acknowledged that were not sent")
        if upto < self.first:
            return None
        advances = upto > self.first
        if advances:
            self._advance(upto, now)
        if upto + window > self.edge:
            self.edge = upto + window
            self._stalls = 0
            self.moved.set()
        if upto < missing <= self.next:
            return self._repeat(missing, now)
        if advances and self.chunks and upto < self._recover:
            return self._repeat(self._recover, now)
        return None

    def _repeat(self, end: int, now: int) -> tuple[int, int] | None:
        """What is missing from `first` to `end`, unless it was sent again just now."""
        again, at = self._repeated
        if self.first <= again and now - at < int(self._smoothed or FIRST_TIMEOUT):
            return None
        if self.first >= self._recover:
            self._shrink()
        self._repeated = self.first, now
        return self.first, min(end, self.first + max(PAYLOAD_BYTES, self._congestion))

    def pieces(self, start: int, end: int) -> Iterator[tuple[Chunk, int, int]]:
        """Parts of segments on their way, from `start` to `end`: each with its first number and the one behind."""
        for chunk in self.chunks:
            if chunk.end <= start or chunk.sequence >= end:
                continue
            if chunk.kind != Kind.DATA:
                yield chunk, chunk.sequence, chunk.end
            else:
                skipped = max(0, start - chunk.sequence) // ALIGN * ALIGN
                yield chunk, chunk.sequence + skipped, min(chunk.end, end)

    def _advance(self, upto: int, now: int) -> None:
        newest: Chunk | None = None
        while self.chunks and self.chunks[0].end <= upto:
            newest = self.chunks.popleft()
            if newest.staged:
                self.space.free()
        self.first = upto
        if newest is not None and not newest.again:
            self._measure(now - newest.sent_at)
        self.tries = 0
        self.due = now + self.patience if self.chunks else None
        self._congestion += PAYLOAD_BYTES
        self.moved.set()

    def _measure(self, cycles: int) -> None:
        # Only a round trip that was measured shortens a patience that had to be doubled.
        self._doublings = 0
        if self._smoothed is None:
            self._smoothed, self._deviation = float(cycles), cycles / 2
        else:
            self._deviation += (abs(cycles - self._smoothed) - self._deviation) / 4
            self._smoothed += (cycles - self._smoothed) / 8

    def _shrink(self) -> None:
        self._congestion = max(_LEAST_WINDOW, (self.next - self.first) // 2)
        self._recover = self.next

    def timed_out(self, now: int) -> tuple[int, int] | None:
        """Nothing came for too long: what to send again, if there is something."""
        self.tries += 1
        self._doublings = min(self._doublings + 1, _MOST_DOUBLINGS)
        self.due = now + self.patience
        if not self.chunks:
            return None
        self._shrink()
        self._repeated = self.first, now
        return self.first, self.first + self._congestion

    def stalled(self, now: int) -> None:
        """The peer lives, but its window is closed: ask it again, less and less often."""
        self._stalls += 1
        self.due = now + min(_LONGEST_STALL, self.patience << self._stalls)
