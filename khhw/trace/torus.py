"""Packets on their way through guards and routers, told apart by what they carry."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from khhw.node import Shape
from khhw.trace.flits import Sighting, cable, stream
from khhw.trace.policy import PolicyHistory
from khhw.trace.rings import Message
from khhw.trace.waves import Waves
from rtl.codec import Codec
from rtl.fabric import cables
from rtl.formats import Direction, Header, Reason, unpack
from rtl.parameters import Parameters

__all__ = ["Delivery", "Hop", "Lanes", "TorusPacket", "follow_all"]

_CHANGING = Codec.of(Header).mask("crc", "hint")
"""Header bits routers rewrite."""

_THROUGH, _IN = 3, 2
"""Cycles of a header through a router from a cable, and from an injection lane, when nothing is in its way: see
:class:`rtl.torus.router.Router`. A deposit packet takes one more where it leaves a copy."""

_Key = tuple[int, tuple[int, ...]]
_Link = tuple[Sighting, Direction]
_Ejected = tuple[Sighting, int, int]
_Departure = TypeVar("_Departure", _Link, _Ejected)


@dataclass(frozen=True, slots=True)
class Hop:
    """A packet through one router and, unless it is ejected there, over the cable behind it.

    Parameters
    ----------
    rank : int
        The router's node.
    port : Direction or None
        Port it came in by; None from an injection lane.
    arrived : Sighting
        On that cable or lane.
    output : Direction or None
        Port it left by; None for an ejection lane.
    left : Sighting
        On that cable or lane.
    copied : bool
        It left a copy here.
    """

    rank: int
    port: Direction | None
    arrived: Sighting
    output: Direction | None
    left: Sighting
    copied: bool = False

    @property
    def waited(self) -> int:
        """Cycles the header stood still."""
        least = _IN if self.port is None else _THROUGH
        return max(0, self.left.begin - self.arrived.begin - least - self.copied)


@dataclass(slots=True)
class Delivery:
    """A packet at an ejection lane: of a deposit packet there are several.

    Parameters
    ----------
    rank, lane : int
    ejected : Sighting
        Before the ingress guard.
    passed : Sighting or None
        Behind it; None if it was refused or dropped.
    index : int
        Among what passed on this lane.
    reason : Reason or None
        Why it was refused; None if the waves do not tell.
    held : bool
        The node was in hold: it was dropped.
    """

    rank: int
    lane: int
    ejected: Sighting
    passed: Sighting | None
    index: int
    reason: Reason | None
    held: bool


@dataclass(slots=True)
class TorusPacket:
    """A packet and its way.

    Parameters
    ----------
    source, lane : int
        Rank, injection lane. Of a stray the rank in its header, or -1 if that is none.
    offered : Sighting
        As it left the network interface; a stray where it was first seen.
    stamped : Sighting or None
        As it left the egress guard; None if it was refused.
    reason : Reason or None
        Why it was refused there; None if the waves do not tell.
    message : Message or None
        What it is a part of; None if its descriptor was not seen.
    hops : list of Hop
        In the order of time.
    deliveries : list of Delivery
    stray : bool
        It was first seen on a cable or in front of an ingress guard: its way before is not in the waves.
    """

    source: int
    lane: int
    offered: Sighting
    stamped: Sighting | None
    reason: Reason | None
    message: Message | None
    hops: list[Hop] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    stray: bool = False


class Lanes:
    """What passed the guard's ports of one node.

    Parameters
    ----------
    waves : Waves
    rank : int
        If it is not in the waves, nothing passed.
    parameters : Parameters
    """

    def __init__(self, waves: Waves, rank: int, parameters: Parameters) -> None:
        def port(name: str) -> list[list[Sighting]]:
            return [stream(waves, f"node_{rank}.{name}__{lane}") if rank in waves.ranks else []
                    for lane in range(parameters.lanes)]

        self.from_ni, self.to_router, self.from_router, self.to_ni = map(
            port, ("from_ni", "to_router", "from_router", "to_ni"))


def behind(before: Sequence[Sighting], after: Sequence[Sighting]) -> list[int | None]:
    """For every packet in front of a guard, the index of what came of it behind. The guard holds one header."""
    begins = [sighting.begin for sighting in before]
    found: list[int | None] = [None] * len(before)
    for index, sighting in enumerate(after):
        front = bisect_left(begins, sighting.begin) - 1
        if front >= 0:
            found[front] = index
    return found


def follow_all(
    waves: Waves, shape: Shape, lanes: Sequence[Lanes], policies: Sequence[PolicyHistory],
    messages: Sequence[dict[tuple[int, int], Message]],
) -> list[TorusPacket]:
    """All packets of a run with their ways, in the order they were first seen: as they left the network interfaces, or
    strays.

    Parameters
    ----------
    waves : Waves
    shape : Shape
    lanes, policies, messages : sequences
        Of every node, by rank.
    """
    packets = [packet for rank in range(shape.nodes)
               for packet in _injected(rank, lanes[rank], policies[rank], messages[rank])]
    packets.sort(key=lambda packet: (packet.offered.begin, packet.source, packet.lane))
    router = _Routers(waves, shape, lanes, policies)
    for packet in sorted((p for p in packets if p.stamped), key=lambda p: p.stamped.begin if p.stamped else 0):
        router.follow(packet)
    if len(waves.ranks) < shape.nodes or not waves.from_start:
        packets = sorted([*packets, *router.strays()], key=lambda packet: (packet.offered.begin, packet.source))
    return packets


def _injected(
    rank: int, lanes: Lanes, policy: PolicyHistory, messages: dict[tuple[int, int], Message],
) -> Iterator[TorusPacket]:
    for lane, offered in enumerate(lanes.from_ni):
        stamped = behind(offered, lanes.to_router[lane])
        for index, sighting in enumerate(offered):
            after = stamped[index]
            reason = policy.egress_reason(sighting.flits[0], sighting.begin) if after is None else Reason.NONE
            yield TorusPacket(rank, lane, sighting, None if after is None else lanes.to_router[lane][after], reason,
                              messages.get((lane, index)))


def _key(sighting: Sighting) -> _Key:
    return sighting.flits[0] & ~_CHANGING, sighting.flits[1:]


class _Routers:
    """Takes packets from router to router; each thing seen belongs to one packet."""

    def __init__(
        self, waves: Waves, shape: Shape, lanes: Sequence[Lanes], policies: Sequence[PolicyHistory],
    ) -> None:
        self._shape = shape
        self._lanes = lanes
        self._policies = policies
        self._neighbour = {(rank, direction): there for rank, direction, there in cables(shape.sizes)}
        self._links: list[dict[_Key, list[_Link]]] = [defaultdict(list) for _ in lanes]
        self._ejected: list[dict[_Key, list[_Ejected]]] = [defaultdict(list) for _ in lanes]
        self._passed = [[behind(before, after) for before, after in zip(node.from_router, node.to_ni, strict=True)]
                        for node in lanes]
        for (rank, direction), there in self._neighbour.items():
            for sighting in _on_cable(waves, rank, direction, there):
                self._links[rank][_key(sighting)].append((sighting, direction))
        for rank, node in enumerate(lanes):
            for lane, sightings in enumerate(node.from_router):
                for index, sighting in enumerate(sightings):
                    self._ejected[rank][_key(sighting)].append((sighting, lane, index))
        for links in self._links:
            for crossed in links.values():
                crossed.sort(key=lambda seen: seen[0].begin)
        for ejections in self._ejected:
            for left in ejections.values():
                left.sort(key=lambda seen: seen[0].begin)

    def follow(self, packet: TorusPacket) -> None:
        """Fill in the way of a packet that left its egress guard."""
        assert packet.stamped is not None
        self._go(packet, packet.source, None, packet.stamped)

    def strays(self) -> Iterator[TorusPacket]:
        """Packets of which no part that was seen belongs to one that was followed, in the order they were seen."""
        links = [(link[0], rank, link) for rank, found in enumerate(self._links)
                 for departures in found.values() for link in departures]
        ejected = [(left[0], rank, left) for rank, found in enumerate(self._ejected)
                   for departures in found.values() for left in departures]
        for sighting, rank, departure in sorted([*links, *ejected], key=lambda seen: (seen[0].begin, seen[1])):
            key = _key(sighting)
            packet = TorusPacket(self._source(sighting), -1, sighting, sighting, Reason.NONE, None, stray=True)
            if len(departure) == 3:
                if departure in self._ejected[rank][key]:
                    self._ejected[rank][key].remove(departure)
                    packet.deliveries.append(self._deliver(rank, *departure))
                    yield packet
            elif departure in self._links[rank][key]:
                self._links[rank][key].remove(departure)
                direction = departure[1]
                packet.hops.append(Hop(rank, None, sighting, direction, sighting))
                self._go(packet, self._neighbour[rank, direction], Direction(direction ^ 1), sighting)
                yield packet

    def _source(self, sighting: Sighting) -> int:
        try:
            return self._shape.rank_of_id(unpack(Header, sighting.flits[0])["source"])
        except ValueError:
            return -1

    def _go(self, packet: TorusPacket, rank: int, port: Direction | None, arrived: Sighting) -> None:
        """Follow a packet from where it came to the router of a node."""
        key = _key(arrived)
        copies = bool(unpack(Header, arrived.flits[0])["deposit"])
        while True:
            link = _first(self._links[rank][key], arrived)
            ejected = _first(self._ejected[rank][key], arrived)
            if link and ejected and not copies:
                # Of two packets that carry the same, each takes the output that comes first.
                link, ejected = (link, None) if link[0].begin < ejected[0].begin else (None, ejected)
            copied = link is not None and ejected is not None
            if ejected is not None:
                self._ejected[rank][key].remove(ejected)
                packet.hops.append(Hop(rank, port, arrived, None, ejected[0], copied))
                packet.deliveries.append(self._deliver(rank, *ejected))
            if link is None:
                return
            self._links[rank][key].remove(link)
            packet.hops.append(Hop(rank, port, arrived, link[1], link[0], copied))
            rank, port, arrived = self._neighbour[rank, link[1]], Direction(link[1] ^ 1), link[0]

    def _deliver(self, rank: int, ejected: Sighting, lane: int, index: int) -> Delivery:
        passed = self._passed[rank][lane][index]
        if passed is not None:
            return Delivery(rank, lane, ejected, self._lanes[rank].to_ni[lane][passed], passed, Reason.NONE, False)
        policy = self._policies[rank]
        held = policy.at(ejected.begin).hold
        reason = Reason.NONE if held else policy.ingress_reason(ejected.flits[0], ejected.begin)
        return Delivery(rank, lane, ejected, None, -1, reason, held)


def _on_cable(waves: Waves, rank: int, direction: Direction, there: int) -> list[Sighting]:
    """What a cable carried, as the end of it that is in the waves has it."""
    if rank in waves.ranks:
        return cable(waves, f"node_{rank}.tx__{int(direction)}")
    return cable(waves, f"node_{there}.rx__{direction ^ 1}") if there in waves.ranks else []


def _first(departures: list[_Departure], arrived: Sighting) -> _Departure | None:
    return next((departure for departure in departures if departure[0].begin > arrived.begin), None)
