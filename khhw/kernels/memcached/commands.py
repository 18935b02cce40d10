"""The commands of the text protocol, as memcached 1.6.18 obeys them."""

from khhw.kernels.memcached.answers import (
    BAD_DELETE,
    BAD_DELTA,
    BAD_EXPIRY,
    BAD_LINE,
    MAXIMUM_KEY,
    NO_NUMBER,
    NO_ROOM,
    VERSION,
    Handler,
    Reply,
    Value,
    say,
    unless,
)
from khhw.kernels.memcached.numerals import delta_number, signed_number
from khhw.kernels.memcached.statistics import Statistics
from khhw.kernels.memcached.storage import Storage
from khhw.kernels.memcached.store import Item, NoRoomError, Store, TooLargeError
from khhw.node import Work

__all__ = ["LONG_LINES", "Commands"]

LONG_LINES = 4 << 20
"""Bytes of lines of many keys that all connections together may have begun and not ended."""

_MANY = 1 << 30
_WORD = 1 << 64
_COPIED = 1024
"""Bytes of a value that is put into the answer at once; a longer one is pinned, and read when its turn comes."""
_COPIED_TOGETHER = 1 << 16
"""Bytes of an answer behind which all values are pinned: one line can ask for millions of them."""
_MOST_WORDS = 23
"""Words the original tells apart; what follows them it looks at only where a command says so."""


def _unknown(words: list[bytes]) -> Reply:
    """No such command. Behind HTTP comes a web page that shall post no commands, so it ends the connection.

    The original looks for HTTP in the last of its branches only: those for the first letters below have no such end.
    """
    verb = words[0] if words else b""
    tells = len(verb) > 1 and verb[:1] not in b"gsacidt" and not (len(verb) == 2 and verb[:1] == b"m")
    if tells and verb not in _NOT_HERE and words[:_MOST_WORDS][-1].startswith(b"HTTP/"):
        return Reply(close=True)
    return say(b"ERROR")


_NOT_HERE = frozenset({b"lru_crawler", b"lru", b"watch", b"extstore", b"refresh_certs"})
"""Commands that the original knows, and answers by an error if there is HTTP behind them."""
_UNKNOWN: tuple[int, int, Handler] = (0, _MANY, _unknown)


class Commands:
    """What all connections share: the store, the statistics and the commands.

    Parameters
    ----------
    store : Store
    statistics : Statistics
    more : mapping of bytes to (int, int, Handler), optional
        Further commands: fewest and most words, and what they do.

    Attributes
    ----------
    long_lines : int
        Bytes of long lines that have not ended, see :data:`LONG_LINES`.
    """

    def __init__(
        self, store: Store, statistics: Statistics, more: dict[bytes, tuple[int, int, Handler]] | None = None,
    ) -> None:
        self.store = store
        self.statistics = statistics
        self.storage = Storage(store, statistics)
        self.long_lines = 0
        self._handlers: dict[bytes, tuple[int, int, Handler]] = {
            **dict.fromkeys((b"set", b"add", b"replace", b"append", b"prepend"), (5, 6, self.storage.begin)),
            b"cas": (6, 7, self.storage.begin),
            **dict.fromkeys((b"get", b"gets", b"bget"), (2, _MANY, self._get)),
            **dict.fromkeys((b"gat", b"gats"), (2, _MANY, self._get_and_touch)),
            **dict.fromkeys((b"incr", b"decr"), (3, 4, self._count)),
            b"delete": (2, 4, self._delete), b"touch": (3, 4, self._touch), b"flush_all": (1, 3, self._flush_all),
            b"verbosity": (2, 3, self._verbosity), b"stats": (1, _MANY, statistics.answer),
            b"version": (1, _MANY, lambda _: say(b"VERSION " + VERSION)),
            b"shutdown": (1, _MANY, lambda _: say(b"ERROR: shutdown not enabled")),
            b"quit": (1, _MANY, lambda _: Reply(close=True)),
            **(more or {}),
        }

    def run(self, line: bytes) -> Reply:
        """Obey one line."""
        self.store.work[Work.PARSE] += len(line)
        words = [word for word in line.split(b" ") if word]
        fewest, most, handler = self._handlers.get(words[0] if words else b"", _UNKNOWN)
        if not fewest <= len(words) <= most:
            return say(b"ERROR")
        reply = handler(words)
        if not words or words[0][:1] != b"g":
            self.store.work[Work.FORMAT] += sum(len(text) for text in reply.answers if isinstance(text, bytes))
        return reply

    def _get(self, words: list[bytes]) -> Reply:
        return self._values(words[1:], with_unique=words[0] == b"gets", expiry=None)

    def _get_and_touch(self, words: list[bytes]) -> Reply:
        if (exptime := signed_number(words[1])) is None:
            return say(BAD_EXPIRY)
        return self._values(words[2:], with_unique=words[0] == b"gats", expiry=self.store.clock.expiry(exptime))

    def _values(self, keys: list[bytes], *, with_unique: bool, expiry: int | None) -> Reply:
        if any(len(key) > MAXIMUM_KEY for key in keys):
            return say(BAD_LINE)
        store, reply, room = self.store, Reply(), _COPIED_TOGETHER
        for key in keys:
            item = store.lookup(key)
            kind = "get" if expiry is None else "touch"
            self._tally(f"cmd_{kind}", kind, item)
            if item is not None:
                if expiry is not None:
                    store.touch(item, expiry)
                unique = b" %d" % item.cas if with_unique else b""
                header = b"VALUE %b %d %d%b\r\n" % (key, item.flags, item.value_bytes, unique)
                store.work[Work.FORMAT] += len(header)
                room -= item.value_bytes
                if item.value_bytes <= _COPIED and room >= 0:
                    reply.answers.append(b"%b%b\r\n" % (header, store.read(item)))
                else:
                    store.pin(item)
                    reply.answers += [header, Value(item), b"\r\n"]
        reply.answers.append(b"END\r\n")
        return reply

    def _tally(self, command: str, kind: str, item: Item | None) -> None:
        self.statistics[command] += 1
        self.statistics[f"{kind}_{'misses' if item is None else 'hits'}"] += 1

    def _count(self, words: list[bytes]) -> Reply:
        verb, key = words[:2]
        noreply = words[-1] == b"noreply"
        if len(key) > MAXIMUM_KEY:
            return unless(noreply, BAD_LINE)
        if (delta := delta_number(words[2])) is None:
            return unless(noreply, BAD_DELTA)
        item = self.store.lookup(key)
        self.statistics[f"{verb.decode()}_{'misses' if item is None else 'hits'}"] += 1
        if item is None:
            return unless(noreply, b"NOT_FOUND")
        number = delta_number(self.store.read(item)) if item.value_bytes else None
        if number is None:
            return unless(noreply, NO_NUMBER)
        number = (number + delta) % _WORD if verb == b"incr" else max(0, number - delta)
        return unless(noreply, self._replace(item, b"%d" % number))

    def _replace(self, item: Item, digits: bytes) -> bytes:
        """Another number in an item: in its place, behind it spaces, if there is room."""
        store = self.store
        if len(digits) <= item.value_bytes and not item.pins:
            store.overwrite(item, digits.ljust(item.value_bytes))
            return digits
        store.pin(item)
        try:
            longer = store.reserve(item.key, item.flags, item.expiry, len(digits))
        except (TooLargeError, NoRoomError):
            return NO_ROOM.replace(b"storing object", b"in incr")
        finally:
            store.unpin(item)
        store.write(longer, 0, digits)
        store.link(longer)
        return digits

    def _delete(self, words: list[bytes]) -> Reply:
        key, more = words[1], words[2:]
        noreply = bool(more) and more[-1] == b"noreply"
        if more and more not in ([b"0"], [b"noreply"], [b"0", b"noreply"]):
            return unless(noreply, BAD_DELETE)
        if len(key) > MAXIMUM_KEY:
            return unless(noreply, BAD_LINE)
        item = self.store.lookup(key)
        self.statistics[f"delete_{'misses' if item is None else 'hits'}"] += 1
        if item is None:
            return unless(noreply, b"NOT_FOUND")
        self.store.remove(item)
        return unless(noreply, b"DELETED")

    def _touch(self, words: list[bytes]) -> Reply:
        key, noreply = words[1], words[-1] == b"noreply"
        if len(key) > MAXIMUM_KEY:
            return unless(noreply, BAD_LINE)
        if (exptime := signed_number(words[2])) is None:
            return unless(noreply, BAD_EXPIRY)
        item = self.store.lookup(key)
        self._tally("cmd_touch", "touch", item)
        if item is None:
            return unless(noreply, b"NOT_FOUND")
        self.store.touch(item, self.store.clock.expiry(exptime))
        return unless(noreply, b"TOUCHED")

    def _flush_all(self, words: list[bytes]) -> Reply:
        noreply = words[-1] == b"noreply"
        exptime: int | None = 0
        if len(words) > (2 if noreply else 1):
            exptime = signed_number(words[1])
        if exptime is None:
            return unless(noreply, BAD_EXPIRY)
        self.statistics["cmd_flush"] += 1
        self.store.flush(self.store.clock.expiry(exptime) if exptime > 0 else 0)
        return unless(noreply, b"OK")

    def _verbosity(self, words: list[bytes]) -> Reply:
        noreply = words[-1] == b"noreply"
        return unless(noreply, BAD_LINE if delta_number(words[1]) is None else b"OK")
