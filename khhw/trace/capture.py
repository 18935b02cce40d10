"""A traced run as a capture file: each packet at every port it passed, an interface a port."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from khhw._version import __version__
from khhw.trace.clock import Clock
from khhw.trace.entries import Entry, outcome
from khhw.trace.flits import Sighting
from khhw.trace.passages import Layer, Passage, Port, passages, ports_of
from khhw.trace.pcapng import CaptureWriter, LinkType, Way
from khhw.trace.run import Run
from rtl.formats import CHUNK_BYTES, FLIT_BYTES, Header, TreeHeader, unpack

__all__ = ["Captured", "write_capture"]

_LINKS = {Layer.TORUS: LinkType.USER0, Layer.TREE: LinkType.USER1}
_DESCRIPTIONS = {
    "inject": "from the network interface to the egress guard; queue: injection lane",
    "eject": "from the router to the ingress guard; queue: ejection lane",
    "console": "console port of the network interface, tree",
    "endpoint": "between the node's endpoint and its router, tree",
    "parent": "cable to the parent, tree; queue: virtual channel",
    "left child": "cable to the left child, tree; queue: virtual channel",
    "right child": "cable to the right child, tree; queue: virtual channel",
    "outside": "port above the root, tree; queue: virtual channel",
}
_TORUS_CABLE = "cable of the torus; queue: virtual channel"


@dataclass(frozen=True)
class Captured:
    """What was written.

    Parameters
    ----------
    interfaces, packets, records : int
        A packet has a record for each port it passed.
    """

    interfaces: int
    packets: int
    records: int


@dataclass(frozen=True, slots=True)
class _Record:
    step: int
    port: Port
    way: Way
    passage: Passage
    number: int
    comment: str


def write_capture(run: Run, chosen: Sequence[Entry], output: BinaryIO) -> Captured:
    """Write packets of a run, in the order of time, as pcapng.

    Parameters
    ----------
    run : Run
    chosen : sequence of Entry
        Which packets.
    output : binary file
        Every block is flushed.
    """
    shown = set(ports_of(run))
    records = [record for entry in chosen for record in _records(run, entry) if record.port in shown]
    # tcpdump reads a file only if all its interfaces are of one type, so none is declared for a layer without packets.
    layers = {record.port.layer for record in records}
    ports = [port for port in ports_of(run) if port.layer in layers]
    numbers = {port: number for number, port in enumerate(ports)}
    clock = Clock.of(run)
    writer = CaptureWriter(output)
    writer.section(f"khhw {__version__}",
                   f"machine {run.machine.name}; time 0 is cycle 0, {clock.hertz} cycles a second")
    for port in ports:
        writer.interface(str(port), _DESCRIPTIONS.get(port.name, _TORUS_CABLE), _LINKS[port.layer])
    for record in sorted(records, key=lambda record: (record.step, record.number)):
        sighting = record.passage.sighting
        content = b"".join(flit.to_bytes(FLIT_BYTES, "big") for flit in sighting.flits)
        writer.packet(numbers[record.port], clock.begins(record.step), content, _length(record.port.layer, sighting),
                      way=record.way, number=record.number, queue=record.passage.queue, comment=record.comment)
    return Captured(len(ports), len(chosen), len(records))


def _records(run: Run, entry: Entry) -> Iterator[_Record]:
    comment = f"packet {entry.number}: {outcome(run, entry)[0]}"
    for passage in passages(run, entry):
        step = passage.sighting.begin
        yield _Record(step, passage.port, Way.OUTBOUND if passage.outbound else Way.INBOUND, passage, entry.number,
                      comment)
        if passage.far is not None:
            yield _Record(step, passage.far, Way.INBOUND, passage, entry.number, comment)


def _length(layer: Layer, sighting: Sighting) -> int:
    """Bytes a packet has by its header, if the end of it was not seen."""
    seen = len(sighting.flits) * FLIT_BYTES
    if sighting.whole:
        return seen
    first = sighting.flits[0]
    named = (unpack(Header, first)["size"] + 1) * CHUNK_BYTES if layer is Layer.TORUS \
        else (unpack(TreeHeader, first)["words"] + 1) * FLIT_BYTES
    return max(seen, named)
