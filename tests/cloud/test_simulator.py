"""A simulator with its client: revisions, registers, readings, consoles, over the socket. One machine for all."""

import os
import socket
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from khhw.cloud.agreement import differences
from khhw.cloud.client import SimulatedMachine
from khhw.cloud.frames import Frame, packed
from khhw.cloud.machine import NO_KEYS, RAW_LIMIT, ConsoleKeys, MachineDiffersError, RequestRefusedError, Revision
from khhw.kernels.approval import image_digest
from khhw.kernels.image import build_image
from tests.cloud.simulated import SMALL, Ear, agrees, keys, machine_of, revision, simulated, soon

HELLO = """
async def main(node, arguments):
    await node.console.print(f"hello from {node.rank}: {arguments}")
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    with simulated(tmp_path_factory.mktemp("simulator")) as machine:
        machine.connect()
        machine.number = 0
        yield machine


def hold(machine, leases, hand_over=()):
    """The machine's next revision, carried out."""
    machine.number += 1
    wanted = revision(machine.number, leases, hand_over)
    applied = machine.apply(wanted)
    assert agrees(machine, wanted)
    return wanted, applied


def test_time_goes_on_and_connecting_again_changes_nothing(machine):
    first = machine.connect()
    assert (first.boot, machine.alive) == (1, True)
    assert first < machine.clock() < machine.connect()


def test_a_revision_is_what_all_registers_hold_and_may_be_asked_for_again(machine):
    wanted, applied = hold(machine, {7: [0, 1], 9: [2]}, hand_over=[0, 1, 2])
    assert (applied.number, applied.started < applied.revoked < applied.finished) == (wanted.number, True)
    assert [reading.rank for reading in applied.readings] == [0, 1, 2]
    assert machine.apply(wanted) == applied
    states = machine.nodes()
    assert [state.held for state in states] == [False, False, False, True]
    assert [state.keys for state in states] == [keys(7), keys(7), keys(9), NO_KEYS]


@pytest.mark.parametrize(("change", "message"), [
    ({"number": 0}, "a revision is a number from 1 to 4294967295, not 0"),
    ({"allowed": {0: (4,)}}, "allowed: there is no node 4; nodes are 0 to 3"),
    ({"keys": {-1: keys(1)}}, "keys: there is no node -1; nodes are 0 to 3"),
    ({"leases": {}}, "node 0 has keys, and is in no lease"),
    ({"leases": {0: 7, 1: 7}}, "node 1 has no keys, and is in a lease"),
    ({"leases": {0: 1 << 32}}, "leases: of node 0 a number from 1 to 4294967295, not 4294967296"),
    ({"hand_over": frozenset({9})}, "hand_over: there is no node 9; nodes are 0 to 3"),
    ({"keys": {0: ConsoleKeys(0, ())}}, "keys of node 0: a console channel is a number from 1 to 4294967295, not 0"),
    ({"keys": {0: ConsoleKeys(1, (1, 2, 3, 4, 5))}}, "keys of node 0: 5 channels; it hears 4 at most"),
])
def test_a_revision_that_makes_no_sense_is_refused_and_changes_nothing(machine, change, message):
    wanted, _ = hold(machine, {7: [0]})
    with pytest.raises(RequestRefusedError) as refused:
        machine.apply(replace(revision(wanted.number + 1, {7: [0]}), **change))
    assert message in str(refused.value)
    assert agrees(machine, wanted)


def test_neither_an_older_revision_nor_another_of_the_same_number_is_taken(machine):
    before, _ = hold(machine, {7: [0]})
    wanted, _ = hold(machine, {7: [0, 1]}, hand_over=[1])
    with pytest.raises(RequestRefusedError, match=f"{before.number} is older than {wanted.number}"):
        machine.apply(before)
    with pytest.raises(RequestRefusedError, match=f"has another revision {wanted.number}"):
        machine.apply(revision(wanted.number, {7: [0, 1]}))
    assert agrees(machine, wanted)


def test_what_differs_is_named_node_by_node(machine):
    wanted, _ = hold(machine, {7: [0], 9: [1]}, hand_over=[0, 1])
    other = revision(wanted.number, {7: [0, 3], 8: [1]})
    found = differences(other, machine.nodes(), machine.info.shape)
    assert set(found) == {0, 1, 3}
    assert found[0].startswith(f"other tables of revision {wanted.number}: TABLE_CRC is 0x")
    assert found[1] == (
        "console channels 9 to send (class 9) and 9 to hear, not 8 to send (class 8) and 8 to hear")
    older = revision(wanted.number - 1, {7: [0], 9: [1]})
    assert differences(older, machine.nodes(), machine.info.shape) == dict.fromkeys(
        range(4), f"revision {wanted.number}, not {wanted.number - 1}")


def test_keys_of_a_node_that_stays_are_changed_while_it_runs(machine):
    hold(machine, {7: [0]}, hand_over=[0])
    ear = Ear(machine, 11)
    hold(machine, {11: [0]})
    machine.say(11, "echo still here")
    ear.wait("node 0> still here")
    assert not any("ready" in line for line in ear.lines)


def test_the_next_tenant_finds_nothing_of_the_one_before(machine):
    ear = Ear(machine, 7)
    hold(machine, {7: [0]}, hand_over=[0])
    base = machine.info.image_address
    machine.say(7, f"mrw {base:#x} 600", b"secret" * 100)
    machine.say(7, f"crc {base:#x} 600")
    ear.wait(f"crc: {zlib.crc32(b'secret' * 100):08x}")
    next_ear = Ear(machine, 8)
    hold(machine, {8: [0]}, hand_over=[0])
    next_ear.wait("node 0> ready, type help")
    machine.say(8, f"crc {base:#x} 600")
    next_ear.wait(f"crc: {zlib.crc32(bytes(600)):08x}")


def test_what_a_node_says_while_it_changes_hands_is_still_its_old_tenants(machine):
    old, new = Ear(machine, 7), Ear(machine, 8)
    hold(machine, {7: [0, 1, 2, 3]}, hand_over=range(4))
    machine.say(7, f"echo {'mine ' * 3000}")
    # It is in the middle of that, or, where the machine is much quicker than this test, has just said it.
    soon(lambda: any(b"mine" in heard.data for heard in old.heard))
    hold(machine, {8: [0, 1, 2, 3]}, hand_over=range(4))
    machine.say(8, "echo over")
    new.wait(*(f"node {rank}> over" for rank in range(4)))
    assert not any(b"mine" in heard.data for heard in new.heard)


def test_a_channel_is_heard_by_who_listens_to_it_and_by_nobody_else(machine):
    hold(machine, {7: [0, 1], 9: [2]}, hand_over=[0, 1, 2])
    mine, too, others = Ear(machine, 7), Ear(machine, 7), Ear(machine, 9)
    machine.say(7, "echo one")
    mine.wait("node 0> one", "node 1> one")
    too.wait("node 0> one", "node 1> one")
    too.listening.stop()
    machine.say(9, "echo two")
    others.wait("node 2> two")
    machine.say(7, "on 1 echo three")
    mine.wait("node 1> three")
    assert [line for line in mine.lines if "three" in line or "two" in line] == ["node 1> three"]
    assert not any("one" in line or "three" in line for line in others.lines)
    assert not any("three" in line for line in too.lines)
    assert {(heard.channel, heard.clock.boot, heard.missed) for heard in mine.heard} == {(7, 1, 0)}


def test_data_comes_right_behind_its_line_however_many_write(machine):
    ear = Ear(machine, 7)
    hold(machine, {7: [0, 1]}, hand_over=[0, 1])
    base = machine.info.image_address
    texts = {number: bytes([number]) * (500 + number) for number in range(16)}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: machine.say(
            7, f"mrw {base + 1024 * number:#x} {len(texts[number])}", texts[number]), texts))
    for number, data in texts.items():
        machine.say(7, f"crc {base + 1024 * number:#x} {len(data)}")
        ear.wait(f"node 0> crc: {zlib.crc32(data):08x}", f"node 1> crc: {zlib.crc32(data):08x}")
    assert not any("error" in line for line in ear.lines)


def test_texts_on_several_channels_of_a_node_do_not_mix(machine):
    machine.number += 1
    heard = {rank: ConsoleKeys(20 + rank, (20 + rank, 30, 40)) for rank in (0, 1)}
    machine.apply(Revision(machine.number, {}, heard, dict.fromkeys(heard, 1), frozenset(heard)))
    ears = [Ear(machine, 20 + rank) for rank in heard]
    base = machine.info.image_address

    def write(channel):
        """Texts and data of several packets, one behind the other; all other writers go on meanwhile."""
        for turn in range(4):
            length = 2000 + channel + 100 * turn
            machine.say(channel, f"mrw {base:#x} {length}", bytes(length))
            machine.say(channel, f"echo {'.' * 500}{length}")
            for rank, ear in enumerate(ears):
                if channel in heard[rank].receive:
                    ear.wait(f"mrw: {length} bytes", f"{'.' * 500}{length}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, (20, 21, 30, 40)))
    assert not any("error" in line for ear in ears for line in ear.lines)


@pytest.mark.parametrize(("channel", "text", "raw", "message"), [
    (0, "info", b"", "a console channel is a number from 1 to 4294967295, not 0"),
    (7, "two\nlines", b"", "takes no control characters"),
    (7, "\ud800", b"", "takes no control characters"),
    (7, "x" * 16_385, b"", "a console line has at most 16,384 bytes"),
    (7, "mrw 0 1", bytes(RAW_LIMIT + 1), "one write has 15,728,400 at most"),
])
def test_what_nodes_could_not_read_is_not_sent(machine, channel, text, raw, message):
    with pytest.raises(RequestRefusedError, match=message):
        machine.say(channel, text, raw)


def test_a_question_that_is_asked_again_has_the_same_reading(machine):
    readings = machine.read(70, [2, 0])
    assert [(reading.rank, reading.tag) for reading in readings] == [(0, 70), (2, 70)]
    assert machine.read(70, [0, 2]) == readings
    later = machine.read(71)
    assert [reading.rank for reading in later] == [0, 1, 2, 3]
    assert later[0].clock > readings[0].clock
    with pytest.raises(RequestRefusedError, match="read: there is no node 4"):
        machine.read(72, [4])


def test_the_number_of_a_question_is_not_that_of_a_snapshot(machine):
    """Hand-overs and questions of the same number, one after the other: each time the meter is read anew."""
    _, first = hold(machine, {7: [0, 1]}, hand_over=[0, 1])
    number = first.number
    asked = machine.read(number, [0])
    machine.number += 1
    again = machine.apply(revision(machine.number, {7: [0, 1]}, hand_over=[0]))
    later = machine.read(machine.number, [0])
    clocks = [first.readings[0].clock, asked[0].clock, again.readings[0].clock, later[0].clock]
    assert clocks == sorted(set(clocks)) and first.started < clocks[0] < first.finished
    assert [one.tag for one in (first.readings[0], *asked, again.readings[0], *later)] == [
        number, number, number + 1, number + 1]
    assert machine.read(number + 1, [0]) == later


def test_packets_that_a_kernel_sends_are_in_the_reading(machine, tmp_path):
    image = build_image(_kernel(tmp_path, "send", """
async def main(node, arguments):
    await node.send(1, b"x" * 8)
"""))
    ear = Ear(machine, 7)
    hold(machine, {7: [0, 1]}, hand_over=[0, 1])
    machine.approve([image_digest(image)])
    before = {reading.rank: reading.counters for reading in machine.read(80)}
    _boot(machine, ear, 7, image, "on 0 ", "")
    ear.wait("kernel send done")
    after = {reading.rank: reading.counters for reading in machine.read(81)}
    assert after[0]["own_sent_packets"] == before[0]["own_sent_packets"] + 1
    assert after[1]["own_received_packets"] == before[1]["own_received_packets"] + 1


def test_only_approved_images_boot(machine, tmp_path):
    image = build_image(_kernel(tmp_path, "hello", HELLO))
    ear = Ear(machine, 7)
    hold(machine, {7: [0]}, hand_over=[0])
    machine.approve([])
    _boot(machine, ear, 7, image, "", "early")
    ear.wait(f"has not approved the image with SHA-256 {image_digest(image)}")
    with pytest.raises(RequestRefusedError, match="'nonsense' is no SHA-256"):
        machine.approve(["nonsense"])
    machine.approve([image_digest(image)])
    machine.say(7, f"boot {machine.info.image_address:#x} now")
    ear.wait("hello from 0: now", "kernel hello done")
    assert not any("early" in line for line in ear.lines)


def test_calls_of_many_threads_are_answered_each(machine):
    wanted = revision(machine.number + 1, {7: [0]})
    machine.number += 1
    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda _: machine.apply(wanted), range(16)))
        clocks = list(pool.map(lambda _: machine.clock(), range(200)))
    assert all(result == results[0] for result in results)
    assert all(clock.boot == 1 for clock in clocks)


def test_another_machine_does_not_take_this_one_for_its_own(machine, tmp_path):
    other = SimulatedMachine(machine.state, machine_of(tmp_path, SMALL.replace("[2, 2, 1]", "[2, 1, 1]")))
    with pytest.raises(MachineDiffersError, match=r"shape is \(2, 2, 1\), not \(2, 1, 1\); digest is"):
        other.connect()
    assert not other.alive
    assert machine.clock().boot == 1


def test_two_services_can_be_connected_and_each_hears_what_it_listens_to(machine, tmp_path):
    other = SimulatedMachine(machine.state, machine_of(tmp_path))
    hold(machine, {7: [0], 9: [1]}, hand_over=[0, 1])
    other.connect()
    try:
        mine, others = Ear(machine, 7), Ear(other, 9)
        other.say(7, "echo over here")
        machine.say(9, "echo over there")
        mine.wait("node 0> over here")
        others.wait("node 1> over there")
        assert len(mine.heard) == len(others.heard) == 1
    finally:
        other.close()


def test_a_sink_may_be_slow_without_stopping_the_machine(machine):
    hold(machine, {7: [0]}, hand_over=[0])
    gate = threading.Event()
    listening = machine.listen(7, lambda _: gate.wait(30))
    machine.say(7, "echo held up")
    try:
        # The answer comes behind what is held up; the machine itself goes on.
        other = SimulatedMachine(machine.state, machine._machine)
        other.connect()
        assert other.clock().boot == 1
        other.close()
    finally:
        gate.set()
        listening.stop()


def test_of_torn_and_foreign_messages_nothing_is_done(machine):
    whole = packed(Frame({"id": 1, "call": "switch_off", "arguments": {}}))
    for torn in (whole[:5], whole[:-3], b"GET / HTTP/1.1\r\n\r\n", whole[:4] + b"\xff" * 8, whole[:12] + b"[" * 61,
                 packed(Frame({}))[:12] + b"[]"):
        with _raw(machine) as sock:
            sock.sendall(torn)
            sock.shutdown(socket.SHUT_WR)
            _drained(sock)
    assert machine.clock().boot == 1


@pytest.mark.parametrize(("values", "message"), [
    ({"id": 1}, "no call None"),
    ({"id": 1, "call": ["clock"]}, "no call ['clock']"),
    ({"id": 1, "call": "clock", "arguments": 3}, "all of it: Input should be"),
    ({"id": 1, "call": "apply", "arguments": {"revision": {"number": True}}}, "revision.allowed: Field required"),
])
def test_what_is_no_call_is_answered_with_a_sentence(machine, values, message):
    with _raw(machine) as sock:
        sock.sendall(packed(Frame(values)))
        data = b""
        while message.encode() not in data:
            part = sock.recv(1 << 16)
            assert part, data
            data += part
    assert machine.clock().boot == 1


def _kernel(folder, name, text):
    path = folder / f"{name}.py"
    path.write_text(text)
    return path


def _boot(machine, ear, channel, image, on, arguments):
    address = machine.info.image_address
    machine.say(channel, f"{on}mrw {address:#x} {len(image)}", image)
    ear.wait(f"mrw: {len(image)} bytes")
    machine.say(channel, f"{on}boot {address:#x} {arguments}".rstrip())


def _raw(machine):
    sock = socket.socket(socket.AF_UNIX)
    folder = os.open(machine.state / "machine", os.O_PATH)
    sock.connect(f"/proc/self/fd/{folder}/socket")
    os.close(folder)
    sock.settimeout(20)
    return sock


def _drained(sock):
    data = b""
    while part := sock.recv(1 << 16):
        data += part
    return data
