"""GETs of memcached: which packets belong to one, and where its time went."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from khhw.kernels.memcached.item import HEADER
from khhw.kernels.memcached.server import PORT
from khhw.trace.conversation import answers, commands
from khhw.trace.entries import Entry
from khhw.trace.run import Run
from khhw.trace.streams import Stream, Streams, entries_of
from khhw.trace.torus import TorusPacket
from rtl.formats import FLIT_BYTES

__all__ = ["CAUSES", "Get", "Part", "find_gets"]

CAUSES = ("software", "ni", "hops", "serialization", "wait")
"""What time goes to: processors, network interfaces, routers and guards, flits behind a header, other packets."""
_KEY_BYTES = 6
"""Offset of the key's length in the header of an item."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the time of a GET.

    Parameters
    ----------
    node : int
        Rank at which it ended.
    what : str
    cycles : dict of str to int
        By :data:`CAUSES`.
    """

    node: int
    what: str
    cycles: dict[str, int]


@dataclass(slots=True)
class Get:
    """One GET.

    Parameters
    ----------
    number : int
        From 0 up, in the order they began.
    path : str
        ``tcp`` or ``rdma``.
    keys : str
        What was asked for; of a remote get, the key of the item it brought, or how many bytes if that is none.
    client, server : int
        Ranks.
    request, answer : list of Entry
        Packets.
    begin, end : int
        Cycles of the doorbell of the request, and of the end of reception of the last packet of the answer.
    parts : list of Part
        Where the time between them went.
    """

    number: int
    path: str
    keys: str
    client: int
    server: int
    request: list[Entry]
    answer: list[Entry]
    begin: int = 0
    end: int = 0
    parts: list[Part] = field(default_factory=list)

    @property
    def total(self) -> dict[str, int]:
        """Cycles by cause."""
        return {cause: sum(part.cycles.get(cause, 0) for part in self.parts) for cause in CAUSES}


@dataclass(frozen=True, slots=True)
class _Marks:
    """Cycles of a packet that arrived: its doorbell (-1: a remote get asked for it), first flit out of the network
    interface, first and last flit into the other one, end of reception; and how many it stood still, in all and
    behind its header."""

    asked: int
    sent: int
    here: int
    ended: int
    done: int
    waited: int
    stalled: int


def find_gets(run: Run, listed: Sequence[Entry], streams: Streams) -> list[Get]:
    """All GETs that were answered, by stream and by remote get.

    Parameters
    ----------
    run : Run
    listed : sequence of Entry
        All packets.
    streams : Streams
        Found in them.
    """
    found = [*_remote(run, listed)]
    for stream in streams.found:
        if stream.port == PORT:
            found += _streamed(stream)
    whole = [get for get in found if _measure(run, get)]
    whole.sort(key=lambda get: (get.begin, get.client))
    for number, get in enumerate(whole):
        get.number = number
    return whole


def _streamed(stream: Stream) -> Iterator[Get]:
    up, up_starts = stream.up.bytes_sent()
    down, down_starts = stream.down.bytes_sent()
    asked = list(commands(up))
    for command, answer in zip(asked, answers(down, asked), strict=True):
        if command.reads and answer is not None:
            keys = b" ".join(command.keys).decode("ascii", "backslashreplace")
            yield Get(0, "tcp", keys, stream.up.source, stream.up.destination,
                      list(entries_of(up_starts, command.begin, command.end)), list(entries_of(down_starts, *answer)))


def _remote(run: Run, listed: Sequence[Entry]) -> Iterator[Get]:
    by_get: dict[int, list[Entry]] = {}
    for entry in listed:
        packet = entry.packet
        if isinstance(packet, TorusPacket) and (get := run.asked_by(packet)) is not None:
            by_get.setdefault(id(get), []).append(entry)
    for entry in listed:
        packet, answer = entry.packet, by_get.get(id(entry.packet))
        if isinstance(packet, TorusPacket) and answer and isinstance(entry.destination, int):
            keys = _item_key(answer) or f"{sum(data.length for data in answer)} bytes"
            yield Get(0, "rdma", keys, packet.source, entry.destination, [entry], answer)


def _item_key(answer: Sequence[Entry]) -> str:
    """The key in the item a remote get brought; empty if it brought something else."""
    first = answer[0].packet
    if not isinstance(first, TorusPacket):
        return ""
    data = b"".join(flit.to_bytes(FLIT_BYTES, "big") for flit in first.offered.flits[2:])
    if len(data) < HEADER.size:
        return ""
    length = HEADER.unpack_from(data)[_KEY_BYTES]
    key = data[HEADER.size:HEADER.size + length]
    return key.decode("ascii") if key.isascii() and key.decode("ascii").isprintable() and len(key) == length else ""


def _measure(run: Run, get: Get) -> bool:
    """Fill in where the time went; False if not all packets arrived."""
    request, answer = ([_marks(run, entry) for entry in entries] for entries in (get.request, get.answer))
    if not request or not answer or None in request or None in answer:
        return False
    there = [marks for marks in request if marks is not None]
    back = [marks for marks in answer if marks is not None]
    get.begin = min(marks.asked for marks in there)
    asked = _transfer(get.parts, get.server, "request", there, get.begin, get.client)
    get.end = _transfer(get.parts, get.client, "answer", back, asked, get.server)
    return True


def _transfer(parts: list[Part], node: int, what: str, marks: Sequence[_Marks], since: int, sender: int) -> int:
    """Parts of the time from `since` until all packets of one direction are here; returns that cycle."""
    last = max(marks, key=lambda one: one.done)
    cursor = since

    def part(rank: int, words: str, until: int, cause: str, waited: int = 0) -> None:
        nonlocal cursor
        taken = max(0, until - cursor)
        waited = min(waited, taken)
        if taken:
            cycles = {cause: taken - waited, "wait": waited}
            parts.append(Part(rank, f"{what}: {words}", {name: count for name, count in cycles.items() if count}))
        cursor += taken

    part(sender, "until the doorbell", last.asked, "software")
    part(sender, "descriptor, first flit", min(one.sent for one in marks if one.asked == last.asked), "ni")
    part(sender, "packets before the last", last.sent, "serialization")
    part(node, "way of the last header", last.here, "hops", last.waited)
    part(node, "flits behind it", last.ended, "serialization", last.stalled)
    part(node, "memory, counter or ring, interrupt", last.done, "ni")
    return last.done


def _marks(run: Run, entry: Entry) -> _Marks | None:
    packet = entry.packet
    if not isinstance(packet, TorusPacket) or packet.message is None or len(packet.deliveries) != 1:
        return None
    (delivery,) = packet.deliveries
    if packet.stamped is None or delivery.passed is None:
        return None
    received = run.reception(delivery.rank).received(delivery.lane, delivery.index, delivery.passed)
    if received.retired is None or received.dropped:
        return None
    bell, passed, cycles = packet.message.fetch.doorbell, delivery.passed, run.waves.cycles
    done = received.retired if received.interrupt is None else received.interrupt + 1
    sent, here, ended, over = (int(cycles[step]) for step in (packet.offered.begin, passed.begin, passed.end, done))
    # A guard takes one cycle.
    waited = sum(hop.waited for hop in packet.hops)
    waited += packet.stamped.begin - packet.offered.begin - 1 + passed.begin - delivery.ejected.begin - 1
    return _Marks(-1 if bell is None else int(cycles[bell.step]), sent, here, ended, over, waited,
                  passed.end - passed.begin - len(passed.flits) + 1)
