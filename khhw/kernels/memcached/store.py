"""The store: items in node memory, found by key, bounded, the least recently used leaving first.

Where items are is the server's own bookkeeping; items themselves stand in node memory as ``item.py`` says, so that
others can read them without the server. Nothing here waits: work is added to :attr:`Store.work`, to be charged.
"""

from collections import Counter, OrderedDict
from typing import Protocol

from khhw.kernels.memcached.clock import Clock
from khhw.kernels.memcached.extents import Extents, class_bytes
from khhw.kernels.memcached.item import ERASED, HEADER, VERSION_BYTES, item_bytes, value_offset
from khhw.node import Work

__all__ = ["Item", "ItemMemory", "NoRoomError", "Store", "TooLargeError"]

_REAL_HEADER = 48 + 8
"""Bytes the original spends on an item besides key, flags and value; its limit on items counts them."""


class TooLargeError(Exception):
    """An item larger than the limit."""


class NoRoomError(Exception):
    """No room even after evicting what may be evicted."""


class ItemMemory(Protocol):
    """Where items stand: the memory of a node."""

    def read(self, address: int, length: int) -> bytes:
        """Bytes at an address."""

    def __setitem__(self, address: int, data: bytes) -> None:
        """Store bytes at an address."""


class Item:
    """What the server knows of an item.

    Parameters
    ----------
    key : bytes
    address, room : int
        Where it is, and the size class.
    value_bytes, flags : int
    expiry : int
        Cycle from which on it is not there; 0: none.
    """

    __slots__ = ("address", "cas", "expiry", "flags", "key", "learned", "linked", "pins", "room", "value_bytes")

    def __init__(self, key: bytes, address: int, room: int, value_bytes: int, flags: int, expiry: int) -> None:
        self.key, self.address, self.room = key, address, room
        self.value_bytes, self.flags, self.expiry = value_bytes, flags, expiry
        self.cas = 0
        self.pins = 1
        self.linked = False
        self.learned = False

    @property
    def value_address(self) -> int:
        """Where its value is."""
        return self.address + value_offset(len(self.key))

    @property
    def length(self) -> int:
        """Bytes of it that mean something."""
        return item_bytes(len(self.key), self.value_bytes)


class Store:
    """Items by key.

    An item is *pinned* while somebody outside the store writes or sends it; a pinned item keeps its bytes, even
    when it is no longer found by its key.

    Parameters
    ----------
    memory : ItemMemory
    base, length : int
        The stretch of it that is the store's.
    clock : Clock
    item_max : int
        Limit on an item, counted as the original counts.

    Attributes
    ----------
    work : Counter of Work
        Work done and not yet charged; whoever charges it clears it.
    evictions, expired, total : int
        Items evicted; found expired; ever linked.
    """

    def __init__(self, memory: ItemMemory, base: int, length: int, clock: Clock, *, item_max: int = 1 << 20) -> None:
        self._memory = memory
        self.base, self.length = base, length
        self.clock = clock
        self.item_max = item_max
        self.work: Counter[Work] = Counter()
        self.evictions = self.expired = self.total = 0
        self._extents = Extents(base, length)
        self._items: OrderedDict[bytes, Item] = OrderedDict()
        self._starts: dict[int, Item] = {}
        self._ends: dict[int, Item] = {}
        self._version = 0
        self._cas = 0
        self._flush_at: int | None = None

    def __len__(self) -> int:
        return len(self._items)

    @property
    def used(self) -> int:
        """Bytes that are not free."""
        return self.length - self._extents.free

    def place(self, item: Item) -> int:
        """Where an item is, as others count: from the beginning of the store."""
        return item.address - self.base

    def too_large(self, key: bytes, flags: int, value_bytes: int) -> bool:
        """Whether an item is over the limit, or would never fit."""
        counted = _REAL_HEADER + len(key) + 1 + (4 if flags else 0) + value_bytes + 2
        return counted > self.item_max or class_bytes(item_bytes(len(key), value_bytes)) > self.length

    def reserve(self, key: bytes, flags: int, expiry: int, value_bytes: int) -> Item:
        """Room for an item, pinned; nobody finds it before it is linked.

        Raises
        ------
        TooLargeError
        NoRoomError
        """
        if self.too_large(key, flags, value_bytes):
            raise TooLargeError
        room = class_bytes(item_bytes(len(key), value_bytes))
        self.work[Work.ITEM] += 1
        address = self._extents.take(room)
        if address is None:
            address = self._evict_for(room)
        item = Item(key, address, room, value_bytes, flags, expiry)
        self._starts[address] = self._ends[address + room] = item
        self._write_header(item, self._new_version() - 1)
        return item

    def write(self, item: Item, offset: int, data: bytes) -> None:
        """Store bytes of the value of an item that is not linked yet."""
        self._memory[item.value_address + offset] = data

    def read(self, item: Item) -> bytes:
        """The value of an item."""
        return self._memory.read(item.value_address, item.value_bytes)

    def link(self, item: Item) -> Item:
        """Let a pinned item be found by its key instead of what was; ends its pin.

        If somebody knows the address of what was and the new one is of the same size class, the bytes move there,
        so that the address stays right.

        Returns
        -------
        Item
            What is found by the key now.
        """
        old = self._items.get(item.key)
        if old is not None and old.learned and old.room == item.room and not old.pins:
            value = self.read(item)
            self.work[Work.COPY] += len(value)
            self.unpin(item)
            old.value_bytes, old.flags, old.expiry = item.value_bytes, item.flags, item.expiry
            self._rewrite(old, value)
            self.total += 1
            return old
        if old is not None:
            self.remove(old)
        item.pins -= 1
        item.linked = True
        self._items[item.key] = item
        self.total += 1
        self.work[Work.ITEM] += 1
        item.cas = self._next_cas()
        self._write_header(item, self._new_version())
        return item

    def overwrite(self, item: Item, value: bytes) -> None:
        """Other bytes of the same length in an item that is linked and not pinned."""
        self._rewrite(item, value)

    def lookup(self, key: bytes) -> Item | None:
        """The item of a key, which is now the one most recently used; None if there is none or its time has come."""
        self.work[Work.HASH] += len(key)
        self.work[Work.LOOKUP] += 1
        self._flush_if_due()
        item = self._items.get(key)
        if item is None:
            return None
        if item.expiry and item.expiry <= self.clock.now:
            self.expired += 1
            self.remove(item)
            return None
        self._items.move_to_end(key)
        return item

    def touch(self, item: Item, expiry: int) -> None:
        """Another expiry time."""
        item.expiry = expiry
        self._write_header(item, self._new_version())

    def pin(self, item: Item) -> None:
        """Keep its bytes until :meth:`unpin`."""
        item.pins += 1

    def unpin(self, item: Item) -> None:
        """End a pin; the room of an item that is not linked and has no more pins is free."""
        item.pins -= 1
        if not item.pins and not item.linked:
            self._free(item)

    def remove(self, item: Item) -> None:
        """Unlink an item."""
        del self._items[item.key]
        item.linked = False
        self.work[Work.ITEM] += 1
        self._erase(item)
        if not item.pins:
            self._free(item)

    def flush(self, at: int = 0) -> None:
        """Remove all items there are, now or in cycle `at`."""
        if at > self.clock.now:
            self._flush_at = at
        else:
            self._flush_at = None
            for item in list(self._items.values()):
                self.remove(item)

    def _flush_if_due(self) -> None:
        if self._flush_at is not None and self._flush_at <= self.clock.now:
            self.flush()

    def _rewrite(self, item: Item, value: bytes) -> None:
        """New value in place: readers see an odd version first, and another even one last."""
        version = self._new_version()
        self._memory[item.address] = (version - 1).to_bytes(VERSION_BYTES, "big")
        self._memory[item.value_address] = value
        item.cas = self._next_cas()
        self._items.move_to_end(item.key)
        self._write_header(item, version)

    def _new_version(self) -> int:
        self._version += 2
        return self._version

    def _next_cas(self) -> int:
        self._cas += 1
        return self._cas

    def _write_header(self, item: Item, version: int) -> None:
        self._memory[item.address] = HEADER.pack(
            version, item.cas, item.expiry, self.place(item), item.value_bytes, item.flags, len(item.key), 0) + item.key

    def _erase(self, item: Item) -> None:
        """Let no reader take it for an item.

        All of its header goes, not only the version: the value of a later item may end within these bytes, and what
        follows would look like an item whose version never changes.
        """
        self._memory[item.address] = ERASED

    def _free(self, item: Item) -> tuple[int, int]:
        """Give its room back; returns start and end of the free piece it is in now."""
        self._erase(item)
        del self._starts[item.address], self._ends[item.address + item.room]
        return self._extents.give(item.address, item.room)

    def _evict(self, item: Item) -> tuple[int, int]:
        self.evictions += 1
        item.pins += 1
        self.remove(item)
        item.pins -= 1
        return self._free(item)

    def _evict_for(self, room: int) -> int:
        """Evict the least recently used item, and its neighbours as far as one item of `room` bytes needs them."""
        for oldest in list(self._items.values()):
            if oldest.pins or not oldest.linked:
                continue
            start, end = self._evict(oldest)
            while end - start < room:
                neighbour = next((item for item in (self._starts.get(end), self._ends.get(start))
                                  if item is not None and item.linked and not item.pins), None)
                if neighbour is None:
                    break
                start, end = self._evict(neighbour)
            if (address := self._extents.take(room)) is not None:
                return address
        raise NoRoomError
