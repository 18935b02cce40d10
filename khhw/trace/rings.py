"""Where a message came from: the doorbell and the descriptor behind the packets of an injection lane."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from khhw.trace.accesses import Write
from khhw.trace.flits import Sighting, transfers
from khhw.trace.ports import members
from khhw.trace.waves import Waves
from rtl.codec import Codec
from rtl.formats import CHUNK_BYTES, DESCRIPTOR_BYTES, PAYLOAD_BYTES, Descriptor, Header, PutHeader, unpack
from rtl.parameters import Parameters
from rtl.signatures import memory_signature

__all__ = ["Fetch", "Message", "fetches", "messages"]

_SIZE = Codec.of(Header).mask("size")
_PUT = Codec.of(PutHeader)
_HOLD = "HOLD"


@dataclass(frozen=True, slots=True)
class Fetch:
    """A descriptor the network interface read.

    Parameters
    ----------
    ring : int
        Injection ring.
    address : int
        Of the descriptor, in bytes.
    doorbell : Write or None
        The write of INJECTION_TAIL that announced it; None for a ring of remote gets, which hardware fills.
    step, answered : int
        When it was asked for, and when memory gave it.
    fields : dict of str to int
        Of the :data:`~rtl.formats.Descriptor`.
    """

    ring: int
    address: int
    doorbell: Write | None
    step: int
    answered: int
    fields: dict[str, int]


@dataclass(slots=True)
class Message:
    """What a packet is a part of.

    Parameters
    ----------
    fetch : Fetch
    first : int
        Byte of the message this packet begins with.
    length : int
        Its bytes of the message.
    """

    fetch: Fetch
    first: int
    length: int


@dataclass(slots=True)
class _Ring:
    base: int = 0
    size: int = 0
    remote: bool = False
    fetched: int = 0
    announced: deque[tuple[int, Write]] = field(default_factory=deque)

    @property
    def address(self) -> int:
        return self.base + self.fetched

    def doorbell(self) -> Write | None:
        """Forget doorbells whose descriptors are all fetched; the next."""
        while self.announced and self.announced[0][0] == self.fetched:
            self.announced.popleft()
        return self.announced[0][1] if self.announced else None


def fetches(waves: Waves, node: str, parameters: Parameters, writes: Iterable[Write]) -> Iterator[Fetch]:
    """All descriptors a node fetched, in order.

    Parameters
    ----------
    waves : Waves
    node : str
        Path of the node.
    parameters : Parameters
    writes : iterable of Write
        Its software's register writes.
    """
    ports = members(memory_signature(parameters))
    reads, addresses = transfers(waves, f"{node}.memory__read", _part(ports, "read"))
    answers, words = transfers(waves, f"{node}.memory__data", _part(ports, "data"))
    if len(reads) and not waves.from_start:
        # Answers to what was asked for before.
        early = int(np.searchsorted(answers, reads[0], side="right"))
        answers, words = answers[early:], words[early:]
    hold = waves.signal(f"{node}.hold", 1)
    resets = [Write(step, step, _HOLD, 0, 1) for step, level in zip(hold.starts.tolist(), hold.values, strict=True)
              if level]
    asked = [write for write in writes if write.name.startswith("INJECTION_")]
    changes = deque(sorted([*resets, *asked], key=lambda write: write.step))
    rings = [_Ring() for _ in range(parameters.injection_rings)]
    for step, word, address in zip(reads.tolist(), words, addresses, strict=False):
        while changes and changes[0].step <= step:
            if changes[0].name == _HOLD:
                rings = [_Ring() for _ in rings]
            else:
                _apply(rings, changes[0])
            changes.popleft()
        for number, ring in enumerate(rings):
            if not ring.size or ring.address % parameters.memory_bytes != address * DESCRIPTOR_BYTES:
                continue
            bell = None if ring.remote else ring.doorbell()
            if bell is not None or ring.remote:
                answered = int(answers[np.searchsorted(answers, step, side="right")])
                yield Fetch(number, ring.address, bell, step, answered, unpack(Descriptor, word))
                ring.fetched = (ring.fetched + DESCRIPTOR_BYTES) % ring.size
                break


def _part(ports: dict[str, int], name: str) -> dict[str, int]:
    return {port.removeprefix(f"{name}__"): width for port, width in ports.items() if port.startswith(f"{name}__")}


def _apply(rings: list[_Ring], write: Write) -> None:
    """What a register write does to its ring."""
    if write.name == "INJECTION_BASE":
        ring = rings[write.index]
        rings[write.index] = _Ring(write.value, ring.size, ring.remote)
    elif write.name == "INJECTION_SIZE":
        ring, size = rings[write.index], write.fields
        rings[write.index] = _Ring(ring.base, size["chunks"] * CHUNK_BYTES, bool(size["remote"]))
    elif write.name == "INJECTION_TAIL":
        rings[write.index].announced.append((write.value, write))


def messages(fetched: Iterable[Fetch], lanes: list[list[Sighting]]) -> dict[tuple[int, int], Message]:
    """The message of every packet of a node.

    Parameters
    ----------
    fetched : iterable of Fetch
        In order.
    lanes : list of list of Sighting
        What left the network interface, by injection lane.

    Returns
    -------
    dict of (lane, index of the packet) to Message
        Packets whose descriptor was not seen are left out.
    """
    waiting: list[deque[Fetch]] = [deque() for _ in lanes]
    for fetch in fetched:
        waiting[fetch.ring % len(lanes)].append(fetch)
    found = {}
    for lane, sightings in enumerate(lanes):
        queue, sent = waiting[lane], 0
        for index, sighting in enumerate(sightings):
            # A descriptor that no packet matches was skipped for a fault, or its ring was set up anew.
            while queue and not _is_of(sighting, queue[0], sent):
                queue.popleft()
                sent = 0
            if not queue:
                break
            rest = queue[0].fields["length"] - sent
            found[lane, index] = Message(queue[0], sent, min(rest, PAYLOAD_BYTES))
            sent += PAYLOAD_BYTES
            if rest <= PAYLOAD_BYTES:
                queue.popleft()
                sent = 0
    return found


def _is_of(sighting: Sighting, fetch: Fetch, sent: int) -> bool:
    """Whether a packet carries the message of a descriptor from byte `sent` on."""
    if fetch.answered >= sighting.begin:
        return False
    bits = (sighting.flits[0] ^ fetch.fields["header"]) & ~_SIZE
    if bits:
        return False
    if len(sighting.flits) == 1:
        return True
    wanted = fetch.fields["software"]
    offset = _PUT.take(wanted, "put_offset") + sent & _PUT.positions["put_offset"].mask
    if _PUT.take(sighting.flits[1], "put_offset") != offset:
        return False
    counted = ["put_offset"]
    if unpack(Header, sighting.flits[0])["dma"]:
        counted.append("valid_bytes")
    return not (sighting.flits[1] ^ wanted) & ~_PUT.mask(*counted)
