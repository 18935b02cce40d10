"""What the testbenches of the network interface have seen, in bins: packets, faults, drops, wraps of rings."""

from typing import Any

from rtl.formats import Header, PutHeader, ring_of, unpack
from rtl.registers import REGISTERS, Fault
from testbenches.kit.coverage import Covergroup
from testbenches.kit.stream import Packet

__all__ = ["RingMonitor", "posted", "register_read", "watch"]

_LANES, _INJECTION_RINGS, _RECEPTION_RINGS = range(6), range(8), range(4)
"""The most that any variant has."""

KINDS = ("fifo", "put", "get")

_DESCRIPTORS = Covergroup(
    "ni.descriptors", kind=KINDS, ring=_INJECTION_RINGS, packets=("empty", "one", "several"),
    fault=[fault.name for fault in Fault if fault])
_DESCRIPTORS.cross("kind", "ring")
_DESCRIPTORS.cross("kind", "packets")

_SENT = Covergroup("ni.sent", kind=KINDS, lane=_LANES, chunks=range(1, 9))
_SENT.cross("kind", "lane")
# A remote get has a descriptor, which takes a chunk, behind its headers.
_SENT.cross("kind", "chunks", illegal=lambda kind, chunks: kind == "get" and chunks == "1")

_RECEIVED = Covergroup(
    "ni.received", kind=KINDS, lane=_LANES, ring=_RECEPTION_RINGS, tail=("good", "bad"),
    drop=("BAD_DROPS", "RING_DROPS", "COUNTER_DROPS", "GET_DROPS", "CONSOLE_DROPS"))
_RECEIVED.cross("kind", "lane", "tail")

_RINGS = Covergroup(
    "ni.rings", ring=[*(f"injection {ring}" for ring in _INJECTION_RINGS),
                      *(f"reception {ring}" for ring in _RECEPTION_RINGS), "gets", "console"],
    step=("on", "wraps"))
_RINGS.cross("ring", "step")


def _kind(header: int, second: int) -> str:
    if not unpack(Header, header)["dma"]:
        return "fifo"
    return "get" if unpack(PutHeader, second)["remote_get"] else "put"


def posted(ring: int, descriptor: dict[str, int]) -> None:
    """Software has put a descriptor into a ring."""
    length = descriptor["length"]
    _DESCRIPTORS.sample(ring=ring, kind=_kind(descriptor["header"], descriptor["software"]),
                        packets="empty" if not length else "one" if length <= 240 else "several")


def _sent(lane: int, packet: Packet) -> None:
    """A packet has left on a lane."""
    header = unpack(Header, packet.words[0])
    _SENT.sample(lane=lane, kind=_kind(*packet.words[:2]), chunks=header["size"] + 1)


def _received(lane: int, packet: Packet) -> None:
    """A packet has come in on a lane; one that was cut before its second header is of no kind."""
    if len(packet.words) < 2:
        return
    header = unpack(Header, packet.words[0])
    kind = _kind(*packet.words[:2])
    _RECEIVED.sample(lane=lane, kind=kind, tail="bad" if packet.bad else "good")
    if kind == "fifo" and (ring := ring_of(header)) in _RECEPTION_RINGS:
        _RECEIVED.sample(ring=ring)


def register_read(name: str, value: int) -> None:
    """Software has read a register: what it tells of faults and drops."""
    if name == "LAST_FAULT" and (fault := REGISTERS[name].unpack(value)["fault"]):
        _DESCRIPTORS.sample(fault=Fault(fault).name)
    if name in _RECEIVED.hits["drop"] and value:
        _RECEIVED.sample(drop=name)


class RingMonitor:
    """Sees in the memory's traffic how the interface goes round its rings."""

    def __init__(self) -> None:
        self._rings: dict[str, list[int]] = {}
        self._last: dict[str, int] = {}
        self._gets: set[str] = set()

    def register_written(self, name: str, value: int, ring: int) -> None:
        """Software has written a register: where the rings are."""
        kind, _, what = name.partition("_")
        if kind in ("INJECTION", "RECEPTION", "CONSOLE") and what in ("BASE", "SIZE"):
            own = "console" if kind == "CONSOLE" else f"{kind.lower()} {ring}"
            self._rings.setdefault(own, [0, 0])[what == "SIZE"] = value & ~31
            self._last.pop(own, None)
            if kind == "INJECTION" and what == "SIZE":
                (self._gets.add if value & 1 else self._gets.discard)(own)

    def memory_accessed(self, address: int, write: bool) -> None:
        """A word of memory was read or written."""
        for ring, (base, size) in self._rings.items():
            if base <= address < base + size and write != ring.startswith("injection"):
                self._stepped(ring, base, size, address)
            elif ring in self._gets and write and base <= address < base + size:
                self._stepped("gets", base, size, address)

    def _stepped(self, ring: str, base: int, size: int, address: int) -> None:
        last, self._last[ring] = self._last.get(ring), address
        if last == base + size - 32 and address == base:
            _RINGS.sample(ring=ring, step="wraps")
        elif last == address - 32:
            _RINGS.sample(ring=ring, step="on")


def watch(bench: Any) -> RingMonitor:
    """Attach the monitors to the models of a bench."""
    for lane, (source, sink) in enumerate(zip(bench.eject, bench.inject, strict=True)):
        source.monitor = lambda packet, lane=lane: _received(lane, packet)
        sink.monitor = lambda packet, lane=lane: _sent(lane, packet)
    rings = RingMonitor()
    bench.memory.monitor = rings.memory_accessed
    return rings
