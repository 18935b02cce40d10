"""The list of packets of a run: torus and tree together, numbered in the order they appeared."""

from collections.abc import Sequence
from dataclasses import dataclass

from khhw.trace.fields import NodeName, destination_of, link_header, node_name, tree_fields
from khhw.trace.policy import reason_name
from khhw.trace.run import Run
from khhw.trace.torus import Delivery, TorusPacket
from khhw.trace.tree import TreePacket
from rtl.formats import CHUNK_BYTES, Header, Protocol, PutHeader, Reason, unpack
from rtl.torus.coordinates import neighbour_of

__all__ = ["Entry", "Filter", "entries", "outcome"]

_HEADERS = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """A packet in the list.

    Parameters
    ----------
    number : int
        From 0 up.
    kind : str
        One of :data:`khhw.trace.KINDS`.
    source, destination : int or str
        Ranks; words for the outside and for what is no node.
    cycle : int
        When its first flit left the network interface, or entered the tree.
    length : int
        Bytes of payload.
    packet : TorusPacket or TreePacket
    """

    number: int
    kind: str
    source: NodeName
    destination: NodeName
    cycle: int
    length: int
    packet: TorusPacket | TreePacket


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What of the list is wanted; None: all."""

    source: str | None = None
    destination: str | None = None
    from_cycle: int = 0
    kind: str | None = None
    limit: int | None = None

    def of(self, listed: Sequence[Entry]) -> list[Entry]:
        """The entries that fit, `limit` at most."""
        found = [entry for entry in listed
                 if self.source in (None, str(entry.source)) and self.destination in (None, str(entry.destination))
                 and entry.cycle >= self.from_cycle and self.kind in (None, entry.kind)]
        return found[:self.limit]


def entries(run: Run) -> list[Entry]:
    """All packets of a run."""
    listed: list[tuple[int, int, TorusPacket | TreePacket]] = [
        (packet.offered.begin, packet.source, packet) for packet in run.packets]
    for tree in run.tree:
        seen = tree.offered or tree.entered
        listed.append((seen.begin, -1 if tree.source is None else tree.source, tree))
    listed.sort(key=lambda item: item[:2])
    return [_torus(run, number, packet) if isinstance(packet, TorusPacket) else _tree(run, number, packet)
            for number, (_, _, packet) in enumerate(listed)]


def _torus(run: Run, number: int, packet: TorusPacket) -> Entry:
    flits = packet.offered.flits
    header = unpack(Header, flits[0])
    second = flits[1] if len(flits) > 1 else 0
    put = unpack(PutHeader, second)
    kind = "message" if not header["dma"] else "get" if put["remote_get"] else "put"
    length = put["valid_bytes"] if header["dma"] else (header["size"] + 1) * CHUNK_BYTES - _HEADERS
    if packet.message is not None:
        length = packet.message.length
    source = node_name(run.shape, header["source"]) if packet.stray else packet.source
    return Entry(number, kind, source, destination_of(run.shape, flits[0]),
                 int(run.waves.cycles[packet.offered.begin]), length, packet)


def _tree(run: Run, number: int, packet: TreePacket) -> Entry:
    fields, link = tree_fields(run.shape, packet.entered.flits), link_header(packet.entered.flits)
    protocol = link["protocol"]
    kind = Protocol(protocol).name.lower() if protocol in list(Protocol) else "control"
    source: NodeName = "outside" if packet.source is None else packet.source
    seen = packet.offered or packet.entered
    return Entry(number, kind, source, fields["destination"], int(run.waves.cycles[seen.begin]), link["opt"], packet)


def outcome(run: Run, entry: Entry) -> tuple[str, int | None]:
    """What became of a packet, and the cycle of that; None while nothing has."""
    packet = entry.packet
    if isinstance(packet, TreePacket):
        return _through_tree(run, packet, entry.kind)
    if packet.stamped is None:
        return _not_sent(run, packet)
    if not packet.deliveries:
        return _on_the_way(run, packet), None
    found = [_delivered(run, delivery) for delivery in packet.deliveries]
    worst = next((words for words, _ in found if words != "stored"), found[-1][0])
    steps = [step for _, step in found if step is not None]
    if len(found) > 1 and worst == "stored":
        worst = f"stored on {len(found)} nodes"
    return worst, int(run.waves.cycles[min(max(steps), run.waves.steps - 1)]) if steps else None


def _on_the_way(run: Run, packet: TorusPacket) -> str:
    last = packet.hops[-1] if packet.hops else None
    if last is not None and last.output is not None:
        there = neighbour_of(last.rank, last.output, run.shape.sizes)
        if there not in run.waves.ranks:
            return f"goes on to node {there}, which is not in the waves"
    return "under way, or discarded by a router"


def _through_tree(run: Run, packet: TreePacket, kind: str) -> tuple[str, int | None]:
    takers = ("here", "outside") if kind == "control" else ("ring", "outside")
    if ends := [seen.sighting.end for seen in packet.seen if seen.what in takers]:
        return "arrived", int(run.waves.cycles[max(ends)])
    local = [seen for seen in packet.seen if seen.what == "here"]
    if not local:
        return "under way", None
    refused = [seen for seen in local if run.refuses(seen)]
    words = f"refused by the column of node {refused[0].rank}: {Reason.TREE.name}" if refused else "nobody listens"
    return words, int(run.waves.cycles[min(local[-1].sighting.end + 1, run.waves.steps - 1)])


def _not_sent(run: Run, packet: TorusPacket) -> tuple[str, int | None]:
    if packet.reason == Reason.NONE:
        return f"cut by the hold of node {packet.source}", None
    step = min(packet.offered.begin + 1, run.waves.steps - 1)
    return f"refused by the egress guard of node {packet.source}: {reason_name(packet.reason)}", \
        int(run.waves.cycles[step])


def _delivered(run: Run, delivery: Delivery) -> tuple[str, int | None]:
    rank = delivery.rank
    if delivery.held:
        return f"dropped: node {rank} is in hold", delivery.ejected.begin + 1
    if delivery.passed is None:
        return f"refused by the ingress guard of node {rank}: {reason_name(delivery.reason)}", \
            delivery.ejected.begin + 1
    received = run.reception(rank).received(delivery.lane, delivery.index, delivery.passed)
    if received.retired is None:
        return f"cut in the network interface of node {rank}", None
    return (f"dropped by node {rank}: {received.dropped}" if received.dropped else "stored"), received.retired
