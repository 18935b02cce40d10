"""One person at a console, who may read slowly."""

import asyncio
from collections import deque
from collections.abc import Callable

from khhw.cloud.consoles.messages import Closed, Lock, Missed, ToPerson
from khhw.cloud.models import Console

__all__ = ["Person"]

_MOST = 1024
"""Messages that wait for a person; beyond them, what everybody hears is left out."""


class Person:
    """What is to be told to somebody, in order.

    Nobody waits for listeners: who does not read misses messages, and is told how many.

    Parameters
    ----------
    who : str
        Name of the principal.
    console : Console
        Where they sit, as they may see it.
    look : callable
        The same as they may see it now; raises :class:`~khhw.cloud.errors.CloudError` if they may not any more. Blocks,
        and is called in a thread of its own.
    read_only : bool
        Whether they want to write nothing.
    raw : bool
        Whether they want the bytes that nodes say, besides the text.
    """

    def __init__(
        self, who: str, console: Console, look: Callable[[], Console], *, read_only: bool = False, raw: bool = False,
    ) -> None:
        self.who = who
        self.console = console
        self.look = look
        self.raw = raw
        self.closed = False
        self._read_only = read_only
        self._waiting: deque[ToPerson] = deque()
        self._missed = 0
        self._lock: Lock | None = None
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._idle = asyncio.Event()
        self._told = 0

    @property
    def may_write(self) -> bool:
        """Whether lines and files are taken from them."""
        return "write" in self.console.rights and not self._read_only

    def hears(self, rank: int, channel: int) -> bool:
        """Whether what a node says on a channel is for them."""
        console = self.console
        return channel == console.send_id and console.node in (None, rank)

    def hear(self, message: ToPerson, lock: Lock | None = None) -> None:
        """Something that everybody hears; left out if they are too far behind.

        Parameters
        ----------
        message : ToPerson
        lock : Lock or None
            Who holds the lock now: told behind what is left out.
        """
        if self.closed:
            return
        self._lock = lock
        if self._missed and len(self._waiting) <= _MOST // 2:
            self._caught_up()
        if self._missed or len(self._waiting) >= _MOST:
            self._missed += 1
        else:
            self._put(message)

    def answer(self, message: ToPerson) -> None:
        """An answer to what they asked; never left out. They are to ask nothing more before :meth:`room`."""
        if not self.closed:
            self._put(message)

    def close(self, text: str) -> None:
        """Tell them why they hear nothing more."""
        if not self.closed:
            self._put(Closed(text=text))
            self.closed = True

    async def room(self) -> None:
        """Wait until they have read enough to ask for more."""
        await self._room.wait()

    async def quiet(self, seconds: float) -> None:
        """Wait until they have taken all there is, and no more has come for so long."""
        told = -1
        while told != self._told:
            await self._idle.wait()
            told = self._told
            await asyncio.sleep(seconds)

    async def next(self) -> ToPerson | None:
        """The next message, as soon as there is one; None behind the last."""
        while not self._waiting:
            if self._missed and not self.closed:
                self._caught_up()
            elif self.closed:
                return None
            else:
                self._idle.set()
                self._news.clear()
                await self._news.wait()
        message = self._waiting.popleft()
        if len(self._waiting) < _MOST:
            self._room.set()
        return message

    def _caught_up(self) -> None:
        self._put(Missed(messages=self._missed, lock=self._lock))
        self._missed = 0

    def _put(self, message: ToPerson) -> None:
        self._waiting.append(message)
        self._told += 1
        self._idle.clear()
        if len(self._waiting) >= _MOST:
            self._room.clear()
        self._news.set()
