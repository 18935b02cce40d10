"""Memory to memory: puts, and gets that cost the target no instruction."""

from collections.abc import Sequence

from khhw.net.buffers import ALIGN, Buffer
from khhw.net.errors import ClosedError, NetError, WindowError
from khhw.net.net import Net
from khhw.net.windows import RemoteBuffer
from khhw.node import Event, Work, descriptor, get_descriptor, header, put_descriptor
from rtl.codec import Codec
from rtl.formats import PAYLOAD_BYTES, PutHeader

__all__ = ["GetTransfer", "PutTransfer", "Transfer", "get", "put"]

_put_header = Codec.of(PutHeader)
MOST_SOURCES = 7
"""Descriptors in a request; the hardware takes no more."""
_LANE = 33
"""Cycles a full packet of a put takes in a reception lane."""
_LOOK = 4
"""Cycles a register access takes."""
_LOOKS = 12
_PATIENCE = 200_000
"""Cycles a transfer may take by default, besides eight a byte."""


class Transfer:
    """A put or a get that is under way. Await :meth:`done`, also when the result does not matter."""

    def __init__(self, net: Net, peer: int, length: int) -> None:
        self.peer = peer
        self.length = length
        self._net = net
        self._begun = net.node.now
        self._awaited = False
        self._over = Event("the end of a transfer")
        self._error: NetError | None = None

    async def done(self, timeout: int | None = None) -> None:
        """Wait for the end. A put has ended when its data has left memory, a get when all bytes are here.

        Whoever is cancelled in here gives the transfer up.

        Parameters
        ----------
        timeout : int or None
            Cycles to wait at most; by default 200,000 and eight a byte.

        Raises
        ------
        NotAllowedError
            If this node's guard refuses packets to the peer.
        WindowError
            If the peer answers but its window does not.
        NoAnswerError
            If nothing came back.
        ClosedError
            If the transfer was given up before.
        """
        if not self._awaited:
            self._awaited = True
            try:
                await self._finish(_PATIENCE + 8 * self.length if timeout is None else timeout)
            except NetError as error:
                self._error = error
            except BaseException:
                self._error = ClosedError(
                    f"the transfer with node {self.peer} was given up here: who waited for it was cancelled")
                raise
            finally:
                self._over.set()
        await self._over.wait()
        if self._error is not None:
            raise self._error

    async def _finish(self, timeout: int) -> None:
        raise TypeError("a transfer is a put or a get")


class PutTransfer(Transfer):
    """See :func:`khhw.net.rdma_put`."""

    def __init__(self, net: Net, peer: int, length: int, counter: int, number: int) -> None:
        super().__init__(net, peer, length)
        self._counter = counter
        self._number = number

    async def _finish(self, timeout: int) -> None:
        net, left = self._net, False
        try:
            left = await net.counters.injection_counter(self._counter).wait(timeout)
        finally:
            if left:
                net.counters.injection_pool.give(self._counter)
            else:
                self.give_up()
        if not left:
            raise await net.diagnosis.of_put(self.peer, timeout)
        await net.diagnosis.check_refusals(self.peer, self._begun)

    def give_up(self) -> None:
        """Lend the counter again when the hardware is through with the descriptor."""
        self._net.counters.lend_sender_later(self._counter, self._gone)

    async def _gone(self) -> bool:
        await self._net.put_ring.doorbell()
        return await self._net.put_ring.left(self._number, 0)


class GetTransfer(Transfer):
    """See :func:`khhw.net.rdma_get`."""

    def __init__(self, net: Net, peer: int, lengths: Sequence[int], counter: int, key: int, number: int) -> None:
        super().__init__(net, peer, sum(lengths))
        self._counter = counter
        self._key = key
        self._number = number
        self._looks = 0
        self._napped = False
        self._cycles = sum(_LANE * (length // PAYLOAD_BYTES) + length % PAYLOAD_BYTES // 8 for length in lengths)

    async def _finish(self, timeout: int) -> None:
        net, came = self._net, False
        try:
            came = await self._looked(timeout)
            if not came:
                left = max(0, self._begun + timeout - net.node.now)
                came = await net.counters.reception_counter(self._counter).wait(left)
        finally:
            self.give_back(came=came)
        if not came:
            raise await net.diagnosis.of_get(self.peer, self._begun, timeout)
        self._learn(net.node.now - self._begun - self._cycles)

    def give_back(self, *, came: bool) -> None:
        """Close the window; the key of bytes that have not come is used again when they cannot come any more."""
        self._net.counters.disarm_later(self._counter, self._key, self.length, None if came else self._gone)

    async def _gone(self) -> bool:
        await self._net.transmitter.ring.doorbell()
        return await self._net.transmitter.ring.left(self._number, 0)

    def _learn(self, taken: int) -> None:
        """Keep the least that a get of no bytes would have taken: nobody sleeps longer than needed."""
        known = self._net.round_trips.get(self.peer)
        if known is None:
            self._net.round_trips[self.peer] = taken
        elif self._napped and self._looks == 1:
            # It may have been here for a while.
            self._net.round_trips[self.peer] = known - _LOOK
        else:
            self._net.round_trips[self.peer] = min(known, taken)

    async def _looked(self, timeout: int) -> bool:
        """Look at the counter when the bytes should be here, a few times: an interrupt takes longer than that."""
        net = self._net
        if self.peer not in net.round_trips:
            return False
        nap = self._begun + net.round_trips[self.peer] + self._cycles - _LOOK - net.node.now
        if nap > timeout:
            return False
        self._napped = nap > 0
        if self._napped:
            await net.node.sleep(nap)
        for self._looks in range(1, _LOOKS + 1):
            if not await net.counters.reception_counter(self._counter).value():
                return True
        return False


async def put(net: Net, to: RemoteBuffer, source: Buffer) -> Transfer:
    """See :func:`khhw.net.rdma_put`."""
    node = net.node
    if to.writes is None:
        raise WindowError(f"the window of node {to.rank} is not open for writing")
    if source.length > to.length:
        raise WindowError(f"{source.length} bytes do not fit into {to.length} of node {to.rank}")
    if source.address % ALIGN or to.offset % ALIGN or not source.length:
        raise ValueError(f"a put is of one byte or more, from and to multiples of {ALIGN}")
    await node.work_all({Work.CALL: 1, Work.DESCRIPTOR: 1})
    number = await net.counters.injection_pool.take()
    try:
        counter = await net.counters.sending_counter(number)
        await counter.count(source.length)
        await net.put_ring.room(1)
    except BaseException:
        net.counters.injection_pool.give(number)
        raise
    coordinate = node.shape.coordinate(to.rank)
    pushed = net.put_ring.push(
        put_descriptor(coordinate, to.writes, to.offset, source.address, source.length, key=to.key, counter=number))
    transfer = PutTransfer(net, to.rank, source.length, number, pushed)
    try:
        await net.put_ring.doorbell()
    except BaseException:
        transfer.give_up()
        raise
    return transfer


async def get(
    net: Net, peer: int, into: Buffer | Sequence[Buffer], sources: RemoteBuffer | Sequence[RemoteBuffer]
) -> Transfer:
    """See :func:`khhw.net.rdma_get`."""
    node = net.node
    pairs = _pairs(peer, [into] if isinstance(into, Buffer) else list(into),
                   [sources] if isinstance(sources, RemoteBuffer) else list(sources))
    start = min(buffer.address for buffer, _ in pairs)
    end = max(buffer.address + source.length for buffer, source in pairs)
    length = sum(source.length for _, source in pairs)
    await node.work_all({Work.CALL: 1, Work.DESCRIPTOR: 1 + len(pairs)})
    number = await net.counters.reception_pool.take()
    counter, key = net.counters.reception_counter(number), net.counters.key(number)
    here = node.shape.coordinate(node.rank)
    request = b"".join(_answer(here, number, key, buffer.address - start, source) for buffer, source in pairs)
    area = net.counters.request_area(number)
    node.memory[area.base] = request
    try:
        await counter.rearm(start, end - start, length, writer=node.shape.node_id(peer), key=key)
        await net.transmitter.ring.room(1)
    except BaseException:
        net.counters.disarm_later(number, key, length)
        raise
    pushed = net.transmitter.ring.push(
        get_descriptor(node.shape.coordinate(peer), pairs[0][1].ring, area.base, len(pairs)))
    transfer = GetTransfer(net, peer, [source.length for _, source in pairs], number, key, pushed)
    try:
        await net.transmitter.ring.doorbell()
    except BaseException:
        net.timers.at(node.now, net.transmitter.announce)
        transfer.give_back(came=False)
        raise
    return transfer


def _pairs(peer: int, buffers: list[Buffer], sources: list[RemoteBuffer]) -> list[tuple[Buffer, RemoteBuffer]]:
    """Where each source goes."""
    if not 0 < len(sources) <= MOST_SOURCES:
        raise ValueError(f"a get reads 1 to {MOST_SOURCES} sources, not {len(sources)}")
    if len(buffers) == 1 and len(sources) > 1:
        buffers = _cut(buffers[0], sources)
    if len(buffers) != len(sources):
        raise ValueError(f"{len(sources)} sources need as many buffers, or one for all, not {len(buffers)}")
    for buffer, source in zip(buffers, sources, strict=True):
        if source.rank != peer:
            raise ValueError(f"a window of node {source.rank} cannot be read from node {peer}")
        if source.reads is None:
            raise WindowError(f"the window of node {peer} is not open for reading")
        if not source.length or source.offset % ALIGN or buffer.address % ALIGN:
            raise ValueError(f"a source is of one byte or more, from and to multiples of {ALIGN}")
        if buffer.length < source.length:
            raise ValueError(f"{source.length} bytes do not fit into a buffer of {buffer.length}")
    _check_stretch(buffers)
    return list(zip(buffers, sources, strict=True))


def _check_stretch(buffers: list[Buffer]) -> None:
    """One counter has one window: what lies between buffers would take puts of the peer, too."""
    ordered = sorted(buffers, key=lambda buffer: buffer.address)
    end = ordered[0].address
    for buffer in ordered:
        if buffer.address - end >= ALIGN:
            raise ValueError(
                f"the buffers of a get lie apart: {buffer.address - end} bytes before {buffer.address:#x} are in none "
                "of them; give buffers that follow one another, or one get for each")
        end = max(end, buffer.address + buffer.length)


def _cut(buffer: Buffer, sources: list[RemoteBuffer]) -> list[Buffer]:
    """One buffer for several sources, one behind the other."""
    buffers, at = [], 0
    for source in sources:
        if at + source.length > buffer.length:
            raise ValueError(f"{sum(s.length for s in sources)} bytes do not fit into a buffer of {buffer.length}")
        buffers.append(buffer.slice(at, source.length))
        at += source.length
    return buffers


def _answer(here: tuple[int, int, int], counter: int, key: int, offset: int, source: RemoteBuffer) -> bytes:
    """What the target injects: a put to this node out of its window."""
    assert source.reads is not None
    software = _put_header.pack(put_offset=offset, counter=counter, key=key)
    return descriptor(header(here, dma=1), software, source.offset, source.length, counter=source.reads)
