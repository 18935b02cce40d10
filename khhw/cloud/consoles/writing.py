"""Writing a file into the memories of many nodes at once, while nobody else writes."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Sequence

from khhw.cloud.consoles.messages import Lock, Ready, Write, Written
from khhw.cloud.consoles.person import Person
from khhw.cloud.consoles.room import Room, check_there
from khhw.cloud.consoles.watch import NodeFailedError, Watch
from khhw.cloud.errors import CloudError
from khhw.cloud.machine import RAW_LIMIT, Clock, MachineError
from khhw.cloud.words import nodes_in_words
from khhw.control.console import Answer
from khhw.node.commands import list_ranks
from khhw.visible import visible

__all__ = ["write_file"]

_SILENT_SECONDS = 30.0
"""How long a lock is held for somebody who sends nothing."""
_SLOWEST = 16 << 10
"""Bytes a second, without which somebody who sends a file loses the lock."""
_ANSWER_CYCLES = 1_000_000
"""Cycles after which a node that has said nothing will not."""
_LOOK_SECONDS = 1.0
"""Between two looks at the machine's clock; and how long what was said before may take to come here."""
_TRANSIENT = "the machine was switched on again meanwhile, and its memories are empty"


async def write_file(room: Room, person: Person, wanted: Write, chunks: AsyncIterator[bytes]) -> Written:
    """Write a file, and have every node check it.

    The nodes of the channel that are to take it run their loader; of all others, those that run a kernel say so.

    Parameters
    ----------
    room : Room
    person : Person
    wanted : Write
    chunks : async iterator of bytes
        The file; exactly as long as it was said to be.

    Raises
    ------
    CloudError
        If it may not be written, or a node has not got all of it. The file may be in some memories then, and not in
        others.
    """
    address = room.machine.info.image_address if wanted.address is None else wanted.address
    ranks = _ranks(room, person, wanted, address)
    await room.may_write(person)
    check_there(person.console, ranks)
    room.hold(Lock(who=person.who, name=visible(wanted.name), length=wanted.length))
    person.answer(Ready())
    problem = "it was given up"
    try:
        data = await _collected(chunks, wanted.length)
        async with room.turn:
            written = await _Copy(room, person, ranks).write(address, data)
        problem = ""
        return written
    except CloudError as error:
        problem = error.sentence
        raise
    finally:
        room.free(problem)


def _ranks(room: Room, person: Person, wanted: Write, address: int) -> Sequence[int]:
    """Who takes it."""
    console, memory = person.console, room.machine.info.memory_bytes
    ranks = console.nodes if wanted.nodes is None else sorted(set(wanted.nodes))
    if others := sorted(set(ranks) - set(console.nodes)):
        raise CloudError.bad(f"con{console.id} has no {nodes_in_words(others)}; its nodes are "
                             f"{list_ranks(console.nodes)}")
    if not ranks:
        raise CloudError.conflict(f"con{console.id} has no nodes")
    if address + wanted.length > memory:
        raise CloudError.bad(f"{wanted.length:,} bytes at {address:#x} leave the memory of a node, which has "
                             f"{memory:,} bytes")
    return ranks


async def _collected(chunks: AsyncIterator[bytes], length: int) -> bytes:
    """All of a file, before any of it is written: the machine does not wait for who sends slowly."""
    data = bytearray()
    try:
        async with asyncio.timeout(_SILENT_SECONDS + length / _SLOWEST):
            while len(data) < length:
                data += await asyncio.wait_for(anext(chunks), _SILENT_SECONDS)
    except TimeoutError:
        raise CloudError.bad(
            f"the file came too slowly: {len(data):,} of {length:,} bytes; nothing was written") from None
    except StopAsyncIteration:
        raise CloudError.bad(f"the file ended after {len(data):,} of {length:,} bytes; nothing was written") from None
    if len(data) > length:
        raise CloudError.bad(f"the file has more than the {length:,} bytes announced; nothing was written")
    return bytes(data)


class _Copy:
    """What goes to some nodes of a channel at once."""

    def __init__(self, room: Room, person: Person, ranks: Sequence[int]) -> None:
        self._room = room
        self._channel = person.console.id
        self._ranks = ranks
        self._on = "" if set(ranks) == set(person.console.nodes) else f"on {list_ranks(ranks)} "

    async def write(self, address: int, data: bytes) -> Written:
        """Write all of it, in as few pieces as packets are numbered for, and have it checked."""
        for offset in range(0, len(data), RAW_LIMIT):
            piece = data[offset:offset + RAW_LIMIT]
            taken = Answer(f"mrw: {len(piece)} bytes", whole=True)
            await self._ask(f"mrw {address + offset:#x} {len(piece)}", taken, piece)
        await self._ask(f"crc {address:#x} {len(data)}", Answer(f"crc: {zlib.crc32(data):08x}", whole=True))
        return Written(nodes=list(self._ranks), length=len(data))

    async def _ask(self, command: str, accept: Answer, raw: bytes = b"") -> None:
        """Send a command, and wait for the answers of all."""
        watch = Watch(self._ranks, accept)
        self._room.watch(watch)
        try:
            await self._answered(watch, await self._room.say(self._channel, f"{self._on}{command}", raw))
        except NodeFailedError as error:
            raise CloudError.conflict(f"{command}: {visible(str(error))}") from error
        except MachineError as error:
            raise CloudError.unavailable(f"{command}: {error}") from error
        finally:
            self._room.unwatch(watch)

    async def _answered(self, watch: Watch, sent: Clock) -> None:
        late = False
        while not await watch.wait(_LOOK_SECONDS):
            if late:
                raise watch.silent()
            now = await self._room.blocking(self._room.machine.clock)
            if now.boot != sent.boot:
                raise NodeFailedError(_TRANSIENT)
            late = now.cycle - sent.cycle > _ANSWER_CYCLES
