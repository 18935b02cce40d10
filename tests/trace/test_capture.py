"""Captures of a traced run: interfaces, times, directions and comments; pipes, and files that were cut off."""

import re
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from khhw.cli import main
from khhw.trace.capture import write_capture
from khhw.trace.entries import entries
from khhw.trace.pcapng import CaptureWriter, LinkType, Way
from khhw.trace.run import Run
from khhw.trace.text import listed
from rtl.formats import FORMATS, Header, unpack
from tests.trace.captures import INTERFACE, PACKET, SECTION, Block, blocks, rows, tshark

CLOCK = 53_125_000
IN, OUT = 1, 2
"""Of ``epb_flags``."""
NODE_0 = ["node0 inject", "node0 X+", "node0 X-", "node0 eject", "node0 console", "node0 endpoint", "node0 parent",
          "node0 left child"]
NODE_1 = ["node1 inject", "node1 X+", "node1 X-", "node1 eject", "node1 console", "node1 endpoint", "node1 parent"]


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Run:
    return Run.load(folder)


@pytest.fixture(scope="module")
def capture(loaded: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("captured") / "traced.pcapng"
    with path.open("wb") as file:
        write_capture(loaded, entries(loaded), file)
    return path


@pytest.fixture(scope="module")
def packets(loaded: Run) -> list[dict[str, Any]]:
    """As ``khhw trace --json`` lists them."""
    return listed(loaded, entries(loaded))


@pytest.fixture(scope="module")
def read(capture: Path) -> list[Block]:
    return list(blocks(capture.read_bytes()))


def names(read: list[Block]) -> list[str]:
    return [block.options[2].decode() for block in read if block.kind == INTERFACE]


def seen(read: list[Block], number: int) -> list[tuple[str, int, int]]:
    """Where a packet was, which way it went, and in which nanosecond."""
    ports = names(read)
    return [(ports[block.fixed[0]], *struct.unpack("<I", block.options[2]), block.fixed[1] << 32 | block.fixed[2])
            for block in read if block.kind == PACKET and struct.unpack("<Q", block.options[5]) == (number,)]


def nanoseconds(cycle: int) -> int:
    return cycle * 1_000_000_000 // CLOCK


def test_a_capture_is_one_section_with_an_interface_a_port(read: list[Block]) -> None:
    assert read[0].kind == SECTION
    assert read[0].fixed == (0x1A2B3C4D, 1, 0, -1)
    assert re.fullmatch(r"khhw \d+\.\d+\.\d+", read[0].options[4].decode())
    assert names(read) == ["outside", *NODE_0, *NODE_1]
    links = {name: block.fixed[0] for name, block in zip(names(read), read[1:], strict=False)}
    assert (links["node0 X+"], links["node0 eject"], links["node0 parent"], links["outside"]) == (147, 147, 148, 148)
    assert {block.options[9] for block in read if block.kind == INTERFACE} == {b"\x09"}


def test_a_put_passes_the_ports_of_both_nodes(read: list[Block], packets: list[dict[str, Any]], loaded: Run) -> None:
    put = next(packet for packet in packets if packet["kind"] == "put" and packet["outcome"] == "stored"
               and (packet["source"], packet["destination"]) == (0, 1))
    way = seen(read, put["number"])
    sent = nanoseconds(put["cycle"])
    over, arrived = nanoseconds(put["cycle"] + 3), nanoseconds(put["cycle"] + 6)
    assert way == [("node0 inject", OUT, sent), ("node0 X+", OUT, over),
                   ("node1 X-", IN, over), ("node1 eject", IN, arrived)]
    assert loaded.machine.host.clock_hz == CLOCK


def test_a_line_of_text_climbs_the_tree(read: list[Block], packets: list[dict[str, Any]]) -> None:
    said = next(packet for packet in packets if packet["kind"] == "console" and packet["source"] == 1)
    assert [(name, way) for name, way, _ in seen(read, said["number"])] == [
        ("node1 console", OUT), ("node1 endpoint", OUT), ("node1 parent", OUT),
        ("node0 left child", Way.INBOUND), ("node0 parent", OUT), ("outside", OUT)]


def test_comments_say_the_number_and_what_became_of_it(read: list[Block], packets: list[dict[str, Any]]) -> None:
    comments = {struct.unpack("<Q", block.options[5])[0]: block.options[1].decode()
                for block in read if block.kind == PACKET}
    assert comments == {packet["number"]: f"packet {packet['number']}: {packet['outcome']}" for packet in packets}
    refused = [comment for comment in comments.values() if "refused" in comment]
    assert len(refused) == 2
    assert refused[0].endswith("refused by the egress guard of node 0: ROW")


def test_a_refused_packet_is_seen_where_it_was_sent(read: list[Block], packets: list[dict[str, Any]]) -> None:
    refused = next(packet for packet in packets if "egress guard" in packet["outcome"])
    assert [name for name, _, _ in seen(read, refused["number"])] == ["node0 inject"]


def test_packets_are_in_the_order_of_time_and_whole(read: list[Block]) -> None:
    found = [block for block in read if block.kind == PACKET]
    assert [block.fixed[1:3] for block in found] == sorted(block.fixed[1:3] for block in found)
    ports = names(read)
    for block in found:
        assert block.fixed[3] == block.fixed[4] == len(block.content)
        if ports[block.fixed[0]].endswith(("X+", "X-")):
            header = unpack(Header, int.from_bytes(block.content[:8], "big"))
            assert len(block.content) == 32 * (header["size"] + 1)


def test_a_file_that_was_cut_off_is_read_up_to_its_last_whole_block(capture: Path, read: list[Block]) -> None:
    whole = capture.read_bytes()
    ends, offset = [], 0
    while offset < len(whole):
        offset += struct.unpack_from("<I", whole, offset + 4)[0]
        ends.append(offset)
    # Behind the section and its interfaces.
    head, packets = ends[len(names(read))], ends[len(names(read)) + 4]
    for length in range(packets):
        assert len(list(blocks(whole[:length]))) == sum(end <= length for end in ends)
    for length in range(head, packets, 23):
        done = tshark("-r", "-", "-T", "fields", "-e", "frame.number", stdin=whole[:length])
        assert len(done.stdout.splitlines()) == sum(head < end <= length for end in ends)


def test_each_block_is_flushed_when_it_is_whole() -> None:
    class Pipe:
        def __init__(self) -> None:
            self.written, self.flushed = b"", [0]

        def write(self, content: bytes) -> None:
            self.written += content

        def flush(self) -> None:
            self.flushed.append(len(self.written))

    pipe = Pipe()
    writer = CaptureWriter(pipe)  # type: ignore[arg-type]
    writer.section("test", "a comment")
    writer.interface("one", "", LinkType.USER0)
    for number in range(3):
        writer.packet(0, number, bytes(number), 40, way=Way.INBOUND, number=number, queue=0,
                      comment="ab" + "€" * 30_000)
        assert len(list(blocks(pipe.written[:pipe.flushed[-1]]))) == 3 + number
    last = list(blocks(pipe.written))[-1]
    # The most that an option holds, without half a character.
    assert len(last.options[1].decode()) == 2 + (0xFFFF - 2) // 3
    assert (last.content, last.fixed[3:]) == (bytes(2), (2, 40))


def test_tshark_reads_the_same(capture: Path, read: list[Block]) -> None:
    ports = names(read)
    fields = ("frame.interface_name", "frame.time_epoch", "frame.packet_id", "frame.interface_queue", "frame.comment",
              "frame.packet_flags_direction")
    expected = []
    for block in (block for block in read if block.kind == PACKET):
        at = block.fixed[1] << 32 | block.fixed[2]
        (number,), (queue,) = struct.unpack("<Q", block.options[5]), struct.unpack("<I", block.options[6])
        expected.append([ports[block.fixed[0]], f"{at // 10**9}.{at % 10**9:09}", str(number), str(queue),
                         block.options[1].decode(), f"0x{struct.unpack('<I', block.options[2])[0]:08x}"])
    assert rows(capture, *fields) == expected


def test_filters_choose_packets(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new" / "gets.pcapng"
    assert main(["trace", str(folder), "--kind", "get", "--limit", "2", "--pcap", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: 8 interfaces, 2 packets, 8 records\n"
    read = list(blocks(file.read_bytes()))
    # Of one type only: tcpdump reads no other files.
    assert {block.fixed[0] for block in read if block.kind == INTERFACE} == {LinkType.USER0}
    assert Counter(block.kind for block in read)[PACKET] == 8


def command(*options: object) -> list[str]:
    return [sys.executable, "-m", "khhw", "trace", *map(str, options)]


def test_a_pipe_gets_the_capture_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "same.pcapng"
    done = subprocess.run(command(folder, "--kind", "get", "--pcap", "-"), capture_output=True, check=True, timeout=120)
    assert main(["trace", str(folder), "--kind", "get", "--pcap", str(file)]) == 0
    assert done.stdout == file.read_bytes()
    assert done.stderr == b""


def test_a_reader_that_leaves_ends_the_command(folder: Path) -> None:
    with subprocess.Popen(command(folder, "--pcap", "-"), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.parametrize(("options", "words"), [
    (["--pcap", "a", "--gets"], "--pcap writes all packets that would be listed; leave out --gets"),
    (["--perfetto", "a", "--packet", "0"], "leave out --packet"),
    (["--pcap", "-", "--perfetto", "-"], "--pcap - and --perfetto - do not go together"),
    (["--pcap", "-", "--json"], "--pcap - and --json do not go together"),
    (["--pcap", "{folder}"], "Is a directory; name another file with --pcap"),
    (["--perfetto", "{folder}/results.json/x"], "name another file with --perfetto"),
])
def test_wrong_requests_are_named(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str,
) -> None:
    assert main(["trace", str(folder), *(option.format(folder=folder) for option in options)]) == 2
    printed, errors = capsys.readouterr()
    assert printed == ""
    assert words in errors


def test_a_terminal_gets_no_capture(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["trace", str(folder), "--pcap", "-"]) == 2
    assert "--pcap - is not for a terminal" in capsys.readouterr().err


def test_only_the_dissector_needs_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "--dissector", str(tmp_path / "khhw.lua")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'khhw.lua'}: {len(FORMATS)} formats\n"
    assert main(["trace", "--pcap", str(tmp_path / "a")]) == 2
    assert "name the folder of a run: khhw trace DIR" in capsys.readouterr().err
