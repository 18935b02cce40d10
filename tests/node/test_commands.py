"""The grammar of console lines, and the reader: whatever a line contains."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from khhw.node.commands import (
    LINE_LIMIT,
    Command,
    LineError,
    WrongLine,
    boot_command,
    list_ranks,
    parse_line,
    parse_nodes,
    parse_number,
    written,
)
from khhw.node.lines import LineCutter
from khhw.node.reader import ConsoleReader, RawEnd, RawWrite
from khhw.node.tree_packets import TreePacket, console_packets
from rtl.formats import TREE_PAYLOAD_BYTES

ANY_LINE = st.text() | st.tuples(
    st.sampled_from(["on", "mrw", "boot", "crc", "info", "", "on all", "on 0"]),
    st.sampled_from(["all", "²", "\u0661", "9" * 5000, "0-99999999999", "3-1", "0x", "0x" + "f" * 40, "1_0", "-1", "\0",
                     "08"]),
    st.text(max_size=20)).map(" ".join)
ANY_BYTES = st.binary(max_size=600) | ANY_LINE.map(lambda text: text.encode(errors="surrogatepass") + b"\n")


def packets(*pieces, start=0, raw=False):
    """Packets of the outside, numbered on from piece to piece."""
    found: list[TreePacket] = []
    for piece in pieces:
        found += console_packets(1, piece, start + len(found), raw=raw)
    return [outside(packet) for packet in found]


def outside(packet):
    return TreePacket(**{**vars(packet), "external": True})


def read(*pieces, rank=0, reader=None, lost=()):
    reader = reader or ConsoleReader(rank)
    return [reading for index, packet in enumerate(packets(*pieces)) if index not in lost
            for reading in reader.feed(packet)]


@given(ANY_LINE)
@example("on all info")
@example("on " + "0-65535," * 2000 + "0 x")
def test_any_line_is_a_command_or_an_answer(text):
    match parse_line(text):
        case Command(name=name, rest=rest):
            assert " " not in name and rest == rest.strip(" \t")
        case WrongLine(message=message):
            assert message and len(message) < 300


@pytest.mark.parametrize(("text", "command"), [
    ("info", Command("info")), ("  echo  a  b ", Command("echo", "a  b")), ("echo\ta\tb\r", Command("echo", "a\tb")),
    (f"on {'0' * 5000}1 info", Command("info", "", parse_nodes("1"))),
    ("", Command("")), ("on all info", Command("info")), ("on 2 ", Command("", "", parse_nodes("2"))),
    ("on 1,4-6 boot 0x10 a=1", Command("boot", "0x10 a=1", parse_nodes("1,4-6"))),
])
def test_a_line_is_a_command(text, command):
    assert parse_line(text) == command


@pytest.mark.parametrize("text", ["on", "on x info", "on 1- info", "on ² info", "on 1,,2 info", "on +1 info",
                                  "on 1_0 info", "on 65536 info", "on 3-1 info", f"on {'9' * 5000} info",
                                  "on 0 on 0 info", "on 0x1 info", "on \uff11 info"])
def test_a_list_of_nodes_is_one_or_the_line_is_wrong(text):
    assert isinstance(parse_line(text), WrongLine)


@given(st.sets(st.integers(0, 65535), min_size=1, max_size=40))
def test_ranks_are_read_as_they_were_written(ranks):
    nodes = parse_nodes(list_ranks(ranks))
    assert {rank for rank in (*ranks, *(rank + 1 for rank in ranks)) if rank in nodes} == {
        rank for rank in (*ranks, *(rank + 1 for rank in ranks)) if rank in ranks}


@pytest.mark.parametrize(("word", "number"), [
    ("0", 0), ("17", 17), ("017", 15), ("0x1F", 31), ("0X1f", 31), ("18446744073709551615", (1 << 64) - 1),
    ("18446744073709551616", None), ("0xfffffffffffffffff", None), ("08", None), ("-1", None), ("+1", None),
    ("1_0", None), ("²", None), ("\u0661", None), ("0b1", None), ("0o7", None), ("", None), ("9" * 5000, None),
    ("1\n", None),
])
def test_numbers_are_those_of_c(word, number):
    assert parse_number(word) == number


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "\0", "\x1b[2J", "\x7f", "\x9b2J", "a\tb", "\u2028", "\ud800"])
def test_a_line_that_nodes_would_not_read_as_meant_is_not_written(text):
    with pytest.raises(LineError, match="control characters"):
        written(boot_command(16, text))


def test_what_is_too_long_is_not_looked_at():
    with pytest.raises(LineError, match="at most 16,384 bytes"):
        written("\x1b\ud800" * LINE_LIMIT)


def test_a_line_has_a_limit_and_its_list_of_nodes_counts():
    command = "echo " + "ü" * ((LINE_LIMIT - 5) // 2)
    assert len(written(command).encode()) in (LINE_LIMIT - 1, LINE_LIMIT)
    with pytest.raises(LineError, match=r"at most 16,384 bytes; 'echo ü.* would have 16,3.. with 'on 0,2 ' in front"):
        written(command, [0, 2])


@given(st.lists(ANY_BYTES, max_size=8), st.data())
def test_no_bytes_end_a_reader_and_the_next_line_is_read(pieces, data):
    reader = ConsoleReader(0)
    given_packets = packets(*pieces)
    lost = data.draw(st.sets(st.integers(0, max(0, len(given_packets) - 1)), max_size=2))
    for index, packet in enumerate(given_packets):
        if index not in lost:
            for reading in reader.feed(packet):
                assert isinstance(reading, Command | WrongLine)
    # Behind raw data that was announced a text may be taken for it, once.
    last = packets(b"\n", b"echo still here\n", start=len(given_packets))
    assert [reading for packet in last for reading in reader.feed(packet)][-1] == Command("echo", "still here")


LONG = b"echo " + bytes(range(0x30, 0x7b)) * 20 + b"\n"


def test_a_line_of_many_packets_arrives_whole_up_to_the_limit():
    assert read(LONG) == [Command("echo", LONG[5:-1].decode())]
    longest = b"echo " + b"x" * (LINE_LIMIT - 5)
    assert read(longest + b"\n") == [Command("echo", "x" * (LINE_LIMIT - 5))]
    assert read(longest + b"y\n", b"info\n") == [
        WrongLine("a line has at most 16,384 bytes; this one of 16,385 was dropped"), Command("info")]


@pytest.mark.parametrize("lost", [{0}, {1}, {3}, {6}, {0, 1}, {2, 3, 4}, {5, 6}])
def test_a_line_of_which_a_part_is_lost_is_refused_whole(lost):
    torn, after = WrongLine("a part of a line was lost on its way; nothing of that line was obeyed"), Command("info")
    assert len(packets(LONG)) == 7
    assert read(b"help\n", LONG, b"info\n", lost={number + 1 for number in lost}) == [Command("help"), torn, after]


def test_two_torn_lines_are_not_joined():
    """The rest of one is lost, and the beginning of the next."""
    said = read(b"x" * 300 + b"\n", b"y" * 300 + b"\n", b"info\n", lost={1, 2})
    assert [type(reading) for reading in said] == [WrongLine, Command] and said[-1] == Command("info")


def test_text_may_come_in_pieces():
    assert read(b"echo in ", b"pie", b"ces\ninfo\n") == [Command("echo", "in pieces"), Command("info")]


def test_an_image_whose_announcement_was_lost_is_no_text():
    reader = ConsoleReader(0)
    image = packets(b"info\n" * 200, raw=True)
    assert [reading for packet in image for reading in reader.feed(packet)] == []
    assert [*reader.feed(packets(b"help\n", start=len(image))[0])] == [Command("help")]


def test_raw_data_goes_where_its_numbers_say():
    reader = ConsoleReader(0)
    said = []
    sent = [*packets(b"mrw 0x10 250\n"), *packets(b"z" * 250, start=1, raw=True), *packets(b"info\n", start=3)]
    for packet in sent:
        for reading in reader.feed(packet):
            if reading == Command("mrw", "0x10 250"):
                reader.expect(16, 250)
            said.append(reading)
    assert said[1:] == [RawWrite(16, b"z" * 240), RawWrite(256, b"z" * 10), RawEnd(250, 250, 0), Command("info")]


@pytest.mark.parametrize("announced", ["on 5 mrw 0x10000 1000000", "on 5 mrw 0 99999999999999", "mrw 0 250"])
def test_a_raw_write_that_is_only_typed_takes_no_text(announced):
    text = "x" * (TREE_PAYLOAD_BYTES - len("echo \n"))
    said = read(f"{announced}\n".encode(), f"echo {text}\n".encode(), b"echo " + b"y" * 600 + b"\n", rank=0)
    assert said[-2:] == [Command("echo", text), Command("echo", "y" * 600)]


def test_text_ends_a_raw_write():
    reader = ConsoleReader(0)
    said = []
    for packet in packets(b"mrw 0x10 250\n", b"info\n"):
        for reading in reader.feed(packet):
            if reading == Command("mrw", "0x10 250"):
                reader.expect(16, 250)
            said.append(reading)
    assert said[1:] == [RawEnd(0, 250, 0), Command("info")]


def test_other_nodes_are_not_obeyed():
    [packet] = console_packets(1, b"info\n", 0)
    assert [*ConsoleReader(0).feed(packet)] == []


@given(st.text(max_size=100) | st.text("aü漢👩", max_size=100), st.lists(st.integers(1, 30), min_size=1),
       st.integers(4, 40))
def test_pieces_of_a_line_make_the_line_and_cut_no_character(line, cuts, limit):
    text = line.replace("\n", "").encode()
    cutter, pieces, begin = LineCutter(limit), [], 0
    while begin < len(text):
        step = cuts[len(pieces) % len(cuts)]
        pieces += cutter.feed(text[begin:begin + step])
        begin += step
    pieces += cutter.feed(b"\n")
    assert b"".join(piece.data for piece in pieces) == text
    assert [piece.begins for piece in pieces] == [True] + [False] * (len(pieces) - 1)
    assert [piece.ends for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert all(len(piece.data) <= limit and piece.data.decode() is not None for piece in pieces)
