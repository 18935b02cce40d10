"""The people at the consoles of one lease: they hear its nodes, take turns to write, and see what each other does."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from khhw.cloud.consoles.feed import Feed
from khhw.cloud.consoles.messages import (
    Booted,
    Came,
    Left,
    Lock,
    Locked,
    Lost,
    SaidByNode,
    ToPerson,
    Typed,
    Unlocked,
    Welcome,
)
from khhw.cloud.consoles.person import Person
from khhw.cloud.consoles.watch import Watch
from khhw.cloud.errors import CloudError, Kind
from khhw.cloud.machine import Clock, Heard, Listening, Machine, MachineError, RequestRefusedError
from khhw.cloud.models import Console
from khhw.cloud.words import nodes_in_words
from khhw.control.console import CONTINUED, TEXT_LIMIT, Said
from khhw.node.commands import EVERYBODY, LineError, Nodes, WrongLine, list_ranks, parse_line, written
from khhw.node.lines import LineCutter, Piece
from khhw.visible import visible

__all__ = ["PEOPLE", "Room", "check_there", "listened_to"]

PEOPLE = 16
"""People at the consoles of one lease at a time."""

_AGAIN_SECONDS = 0.25
"""How long somebody may go on listening whose right to do so has been taken away."""

T = TypeVar("T")
_log = logging.getLogger(__name__)
class Room:
    """What is said and done at one lease; all of it in one event loop.

    A file is written by one person at a time, who holds a lock that all others see: their lines are refused meanwhile,
    since what is not raw data ends a raw write. Lines take turns: each goes as a whole, and in the order in which
    everybody is told of them.

    Parameters
    ----------
    machine : Machine
    pool : ThreadPoolExecutor
        Where the machine and the store are asked, which block.
    """

    def __init__(self, machine: Machine, pool: ThreadPoolExecutor) -> None:
        self.machine = machine
        self.lock: Lock | None = None
        self.turn = asyncio.Lock()
        self._pool = pool
        self._inside: set[Person] = set()
        self._people: list[Person] = []
        self._feed = Feed(asyncio.get_running_loop())
        self._listening: dict[int, Listening] = {}
        self._changing = asyncio.Lock()
        self._tidying: asyncio.Task[None] | None = None
        self._cutters: dict[tuple[int, int], LineCutter] = {}
        self._watches: list[Watch] = []
        self._boot = 0
        self._looked = time.monotonic()
        self._tasks = [asyncio.create_task(self._always(work)) for work in (self._tell, self._look_now_and_then)]

    @property
    def empty(self) -> bool:
        """Whether nobody is here."""
        return not self._inside

    async def blocking(self, call: Callable[[], T]) -> T:
        """Do what blocks, without holding up everybody else."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)

    # Coming and going.

    async def enter(self, person: Person) -> None:
        """Somebody comes in; they are told what there is, and all others that they are here.

        Who has entered, or has failed to, has to :meth:`leave`.

        Raises
        ------
        CloudError
            If the room is full.
        """
        if len(self._inside) >= PEOPLE:
            raise CloudError.conflict(
                f"{PEOPLE} people are at the consoles of this lease, and there is no room for more until one leaves")
        self._inside.add(person)
        # Before they are told that they are here, so that they hear whatever comes of what they write.
        await asyncio.shield(self._listen_anew())
        console = person.console
        person.answer(Welcome(
            who=person.who, console=console.id, nodes=console.nodes, write=person.may_write,
            people=[other.who for other in self._people], lock=self.lock))
        self._everybody(Came(who=person.who))
        self._people.append(person)

    def leave(self, person: Person) -> None:
        """Somebody goes."""
        if person in self._people:
            self._people.remove(person)
            self._everybody(Left(who=person.who))
        if person in self._inside:
            self._inside.remove(person)
            self._listen_anew()

    def _listen_anew(self) -> asyncio.Task[None]:
        """In a task of its own, which somebody who leaves does not end; tasks are done in turn, the last one last."""
        self._tidying = asyncio.create_task(self._listen())
        return self._tidying

    async def _listen(self) -> None:
        """Hear the channels of those who are inside, and no others."""
        async with self._changing:
            wanted = {person.console.send_id for person in self._inside}
            for channel in wanted - set(self._listening):
                self._listening[channel] = await self.blocking(partial(self.machine.listen, channel, self._feed.put))
            for channel in set(self._listening) - wanted:
                await self.blocking(self._listening.pop(channel).stop)

    def close(self, why: str) -> None:
        """Everybody is told why it ends; nothing more is heard."""
        for person in list(self._inside):
            person.close(why)
            self.leave(person)
        for task in self._tasks:
            task.cancel()

    async def closed(self) -> None:
        """Wait until it is, all of it."""
        if self._tidying is not None:
            await self._tidying

    def _everybody(self, message: ToPerson) -> None:
        for person in self._people:
            person.hear(message, self.lock)

    # What people write.

    async def may_write(self, person: Person) -> None:
        """Check that somebody may write now.

        Raises
        ------
        CloudError
            If they may not, or not while somebody writes a file.
        """
        self._check_lock()
        await self._look_again(person)
        if person.closed:
            raise CloudError.forbidden(f"con{person.console.id} is closed to {person.who}")
        if not person.may_write:
            raise CloudError.forbidden(f"{person.who} only listens at con{person.console.id}, and may not write")
        self._check_lock()

    def _check_lock(self) -> None:
        if self.lock is not None:
            raise CloudError.conflict(
                f"{self.lock.who} is writing {self.lock.name} ({self.lock.length:,} bytes); write when it is done")

    async def line(self, person: Person, text: str) -> None:
        """Write a line for somebody, when it is their turn.

        Raises
        ------
        CloudError
            If it may not be written, or nodes could not read it.
        """
        check_line(text, person.console)
        self._check_lock()
        async with self.turn:
            await self.may_write(person)
            check_there(person.console, parse_line(text).nodes)
            typed = Typed(console=person.console.id, who=person.who, text=text)
            for other in self._people:
                if other is not person and (other.console.id == person.console.id or other.console.node is None):
                    other.hear(typed, self.lock)
            await self.say(person.console.id, text)

    async def say(self, channel: int, text: str, raw: bytes = b"") -> Clock:
        """Send a line, and the raw data that it announces, in one piece; whose turn it is sees to that.

        Raises
        ------
        CloudError
            If the machine does not take it.
        """
        try:
            return await self.blocking(lambda: self.machine.say(channel, text, raw))
        except RequestRefusedError as error:
            raise CloudError.bad(str(error)) from error
        except MachineError as error:
            raise CloudError.unavailable(f"the machine may have the line or not: {error}") from error

    def hold(self, lock: Lock) -> None:
        """Nobody else writes until :meth:`free`; everybody sees why."""
        self.lock = lock
        self._everybody(Locked(lock=lock))

    def free(self, problem: str) -> None:
        """Others may write again; everybody sees what came of it."""
        lock, self.lock = self.lock, None
        assert lock is not None
        self._everybody(Unlocked(lock=lock, problem=visible(problem)))

    # What nodes say.

    def watch(self, watch: Watch) -> None:
        """Show it the lines of nodes, until :meth:`unwatch`."""
        self._watches.append(watch)

    def unwatch(self, watch: Watch) -> None:
        """Show it no more."""
        self._watches.remove(watch)

    async def _always(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it until the room is closed. Should it fail, nobody is left waiting for what does not come."""
        try:
            await work()
        except Exception as error:
            _log.error("consoles of a lease have failed", exc_info=error)
            self.close("the service has failed at this; its log says where")

    async def _tell(self) -> None:
        while True:
            packets, missed = await self._feed.take()
            if time.monotonic() - self._looked > _AGAIN_SECONDS:
                await self._look_at_all()
            for heard in packets:
                self._heard(heard)
            if missed:
                self._torn(Lost(packets=missed))

    def _heard(self, heard: Heard) -> None:
        if heard.missed:
            self._torn(Lost(packets=heard.missed))
        boot, self._boot = self._boot, heard.clock.boot
        if boot not in (0, self._boot):
            self._torn(Booted(boot=self._boot))
        cutter = self._cutters.setdefault((heard.rank, heard.channel), LineCutter(TEXT_LIMIT))
        for piece in cutter.feed(heard.data):
            self._said(heard.clock, heard.rank, heard.channel, piece)

    def _torn(self, why: ToPerson) -> None:
        """Beginnings of lines are forgotten, so that they do not join the ends of others; everybody sees why."""
        for cutter in self._cutters.values():
            cutter.forget()
        self._everybody(why)

    def _said(self, clock: Clock, rank: int, channel: int, piece: Piece) -> None:
        text = piece.data.decode("utf-8", "surrogateescape")
        if piece.begins:
            for watch in self._watches:
                watch.heard(Said(clock.cycle, rank, text))
        shown = visible(text if piece.begins else f"{CONTINUED}{text}")
        for raw in (False, True):
            message = None
            for person in self._people:
                if person.raw is raw and person.hears(rank, channel):
                    if message is None:
                        data = piece.data + (b"\n" if piece.ends else b"") if raw else None
                        message = SaidByNode(
                            node=rank, boot=clock.boot, cycle=clock.cycle, text=shown, data=data)
                    person.hear(message, self.lock)

    # Rights, which may be taken away.

    async def _look_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(_AGAIN_SECONDS)
            await self._look_at_all()

    async def _look_at_all(self) -> None:
        self._looked = time.monotonic()
        for person in list(self._people):
            await self._look_again(person)

    async def _look_again(self, person: Person) -> None:
        """Learn what somebody may do now, and put them out if they may not even listen."""
        try:
            person.console = listened_to(await self.blocking(person.look))
        except CloudError as error:
            # While the store does not answer, what was true last still is.
            if error.kind is not Kind.UNAVAILABLE:
                person.close(error.sentence)
                self.leave(person)


def listened_to(console: Console) -> Console:
    """The same console, if it may be listened to.

    Raises
    ------
    CloudError
        If not.
    """
    if "listen" not in console.rights:
        raise CloudError.forbidden(f"con{console.id} may not be listened to, or no longer: its lease may have ended, "
                                  "or the right may have been taken back")
    if not console.open:
        raise CloudError.conflict(f"con{console.id} is closed: its lease has ended, or its node is let on")
    return console


def check_there(console: Console, ranks: Nodes | Sequence[int]) -> None:
    """CONFLICT if the machine has still to hand over one of some nodes: what is written to it would be lost."""
    coming = [rank for rank in console.coming if rank in ranks]
    if coming:
        raise CloudError.conflict(f"the machine has still to hand over {nodes_in_words(coming)}; nothing was written, "
                                  "try again when that is done")


def check_line(text: str, console: Console) -> None:
    """Check that nodes can read a line, and that those it is for are there.

    Raises
    ------
    CloudError
        If not.
    """
    try:
        written(text)
    except LineError as error:
        raise CloudError.bad(visible(str(error))) from error
    command = parse_line(text)
    if isinstance(command, WrongLine):
        raise CloudError.bad(visible(command.message))
    if command.nodes != EVERYBODY:
        there = set(console.nodes)
        for low, high in command.nodes.stretches:
            missing = next((rank for rank in range(low, high + 1) if rank not in there), None)
            if missing is not None:
                raise CloudError.bad(f"con{console.id} has no node {missing}; its nodes are {list_ranks(there)}")
