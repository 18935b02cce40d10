"""One person at a console, who may read slowly."""

import asyncio
from collections import deque

from khhw.cloud.consoles.messages import Closed, Lock, Missed, ToPerson

__all__ = ["Person"]

_MOST = 1024
"""Messages that wait for a person; beyond them, what everybody hears is left out."""


class Person:
    """What is to be told to somebody, in order.

    A channel never waits for its listeners: who does not read misses messages, and is told how many.

    Parameters
    ----------
    who : str
        Name of the principal.
    write : bool
        Whether lines and files are taken from them.
    raw : bool
        Whether they want the bytes that nodes say, besides the text.
    """

    def __init__(self, who: str, *, write: bool, raw: bool = False) -> None:
        self.who = who
        self.write = write
        self.raw = raw
        self.closed = False
        self._waiting: deque[ToPerson] = deque()
        self._missed = 0
        self._lock: Lock | None = None
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def hear(self, message: ToPerson, lock: Lock | None = None) -> None:
        """Something that everybody at the channel hears; left out if they are too far behind.

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

    async def next(self) -> ToPerson | None:
        """The next message, as soon as there is one; None behind the last."""
        while not self._waiting:
            if self._missed:
                self._caught_up()
            elif self.closed:
                return None
            else:
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
        if len(self._waiting) >= _MOST:
            self._room.clear()
        self._news.set()
