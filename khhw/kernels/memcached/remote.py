"""Commands for peers that read and write the store themselves, and the values that land by put.

``rwindow``
    How to read the store: ``WINDOW`` and what :meth:`khhw.net.Window.export` gives, in hex.
``rindex KEY...``
    Where items are: a line ``INDEX KEY PLACE BYTES`` for each that is there, then ``END``. Places count from the
    beginning of the window.
``rbusy BEGIN END``
    Before cycle BEGIN: ``NOTED``. After cycle END: ``BUSY``, the nanoseconds of software time charged to the server
    between the two cycles, its register accesses, and evictions. ``SERVER_ERROR not noted`` where it is too late for
    the one or too early for the other. ``stats`` has all so far, what it costs itself included: ``khhw_busy_ns``,
    ``khhw_accesses``, ``evictions``.
``rset KEY FLAGS EXPTIME BYTES``
    Room for a value: ``SLOT`` and an exported window. When the bytes are there: ``STORED PLACE BYTES``. Instead of
    ``SLOT`` an error, ``SERVER_ERROR no window`` among them: then the value goes by ``set``. Instead of ``STORED``
    ``SERVER_ERROR put did not come`` after the server's patience.
"""

from collections.abc import Callable

from khhw.kernels.memcached.answers import BAD_LINE, MAXIMUM_KEY, Handler, Reply, say
from khhw.kernels.memcached.meter import Meter
from khhw.kernels.memcached.numerals import delta_number, flags_number, signed_number
from khhw.kernels.memcached.statistics import Statistics
from khhw.kernels.memcached.storage import Storage
from khhw.kernels.memcached.store import Item, Store

__all__ = ["NOTED", "NOT_COME", "NO_WINDOW", "NOT_NOTED", "Remote"]

NO_WINDOW = b"SERVER_ERROR no window"
NOT_COME = b"SERVER_ERROR put did not come"
NOTED = b"NOTED"
NOT_NOTED = b"SERVER_ERROR not noted"
_LARGEST = (1 << 31) - 3


class Remote:
    """Commands for remote readers and writers.

    Parameters
    ----------
    store : Store
    statistics : Statistics
    window : callable
        Gives the exported window of the store.
    meter : Meter
        Notes the nanoseconds of software time charged so far, register accesses and evictions.
    """

    def __init__(
        self, store: Store, statistics: Statistics, window: Callable[[], bytes], meter: Meter,
    ) -> None:
        self._store = store
        self._statistics = statistics
        self._storage = Storage(store, statistics)
        self._window = window
        self._meter = meter

    @property
    def commands(self) -> dict[bytes, tuple[int, int, Handler]]:
        """For :class:`~khhw.kernels.memcached.commands.Commands`."""
        return {
            b"rwindow": (1, 1, lambda _: say(b"WINDOW " + self._window().hex().encode())),
            b"rbusy": (3, 3, self._busy),
            b"rindex": (2, 1 << 30, self._index),
            b"rset": (5, 5, self._set),
        }

    def _busy(self, words: list[bytes]) -> Reply:
        begin, end = delta_number(words[1]), delta_number(words[2])
        if begin is None or end is None or begin >= end:
            return say(BAD_LINE)
        if self._store.clock.now <= end:
            return say(NOTED if self._meter.ask(begin, end) else NOT_NOTED)
        found = self._meter.answer(begin, end)
        return say(NOT_NOTED if found is None else b"BUSY %d %d %d" % found)

    def _index(self, words: list[bytes]) -> Reply:
        keys = words[1:]
        if any(len(key) > MAXIMUM_KEY for key in keys):
            return say(BAD_LINE)
        lines = b""
        for key in keys:
            self._statistics["khhw_index"] += 1
            if (item := self._store.lookup(key)) is not None:
                item.learned = True
                lines += b"INDEX %b %b\r\n" % (key, self._where(item))
        return Reply([lines + b"END\r\n"])

    def _set(self, words: list[bytes]) -> Reply:
        key, flags, exptime, length = words[1], flags_number(words[2]), signed_number(words[3]), signed_number(words[4])
        if len(key) > MAXIMUM_KEY or flags is None or exptime is None or length is None or not 0 <= length <= _LARGEST:
            return say(BAD_LINE)
        item = self._storage.reserve(key, flags, exptime, length, replaces=True)
        return say(item) if isinstance(item, bytes) else Reply(landing=item)

    def landed(self, item: Item) -> bytes:
        """The bytes of a reserved item are there: link it, and say where it is."""
        self._statistics["cmd_set"] += 1
        self._statistics["khhw_set"] += 1
        item = self._store.link(item)
        item.learned = True
        return b"STORED %b\r\n" % self._where(item)

    def refused(self, item: Item) -> bytes:
        """There is no window for a reserved item."""
        self._statistics["khhw_set_refused"] += 1
        self._store.unpin(item)
        return NO_WINDOW + b"\r\n"

    def lost(self, item: Item) -> bytes:
        """The bytes of a reserved item did not come."""
        self._statistics["khhw_set_lost"] += 1
        self._store.unpin(item)
        return NOT_COME + b"\r\n"

    def _where(self, item: Item) -> bytes:
        return b"%d %d" % (self._store.place(item), item.length)
