"""Descriptors as hostile software writes them: near what is right, or nowhere near it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice, takewhile

import numpy as np
import numpy.typing as npt

from khhw.fuzz.memory_map import HONEST, HOSTILE, NODE
from khhw.fuzz.packing import DESCRIPTOR_WORDS, descriptors, pack_all, take_field
from khhw.fuzz.scenario import Scenario
from khhw.fuzz.stimulus import Stimulus
from khhw.fuzz.taint import Words
from khhw.net.keys import KEYS
from rtl.formats import (
    DESCRIPTOR_BYTES,
    PAYLOAD_BYTES,
    Descriptor,
    Direction,
    FifoHeader,
    Header,
    PutHeader,
    VirtualChannel,
)

__all__ = ["Aim", "Batch", "batch", "carried"]

Numbers = npt.NDArray[np.int64]
Fields = dict[str, Numbers]
"""Columns of headers and descriptors by field name; `target`, `offset` and `get` are those of the second header."""

_CHANNELS = np.array([(1, 0), (1, 1), (0, 2), (0, 3)])
"""`dynamic` and `vc` as they belong together."""
_LONGEST = (16, 240, 2048, NODE.memory_bytes)
_GET_RINGS = NODE.injection_rings


@dataclass(frozen=True)
class Aim:
    """What a hostile node sends in a round: at whom, and how.

    Parameters
    ----------
    scenario : Scenario
    rank : int
        The hostile node.
    foes, friends : tuple of int
        Ranks it must not reach, and others.
    key : int
        What honest nodes have armed their counters with: a key is no secret.
    stimulus : Stimulus
    rng : Generator
    """

    scenario: Scenario
    rank: int
    foes: tuple[int, ...]
    friends: tuple[int, ...]
    key: int
    stimulus: Stimulus
    rng: np.random.Generator

    def some(self, count: int, share: float) -> npt.NDArray[np.bool_]:
        """A random choice of `count`, each with probability `share`."""
        return self.rng.random(count) < share

    def below(self, count: int, limit: int) -> Numbers:
        """Random numbers from 0."""
        return self.rng.integers(0, limit, count)

    def aimed(self, count: int) -> Fields:
        """Correct messages and puts, at foes and friends."""
        at_foes = self.some(count, self.stimulus.foe)
        foes, friends = (self.rng.choice(ranks or (self.rank,), count) for ranks in (self.foes, self.friends))
        coordinates = np.array([self.scenario.shape.coordinate(rank) for rank in range(self.scenario.shape.nodes)])
        x, y, z = coordinates[np.where(at_foes, foes, friends)].T
        # The priority channel is nobody's here, so it is tried less often than the others.
        channel = _CHANNELS[self.rng.choice(4, count, p=(0.3, 0.3, 0.37, 0.03))]
        longest = _LONGEST[self.stimulus.length]
        return {
            "x": x, "y": y, "z": z, "dynamic": channel[:, 0], "vc": channel[:, 1], "hint": np.zeros(count, np.int64),
            "deposit": np.zeros(count, np.int64), "pid0": np.zeros(count, np.int64), "pid1": self.below(count, 2),
            "dma": self.below(count, 2), "source": np.zeros(count, np.int64), "address": 8 * self.below(count, 4096),
            "length": self.below(count, longest // 2 + 1), "counter": np.full(count, HOSTILE.OWN),
            "target": self.rng.choice((HONEST.PUTS, HONEST.CONFIDED, *HONEST.ANSWERS, 1, HONEST.CLOSED), count),
            "key": np.where(self.some(count, self.stimulus.near), self.key, self.below(count, KEYS)),
            "offset": 8 * self.below(count, 256), "get": np.zeros(count, np.int64), "ring": np.ones(count, np.int64),
        }


def _rows(fields: Fields) -> Words:
    count = len(fields["x"])
    software = np.where(
        fields["dma"] > 0,
        pack_all(PutHeader, count, put_offset=fields["offset"], counter=fields["target"], key=fields["key"],
                 remote_get=fields["get"], ring=fields["ring"]),
        pack_all(FifoHeader, count, put_offset=fields["offset"], argument=fields["length"], function=fields["target"]))
    names = ("crc", "epoch", "hint", "deposit", "pid0", "size", "pid1", "dma", "dynamic", "vc", "x", "y", "z", "source")
    headers = pack_all(Header, count, **{name: fields[name] for name in names if name in fields})
    return descriptors(headers, software, fields["address"], fields["length"], fields["counter"])


def _message(_aim: Aim, fields: Fields) -> None:
    fields["dma"][:] = 0


def _put(_aim: Aim, fields: Fields) -> None:
    fields["dma"][:] = 1
    fields["length"] = np.maximum(fields["length"], 1)


def _writer(aim: Aim, fields: Fields) -> None:
    """Puts where another is the writer, at whoever may be reached: among the answers to a get, and what is confided."""
    count = len(fields["x"])
    _put(aim, fields)
    hosts = [aim.scenario.shape.coordinate(rank) for rank in aim.friends if rank in aim.scenario.honest]
    if hosts:
        coordinates = np.array(hosts)[aim.below(count, len(hosts))]
        chosen = aim.some(count, 0.8)
        for axis, column in zip("xyz", coordinates.T, strict=True):
            fields[axis] = np.where(chosen, column, fields[axis])
    fields["target"] = aim.rng.choice((HONEST.PUTS, HONEST.CONFIDED, *HONEST.ANSWERS), count)
    fields["offset"] = 8 * aim.below(count, HONEST.SLOT // 8)
    fields["length"] = 1 + aim.below(count, PAYLOAD_BYTES // 4)
    fields["key"] = np.where(aim.some(count, 0.5), aim.key, aim.below(count, KEYS))
    ids = [aim.scenario.shape.node_id(rank) for rank in aim.scenario.honest]
    fields["source"] = aim.rng.choice(ids, count)


def _get(aim: Aim, fields: Fields) -> None:
    """Ask others to send: what they shall send is in :func:`carried`."""
    count = len(fields["x"])
    fields["dma"][:] = fields["get"][:] = 1
    fields["counter"][:] = HOSTILE.PAYLOAD
    slots = HOSTILE.payload.length // DESCRIPTOR_BYTES
    fields["address"] = DESCRIPTOR_BYTES * aim.below(count, slots - 8)
    odd = ~aim.some(count, aim.stimulus.near)
    fields["length"] = DESCRIPTOR_BYTES * (1 + aim.below(count, 7)) + odd * aim.below(count, 300)
    fields["ring"] = np.where(aim.some(count, aim.stimulus.near), HONEST.GET_RING, aim.below(count, _GET_RINGS + 2))


def _deposit(aim: Aim, fields: Fields) -> None:
    """Leave copies on the way."""
    fields["deposit"][:] = 1
    fields["hint"] = np.where(aim.some(len(fields["x"]), 0.5), 0, 1 << aim.below(len(fields["x"]), 6))


def _hint(aim: Aim, fields: Fields) -> None:
    fields["hint"] = aim.below(len(fields["x"]), 64)
    fields["deposit"] = aim.below(len(fields["x"]), 2)


def _crossing(aim: Aim, fields: Fields, ring: int) -> None:
    """Copies along the longest line of friends from one ring, messages to itself from the others: all end in one ring.

    On a line the streams of both ends cross in the nodes between, on two lanes, while a third is busy with messages.
    """
    shape, me = aim.scenario.shape, aim.rank
    # No further than half of the ring, which is how far a packet goes.
    lines = [list(takewhile(aim.friends.__contains__, islice(shape.line(me, way), shape.sizes[way // 2] // 2)))
             for way in Direction]
    target = max([me], *lines, key=len)[-1]
    copies = ring == min(HOSTILE.rings)
    for axis, value in zip("xyz", shape.coordinate(target if copies else me), strict=True):
        fields[axis][:] = value
    fields["deposit"][:] = copies
    fields["dma"][:] = fields["pid1"][:] = fields["dynamic"][:] = 0
    fields["vc"][:] = VirtualChannel.ESCAPE
    fields["length"] = PAYLOAD_BYTES - 8 * aim.below(len(fields["x"]), 8)


def _channel(aim: Aim, fields: Fields) -> None:
    fields["dynamic"], fields["vc"] = aim.below(len(fields["x"]), 2), aim.below(len(fields["x"]), 4)


def _range(aim: Aim, fields: Fields) -> None:
    count = len(fields["x"])
    for axis in "xyz":
        fields[axis] = np.where(aim.some(count, 0.5), fields[axis] ^ 1 << aim.below(count, 8), fields[axis])


def _source(aim: Aim, fields: Fields) -> None:
    """Be somebody else: mostly one whom the destination would hear."""
    count = len(fields["x"])
    ids = [aim.scenario.shape.node_id(rank) for rank in aim.scenario.honest]
    fields["source"] = np.where(aim.some(count, 0.8), aim.rng.choice(ids, count), aim.below(count, 1 << 16))
    fields["epoch"], fields["crc"], fields["size"] = (aim.below(count, limit) for limit in (2, 128, 8))
    _some_gets(aim, fields, 0.2)


def _some_gets(aim: Aim, fields: Fields, share: float) -> None:
    count = len(fields["x"])
    gets = dict(fields)
    for name in ("dma", "get", "counter"):
        gets[name] = fields[name].copy()
    _get(aim, gets)
    chosen = aim.some(count, share)
    for name in ("dma", "get", "counter", "address", "length", "ring"):
        fields[name] = np.where(chosen, gets[name], fields[name])


_SHAPERS: dict[str, Callable[[Aim, Fields], None]] = {
    "message": _message, "put": _put, "writer": _writer, "get": _get, "deposit": _deposit, "hint": _hint,
    "channel": _channel, "range": _range, "source": _source,
}


def _spoiled(aim: Aim, rows: Words) -> Words:
    """Some descriptors with bits turned over, and some that are random altogether."""
    count = len(rows)
    flips = np.uint64(1) << aim.rng.integers(0, 64, rows.shape, np.uint64)
    hit = aim.some(rows.size, 0.4).reshape(rows.shape)
    spoiled = np.where(hit, rows ^ flips, rows)
    noise = aim.rng.integers(0, 1 << 63, rows.shape, np.uint64) << np.uint64(1)
    spoiled = np.where(aim.some(count, 0.15)[:, None], noise, spoiled)
    # Most bits of a length make a message of hundreds of packets: a few of those are enough.
    lengths = take_field(spoiled[:, 1], Descriptor, "length")
    long = (lengths > PAYLOAD_BYTES) & (lengths <= NODE.memory_bytes) & aim.some(count, 0.95)
    spoiled[long, 1] &= ~np.uint64(0xFFFFFFC0)
    return spoiled


@dataclass(frozen=True)
class Batch:
    """Descriptors, one a row of four words, and how many there are of each kind."""

    rows: Words
    kinds: Counter[str]


def _one_way(aim: Aim, way: str, count: int, ring: int) -> Words:
    fields = aim.aimed(count)
    if way == "crossing":
        _crossing(aim, fields, ring)
    elif way in _SHAPERS:
        _SHAPERS[way](aim, fields)
    rows = _rows(fields)
    wrong = 1.0 if way == "descriptor" else 1 - aim.stimulus.near
    return np.where(aim.some(count, wrong)[:, None], _spoiled(aim, rows), rows)


def batch(aim: Aim, count: int, ring: int = 0) -> Batch:
    """`count` descriptors of the round's way for a ring; ways that need none are accompanied by all kinds of them."""
    way = aim.stimulus.way
    if way in _SHAPERS or way in ("descriptor", "crossing"):
        return Batch(_one_way(aim, way, count, ring), Counter({way: count}))
    ways = (*_SHAPERS, "descriptor")
    shares = aim.rng.multinomial(count, [1 / len(ways)] * len(ways))
    rows = np.concatenate([_one_way(aim, one, int(share), ring) for one, share in zip(ways, shares, strict=True)])
    aim.rng.shuffle(rows)
    return Batch(rows, Counter({one: int(share) for one, share in zip(ways, shares, strict=True)}))


def carried(aim: Aim, count: int) -> Words:
    """Descriptors for remote gets to carry: they name others as destination and source, and windows that are closed."""
    fields = aim.aimed(count)
    fields["counter"] = aim.rng.choice((HONEST.SHOWN, HONEST.SHARED, HONEST.OWN, 1, 4), count, p=(.4, .2, .2, .1, .1))
    fields["address"] = 8 * aim.below(count, 64)
    fields["length"] = 1 + np.where(aim.some(count, 0.8), aim.below(count, 16), aim.below(count, 240))
    _source(aim, fields)
    # A few of them are remote gets themselves, and some want to leave copies.
    fields["get"] = fields["get"] & aim.some(count, 0.3)
    fields["deposit"] = aim.some(count, 0.2).astype(np.int64)
    fields["hint"] = np.where(aim.some(count, 0.3), aim.below(count, 64), 0)
    rows = _rows(fields)
    assert rows.shape == (count, DESCRIPTOR_WORDS)
    return np.where(aim.some(count, 1 - aim.stimulus.near)[:, None], _spoiled(aim, rows), rows)
