"""The store without a machine: room, eviction, versions, against a model."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from khhw.kernels.memcached.clock import Clock
from khhw.kernels.memcached.extents import Extents, class_bytes
from khhw.kernels.memcached.item import VERSION_BYTES, StaleError, TornError, parse_item
from khhw.kernels.memcached.store import NoRoomError, Store, TooLargeError
from tests.kernels.memcached.servers import memory_of

BASE = 4096


def store_of(length, **options):
    return Store(memory_of(), BASE, length, Clock(lambda: 1000), **options)


def put(store, key, value):
    item = store.reserve(key, 0, 0, len(value))
    store.write(item, 0, value)
    return store.link(item)


def remote(store, item, key, length=None):
    """What a remote get of an item would bring now."""
    data = store._memory.read(item.address, length or item.length)
    return parse_item(data, data[:VERSION_BYTES], item.address - BASE, key)


class TestRoom:
    """Size classes and pieces."""

    @given(st.integers(1, 1 << 21))
    def test_a_class_wastes_an_eighth_at_most(self, length):
        assert length <= class_bytes(length) <= max(length + 63, length * 9 / 8)
        assert class_bytes(class_bytes(length)) == class_bytes(length)

    @given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.randoms())
    def test_pieces_do_not_overlap_and_grow_together(self, lengths, choose):
        extents, taken = Extents(100, 400), {}
        for length in lengths:
            if (start := extents.take(length)) is not None:
                taken[start] = length
            if taken and choose.random() < 0.4:
                start = choose.choice(list(taken))
                extents.give(start, taken.pop(start))
            spans = sorted(taken.items())
            assert all(a + n <= b for (a, n), (b, _) in pairwise(spans))
            assert extents.free == 400 - sum(taken.values())
        for start, length in taken.items():
            extents.give(start, length)
        assert extents.take(400) == 100


class TestEviction:
    """Who leaves when room is short."""

    def test_the_least_recently_used_leaves_first(self):
        store = store_of(64 * 10)
        for number in range(10):
            put(store, b"%d" % number, b"x" * 8)
        store.lookup(b"0")
        put(store, b"new", b"x" * 8)
        assert [store.lookup(b"%d" % number) is not None for number in range(3)] == [True, False, True]
        assert store.evictions == 1

    def test_a_large_item_takes_neighbours_of_the_oldest_and_no_others(self):
        store = store_of(64 * 10)
        for number in range(10):
            put(store, b"%d" % number, b"x" * 8)
        put(store, b"large", b"x" * 250)
        assert [number for number in range(10) if store.lookup(b"%d" % number) is None] == [0, 1, 2, 3, 4]

    def test_what_is_pinned_stays(self):
        store = store_of(64 * 2)
        first = put(store, b"1", b"x" * 8)
        store.pin(first)
        put(store, b"2", b"x" * 8)
        put(store, b"3", b"x" * 8)
        assert store.lookup(b"1") is first
        reserved = store.reserve(b"4", 0, 0, 8)
        with pytest.raises(NoRoomError):
            store.reserve(b"5", 0, 0, 8)
        store.unpin(reserved)
        put(store, b"5", b"x" * 8)
        assert store.lookup(b"1") is first

    def test_an_item_over_the_limit_is_refused(self):
        with pytest.raises(TooLargeError):
            store_of(1 << 16, item_max=1000).reserve(b"a", 0, 0, 1000)
        with pytest.raises(TooLargeError):
            store_of(1 << 10).reserve(b"a", 0, 0, 1000)


class TestRemoteReader:
    """What stands in memory for those who read without asking."""

    def test_a_linked_item_can_be_read(self):
        store = store_of(4096)
        item = store.reserve(b"key", 7, 5000, 5)
        with pytest.raises(TornError):
            remote(store, item, b"key")
        store.write(item, 0, b"value")
        store.link(item)
        seen = remote(store, item, b"key")
        assert (seen.value, seen.flags, seen.cas, seen.expiry) == (b"value", 7, 1, 5000)

    def test_another_key_or_length_is_stale(self):
        store = store_of(4096)
        item = put(store, b"key", b"v" * 100)
        with pytest.raises(StaleError):
            remote(store, item, b"kez")
        with pytest.raises(StaleError):
            remote(store, item, b"key", length=100)

    def test_a_copy_of_an_item_elsewhere_is_no_item(self):
        store = store_of(4096)
        item = put(store, b"key", b"v" * 8)
        copy = put(store, b"other", b"x" * 200)
        store.write(copy, 0, store._memory.read(item.address, item.length))
        data = store._memory.read(copy.value_address, item.length)
        with pytest.raises(StaleError):
            parse_item(data, data[:VERSION_BYTES], copy.value_address - BASE, b"key")

    def test_bytes_of_a_value_where_an_item_was_are_stale_and_not_torn(self):
        store = store_of(4096)
        old = put(store, b"b", b"v" * 8)
        address = old.address + 64
        put(store, b"key", b"v" * 8)
        store.flush()
        put(store, b"large", b"\xff" * 1000)
        data = store._memory.read(address, 64)
        with pytest.raises(StaleError):
            parse_item(data, data[:VERSION_BYTES], address - BASE, b"key")

    def test_an_item_that_is_gone_stays_so_when_a_value_ends_in_its_version(self):
        store = store_of(4096)
        put(store, b"a", b"v" * 8)
        address = put(store, b"key", b"v" * 8).address
        store.flush()
        item = put(store, b"b", b"\2" * (address - BASE + 5 - 48))
        assert item.value_address + item.value_bytes == address + 5
        data = store._memory.read(address, 64)
        with pytest.raises(StaleError):
            parse_item(data, data[:VERSION_BYTES], address - BASE, b"key")

    @pytest.mark.parametrize("end", ["remove", "flush", "replace", "evict"])
    def test_an_item_that_is_gone_is_stale(self, end):
        store = store_of(4096)
        item = put(store, b"key", b"v" * 8)
        match end:
            case "remove":
                store.remove(item)
            case "flush":
                store.flush()
            case "replace":
                put(store, b"key", b"v" * 1000)
            case "evict":
                put(store, b"all", b"v" * 4000)
        with pytest.raises(StaleError):
            remote(store, item, b"key")

    def test_a_learnt_address_stays_right_while_the_class_is_the_same(self):
        store = store_of(4096)
        item = put(store, b"key", b"v" * 8)
        item.learned = True
        before = remote(store, item, b"key")
        assert put(store, b"key", b"w" * 9) is item
        after = remote(store, item, b"key")
        assert after.value == b"w" * 9 and after.version > before.version and after.cas > before.cas
        assert put(store, b"key", b"w" * 900) is not item

    def test_a_change_between_two_reads_is_seen(self):
        store = store_of(4096)
        item = put(store, b"key", b"v" * 8)
        data = store._memory.read(item.address, item.length)
        for change in (store.overwrite, store.touch, store.remove):
            change(item, *{"overwrite": (b"w" * 8,), "touch": (9999,)}.get(change.__name__, ()))
            again = store._memory.read(item.address, VERSION_BYTES)
            with pytest.raises(TornError):
                parse_item(data, again, item.address - BASE, b"key")
            assert parse_item(data, again, item.address - BASE, b"key", check_version=False).value == b"v" * 8


class StoreMachine(RuleBasedStateMachine):
    """Any order of operations: items keep their bytes, no version comes twice, room is neither lost nor used twice."""

    def __init__(self):
        super().__init__()
        self.store = store_of(64 * 40)
        self.model = {}
        self.versions = set()
        self.addresses = {}

    @rule(key=st.sampled_from([b"a", b"b", b"c", b"d"]), value=st.binary(max_size=700), learned=st.booleans())
    def put(self, key, value, learned):
        item = put(self.store, key, value)
        item.learned |= learned
        self.model[key] = value
        self.addresses.setdefault(key, set()).add(item.address)
        version = remote(self.store, item, key).version
        assert version % 2 == 0 and version not in self.versions
        self.versions.add(version)

    @rule(key=st.sampled_from([b"a", b"b", b"c", b"d"]))
    def get(self, key):
        item = self.store.lookup(key)
        if item is not None:
            assert self.store.read(item) == remote(self.store, item, key).value == self.model[key]

    @precondition(lambda self: len(self.store))
    @rule(key=st.sampled_from([b"a", b"b", b"c", b"d"]))
    def remove(self, key):
        if (item := self.store.lookup(key)) is not None:
            self.store.remove(item)
            assert self.store.lookup(key) is None

    @rule(value_bytes=st.integers(0, 700), link=st.booleans())
    def reserve(self, value_bytes, link):
        item = self.store.reserve(b"r", 0, 0, value_bytes)
        if link:
            self.store.write(item, 0, bytes(value_bytes))
            self.store.link(item)
        else:
            self.store.unpin(item)

    @invariant()
    def nothing_looks_like_an_item_but_items(self):
        for key, addresses in self.addresses.items():
            item = self.store._items.get(key)
            for address in addresses - ({item.address} if item else set()):
                data = self.store._memory.read(address, 4096)
                with pytest.raises((StaleError, TornError)):
                    parse_item(data, data[:VERSION_BYTES], address - BASE, key)

    @invariant()
    def room_adds_up(self):
        items = [item for key in (b"a", b"b", b"c", b"d", b"r") if (item := self.store._items.get(key))]
        assert sum(item.room for item in items) == self.store.used
        spans = sorted((item.address, item.address + item.room) for item in items)
        assert all(end <= start for (_, end), (start, _) in pairwise(spans))


TestAnyOrder = StoreMachine.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
