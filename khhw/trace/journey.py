"""The way of one packet, line by line: in which cycle it was where, and what was done with it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from khhw.trace.entries import Entry
from khhw.trace.fields import (
    Fields,
    NodeName,
    destination_of,
    direction_name,
    header_fields,
    second_fields,
    tree_fields,
)
from khhw.trace.policy import reason_name
from khhw.trace.run import Run
from khhw.trace.streams import Streams
from khhw.trace.torus import Delivery, Hop, TorusPacket
from khhw.trace.tree import TreePacket
from rtl.formats import (
    FLIT_BITS,
    WORD_FLITS,
    Descriptor,
    Header,
    PutHeader,
    Reason,
    VirtualChannel,
    unpack,
)
from rtl.torus.header import check_header

__all__ = ["Line", "journey"]

_HEADER_FLITS = 2


@dataclass(frozen=True, slots=True)
class Line:
    """Something that happened to a packet.

    Parameters
    ----------
    step, cycle : int
        Simulated clock cycle, counted without skipped time; the machine's time.
    node : int or str
        Rank, or ``outside``.
    block : str
        ``host``, ``ni``, ``guard``, ``router``, ``memory``, ``tree`` or ``irq``.
    what : str
    fields : dict
        Decoded.
    """

    step: int
    cycle: int
    node: NodeName
    block: str
    what: str
    fields: Fields = field(default_factory=dict)


def journey(run: Run, entry: Entry, numbers: dict[int, int], streams: Streams) -> list[Line]:
    """What happened to a packet, in the order of time.

    Parameters
    ----------
    run : Run
    entry : Entry
    numbers : dict of int to int
        Number in the list by the ``id`` of a packet, to name the get that asked for it.
    streams : Streams
        Connections of the run.
    """
    packet = entry.packet
    teller = _Teller(run, numbers)
    lines = list(teller.tree(packet) if isinstance(packet, TreePacket) else teller.torus(packet))
    if isinstance(packet, TorusPacket) and (segment := streams.fields(entry)) is not None:
        lines.append(teller.line(packet.offered.begin, packet.source, "ni", "it is a segment of a stream", segment))
    return sorted(lines, key=lambda line: line.step)


class _Teller:
    def __init__(self, run: Run, numbers: dict[int, int]) -> None:
        self._run = run
        self._numbers = numbers

    def line(self, step: int, node: NodeName, block: str, what: str, fields: Fields | None = None) -> Line:
        step = min(step, self._run.waves.steps - 1)
        return Line(step, int(self._run.waves.cycles[step]), node, block, what, fields or {})

    def torus(self, packet: TorusPacket) -> Iterator[Line]:
        """From the doorbell to the interrupt."""
        if packet.stray:
            yield from self._first_seen(packet)
        else:
            yield from self._sent(packet)
        for hop in packet.hops:
            yield from self._hop(packet, hop)
        for delivery in packet.deliveries:
            yield from self._delivery(delivery)

    def _first_seen(self, packet: TorusPacket) -> Iterator[Line]:
        """Of a stray there is only its header to be told."""
        rank = packet.hops[0].rank if packet.hops else packet.deliveries[0].rank
        yield self.line(packet.offered.begin, rank, "router", "is first seen; its way before is not in the waves",
                        self._headers(packet))

    def _sent(self, packet: TorusPacket) -> Iterator[Line]:
        """From the doorbell into the first router, if the guard lets it pass."""
        shape, source, offered = self._run.shape, packet.source, packet.offered
        yield from self._from_memory(packet)
        flits = offered.flits
        headers = self._headers(packet)
        # Before the guard has stamped them these are whatever software left there.
        for name in ("source", "epoch", "crc"):
            headers.pop(name)
        yield self.line(offered.begin, source, "ni",
                        f"first of {len(flits)} flits leaves by injection lane {packet.lane}", headers)
        yield from self._descriptors(packet)
        if packet.stamped is None:
            what = "hold cuts the packet"
            if packet.reason != Reason.NONE:
                what = f"egress guard refuses the packet: {reason_name(packet.reason)}"
            yield self.line(offered.begin + 1, source, "guard", what)
            return
        stamped = header_fields(shape, packet.stamped.flits[0])
        good = "good" if check_header(packet.stamped.flits[0]) else "wrong"
        yield self.line(packet.stamped.begin, source, "guard", "egress guard lets it pass, stamped", {
            "source": stamped["source"], "epoch": stamped["epoch"], "hint": stamped["hint"],
            "crc": f"{stamped['crc']} ({good})"})

    def _headers(self, packet: TorusPacket) -> Fields:
        """What its headers hold where it was first seen."""
        first, *others = packet.offered.flits[:_HEADER_FLITS]
        return header_fields(self._run.shape, first) | (second_fields(first, others[0]) if others else {})

    def _from_memory(self, packet: TorusPacket) -> Iterator[Line]:
        """How it came to be sent."""
        message, source = packet.message, packet.source
        if message is None:
            return
        fetch = message.fetch
        if fetch.doorbell is not None:
            bell = fetch.doorbell
            yield self.line(bell.step, source, "host", "rings the doorbell",
                            {f"{bell.name}[{bell.index}]": f"{bell.value:#x}"})
        else:
            get = self._run.asked_by(packet)
            asked = f", put there by packet {self._numbers[id(get)]}" if get is not None else ""
            yield self.line(fetch.step - 1, source, "ni", f"injection ring {fetch.ring} holds a remote get{asked}")
        yield self.line(fetch.step, source, "ni", f"asks memory for the descriptor, ring {fetch.ring}",
                        {"address": f"{fetch.address:#x}"})
        fields, last = fetch.fields, message.first + message.length
        yield self.line(fetch.answered, source, "memory", "gives the descriptor", {
            "counter": fields["counter"], "base_offset": fields["base_offset"], "length": fields["length"],
            "destination": destination_of(self._run.shape, fields["header"]),
            "packet": f"bytes {message.first} to {last} of {fields['length']}"})

    def _descriptors(self, packet: TorusPacket) -> Iterator[Line]:
        """What a remote get asks for."""
        flits = packet.offered.flits
        if len(flits) < 2 or not unpack(Header, flits[0])["dma"] or not unpack(PutHeader, flits[1])["remote_get"]:
            return
        bodies = flits[_HEADER_FLITS:]
        for index in range(len(bodies) // WORD_FLITS):
            word = 0
            for flit in bodies[index * WORD_FLITS:(index + 1) * WORD_FLITS]:
                word = word << FLIT_BITS | flit
            fields = unpack(Descriptor, word)
            put = unpack(PutHeader, fields["software"])
            if fields["length"]:
                yield self.line(packet.offered.begin, packet.source, "ni", f"descriptor {index} in it", {
                    "counter": fields["counter"], "base_offset": fields["base_offset"], "length": fields["length"],
                    "to": destination_of(self._run.shape, fields["header"]),
                    "to_counter": put["counter"], "put_offset": put["put_offset"]})

    def _hop(self, packet: TorusPacket, hop: Hop) -> Iterator[Line]:
        assert packet.stamped is not None
        channel = VirtualChannel(hop.left.channel).name
        if hop.port is not None:
            arrived = VirtualChannel(hop.arrived.channel).name
            yield self.line(hop.arrived.begin, hop.rank, "router", f"in by {direction_name(hop.port)} on {arrived}")
        fields: Fields = {"waited": hop.waited} if hop.waited else {}
        if hop.output is None:
            what = "to the ejection lane"
        else:
            what = f"out by {direction_name(hop.output)} on {channel}"
            hint = header_fields(self._run.shape, hop.left.flits[0])["hint"]
            fields = {"hint": hint, **fields}
        yield self.line(hop.left.begin, hop.rank, "router", what, fields)

    def _delivery(self, delivery: Delivery) -> Iterator[Line]:
        rank, ejected = delivery.rank, delivery.ejected
        if delivery.passed is None:
            why = "drops the packet: the node is in hold" if delivery.held \
                else f"refuses the packet: {reason_name(delivery.reason)}"
            yield self.line(ejected.begin + 1, rank, "guard", f"ingress guard {why}")
            return
        passed = delivery.passed
        yield self.line(passed.begin, rank, "guard", f"ingress guard lets it pass on ejection lane {delivery.lane}",
                        {"source": header_fields(self._run.shape, passed.flits[0])["source"]})
        bad = ", marked bad" if passed.bad else ""
        yield self.line(passed.end, rank, "ni", f"last of {len(passed.flits)} flits is here{bad}")
        yield from self._reception(delivery)

    def _reception(self, delivery: Delivery) -> Iterator[Line]:
        assert delivery.passed is not None
        rank = delivery.rank
        received = self._run.reception(rank).received(delivery.lane, delivery.index, delivery.passed)
        if received.writes:
            first, last = received.writes[0][0], received.writes[-1][0]
            written: Fields = {"address": f"{received.address:#x}", "bytes": received.length}
            yield self.line(first, rank, "memory", "takes the first word", written)
            if len(received.writes) > 1:
                yield self.line(last, rank, "memory", f"takes the last of {len(received.writes)} words")
        if received.retired is None:
            yield self.line(delivery.passed.end + 1, rank, "ni", "hold, or the end of the run, cuts reception")
            return
        if received.dropped:
            yield self.line(received.retired, rank, "ni", f"drops it: {received.dropped}")
            return
        count = received.count
        if count is not None:
            hit = ", a hit" if count.after == 0 else ""
            values: Fields = {} if count.before is None or count.after is None \
                else {"before": count.before, "after": count.after}
            yield self.line(received.retired, rank, "ni", f"counts reception counter {count.counter} down{hit}", values)
        else:
            header = unpack(Header, delivery.passed.flits[0])
            what = "shows the descriptors to their ring" if header["dma"] else "shows the packet to software"
            yield self.line(received.retired, rank, "ni", what)
        yield from self._interrupt(rank, received.interrupt, received.was_up, received.retired)

    def _interrupt(self, rank: int, rises: int | None, was_up: bool, retired: int) -> Iterator[Line]:
        if rises is not None:
            yield self.line(rises, rank, "irq", "rises")
            yield self.line(rises + 1, rank, "host", "can see the interrupt")
        elif was_up:
            yield self.line(retired, rank, "irq", "is up already")

    def tree(self, packet: TreePacket) -> Iterator[Line]:
        """From the sender to all who took it."""
        sender: NodeName = "outside" if packet.source is None else packet.source
        fields = tree_fields(self._run.shape, packet.entered.flits)
        if packet.offered is not None:
            yield self.line(packet.offered.begin, sender, "ni", "first flit leaves by the console port")
        what = "enters above the root" if packet.source is None else "endpoint sends it, stamped, into the tree"
        yield self.line(packet.entered.begin, sender, "tree", what, fields)
        words = {"up": "out to the parent", "left": "out to the left child", "right": "out to the right child",
                 "down": "out to the root", "here": "out to this node's endpoint", "outside": "out of the machine"}
        for seen in packet.seen:
            node: NodeName = "outside" if seen.rank is None else seen.rank
            if seen.what == "ring":
                yield self.line(seen.sighting.begin, node, "ni", "takes it for the console ring")
                continue
            yield self.line(seen.sighting.begin, node, "tree", words[seen.what])
            if self._run.refuses(seen):
                yield self.line(seen.sighting.end + 1, node, "guard", f"column refuses it: {Reason.TREE.name}")
