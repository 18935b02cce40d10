"""``acquireNodes``: the original's text, byte for byte, and its command line."""

import re
from collections.abc import Iterator

import pytest

from khhw.cloud.acquire import CommandLine, CommandLineError, HelpWanted, NodeInfo, Text, address, location_number

GOLDEN = {
    "one node": (
        Text(2, "10.0.0.1", (3,), False, False, (NodeInfo.of(0),)),
        b"con2@10.0.0.1\nprotocol: uboot\nnetwork 3 : eth0\nnodeinfo: 0 2 172.16.0.3\nnodes: 0\n"),
    "internal alone": (
        Text(3, "127.0.0.1", (4,), True, False, (NodeInfo.of(1), NodeInfo.of(2))),
        b"con3@127.0.0.1\nprotocol: uboot\nnetwork Internal : eth0\nnetwork 4 : eth1\n"
        b"nodeinfo: 1 3 172.16.0.4\nnodeinfo: 2 4 172.16.0.5\nnodes: 1 2\n"),
    "internal beside external": (
        Text(4294967295, "192.168.7.9", (9, 4), True, True, (NodeInfo.of(31), NodeInfo.of(32))),
        b"con4294967295@192.168.7.9\nprotocol: uboot\nnetwork External : eth0\nnetwork Internal : eth1\n"
        b"network 9 : eth2\nnetwork 4 : eth3\n"
        b"nodeinfo: 31 33 172.16.0.34\nnodeinfo: 32 36 172.16.0.37\nnodes: 31 32\n"),
    "no address": (
        Text(5, "::1", (3,), False, True, (NodeInfo(6, 8),)),
        b"con5@::1\nprotocol: uboot\nnetwork External : eth0\nnetwork 3 : eth1\nnodeinfo: 6 8\nnodes: 6\n"),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_golden_text(case: str) -> None:
    text, expected = GOLDEN[case]
    assert str(text).encode() == expected


def read_as_khdo_does(text: str) -> tuple[str, list[str], list[str], list[str], dict[str, str]]:
    """Console, networks, interfaces, nodes and node information, as the original's tools find them."""
    console, networks, interfaces, nodes, known = "", [], [], [], {}
    for line in text.splitlines():
        if line.startswith("con"):
            console = line
        elif line.startswith("network"):
            interfaces.append(line.rpartition(": ")[2])
            networks.append(line.partition(" :")[0].partition(" ")[2])
        elif line.startswith("nodeinfo: "):
            about = line.rpartition(": ")[2]
            known[about.partition(" ")[0]] = about
        elif line.startswith("nodes:"):
            nodes = line.removeprefix("nodes: ").split()
    return console, networks, interfaces, nodes, known


def test_tools_of_the_original_read_it() -> None:
    text, _ = GOLDEN["internal beside external"]
    console, networks, interfaces, nodes, known = read_as_khdo_does(str(text))
    assert console == "con4294967295@192.168.7.9"
    assert networks == ["External", "Internal", "9", "4"] and interfaces == ["eth0", "eth1", "eth2", "eth3"]
    assert nodes == ["31", "32"]
    assert all(re.match(r"^([0-9]+) ([0-9]+) ([0-9.]+)", known[node]) for node in nodes)


class TestCommandLine:
    def test_all_of_it(self) -> None:
        words = "-n 5,3 -p 2 -i -x -c secret --strict --seconds 0.5 --until 2030-01-01T00:00:00Z alice 4"
        assert CommandLine.parse(words.split(" ")) == CommandLine(
            "alice", 4, (5, 3), 2, True, True, "secret", True, "2030-01-01T00:00:00Z", 0.5)

    def test_shortest(self) -> None:
        assert CommandLine.parse(["alice"]) == CommandLine("alice", 1)

    def test_joined_options(self) -> None:
        assert CommandLine.parse(["-ixn3", "bob2"]) == CommandLine("bob2", 1, (3,), None, True, True)

    def test_help(self) -> None:
        with pytest.raises(HelpWanted):
            CommandLine.parse(["-ih"])

    @pytest.mark.parametrize(("words", "said"), [
        ("", "takes a user"), ("alice 4 5", "alice 4 5"), ("-z alice", "-z not recognized"), ("2alice", "invalid user"),
        ("al.ice", "invalid user"), ("alice 0", "number of nodes must be a whole number from 1"),
        ("alice -3", "from 1 to"), ("alice 1e3", "1e3"), ("alice 99999999999", "99999999999"),
        ("-n 2 alice", "-n: network must be a whole number from 3"), ("-n , alice", "-n: network"),
        ("-p x alice", "-p: number of networks"), ("-n", "requires argument"),
        ("--seconds nan alice", "above 0"), ("--seconds 0 alice", "above 0"), ("alice ٣", "whole number"),
        ("alic\u00e9", "invalid user"), ("alice\n", "invalid user"),
    ])
    def test_what_is_wrong(self, words: str, said: str) -> None:
        with pytest.raises(CommandLineError, match=re.escape(said)):
            CommandLine.parse(words.split(" ") if words else [])


def some_ranks() -> Iterator[int]:
    yield from (0, 31, 32, 511, 512, 1023, 1024, 65535)


def test_places_differ_and_leave_room_for_input_and_output() -> None:
    numbers = [location_number(rank) for rank in range(4096)]
    assert numbers == sorted(set(numbers))
    assert all(number % 34 >= 2 for number in numbers), "cards 0 and 1 are I/O nodes"
    assert len({address(location_number(rank)) for rank in range(65536)}) == 65536
    assert [location_number(rank) for rank in some_ranks()] == [2, 33, 36, 543, 546, 1087, 1090, 69631]
