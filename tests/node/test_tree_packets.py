"""Tree packets as flits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khhw.node.tree_packets import (
    Control,
    TreePacket,
    TreePacketError,
    console_packets,
    control_packet,
    tree_destination,
)
from rtl.formats import EXTERNAL, ControlOp, Protocol, TreeHeader, unpack

packets = st.builds(
    TreePacket, protocol=st.integers(0, 0xFFFF), payload=st.binary(max_size=240),
    vector=st.none() | st.integers(0, 0xFFFFFF), dst_key=st.integers(0, 0xFFFFFFFF),
    src_key=st.integers(0, 0xFFFFFFFF), conn_id=st.integers(0, 0xFFFF), tree_class=st.integers(0, 15),
    this_pkt=st.integers(0, 255), total_pkt=st.integers(0, 255), source=st.integers(0, 0xFFFF),
    external=st.booleans(), owner=st.booleans())


@given(packets)
def test_a_packet_survives_its_flits(packet):
    assert TreePacket.parse(packet.flits()) == packet


@given(packets)
def test_padding_of_a_console_ring_is_ignored(packet):
    flits = packet.flits()
    record = TreePacket.record_bytes(flits[0])
    assert record % 32 == 0
    assert 0 <= record - 8 * len(flits) < 32
    assert TreePacket.parse(flits + [0] * (record // 8 - len(flits))) == packet


@pytest.mark.parametrize("damage", [lambda f: f[:2], lambda f: f[:-1], lambda f: [f[0], f[1], f[2] | 0xFFFF, *f[3:]]])
def test_what_is_no_packet_is_refused(damage):
    with pytest.raises(TreePacketError):
        TreePacket.parse(damage(TreePacket(protocol=Protocol.CONSOLE, payload=b"hello").flits()))


def test_a_payload_has_240_bytes_at_most():
    with pytest.raises(TreePacketError, match="241 bytes"):
        TreePacket(protocol=Protocol.CONSOLE, payload=bytes(241)).flits()


def test_control_words_are_packed_as_the_format_says():
    words = [Control(ControlOp.WRITE, 0x4004, 1), Control(ControlOp.READ, 0x4008)]
    packet = control_packet(words, vector=5, conn_id=9)
    assert packet.flits()[3:] == [0x01_004004_00000001, 0x02_004008_00000000]
    assert Control.parse_all(packet.payload) == words


def test_console_packets_are_numbered_and_wrap():
    packets = console_packets(7, bytes(500), 0xFFFF)
    assert [(p.conn_id, len(p.payload), p.dst_key) for p in packets] == [(0xFFFF, 240, 7), (0, 240, 7), (1, 20, 7)]


@pytest.mark.parametrize(("fields", "named"), [
    ({"vector": 5}, 5), ({"vector": EXTERNAL}, "outside"), ({}, "everybody"), ({"tree_class": 0}, "outside"),
    ({"tree_class": 3}, "class 3"), ({"tree_class": 15, "vector": 0}, 0),
])
def test_whom_a_packet_is_for(fields, named):
    packet = TreePacket(protocol=Protocol.CONSOLE, payload=b"", **fields)
    assert tree_destination(unpack(TreeHeader, packet.flits()[0])) == named
