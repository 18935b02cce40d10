"""One end of a reliable byte stream."""

from khhw.net.buffers import ALIGN, Buffer
from khhw.net.endpoint import LINGER, Endpoint
from khhw.net.errors import ClosedError, ResetError
from khhw.net.incoming import Reader
from khhw.net.outgoing import Chunk
from khhw.net.segments import PREFIX_BYTES, PREFIX_PAYLOAD, Kind
from khhw.net.table import ConnectionTable, State
from khhw.node import Work
from rtl.formats import PAYLOAD_BYTES

__all__ = ["Connection"]

_COPIED = 512
"""Bytes up to which a buffer is copied to the send buffer rather than sent from where it is."""


class Connection(Endpoint):
    """A reliable byte stream to one peer. Made by :meth:`Net.connect` and :meth:`Listener.accept`.

    One task at a time receives; any number send, each call's bytes in one piece.

    Attributes
    ----------
    peer : int
        Rank of the other end.
    local_port, remote_port : int
    """

    @classmethod
    def begin(cls, table: "ConnectionTable[Connection]", peer: int, ports: tuple[int, int]) -> "Connection | None":
        """A connection with a number and buffers of a table; None if there are none left."""
        taken = table.take()
        if taken is None:
            return None
        number, areas = taken
        first = (table.node.now * 64 + number) & 0x7FFFFFFF
        connection = table.connections[number] = cls(table, number, peer, ports, areas, first)
        return connection

    @property
    def segment_bytes(self) -> int:
        """Bytes of a long segment: whole packets, a quarter of the send buffer at most."""
        quarter = self.areas[0].length // 4 - PREFIX_BYTES
        return max(PREFIX_PAYLOAD // ALIGN * ALIGN, quarter // PAYLOAD_BYTES * PAYLOAD_BYTES)

    # What the calls do.

    async def send(self, data: bytes | bytearray | memoryview | Buffer) -> None:
        """See :func:`khhw.net.tcp_send`."""
        await self._node.work(Work.CALL)
        await self._turn.get()
        try:
            if isinstance(data, Buffer):
                if data.length > _COPIED and data.address % ALIGN == 0:
                    await self._send_unstaged(data)
                    return
                data = self._node.memory.read(data.address, data.length)
            await self._send_copied(memoryview(data))
        finally:
            self._turn.put_nowait(None)

    async def _send_copied(self, data: memoryview) -> None:
        at = 0
        self._check_sending()
        while at < len(data):
            size = await self._may_send(min(len(data) - at, self.segment_bytes))
            prefix = PREFIX_BYTES if size <= PREFIX_PAYLOAD else 0
            await self._node.work_all({Work.COPY: size, Work.SEGMENT: 1, Work.DESCRIPTOR: 1})
            while (address := self.outgoing.space.take(prefix + size)) is None:
                await self._moved()
            address += prefix
            self._node.memory[address] = bytes(data[at:at + size])
            kind = Kind.DATA_ACK if prefix else Kind.DATA
            await self._send_chunk(Chunk(self.outgoing.next, size, address, kind, push=False, staged=True))
            at += size

    async def _send_unstaged(self, buffer: Buffer) -> None:
        """Segments straight out of the caller's memory; returns when they are acknowledged: he may change it then."""
        at = 0
        self._check_sending()
        while at < buffer.length:
            size = await self._may_send(min(buffer.length - at, self.segment_bytes))
            if at + size < buffer.length:
                size = size // ALIGN * ALIGN
            await self._node.work_all({Work.SEGMENT: 1, Work.DESCRIPTOR: 1})
            last = at + size == buffer.length
            await self._send_chunk(
                Chunk(self.outgoing.next, size, buffer.address + at, Kind.DATA, push=last, staged=False))
            at += size
        end = self.outgoing.next
        while self.outgoing.first < end:
            await self._moved()

    async def _may_send(self, wanted: int) -> int:
        """Wait until the window takes `wanted` bytes, or what it takes when nothing is on its way."""
        outgoing = self.outgoing
        while True:
            room = outgoing.allowance
            if room >= wanted:
                return wanted
            if room >= ALIGN and not outgoing.chunks:
                return room // ALIGN * ALIGN
            if not outgoing.chunks and outgoing.due is None:
                outgoing.due = self._node.now + outgoing.patience
                self.schedule(outgoing.due)
            await self._moved()

    async def _moved(self) -> None:
        self.outgoing.moved.clear()
        await self.outgoing.moved.wait()
        self.check()

    async def _send_chunk(self, chunk: Chunk) -> None:
        ring = self._transmitter.ring
        try:
            if chunk.kind == Kind.DATA and self.incoming.unacknowledged:
                await self._node.work_all({Work.SEGMENT: 1, Work.DESCRIPTOR: 1})
            await ring.room(2)
            self.check()
        except BaseException:
            if chunk.staged:
                self.outgoing.space.take_back()
            raise
        if chunk.kind == Kind.DATA and self.incoming.unacknowledged:
            self._push_acknowledgement()
        self._push_chunk(chunk, chunk.sequence, chunk.end)
        self.outgoing.sent(chunk, self._node.now)
        self._finished = chunk.kind == Kind.FIN
        self.schedule(self.outgoing.due)
        await ring.doorbell()

    async def receive(self, limit: int) -> bytes:
        """At least one byte and at most `limit`; ``b""`` at the end of the stream.

        Raises
        ------
        NetError
            If the connection broke.
        """
        return b"".join((await self._read(1, limit, None)).parts)

    async def receive_exactly(self, length: int) -> bytes:
        """`length` bytes.

        Raises
        ------
        ClosedError
            If the stream ends before.
        NetError
            If the connection broke.
        """
        reader = await self._read(length, length, None)
        if reader.got < length:
            raise ClosedError(f"the stream from node {self.peer} ended after {reader.got} of {length} bytes")
        return b"".join(reader.parts)

    async def receive_into(self, buffer: Buffer) -> int:
        """See :func:`khhw.net.tcp_rcv`."""
        return (await self._read(1, buffer.length, buffer)).got

    async def _read(self, least: int, most: int, buffer: Buffer | None) -> Reader:
        await self._node.work(Work.CALL)
        self._check_open()
        reader, incoming = Reader(least, most, buffer), self.incoming
        if most <= 0:
            return reader
        if incoming.reading:
            raise RuntimeError(f"two tasks receive on {self!r}")
        before = incoming.copied
        try:
            incoming.attach(reader)
            await self._node.work(Work.COPY, incoming.copied - before)
            await self._window_update()
            while reader.got < least and not incoming.ended:
                self._check_open()
                reader.ready.clear()
                self._watch_peer()
                await reader.ready.wait()
        finally:
            incoming.detach()
        return reader

    async def _window_update(self) -> None:
        if self.incoming.wants_update and self.state == State.OPEN and not self.incoming.ended:
            await self._node.work_all({Work.SEGMENT: 1, Work.DESCRIPTOR: 1})
            await self._transmitter.ring.room(1)
            if self.state == State.OPEN:
                self._push_acknowledgement()
                await self._transmitter.ring.doorbell()

    async def finish(self) -> None:
        """Send all that was taken, then the end of the stream; what the peer still sends can be received.

        Returns when the end is on its way. :meth:`close` is still to be called.

        Raises
        ------
        NetError
            If the connection broke.
        """
        await self._node.work(Work.CALL)
        await self._turn.get()
        try:
            self._check_open()
            await self._send_end()
        finally:
            self._turn.put_nowait(None)

    async def _send_end(self) -> None:
        if self._finished:
            return
        while (address := self.outgoing.space.take(PREFIX_BYTES)) is None:
            await self._moved()
        await self._send_chunk(
            Chunk(self.outgoing.next, 1, address + PREFIX_BYTES, Kind.FIN, push=True, staged=True))

    async def close(self) -> None:
        """Send all that was taken, then the end of the stream; returns when the peer has it.

        What the peer still sends is not received any more.

        Raises
        ------
        NetError
            If the peer cannot be told.
        """
        if self.state == State.GONE or self._closing:
            return
        await self._node.work(Work.CALL)
        await self._turn.get()
        try:
            self.check()
            self._closing = True
            self.incoming.wake()
            await self._send_end()
            end = self.outgoing.next
            while self.outgoing.first < end:
                await self._moved()
        except (ClosedError, ResetError):
            if self.outgoing.first < self.outgoing.next - 1:
                raise
        except BaseException:
            # Cancelled: the peer does not have the end, and another call may tell it.
            self._closing = False
            raise
        finally:
            self._turn.put_nowait(None)
        await self._leave()

    async def _leave(self) -> None:
        """This side is done: wait for the peer's end, if it has not come, but not for ever."""
        if self.state == State.GONE:
            return
        if self.incoming.ended:
            if self.incoming.urgent or self.incoming.unacknowledged:
                await self._control(Kind.ACK)
                await self._transmitter.ring.doorbell()
            self._table.forget(self)
        else:
            self._lingers_until = self._node.now + LINGER
            self.schedule(self._lingers_until)

    def _check_open(self) -> None:
        if self._closing:
            raise ClosedError(f"the connection to node {self.peer} is closed")
        self.check()

    def _check_sending(self) -> None:
        self._check_open()
        if self._finished:
            raise ClosedError(f"the stream to node {self.peer} was ended")
