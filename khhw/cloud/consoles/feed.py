"""Packets on their way from the machine's thread to the event loop, bounded."""

import asyncio
import threading
from collections import deque

from khhw.cloud.machine import Heard

__all__ = ["Feed"]

_MOST = 4096
"""Packets that wait for the loop; beyond them they are left out."""


class Feed:
    """Takes packets as the machine brings them, and never lets it wait.

    Parameters
    ----------
    loop : asyncio.AbstractEventLoop
        Where packets are taken.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._waiting: deque[Heard] = deque()
        self._missed = 0
        self._news = asyncio.Event()

    def put(self, heard: Heard) -> None:
        """A packet has come; in the machine's thread."""
        with self._lock:
            first = not self._waiting
            if len(self._waiting) < _MOST:
                self._waiting.append(heard)
            else:
                self._missed += 1
        if first and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._news.set)

    async def take(self) -> tuple[list[Heard], int]:
        """All packets that are there, as soon as there is one, and how many behind them were left out."""
        while True:
            with self._lock:
                packets, missed = list(self._waiting), self._missed
                self._waiting.clear()
                self._missed = 0
            if packets:
                return packets, missed
            self._news.clear()
            if not self._waiting:
                await self._news.wait()
