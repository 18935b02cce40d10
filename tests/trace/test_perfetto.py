"""Timelines of a traced run, taken apart by a decoder of its own."""

import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from khhw.trace import perfetto
from khhw.trace.entries import entries
from khhw.trace.flits import Sighting
from khhw.trace.passages import Layer, Passage, Port
from khhw.trace.perfetto import Timeline, write_timeline
from khhw.trace.protobuf import field, fixed64
from khhw.trace.run import Run
from khhw.trace.text import listed

BEGIN, END, COUNT = 1, 2, 4


def decoded(message: bytes) -> dict[int, list[Any]]:
    """Fields of a message by number: integers and bytes."""
    fields: dict[int, list[Any]] = {}
    offset = 0
    while offset < len(message):
        key, offset = varint(message, offset)
        kind = key & 7
        if kind == 0:
            value, offset = varint(message, offset)
        elif kind == 1:
            (value,), offset = struct.unpack_from("<Q", message, offset), offset + 8
        else:
            assert kind == 2
            length, offset = varint(message, offset)
            value, offset = message[offset:offset + length], offset + length
            assert len(value) == length
        fields.setdefault(key >> 3, []).append(value)
    return fields


def varint(message: bytes, offset: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (message[offset] & 127) << shift
        shift += 7
        offset += 1
        if message[offset - 1] < 128:
            return value, offset


@pytest.mark.parametrize(("made", "bytes_"), [
    # Examples of the page that describes the format.
    (field(1, 150), "08 96 01"),
    (field(2, "testing"), "12 07 74 65 73 74 69 6e 67"),
    (field(3, field(1, 150)), "1a 03 08 96 01"),
    (field(1, 0), "08 00"), (field(1, 127), "08 7f"), (field(1, 128), "08 80 01"),
    (field(60, 2**64 - 1), "e0 03 ff ff ff ff ff ff ff ff ff 01"),
    (fixed64(47, 1), "f9 02 01 00 00 00 00 00 00 00"),
])
def test_messages_are_encoded_as_the_format_says(made: bytes, bytes_: str) -> None:
    assert made == bytes.fromhex(bytes_)


def test_a_negative_varint_is_refused() -> None:
    with pytest.raises(ValueError, match="a varint is 0 or more, not -1"):
        field(1, -1)


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Run:
    return Run.load(folder)


@pytest.fixture(scope="module")
def written(loaded: Run) -> tuple[Timeline, list[dict[int, list[Any]]]]:
    output = BytesIO()
    counts = write_timeline(loaded, entries(loaded), output)
    packets = decoded(output.getvalue())
    assert packets.keys() == {1}
    return counts, [decoded(packet) for packet in packets[1]]


@pytest.fixture(scope="module")
def tracks(written: tuple[Timeline, list[dict[int, list[Any]]]]) -> dict[int, str]:
    """Names by uuid, with that of the track above in front."""
    found: dict[int, str] = {}
    for packet in written[1]:
        if 60 in packet:
            about = decoded(packet[60][0])
            above = f"{found[about[5][0]]}/" if 5 in about else ""
            found[about[1][0]] = above + about[2][0].decode()
    return found


@pytest.fixture(scope="module")
def events(written: tuple[Timeline, list[dict[int, list[Any]]]]) -> list[tuple[int, dict[int, list[Any]]]]:
    """With their times."""
    return [(packet[8][0], decoded(packet[11][0])) for packet in written[1] if 11 in packet]


def test_every_packet_is_of_one_sequence_in_the_order_of_time(
    written: tuple[Timeline, list[dict[int, list[Any]]]], events: list[tuple[int, dict[int, list[Any]]]],
) -> None:
    assert {packet[10][0] for packet in written[1]} == {1}
    times = [time for time, _ in events]
    assert times == sorted(times)


def test_nodes_are_tracks_and_ports_are_below_them(tracks: dict[int, str]) -> None:
    assert {"node0", "node1", "node0/inject lane 0", "node0/X+ ESCAPE", "node0/X+ ESCAPE credits", "node1/endpoint out",
            "outside in", "outside out"} <= set(tracks.values())
    assert len(set(tracks.values())) == len(tracks)
    # Packets of one stream do not overlap.
    assert not [name for name in tracks.values() if name.endswith(" 2")]


def test_slices_of_a_track_follow_each_other(
    written: tuple[Timeline, list[dict[int, list[Any]]]], tracks: dict[int, str],
    events: list[tuple[int, dict[int, list[Any]]]],
) -> None:
    begun: dict[int, int] = {}
    slices = 0
    for time, event in events:
        track, kind = event[11][0], event[9][0]
        assert track in tracks
        if kind == BEGIN:
            assert track not in begun
            begun[track] = time
        elif kind == END:
            assert time > begun.pop(track)
            slices += 1
    assert not begun
    assert slices == written[0].slices


def test_what_overlaps_is_on_tracks_of_its_own(loaded: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def passing(begin: int, end: int) -> Passage:
        return Passage(Port(0, "X+", Layer.TORUS), True, Sighting(begin, end, (0,), False, True, 2), 2)

    found = [passing(10, 20), passing(20, 30), passing(21, 25), passing(26, 29)]
    monkeypatch.setattr(perfetto, "passages", lambda *_: found)
    output = BytesIO()
    write_timeline(loaded, entries(loaded)[:1], output)
    packets = [decoded(packet) for packet in decoded(output.getvalue())[1]]
    about = [decoded(packet[60][0]) for packet in packets if 60 in packet]
    names = {track[1][0]: track[2][0].decode() for track in about}
    on = [names[event[11][0]] for packet in packets if 11 in packet and (event := decoded(packet[11][0]))[9] == [BEGIN]]
    assert on == ["X+ ESCAPE", "X+ ESCAPE 2", "X+ ESCAPE", "X+ ESCAPE"]


def test_arrows_lead_from_port_to_port(
    written: tuple[Timeline, list[dict[int, list[Any]]]], tracks: dict[int, str], loaded: Run,
    events: list[tuple[int, dict[int, list[Any]]]],
) -> None:
    leaving: dict[int, tuple[str, str]] = {}
    ways: dict[str, list[tuple[str, str]]] = {}
    for _, event in events:
        if event[9][0] != BEGIN:
            continue
        name, track = event[23][0].decode(), tracks[event[11][0]]
        for flow in event.get(48, []):
            before, start = leaving.pop(flow)
            assert before == name
            ways.setdefault(name, []).append((start, track))
        leaving |= dict.fromkeys(event.get(47, []), (name, track))
    assert not leaving
    assert sum(map(len, ways.values())) == written[0].arrows
    put = next(packet for packet in listed(loaded, entries(loaded)) if packet["kind"] == "put"
               and packet["outcome"] == "stored" and (packet["source"], packet["destination"]) == (0, 1))
    (first, cable), (same, last) = ways[f"put {put['number']}"]
    assert (cable, same) == ("node0/X+ ESCAPE",) * 2
    assert first.startswith("node0/inject lane")
    assert last.startswith("node1/eject lane")


def test_a_slice_says_what_the_list_says(events: list[tuple[int, dict[int, list[Any]]]], loaded: Run) -> None:
    named = {}
    for time, event in events:
        if event[9][0] == BEGIN:
            notes = [decoded(note) for note in event[4]]
            facts = {note[10][0].decode(): note[6][0].decode() if 6 in note else note[3][0] for note in notes}
            named.setdefault(facts["packet"], (time, event[23][0].decode(), facts))
    for row in listed(loaded, entries(loaded)):
        time, name, facts = named[row["number"]]
        assert name == f"{row['kind']} {row['number']}"
        assert facts == {"packet": row["number"], "from": str(row["source"]), "to": str(row["destination"]),
                         "bytes": row["bytes"], "outcome": row["outcome"]}
        assert time == int(str(row["cycle"])) * 10**9 // loaded.machine.host.clock_hz


def test_credits_are_spent_and_come_back(
    events: list[tuple[int, dict[int, list[Any]]]], tracks: dict[int, str], loaded: Run,
) -> None:
    levels: dict[str, list[int]] = {}
    for _, event in events:
        if event[9][0] == COUNT:
            levels.setdefault(tracks[event[11][0]], []).append(event[30][0])
    units = loaded.parameters.link_units
    assert set(levels) == {"node0/X+ ESCAPE credits", "node1/X- ESCAPE credits"}
    for values in levels.values():
        assert values[0] == values[-1] == units
        assert 0 <= min(values) < max(values) == units
