"""A traced run as a timeline for https://ui.perfetto.dev: track events in Perfetto's trace format.

A node is a track, its ports are tracks below it, a packet at a port is a slice, what led from one port to the next is a
flow arrow, and the credits of a cable are a counter. Field numbers are those of Perfetto's ``protos/perfetto/trace``:
``trace_packet.proto``, ``track_event/track_event.proto`` and the descriptors beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from khhw.trace.clock import Clock
from khhw.trace.credits import credit_histories
from khhw.trace.entries import Entry, outcome
from khhw.trace.passages import Layer, Passage, Port, passages
from khhw.trace.protobuf import field as message_field
from khhw.trace.protobuf import fixed64
from khhw.trace.run import Run
from rtl.formats import VirtualChannel

__all__ = ["Timeline", "write_timeline"]

_PACKET = 1
_TIMESTAMP, _SEQUENCE, _EVENT, _TRACK = 8, 10, 11, 60
_UUID, _TRACK_NAME, _PARENT, _COUNTER = 1, 2, 5, 8
_UNIT_NAME = 6
_TYPE, _TRACK_OF, _EVENT_NAME, _CATEGORY, _VALUE, _FLOWS, _ENDING_FLOWS, _ANNOTATION = 9, 11, 23, 22, 30, 47, 48, 4
_ANNOTATION_NAME, _ANNOTATION_TEXT, _ANNOTATION_NUMBER = 10, 6, 3
_BEGIN, _END, _COUNT = 1, 2, 4
_ONE_SEQUENCE = 1
"""All that is written is of one writer, and in order."""


@dataclass(frozen=True)
class Timeline:
    """What was written."""

    tracks: int
    slices: int
    arrows: int
    counters: int


@dataclass
class _Writer:
    """Tracks, as they are needed, and events, by their time."""

    clock: Clock
    tracks: dict[object, int] = field(default_factory=dict)
    descriptors: list[bytes] = field(default_factory=list)
    events: list[tuple[int, int, bytes]] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)

    def track(self, key: object, name: str, parent: int = 0, counter: str = "") -> int:
        """The track of a key, with a descriptor when it is asked for first."""
        if key not in self.tracks:
            uuid = self.tracks[key] = len(self.tracks) + 1
            content = message_field(_UUID, uuid) + message_field(_TRACK_NAME, name)
            if parent:
                content += message_field(_PARENT, parent)
            if counter:
                content += message_field(_COUNTER, message_field(_UNIT_NAME, counter))
            self.descriptors.append(message_field(_TRACK, content))
        return self.tracks[key]

    def port(self, port: Port, name: str, counter: str = "") -> int:
        """A track below that of the port's node."""
        if port.node is None:
            return self.track((port, name), f"{port} {name}".strip(), counter=counter)
        node = self.track(port.node, f"node{port.node}")
        return self.track((port, name), f"{port.name} {name}".strip(), node, counter)

    def event(self, nanoseconds: int, kind: int, track: int, content: bytes = b"") -> None:
        event = message_field(_TYPE, kind) + message_field(_TRACK_OF, track) + content
        # Where a slice ends and another begins, the end comes first.
        self.events.append((nanoseconds, kind != _END, message_field(_EVENT, event)))

    def slice(self, passage: Passage, content: bytes) -> None:
        """A packet at a port: on the first track of the port and channel on which nothing else is at that time."""
        begin, end = (self.clock.begins(passage.sighting.begin), self.clock.ends(passage.sighting.end))
        name, number = _stream(passage), 0
        while (track := self.port(passage.port, f"{name} {number + 1}" if number else name)) in self.ends \
                and self.ends[track] > begin:
            number += 1
        self.ends[track] = end
        self.event(begin, _BEGIN, track, content)
        self.event(end, _END, track)

    def write(self, output: BinaryIO) -> None:
        for descriptor in self.descriptors:
            output.write(_packet(descriptor))
        for nanoseconds, _, event in sorted(self.events, key=lambda event: event[:2]):
            output.write(_packet(message_field(_TIMESTAMP, nanoseconds) + event))
        output.flush()


def write_timeline(run: Run, chosen: Sequence[Entry], output: BinaryIO) -> Timeline:
    """Write packets of a run as a trace of Perfetto.

    Parameters
    ----------
    run : Run
    chosen : sequence of Entry
        Which packets. Credits are of all packets.
    output : binary file
    """
    writer = _Writer(Clock.of(run))
    found = [(passage, entry) for entry in chosen for passage in passages(run, entry)]
    found.sort(key=lambda item: item[0].sighting.begin)
    arrows: dict[Passage, int] = {passage: number for number, passage in enumerate(
        (passage for passage, _ in found if passage.before is not None), start=1)}
    leaving: dict[Passage, list[int]] = {}
    for passage, number in arrows.items():
        assert passage.before is not None
        leaving.setdefault(passage.before, []).append(number)
    words = {entry.number: outcome(run, entry)[0] for entry in chosen}
    for passage, entry in found:
        flows = b"".join(fixed64(_FLOWS, number) for number in leaving.get(passage, []))
        if passage in arrows:
            flows += fixed64(_ENDING_FLOWS, arrows[passage])
        writer.slice(passage, _about(entry, words[entry.number]) + flows)
    counters = _count_credits(run, writer)
    writer.write(output)
    return Timeline(len(writer.tracks), len(found), len(arrows), counters)


def _count_credits(run: Run, writer: _Writer) -> int:
    histories = list(credit_histories(run))
    for history in histories:
        track = writer.port(history.port, f"{history.channel.name} credits", "credits")
        for step, level in history.changes:
            writer.event(writer.clock.begins(step), _COUNT, track, message_field(_VALUE, level))
    return len(histories)


def _stream(passage: Passage) -> str:
    """Of the streams that share a port, which one: packets of one follow each other."""
    way = "" if passage.far else "out" if passage.outbound else "in"
    if passage.port.name in ("inject", "eject"):
        return f"lane {passage.queue}"
    return VirtualChannel(passage.queue).name if passage.port.layer is Layer.TORUS else way


def _about(entry: Entry, words: str) -> bytes:
    facts: dict[str, int | str] = {
        "packet": entry.number, "from": str(entry.source), "to": str(entry.destination), "bytes": entry.length,
        "outcome": words}
    notes = b"".join(message_field(_ANNOTATION, message_field(_ANNOTATION_NAME, name) + message_field(
        _ANNOTATION_TEXT if isinstance(value, str) else _ANNOTATION_NUMBER, value)) for name, value in facts.items())
    return message_field(_EVENT_NAME, f"{entry.kind} {entry.number}") + message_field(_CATEGORY, entry.kind) + notes


def _packet(content: bytes) -> bytes:
    return message_field(_PACKET, content + message_field(_SEQUENCE, _ONE_SEQUENCE))
