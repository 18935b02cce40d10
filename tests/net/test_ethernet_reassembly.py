"""Frames out of packets in any order, from senders that may lie."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khhw.net.ethernet import BROADCAST, is_group, longest_frame, mac_of, rank_of_mac
from khhw.net.ethernet.limits import LINK_HEADER, packets_of
from khhw.net.ethernet.reassembly import Reassembly
from khhw.node import Shape
from rtl.formats import PAYLOAD_BYTES, FifoHeader, Header, Protocol, TorusLinkHeader, pack

MTU = 1500
SHAPE = Shape(3, 2, 2)


def packet(offset, payload, *, source=3, number=1):
    """A memory-FIFO packet as it stands in a reception ring."""
    chunks = -(-(16 + len(payload)) // 32)
    head = pack(Header, source=source, size=chunks - 1).to_bytes(8, "big")
    software = pack(FifoHeader, put_offset=offset, argument=77, function=number).to_bytes(8, "big")
    return (head + software + payload).ljust(32 * chunks, b"\0")


def link(frame, *, network=9, length=None, protocol=Protocol.ETHERNET):
    fields = pack(TorusLinkHeader, dst_key=network, protocol=protocol,
                  length=LINK_HEADER + len(frame) if length is None else length)
    return (fields >> 32).to_bytes(LINK_HEADER, "big") + frame


def packets(frame, **options):
    """A frame in packets."""
    message = link(frame)
    return [packet(at, message[at:at + PAYLOAD_BYTES], **options) for at in range(0, len(message), PAYLOAD_BYTES)]


def frame_of(length, seed=0):
    return random.Random(seed).randbytes(length)


@given(st.integers(14, longest_frame(MTU)), st.randoms(use_true_random=False))
def test_a_frame_in_any_order_is_whole_with_its_last_packet(length, rng):
    frame, reassembly = frame_of(length, length), Reassembly(longest_frame(MTU))
    parts = packets(frame)
    assert len(parts) == packets_of(length)
    rng.shuffle(parts)
    *before, last = [reassembly.take(part) for part in parts]
    assert before == [None] * (len(parts) - 1)
    assert last == (3, 9, frame)
    assert (reassembly.bad, reassembly.incomplete, reassembly.missing) == (0, 0, 0)


def test_frames_of_several_senders_and_numbers_do_not_mix():
    reassembly, rng = Reassembly(longest_frame(MTU)), random.Random(5)
    frames = {(source, number): frame_of(1000, source + 10 * number) for source in range(4) for number in range(3)}
    parts = [(key, part) for key, frame in frames.items() for part in packets(frame, source=key[0], number=key[1])]
    rng.shuffle(parts)
    found = [arrival for _, part in parts if (arrival := reassembly.take(part)) is not None]
    assert sorted((arrival.source, arrival.frame) for arrival in found) == sorted(
        (source, frame) for (source, _), frame in frames.items())


def test_what_is_still_missing_is_known_from_the_first_packet_on():
    reassembly = Reassembly(longest_frame(MTU))
    parts = packets(frame_of(1514))
    seen = []
    for part in parts:
        reassembly.take(part)
        seen.append(reassembly.missing)
    assert seen == [6, 5, 4, 3, 2, 1, 0]


def test_a_packet_that_comes_twice_begins_another_frame():
    reassembly = Reassembly(longest_frame(MTU))
    old, new = packets(frame_of(700, 1)), packets(frame_of(700, 2))
    assert [reassembly.take(part) for part in old[:2]] == [None, None]
    assert [reassembly.take(part) for part in new][-1] == (3, 9, frame_of(700, 2))
    assert (reassembly.doubled, reassembly.incomplete) == (1, 1)


def test_a_sender_of_beginnings_takes_no_room_of_others():
    reassembly = Reassembly(longest_frame(MTU))
    honest = packets(frame_of(1000), source=5)
    reassembly.take(honest[0])
    for number in range(200):
        assert reassembly.take(packets(frame_of(1000, number), source=6, number=number)[1]) is None
    assert reassembly.incomplete == 200 - 8
    assert [reassembly.take(part) for part in honest[1:]][-1] == (5, 9, frame_of(1000))


@pytest.mark.parametrize("wrong", [
    pytest.param(packet(PAYLOAD_BYTES + 100, bytes(100)), id="an offset between packets"),
    pytest.param(packet(7 * PAYLOAD_BYTES, bytes(100)), id="an offset behind the longest frame"),
    pytest.param(packet(0, bytes(16)), id="no room for a header"),
    pytest.param(packet(0, link(frame_of(100), protocol=Protocol.CONSOLE)), id="another protocol"),
    pytest.param(packet(0, link(frame_of(100), length=25)), id="shorter than an Ethernet header"),
    pytest.param(packet(0, link(frame_of(100), length=1 << 31)), id="longer than any frame"),
])
def test_packets_that_contradict_themselves_are_dropped(wrong):
    reassembly = Reassembly(longest_frame(MTU))
    assert reassembly.take(wrong) is None
    assert reassembly.bad == 1
    assert [reassembly.take(part) for part in packets(frame_of(500))][-1] == (3, 9, frame_of(500))


def test_a_frame_with_a_short_packet_in_it_is_dropped():
    reassembly = Reassembly(longest_frame(MTU))
    first, second, third = packets(frame_of(700))
    assert [reassembly.take(part) for part in (first, packet(PAYLOAD_BYTES, bytes(80)), third)] == [None] * 3
    assert reassembly.bad == 1
    assert reassembly.take(second) is None


@given(st.lists(st.binary(min_size=32, max_size=256).map(lambda data: data[:len(data) // 32 * 32]), max_size=40))
def test_noise_gives_no_frame_that_is_too_long(noise):
    reassembly = Reassembly(longest_frame(MTU))
    for data in noise:
        arrival = reassembly.take(data)
        assert arrival is None or 14 <= len(arrival.frame) <= longest_frame(MTU)


def test_an_address_names_its_node_and_no_other():
    for rank in range(SHAPE.nodes):
        assert rank_of_mac(mac_of(SHAPE.coordinate(rank)), SHAPE) == rank
    assert mac_of((2, 1, 0)).hex(":") == "06:00:00:02:01:00"
    assert rank_of_mac(bytes.fromhex("060000030000"), SHAPE) is None
    assert rank_of_mac(bytes.fromhex("020000010000"), SHAPE) is None
    assert is_group(BROADCAST) and is_group(bytes.fromhex("01005e000001")) and not is_group(mac_of((0, 0, 0)))
