"""The outside's console: lines of nodes that do not end, and what is no packet."""

import time

import pytest

from khhw.control.console import CONTINUED, TEXT_LIMIT, Console
from khhw.control.outside import Outside
from khhw.host.ports import Host
from khhw.host.scheduler import ROOT
from khhw.node.commands import LineError
from khhw.node.shape import Shape
from khhw.node.tree_packets import TreePacket
from rtl.formats import Protocol, TreeChannel

LISTEN = 2


class Line:
    """A console at the port above the root, of which the other side is in the test's hands."""

    def __init__(self):
        self.host = Host(8, 65536)
        self.outside = Outside(self.host.root)
        self.console = Console(self.outside, Shape(2, 2, 2), 1, listen=LISTEN)
        self.host.scheduler.spawn(self.outside.start(), rank=ROOT)
        self.host.scheduler.run(0)

    def arrives(self, flits):
        scheduler = self.host.scheduler
        self.host.root.arrived(scheduler.now, flits, TreeChannel.TENANT)
        scheduler.run(scheduler.now + 1)

    def says(self, rank, data):
        self.arrives(TreePacket(protocol=Protocol.CONSOLE, payload=data, dst_key=LISTEN, source=rank).flits())

    @property
    def heard(self):
        return [(said.rank, said.text) for said in self.console.transcript]


def test_what_is_longer_than_a_line_comes_in_marked_pieces():
    line = Line()
    for number in range(0, 10_000, 200):
        line.says(3, f"{number:<200}".encode())
    line.says(1, b"in between\n")
    line.says(3, b"the end\n")
    text = "".join(f"{number:<200}" for number in range(0, 10_000, 200)) + "the end"
    pieces = [said for rank, said in line.heard if rank == 3]
    assert [len(piece) for piece in pieces] == [TEXT_LIMIT, TEXT_LIMIT + len(CONTINUED), 10_007 - 2 * TEXT_LIMIT + 2]
    assert pieces[0] + "".join(piece.removeprefix(CONTINUED) for piece in pieces[1:]) == text
    assert (1, "in between") in line.heard


def test_text_without_newlines_costs_linear_time():
    """16,000 packets; joined with all that came before, they took a minute."""
    line = Line()
    packet = TreePacket(protocol=Protocol.CONSOLE, payload=b"x" * 240, dst_key=LISTEN, source=5)
    times = []
    for _ in range(2):
        began = time.process_time()
        for _ in range(8_000):
            line.console._arrived(0, packet)
        times.append(time.process_time() - began)
    assert sum(times) < 2 and times[1] < 3 * times[0]
    assert sum(len(text.removeprefix(CONTINUED)) for _, text in line.heard) > 240 * 16_000 - TEXT_LIMIT - 1


def test_what_was_begun_is_not_lost_at_the_end():
    line = Line()
    line.says(2, b"whole\nhalf")
    assert line.heard == [(2, "whole")]
    line.console.flush()
    assert line.heard == [(2, "whole"), (2, "half")]
    line.console.flush()
    assert len(line.heard) == 2


def test_what_is_no_packet_is_counted_and_the_next_one_taken():
    line = Line()
    flits = TreePacket(protocol=Protocol.CONSOLE, payload=b"x\n", dst_key=LISTEN, source=2).flits()
    line.arrives(flits[:2])
    line.arrives([*flits[:2], flits[2] | 0xFFFF, *flits[3:]])
    line.says(2, b"y\n")
    assert line.outside.stray == 2
    assert line.heard == [(2, "y")]


@pytest.mark.parametrize("text", ["echo a\nreset", "echo \x1b", "echo " + "x" * 20_000])
def test_a_line_that_must_not_be_sent_is_not(text):
    line = Line()
    task = line.host.scheduler.spawn(line.console.line(text), rank=ROOT)
    task.watch(lambda _task: None)
    line.host.scheduler.run(line.host.scheduler.now)
    with pytest.raises(LineError):
        task.result()
    assert line.heard == [] and not line.host.root.outgoing
