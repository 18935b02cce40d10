"""Packets of the tree: consoles, and the owner's control words."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from khhw.node import Shape
from khhw.trace.flits import Sighting, stream, transfers, tree_cable
from khhw.trace.waves import Waves
from rtl.codec import Codec
from rtl.formats import Flit, TreeChannel, TreeHeader, unpack
from rtl.signatures import TreeFlit

__all__ = ["TreePacket", "TreeSighting", "follow_tree"]

_STAMPS = Codec.of(TreeHeader).mask("source", "owner", "external")
"""Header bits the port above the root writes."""

_Key = tuple[int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class TreeSighting:
    """A packet at one place of the tree.

    Parameters
    ----------
    rank : int or None
        Node that sent it there; None above the root.
    what : str
        The place: ``up``, ``left``, ``right``, ``down`` (cables by where they lead), ``here`` (the node's own
        endpoint), ``ring`` (its network interface), ``outside``.
    sighting : Sighting
    """

    rank: int | None
    what: str
    sighting: Sighting


@dataclass(slots=True)
class TreePacket:
    """A packet of the tree and where it was seen.

    Parameters
    ----------
    source : int or None
        Rank; None for the outside.
    offered : Sighting or None
        As it left the network interface; None for the outside and for answers to the owner.
    entered : Sighting
        As it entered the tree.
    seen : list of TreeSighting
        In the order of time.
    """

    source: int | None
    offered: Sighting | None
    entered: Sighting
    seen: list[TreeSighting] = field(default_factory=list)


def follow_tree(waves: Waves, shape: Shape) -> list[TreePacket]:
    """All packets that entered the tree at a node in the waves, or from outside, in that order."""
    packets = [TreePacket(None, None, sighting) for sighting in _outside(waves, "owner_in")]
    for node in sorted(waves.ranks):
        packets += _sent(waves, node)
    packets.sort(key=lambda packet: (packet.entered.begin, -1 if packet.source is None else packet.source))
    observed = list(_observed(waves, shape))
    for packet in packets:
        key = _key(packet.entered)
        for rank, what, sightings in observed:
            waiting = sightings[key]
            found = next((s for s in waiting if s.begin > packet.entered.begin), None)
            if found is not None:
                waiting.remove(found)
                packet.seen.append(TreeSighting(rank, what, found))
        packet.seen.sort(key=lambda seen: seen.sighting.begin)
    return packets


def _key(sighting: Sighting) -> _Key:
    return sighting.flits[0] & ~_STAMPS, sighting.flits[1:]


def _sent(waves: Waves, rank: int) -> Iterator[TreePacket]:
    """What a node's endpoint sent: software's text, stamped, and answers to the owner."""
    node = f"node_{rank}"
    offered: dict[tuple[int, ...], list[Sighting]] = defaultdict(list)
    for sighting in stream(waves, f"{node}.console_out"):
        offered[sighting.flits[3:]].append(sighting)
    for channel in TreeChannel:
        for sighting in stream(waves, f"{node}.local_out__{channel.name.lower()}"):
            candidates = offered[sighting.flits[3:]] if channel == TreeChannel.TENANT else []
            before = next((s for s in candidates if s.end < sighting.begin), None)
            if before is not None:
                candidates.remove(before)
            yield TreePacket(rank, before, sighting)


def _observed(waves: Waves, shape: Shape) -> Iterator[tuple[int | None, str, dict[_Key, list[Sighting]]]]:
    for rank in sorted(waves.ranks):
        node = f"node_{rank}"
        cables = {"parent_tx": "up", "local_in": "here"}
        cables |= {f"child_tx__{side}": name for side, name in enumerate(("left", "right"))
                   if 2 * rank + 1 + side < shape.nodes}
        for port, what in cables.items():
            yield rank, what, _by_key(tree_cable(waves, f"{node}.{port}"))
        yield rank, "ring", _by_key(stream(waves, f"{node}.console_in"))
    if 0 in waves.ranks:
        yield None, "down", _by_key(tree_cable(waves, "node_0.parent_rx"))
    yield None, "outside", _by_key(_outside(waves, "owner_out"))


def _by_key(sightings: list[Sighting]) -> dict[_Key, list[Sighting]]:
    found: dict[_Key, list[Sighting]] = defaultdict(list)
    for sighting in sightings:
        found[_key(sighting)].append(sighting)
    return found


def _outside(waves: Waves, name: str) -> list[Sighting]:
    """Packets at the port above the root."""
    ports = {"valid": 1, "ready": 1, "payload": TreeFlit.size}
    steps, values = transfers(waves, name, ports)
    flits, found = [], []  # type: list[int], list[Sighting]
    begin = 0
    for step, value in zip(steps.tolist(), values, strict=True):
        moved = unpack(TreeFlit, value)
        flit = unpack(Flit, moved["flit"])
        if flit["first"]:
            flits, begin = [], step
        flits.append(flit["data"])
        if flit["last"]:
            found.append(Sighting(begin, step, tuple(flits), bool(flit["bad"]), True, moved["channel"]))
    return found
