"""Every port that a packet passed, and from which port it came there: what captures and timelines are made of."""

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from khhw.trace.entries import Entry
from khhw.trace.fields import direction_name
from khhw.trace.flits import Sighting
from khhw.trace.run import Run
from khhw.trace.torus import TorusPacket
from khhw.trace.tree import TreePacket, TreeSighting
from rtl.fabric import cables
from rtl.formats import Direction
from rtl.torus.coordinates import neighbour_of

__all__ = ["Layer", "Passage", "Port", "passages", "ports_of"]

_SIDES = ("left child", "right child")


class Layer(enum.Enum):
    """Which packets pass a port."""

    TORUS = "torus"
    TREE = "tree"


@dataclass(frozen=True, slots=True)
class Port:
    """Where packets can be seen.

    Parameters
    ----------
    node : int or None
        Rank; None for the port above the root.
    name : str
        Among those of its node: ``X+``, ``inject``, ``endpoint``.
    layer : Layer
    """

    node: int | None
    name: str
    layer: Layer

    def __str__(self) -> str:
        return self.name if self.node is None else f"node{self.node} {self.name}"


OUTSIDE = Port(None, "outside", Layer.TREE)


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """A packet at a port.

    Parameters
    ----------
    port : Port
    outbound : bool
        It leaves the node by it; through the port above the root, the machine.
    sighting : Sighting
    queue : int
        Injection or ejection lane; on a cable the virtual channel.
    far : Port or None
        The other end of a cable, where it comes in in the same cycle.
    before : Passage or None
        Where it came from; None if that was not seen.
    """

    port: Port
    outbound: bool
    sighting: Sighting
    queue: int = 0
    far: Port | None = None
    before: "Passage | None" = None


def ports_of(run: Run) -> list[Port]:
    """All ports that the waves of a run show, node by node."""
    leaving = {(rank, direction) for rank, direction, _ in cables(run.shape.sizes)}
    ports = [OUTSIDE]
    for rank in sorted(run.waves.ranks):
        names = ["inject", *(direction_name(d) for d in Direction if (rank, d) in leaving), "eject"]
        ports += [Port(rank, name, Layer.TORUS) for name in names]
        children = [name for side, name in enumerate(_SIDES) if _child(rank, side) < run.shape.nodes]
        ports += [Port(rank, name, Layer.TREE) for name in ("console", "endpoint", "parent", *children)]
    return ports


def passages(run: Run, entry: Entry) -> list[Passage]:
    """The ports that a packet passed, in the order of time."""
    packet = entry.packet
    found = _in_torus(run, packet) if isinstance(packet, TorusPacket) else _in_tree(packet)
    return sorted(found, key=lambda passage: passage.sighting.begin)


def _in_torus(run: Run, packet: TorusPacket) -> Iterator[Passage]:
    # Hops name what arrived by the sighting itself; of an injection lane that is what the egress guard let pass.
    known: dict[int, Passage] = {}
    if not packet.stray:
        injected = Passage(Port(packet.source, "inject", Layer.TORUS), True, packet.offered, packet.lane)
        known[id(packet.stamped)] = injected
        yield injected
    ways: dict[int, Passage | None] = {}
    for hop in packet.hops:
        before = known.get(id(hop.arrived))
        if hop.output is None:
            ways[id(hop.left)] = before
            continue
        there = neighbour_of(hop.rank, hop.output, run.shape.sizes)
        far = Port(there, direction_name(Direction(hop.output ^ 1)), Layer.TORUS)
        port = Port(hop.rank, direction_name(hop.output), Layer.TORUS)
        known[id(hop.left)] = Passage(port, True, hop.left, hop.left.channel, far, before)
        yield known[id(hop.left)]
    for delivery in packet.deliveries:
        yield Passage(Port(delivery.rank, "eject", Layer.TORUS), False, delivery.ejected, delivery.lane,
                      before=ways.get(id(delivery.ejected)))


def _in_tree(packet: TreePacket) -> Iterator[Passage]:
    entered = _entered(packet)
    if entered.before is not None:
        yield entered.before
    yield entered
    # By the node whose router has the packet, None for the outside: how it came there last.
    reached: dict[int | None, Passage] = {packet.source: entered}
    taken: dict[int | None, Passage] = {}
    for seen in packet.seen:
        if seen.what == "here":
            taken[seen.rank] = _tree_port(seen, "endpoint", reached.get(seen.rank), outbound=False)
            yield taken[seen.rank]
        elif seen.what == "ring":
            yield _tree_port(seen, "console", taken.get(seen.rank), outbound=False)
        elif seen.what == "outside":
            yield Passage(OUTSIDE, True, seen.sighting, seen.sighting.channel, before=reached.get(None))
        else:
            there, passage = _over_cable(seen, reached)
            reached[there] = passage
            yield passage


def _entered(packet: TreePacket) -> Passage:
    """As it entered the tree; from a network interface, with that before it."""
    sighting = packet.entered
    if packet.source is None:
        return Passage(OUTSIDE, False, sighting, sighting.channel)
    before = None if packet.offered is None else Passage(
        Port(packet.source, "console", Layer.TREE), True, packet.offered, packet.offered.channel)
    return Passage(Port(packet.source, "endpoint", Layer.TREE), True, sighting, sighting.channel, before=before)


def _over_cable(seen: TreeSighting, reached: dict[int | None, Passage]) -> tuple[int | None, Passage]:
    """The node that a cable leads to, and the packet on it."""
    rank = seen.rank
    if rank is None:
        down = Passage(Port(0, "parent", Layer.TREE), False, seen.sighting, seen.sighting.channel,
                       before=reached.get(None))
        return 0, down
    if seen.what == "up":
        parent, side = divmod(rank - 1, 2)
        far = Port(parent, _SIDES[side], Layer.TREE) if rank else None
        return parent if rank else None, _tree_port(seen, "parent", reached.get(rank), far=far)
    side = ("left", "right").index(seen.what)
    there = _child(rank, side)
    return there, _tree_port(seen, _SIDES[side], reached.get(rank), far=Port(there, "parent", Layer.TREE))


def _tree_port(
    seen: TreeSighting, name: str, before: Passage | None, *, outbound: bool = True, far: Port | None = None,
) -> Passage:
    return Passage(Port(seen.rank, name, Layer.TREE), outbound, seen.sighting, seen.sighting.channel, far, before)


def _child(rank: int, side: int) -> int:
    return 2 * rank + 1 + side
