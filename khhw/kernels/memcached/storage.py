"""The storage commands: set, add, replace, append, prepend, cas."""

from khhw.kernels.memcached.answers import (
    BAD_BLOCK,
    BAD_LINE,
    MAXIMUM_KEY,
    NO_ROOM,
    TOO_LARGE,
    DataBlock,
    Reply,
    unless,
)
from khhw.kernels.memcached.numerals import delta_number, flags_number, signed_number
from khhw.kernels.memcached.statistics import Statistics
from khhw.kernels.memcached.store import Item, NoRoomError, Store, TooLargeError
from khhw.node import Work

__all__ = ["Storage"]

_LARGEST_LENGTH = (1 << 31) - 3


class Storage:
    """Commands that are followed by a data block.

    Parameters
    ----------
    store : Store
    statistics : Statistics
    """

    def __init__(self, store: Store, statistics: Statistics) -> None:
        self._store = store
        self._statistics = statistics

    def begin(self, words: list[bytes]) -> Reply:
        """The line of a storage command: room for the value, if the line is right."""
        verb, key = words[:2]
        noreply = words[-1] == b"noreply"
        flags, exptime, length = flags_number(words[2]), signed_number(words[3]), signed_number(words[4])
        unique = delta_number(words[5]) if verb == b"cas" else 0
        if len(key) > MAXIMUM_KEY or flags is None or exptime is None or length is None or unique is None:
            return unless(noreply, BAD_LINE)
        if not 0 <= length <= _LARGEST_LENGTH:
            return unless(noreply, BAD_LINE)
        item = self.reserve(key, flags, exptime, length, replaces=verb == b"set")
        if isinstance(item, bytes):
            return Reply(block=DataBlock(verb, key, length, None, unique, noreply, item))
        return Reply(block=DataBlock(verb, key, length, item, unique, noreply))

    def reserve(self, key: bytes, flags: int, exptime: int, length: int, *, replaces: bool) -> Item | bytes:
        """Room for a value, or the answer that says why there is none.

        A value that cannot be stored takes with it the one it was to replace, which must not be taken for it.
        """
        try:
            return self._store.reserve(key, flags, self._store.clock.expiry(exptime), length)
        except TooLargeError:
            self._statistics["store_too_large"] += 1
            failure = TOO_LARGE
        except NoRoomError:
            self._statistics["store_no_memory"] += 1
            failure = NO_ROOM
        if replaces and (old := self._store.lookup(key)) is not None:
            self._store.remove(old)
        return failure

    def end(self, block: DataBlock, good: bool) -> Reply:
        """The data block has come; `good`: with its line end behind it."""
        if block.item is None:
            answer = block.failure
        elif good:
            answer = self._keep(block, block.item)
        else:
            self._store.unpin(block.item)
            answer = BAD_BLOCK
        self._store.work[Work.FORMAT] += 0 if block.noreply else len(answer) + 2
        return unless(block.noreply, answer)

    def _keep(self, block: DataBlock, item: Item) -> bytes:
        """Link a filled item, if the command says so."""
        self._statistics["cmd_set"] += 1
        old = self._store.lookup(block.key)
        if (refusal := self._refusal(block, old)) is not None:
            self._store.unpin(item)
            return refusal
        if old is not None and block.verb in (b"append", b"prepend"):
            return self._join(block.verb, old, item)
        self._store.link(item)
        return b"STORED"

    def _refusal(self, block: DataBlock, old: Item | None) -> bytes | None:
        match block.verb:
            case b"cas":
                result = "misses" if old is None else "hits" if old.cas == block.unique else "badval"
                self._statistics[f"cas_{result}"] += 1
                return {"misses": b"NOT_FOUND", "badval": b"EXISTS"}.get(result)
            case b"add":
                return None if old is None else b"NOT_STORED"
            case b"replace" | b"append" | b"prepend":
                return b"NOT_STORED" if old is None else None
        return None

    def _join(self, verb: bytes, old: Item, more: Item) -> bytes:
        """Old value and more of it, as a new item with the old flags and expiry."""
        store = self._store
        parts = [store.read(old), store.read(more)]
        store.unpin(more)
        value = b"".join(parts if verb == b"append" else reversed(parts))
        store.pin(old)
        try:
            joined = store.reserve(old.key, old.flags, old.expiry, len(value))
        except (TooLargeError, NoRoomError):
            return b"NOT_STORED"
        finally:
            store.unpin(old)
        store.work[Work.COPY] += len(value)
        store.write(joined, 0, value)
        store.link(joined)
        return b"STORED"
