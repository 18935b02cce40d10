"""All consoles of a service, and how somebody comes to one."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from khhw.cloud.consoles.messages import FromPerson, Line, Refused, Taken
from khhw.cloud.consoles.person import Person
from khhw.cloud.consoles.room import Room, listened_to
from khhw.cloud.consoles.writing import write_file
from khhw.cloud.errors import CloudError
from khhw.cloud.machine import Machine
from khhw.cloud.models import Console

__all__ = ["Hub", "Visit"]

_THREADS = 32
"""Calls of machine and store that block at a time."""
_MOST_VISITS = 32
"""Consoles that a principal is at, or one console so often: each is a connection that has no end of its own."""


class Visit:
    """Somebody at a console.

    Parameters
    ----------
    room : Room
    person : Person
    """

    def __init__(self, room: Room, person: Person) -> None:
        self.person = person
        self._room = room

    async def ask(self, wanted: FromPerson, chunks: AsyncIterator[bytes]) -> None:
        """Do what they want, and answer; returns when they may ask for more.

        Parameters
        ----------
        wanted : FromPerson
        chunks : async iterator of bytes
            What they send behind it; taken for a :class:`~khhw.cloud.consoles.messages.Write` only.
        """
        number = wanted.id if isinstance(wanted, Line) else None
        try:
            if isinstance(wanted, Line):
                await self.line(wanted.text)
                self.person.answer(Taken(id=wanted.id))
            else:
                self.person.answer(await write_file(self._room, self.person, wanted, chunks))
        except CloudError as error:
            self.person.answer(Refused(id=number, text=error.sentence))
        await self.person.room()

    async def line(self, text: str) -> None:
        """Write a line; raises :class:`CloudError` if that is not to be."""
        await self._room.line(self.person, text)


class Hub:
    """Rooms by lease; of one event loop.

    Parameters
    ----------
    machine : Machine
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._pool = ThreadPoolExecutor(_THREADS, "console")
        self._rooms: dict[str, Room] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._visits: Counter[str] = Counter()
        self._closed = False

    @asynccontextmanager
    async def visit(
        self, who: str, look: Callable[[], Console], *, read_only: bool = False, raw: bool = False,
    ) -> AsyncIterator[Visit]:
        """Be at a console.

        Parameters
        ----------
        who : str
            Name of the principal.
        look : callable
            The console as they may see it now; asked again while they are here. Raises :class:`CloudError` if they may
            not. Blocks.
        read_only : bool
            Whether they want to write nothing.
        raw : bool
            Whether they want the bytes that nodes say, besides the text.

        Raises
        ------
        CloudError
            If they may not, or there is no room.
        """
        self._check(who)
        console = listened_to(await asyncio.get_running_loop().run_in_executor(self._pool, look))
        self._check(who)
        room = self._rooms.get(console.lease_uuid)
        if room is None:
            room = self._rooms[console.lease_uuid] = Room(self._machine, self._pool)
        person = Person(who, console, look, read_only=read_only, raw=raw)
        self._visits[who] += 1
        try:
            await room.enter(person)
            yield Visit(room, person)
        finally:
            self._visits[who] -= 1
            room.leave(person)
            if room.empty and self._rooms.get(console.lease_uuid) is room:
                del self._rooms[console.lease_uuid]
                room.close("")
                leaving = asyncio.create_task(room.closed())
                self._leaving.add(leaving)
                leaving.add_done_callback(self._leaving.discard)

    def _check(self, who: str) -> None:
        if self._closed:
            raise CloudError.unavailable("the service is ending")
        if self._visits[who] >= _MOST_VISITS:
            raise CloudError.conflict(f"{who} is at {_MOST_VISITS} consoles, and nobody is at more; leave one first")

    async def close(self) -> None:
        """Put everybody out: the service ends."""
        self._closed = True
        rooms = list(self._rooms.values())
        for room in rooms:
            room.close("the service is ending")
        await asyncio.gather(*(room.closed() for room in rooms), *self._leaving)
        await asyncio.get_running_loop().run_in_executor(None, self._pool.shutdown)
