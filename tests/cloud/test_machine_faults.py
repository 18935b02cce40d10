"""Hardware that does not answer, on the reference machine; and messages that are none, of a false machine."""

import socket
import struct
import threading

import pytest

from khhw.cloud.calls import HELLO, VERSION, Channel, Nothing
from khhw.cloud.client import SimulatedMachine
from khhw.cloud.client_connection import Connection
from khhw.cloud.frames import HEADER_BYTES, Frame, FrameError, frame_lengths, packed, parsed
from khhw.cloud.machine import MachineDiffersError, MachineError, MachineFaultError, MachineGoneError, MachineInfo
from khhw.cloud.simulator_owner import Carrier
from khhw.control.outside import Outside
from khhw.control.owner import Owner
from rtl.formats import Protocol
from tests.cloud.simulated import machine_of, revision
from tests.reference import ReferenceMachine

INFO = MachineInfo((2, 1, 1), 1000, 65536, 4096, 4, "digest")
HELLO_FRAME = packed(Frame(
    {"version": VERSION, "pid": 1, "boot": 1, "info": {**vars(INFO), "shape": [2, 1, 1]}}))


class Rig:
    def __init__(self):
        self.machine = ReferenceMachine((2, 2, 1))
        outside = Outside(self.machine.host.root)
        self.moments = []
        self.carrier = Carrier(Owner(outside, self.machine.shape, answer_limit=20_000), 3, 4,
                               on_moment=lambda: self.moments.append(self.machine.now))
        self.machine.run(outside.start())

    def run(self, coroutine):
        return self.machine.run(coroutine)


def lost(deaf):
    """What a node is sent that does not hear its owner."""
    return lambda packet: packet.protocol == Protocol.CONTROL and packet.vector in (None, deaf)


def test_a_node_that_does_not_answer_is_named_and_the_next_question_is_answered():
    rig = Rig()
    first, second = revision(1, {7: [0, 1]}, [0, 1]), revision(2, {7: [0], 9: [1]}, [1])
    rig.run(rig.carrier.apply(first))
    rig.machine.lose = lost(deaf=1)
    for ask in (lambda: rig.carrier.apply(second), rig.carrier.nodes, lambda: rig.carrier.read(1, [1])):
        with pytest.raises(MachineFaultError, match="did not answer within 20000 cycles"):
            rig.run(ask())
    rig.machine.lose = lambda _packet: False
    applied = rig.run(rig.carrier.apply(second))
    assert (applied.number, applied.finished.boot) == (2, 3)
    assert [state.revision for state in rig.run(rig.carrier.nodes())] == [2] * 4
    assert [state.held for state in rig.run(rig.carrier.nodes())] == [False, False, True, True]


def test_a_change_that_stopped_half_way_is_carried_out_when_it_is_asked_for_again():
    rig = Rig()
    rig.run(rig.carrier.apply(revision(1, {7: [0, 1]}, [0, 1])))
    second, left = revision(2, {9: [0, 1]}, [0, 1]), []

    def dies_away(packet):
        """The tree takes so many of the owner's packets, and no more."""
        left.append(packet)
        return len(left) > takes and packet.protocol == Protocol.CONTROL

    rig.machine.lose = dies_away
    for takes in (1, 9, 18, 27):  # noqa: B007
        left.clear()
        with pytest.raises(MachineFaultError):
            rig.run(rig.carrier.apply(second))
    rig.machine.lose = lambda _packet: False
    rig.run(rig.carrier.apply(second))
    states = rig.run(rig.carrier.nodes())
    assert [(state.revision, state.keys.send, state.held) for state in states] == [
        (2, 9, False), (2, 9, False), (2, 0, True), (2, 0, True)]


def test_nodes_that_hear_a_channel_are_known_by_both_revisions_while_one_is_carried_out():
    rig = Rig()
    rig.run(rig.carrier.apply(revision(1, {7: [0, 1]}, [0, 1])))
    assert (rig.carrier.hearers(7), rig.carrier.hearers(9)) == ({0, 1}, set())
    rig.machine.lose = lost(deaf=1)
    with pytest.raises(MachineFaultError):
        rig.run(rig.carrier.apply(revision(2, {7: [0], 9: [1]}, [1])))
    assert (rig.carrier.hearers(7), rig.carrier.hearers(9)) == ({0, 1}, {1})


@pytest.mark.parametrize("wrong", ["missing", "a file"])
def test_a_state_folder_that_is_none_is_a_sentence(tmp_path, wrong):
    state = tmp_path / "state"
    if wrong == "a file":
        state.write_text("")
    machine = SimulatedMachine(state, machine_of(tmp_path))
    with pytest.raises(MachineError, match=r"state/machine: (No such file|Not a directory)"):
        machine.connect()
    assert not machine.alive


class FalseMachine:
    """Answers each call with bytes of a test's choice."""

    def __init__(self, *answers, hello=HELLO_FRAME):
        self._answers = answers
        here, self._there = socket.socketpair()
        self.heard = []
        self.thread = threading.Thread(target=self._serve, args=(hello, ), daemon=True)
        self.thread.start()
        self.connect = lambda: Connection(here, self.heard.append)

    def _serve(self, hello):
        with self._there:
            self._there.sendall(hello)
            for answer in self._answers:
                if not self._call():
                    return
                self._there.sendall(answer)

    def _call(self):
        header = self._there.recv(HEADER_BYTES, socket.MSG_WAITALL)
        if header:
            self._there.recv(sum(frame_lengths(header)), socket.MSG_WAITALL)
        return bool(header)


@pytest.mark.parametrize(("answer", "message"), [
    (b"", "the machine has ended"),
    (packed(Frame({"id": 1, "result": {}}))[:-1], "a frame that ends in the middle"),
    (b"khcl\0\0", "a frame that ends after 6 of the 12 bytes of its header"),
    (b"HTTP/1.1 400 Bad Request", "a frame that begins with 48545450, not 6b68636c"),
    (struct.pack(">4sII", b"khcl", 1 << 31, 0), "there are at most"),
    (struct.pack(">4sII", b"khcl", 2, 0) + b"[]", "a frame that holds no object"),
    (struct.pack(">4sII", b"khcl", 2, 0) + b"{]", "a frame that holds no JSON"),
    (packed(Frame({"heard": {"boot": 1}})), "what a node said, without 'cycle'"),
])
def test_an_answer_that_is_none_ends_the_connection_for_all_who_wait(answer, message):
    connection = FalseMachine(answer).connect()
    with pytest.raises(MachineGoneError, match=message.replace("[", r"\[")) as gone:
        connection.call("listen", Channel(1))
    assert "whether it did what it was asked is not known" in str(gone.value)
    assert not connection.alive
    with pytest.raises(MachineGoneError, match=message):
        connection.call("clock", Nothing())


@pytest.mark.parametrize(("answer", "error", "message"), [
    ({"result": {"boot": 1}}, MachineError, "cycle: Field required"),
    ({}, MachineError, "Input should be"),
    ({"error": "fault", "message": "Node 3 did not answer"}, MachineFaultError, "Node 3 did not answer"),
    ({"error": "something new", "message": "who knows"}, MachineError, "who knows"),
])
def test_an_answer_of_another_form_is_an_error_of_its_call_alone(answer, error, message):
    connection = FalseMachine(
        packed(Frame({"id": 1, **answer})), packed(Frame({"id": 2, "result": {"boot": 1, "cycle": 2}}))).connect()
    with pytest.raises(error, match=message):
        connection.call("clock", Nothing())
    assert connection.call("clock", Nothing()).cycle == 2
    connection.close()


@pytest.mark.parametrize(("hello", "error"), [
    (b"", MachineGoneError), (b"khcl", MachineGoneError), (b"SSH-2.0-OpenSSH_9.2\r\n", MachineGoneError),
    (packed(Frame({"version": 99})), MachineDiffersError),
])
def test_who_says_no_hello_is_no_machine(hello, error):
    with pytest.raises(error):
        FalseMachine(hello=hello).connect()


def test_frames_come_back_as_they_were():
    frame = Frame({"a": [1, "\N{SNOWMAN}"]}, bytes(range(256)))
    data = packed(frame)
    text, rest = frame_lengths(data[:HEADER_BYTES])
    body = data[HEADER_BYTES:]
    assert (parsed(body[:text], body[text:]), len(body)) == (frame, text + rest)
    with pytest.raises(FrameError):
        parsed(b"[" * 100_000, b"")


def test_the_hello_that_is_sent_is_the_one_that_is_read():
    connection = FalseMachine().connect()
    assert connection.hello.info == INFO
    assert HELLO.dump_python(connection.hello, mode="json")["version"] == VERSION
    connection.close()
