"""Clients of the server: one asks for everything over a stream, the other reads and writes the store itself."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from khhw.kernels.memcached.item import VERSION_BYTES, Seen, StaleError, TornError, parse_item
from khhw.kernels.memcached.remote import NO_WINDOW
from khhw.net import Buffer, Connection, Net, RemoteBuffer, rdma_get, rdma_put, tcp_send
from khhw.node import Work

__all__ = ["AnswerError", "Place", "RefusedError", "RemoteClient", "StreamClient"]

_AT_ONCE = 16384
_PATIENCE = 400_000
_ASK_AGAIN = 8
"""Torn reads of an item after which the server is asked where it is now."""
MOST_TRIES = 64
"""Reads of one item before it counts as an error that it never stands still."""


class AnswerError(Exception):
    """The server answered what it should not have; holds the answer."""


class RefusedError(AnswerError):
    """The server could not do it, and said so; the connection is as good as before."""


def unexpected(answer: bytes) -> AnswerError:
    """The error for an answer that is not what was hoped for."""
    return (RefusedError if answer.startswith(b"SERVER_ERROR") else AnswerError)(answer.decode("latin-1"))


class StreamClient:
    """``tcp_send`` and ``tcp_rcv``.

    Parameters
    ----------
    net : Net
    connection : Connection

    Attributes
    ----------
    seen : Counter of str
        ``torn``, ``stale``, ``asked`` and ``fallback``: what made an operation take more than one turn.
    """

    def __init__(self, net: Net, connection: Connection) -> None:
        self.net = net
        self.seen: Counter[str] = Counter()
        self._connection = connection
        self._buffer = bytearray()

    @property
    def connection(self) -> Connection:
        """The stream."""
        return self._connection

    async def ask(self, line: bytes, value: bytes | None = None) -> bytes:
        """Send a command, with its data block if it has one; the first line of the answer."""
        await self.net.node.work(Work.FORMAT, len(line) + 2)
        await tcp_send(self._connection, line + b"\r\n" if value is None else b"%b\r\n%b\r\n" % (line, value))
        return await self.line()

    async def line(self) -> bytes:
        """The next line of an answer, without its end."""
        while (end := self._buffer.find(b"\r\n")) < 0:
            await self._more()
        line = bytes(self._buffer[:end])
        del self._buffer[:end + 2]
        await self.net.node.work(Work.PARSE, end + 2)
        return line

    async def _more(self) -> None:
        data = await self._connection.receive(_AT_ONCE)
        if not data:
            raise AnswerError("the server closed the connection")
        self._buffer += data

    async def block(self, length: int) -> bytes:
        """A value of `length` bytes and the line end behind it."""
        while len(self._buffer) < length + 2:
            await self._more()
        value = bytes(self._buffer[:length])
        del self._buffer[:length + 2]
        return value

    async def get(self, key: bytes) -> bytes | None:
        """The value of a key; None if there is none."""
        line = await self.ask(b"get " + key)
        if line == b"END":
            return None
        words = line.split(b" ")
        if words[:2] != [b"VALUE", key]:
            raise unexpected(line)
        value = await self.block(int(words[3]))
        if (end := await self.line()) != b"END":
            raise unexpected(end)
        return value

    async def set(self, key: bytes, value: bytes, *, flags: int = 0, exptime: int = 0) -> None:
        """Store a value.

        Raises
        ------
        AnswerError
            If the server does not.
        """
        answer = await self.ask(b"set %b %d %d %d" % (key, flags, exptime, len(value)), value)
        if answer != b"STORED":
            raise unexpected(answer)

    async def numbers(self, command: bytes) -> list[int]:
        """A command answered by numbers, behind a word or alone."""
        answer = await self.ask(command)
        numbers = [int(word) for word in answer.split(b" ") if word.isdigit()]
        if not numbers:
            raise unexpected(answer)
        return numbers


@dataclass(frozen=True)
class Place:
    """Where an item was said to be: bytes from the beginning of the store, and how many."""

    offset: int
    length: int


class RemoteClient(StreamClient):
    """``rdma_get`` and ``rdma_put``; the stream where these cannot do it.

    Parameters
    ----------
    net, connection : see :class:`StreamClient`
    scratch : Buffer
        Node memory of this client's own, with room for the largest item.
    places : dict, optional
        What is known of where items are; several clients of a node may share it.
    check_version : bool
        False takes torn values for good: for showing what versions are for.
    """

    def __init__(
        self, net: Net, connection: Connection, scratch: Buffer, places: dict[bytes, Place] | None = None, *,
        check_version: bool = True,
    ) -> None:
        super().__init__(net, connection)
        self._scratch = scratch
        self._places = {} if places is None else places
        self._check_version = check_version
        self._store: RemoteBuffer

    async def open(self) -> None:
        """Learn how to read the store."""
        word, _, export = (await self.ask(b"rwindow")).partition(b" ")
        if word != b"WINDOW":
            raise unexpected(word)
        self._store = RemoteBuffer.parse(bytes.fromhex(export.decode()), self._connection.peer)

    async def get(self, key: bytes) -> bytes | None:
        """The value of a key, read where the server once said it is; asked for again where that is not so any more."""
        await self.net.node.work_all({Work.HASH: len(key), Work.LOOKUP: 1})
        for turn in range(1, MOST_TRIES + 1):
            if (place := self._places.get(key)) is None and (place := await self._ask_place(key)) is None:
                return None
            try:
                seen = await self._read(place, key)
            except TornError:
                self.seen["torn"] += 1
                if not turn % _ASK_AGAIN:
                    self._forget(key, place)
            except StaleError:
                self.seen["stale"] += 1
                self._forget(key, place)
            else:
                if seen.expiry and seen.expiry <= self.net.node.now:
                    self._forget(key, place)
                    return None
                return seen.value
        raise AnswerError(f"{key!r} did not stand still for {MOST_TRIES} reads")

    async def _read(self, place: Place, key: bytes) -> Seen:
        """One remote get: the item, and its version behind it."""
        peer = self._connection.peer
        sources = [self._store.slice(place.offset, place.length), self._store.slice(place.offset, VERSION_BYTES)]
        into = self._scratch.slice(0, place.length + VERSION_BYTES)
        transfer = await rdma_get(peer, into, sources)
        await transfer.done(_PATIENCE)
        data = self.net.node.memory.read(into.address, into.length)
        await self.net.node.work(Work.PARSE, 2 * VERSION_BYTES + len(key))
        item, again = data[:place.length], data[place.length:]
        return parse_item(item, again, place.offset, key, check_version=self._check_version)

    async def learn(self, keys: Sequence[bytes], *, at_once: int = 16) -> None:
        """Ask where items are before they are read; those that are not there are left out."""
        for start in range(0, len(keys), at_once):
            line = await self.ask(b"rindex " + b" ".join(keys[start:start + at_once]))
            while line != b"END":
                words = line.split(b" ")
                if words[0] != b"INDEX":
                    raise unexpected(line)
                self._learn(words[1], words[2], words[3])
                line = await self.line()

    async def _ask_place(self, key: bytes) -> Place | None:
        self.seen["asked"] += 1
        line = await self.ask(b"rindex " + key)
        if line == b"END":
            return None
        words = line.split(b" ")
        if words[:2] != [b"INDEX", key] or (await self.line()) != b"END":
            raise unexpected(line)
        return self._learn(key, words[2], words[3])

    def _learn(self, key: bytes, offset: bytes, length: bytes) -> Place:
        place = self._places[key] = Place(int(offset), int(length))
        return place

    def _forget(self, key: bytes, place: Place) -> None:
        if self._places.get(key) is place:
            del self._places[key]

    async def set(self, key: bytes, value: bytes, *, flags: int = 0, exptime: int = 0) -> None:
        """Store a value: ask for room, put it there, hear that it is linked. Over the stream if there is no window."""
        answer = await self.ask(b"rset %b %d %d %d" % (key, flags, exptime, len(value)))
        word, _, export = answer.partition(b" ")
        if answer == NO_WINDOW:
            self.seen["fallback"] += 1
            await super().set(key, value, flags=flags, exptime=exptime)
            return
        if word == b"SLOT":
            slot = RemoteBuffer.parse(bytes.fromhex(export.decode()), self._connection.peer)
            source = self._scratch.slice(0, len(value))
            self.net.node.memory[source.address] = value
            transfer = await rdma_put(slot, source)
            answer = await self.line()
            await transfer.done(_PATIENCE)
        words = answer.split(b" ")
        if words[0] != b"STORED" or len(words) != 3:
            raise unexpected(answer)
        self._learn(key, words[1], words[2])
