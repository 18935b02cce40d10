"""TAP interfaces in the simulator process: a thread that reads what Linux sends, and writes of what nodes receive."""

import json
import os
import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

__all__ = ["Tap", "TapReader", "take_over"]

_MESSAGE = 1 << 16
_DESCRIPTORS = 253
_LONGEST = 1 << 14
"""Bytes: more than any frame."""


class Tap:
    """An interface.

    Parameters
    ----------
    descriptor : int
        Of a TAP device, not blocking.
    rank : int
        Of its node.
    network : int
        Number of its network.

    Attributes
    ----------
    credits : int
        Frames that may be read before the node has sent some; for the reader's thread and its lock.
    unread : int
        Frames for Linux that it did not take: the interface is down, or its queue is full.
    """

    def __init__(self, descriptor: int, rank: int, network: int) -> None:
        self.descriptor = descriptor
        self.rank = rank
        self.network = network
        self.credits = 0
        self.unread = 0

    def read(self, most: int) -> list[bytes]:
        """Frames that Linux has sent, so many at most; OSError if the interface was deleted."""
        frames: list[bytes] = []
        with suppress(BlockingIOError):
            while len(frames) < most:
                frames.append(os.read(self.descriptor, _LONGEST))
        return frames

    def write(self, frame: bytes) -> None:
        """Give Linux a frame."""
        try:
            os.write(self.descriptor, frame)
        except OSError:
            self.unread += 1


def take_over(path: Path) -> list[Tap]:
    """The interfaces that :mod:`khhw.linux.init` gives away at a socket.

    Raises
    ------
    OSError
        If it does not.
    """
    taps: list[Tap] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(path))
        while True:
            message, descriptors, _flags, _address = socket.recv_fds(connection, _MESSAGE, _DESCRIPTORS)
            if not message:
                return taps
            for what, descriptor in zip(json.loads(message), descriptors, strict=True):
                taps.append(Tap(descriptor, what["rank"], what["network"]))
            connection.send(b"\n")


class TapReader:
    """Reads the frames that Linux sends, as many of each interface at a time as its node has room for.

    What is not read waits in Linux, whose TCP is told so: it would take frames that wait here for lost.

    Parameters
    ----------
    taps : list of Tap
    credits : int
        Frames of an interface that may be under way to its node.
    arrived : callable (Tap, list of bytes)
        Called in the reader's thread.
    """

    def __init__(self, taps: list[Tap], credits: int, arrived: Callable[[Tap, list[bytes]], None]) -> None:
        self._arrived = arrived
        self._lock = threading.Lock()
        self._poll = select.epoll()
        self._taps = {tap.descriptor: tap for tap in taps}
        for tap in taps:
            tap.credits = credits
            self._poll.register(tap.descriptor, select.EPOLLIN | select.EPOLLONESHOT)
        self._thread = threading.Thread(target=self._run, name="TAP interfaces", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def give(self, tap: Tap, credits: int) -> None:
        """The node has sent so many frames of an interface; for any thread."""
        with self._lock:
            tap.credits += credits
            if tap.credits == credits:
                self._watch(tap)

    def _watch(self, tap: Tap) -> None:
        self._poll.modify(tap.descriptor, select.EPOLLIN | select.EPOLLONESHOT)

    def _run(self) -> None:
        while True:
            for descriptor, _events in self._poll.poll():
                tap = self._taps[descriptor]
                try:
                    frames = tap.read(tap.credits)
                except OSError:
                    # Somebody has deleted the interface. There is no other one for this node.
                    continue
                with self._lock:
                    tap.credits -= len(frames)
                    if tap.credits:
                        self._watch(tap)
                if frames:
                    self._arrived(tap, frames)
