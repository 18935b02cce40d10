"""The console of the gateway node, without a machine."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest

from khhw.gateway.shell import Shell
from khhw.node import TreePacket
from khhw.node.tree_packets import console_packets


class EndedError(Exception):
    """Nobody types any more."""


class StandInConsole:
    """Gives packets out, and notes what is said."""

    def __init__(self, packets):
        self._packets = list(packets)
        self.said = []

    async def receive(self):
        if not self._packets:
            raise EndedError
        return [self._packets.pop(0)]

    async def print(self, text):
        self.said.append(text.removeprefix("node 0> "))


def obeyed(*pieces):
    """What the gateway says to some lines and blocks of raw data."""
    packets: list[TreePacket] = []
    for piece in pieces:
        raw = len(piece.splitlines()) > 1
        packets += [replace(packet, external=True) for packet in console_packets(1, piece, len(packets), raw=raw)]
    console = StandInConsole(packets)
    with pytest.raises(EndedError):
        asyncio.run(Shell(SimpleNamespace(rank=0, console=console), lambda: "nobody").run())
    return console.said


INFO = "info: rank 0, nobody"


@pytest.mark.parametrize("line", ["mrw 0 ²", "mrw 0 -1", "mrw 0 x", "mrw 0 " + "9" * 900, "on 1 mrw 0 ²"])
def test_no_line_stops_it(line):
    assert obeyed(f"{line}\n".encode(), b"info\n")[-1] == INFO


@pytest.mark.parametrize("length", ["300", "0x12c"])
def test_an_image_for_others_is_no_text(length):
    assert obeyed(f"on 1 mrw 0 {length}\n".encode(), b"info\n" * 60, b"info\n") == [INFO]


@pytest.mark.parametrize("ranks", ["0-99999999999999", "65536", "²", "x", "3-1", "-", ","])
def test_a_list_of_nodes_that_none_can_have_is_refused(ranks):
    assert [text.partition(":")[0] for text in obeyed(f"on {ranks} info\n".encode())] == ["error"]
    assert ranks.partition(",")[0] in obeyed(f"on {ranks} info\n".encode())[0]


def test_the_last_rank_is_one():
    assert obeyed(b"on 0-65535 info\n") == [INFO]
