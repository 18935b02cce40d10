"""The host's side of telnet: streams of all kinds, cut anywhere."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khhw.gateway.telnet import Line, Reply, Telnet, TooLong, WebPage, printed
from khhw.node.commands import LINE_LIMIT

SE, NOP, DM, BRK, IP, AO, AYT, EC, EL, GA, SB, WILL, WONT, DO, DONT, IAC = range(240, 256)
VERBS = (WILL, WONT, DO, DONT)
ECHO, SUPPRESS_GO_AHEAD, TIMING_MARK, TERMINAL_TYPE = 1, 3, 6, 24


def command(*codes):
    return bytes([IAC, *codes])


SUBNEGOTIATION = command(SB, TERMINAL_TYPE, 0) + b"xterm\r\n" + command(IAC) + b"\n" + command(SE)
SYNCH = Reply(command(DM), urgent=True)
ALIVE = Reply(b"[Yes]\r\n")


def heard(*pieces, telnet=None):
    telnet = telnet or Telnet()
    return [event for piece in pieces for event in telnet.feed(piece)]


def cut(data, stream):
    """The stream in random pieces."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    return [stream[begin:end] for begin, end in pairwise([0, *cuts, len(stream)])]


TEXT = st.binary(max_size=30).map(lambda line: line.translate(None, b"\n\r\0").replace(b"HTTP/", b""))
SILENT = [b"", command(NOP), command(GA), command(BRK), command(DM), command(SE), command(1), SUBNEGOTIATION,
          command(WONT, ECHO), command(DONT, SUPPRESS_GO_AHEAD), command(WILL, TIMING_MARK)]
"""What neither says nor asks for anything."""


@given(st.lists(TEXT, max_size=5), st.data())
def test_lines_are_taken_whatever_lies_between_their_bytes(typed, data):
    stream = b""
    for line, following in pairwise([*typed, b"."]):
        # What ends with CR or NUL would end once with the LF of an empty line that follows.
        ends = [b"\n", b"\r\n", b"\r\0\n"] + [b"\r\0", b"\r"] * bool(following)
        for byte in line + data.draw(st.sampled_from(ends)):
            stream += data.draw(st.sampled_from(SILENT)) + (command(IAC) if byte == IAC else bytes([byte]))
    assert heard(*cut(data, stream)) == [Line(line.decode("utf-8", "replace")) for line in typed]


PIECES = st.one_of(
    st.binary(max_size=20), st.builds(command, st.integers(0, 255)),
    st.builds(command, st.sampled_from(VERBS), st.sampled_from([ECHO, SUPPRESS_GO_AHEAD, TIMING_MARK, 24, 255, 10])),
    st.sampled_from([b"\r", b"\n", b"\0", b"\x7f", b"GET / HTTP/1.1", b"x" * LINE_LIMIT, SUBNEGOTIATION]))


@given(st.lists(PIECES, max_size=30), st.data())
def test_whatever_comes_is_taken_alike_however_it_is_cut_and_nothing_grows(pieces, data):
    stream = b"".join(pieces)
    telnet = Telnet()
    assert heard(*cut(data, stream), telnet=telnet) == heard(stream)
    kept = [len(value) for value in vars(telnet).values() if isinstance(value, (bytearray, set))]
    assert max(kept) <= LINE_LIMIT + 1
    assert telnet._here | telnet._there <= {SUPPRESS_GO_AHEAD}


def test_a_subnegotiation_without_end_takes_no_memory():
    telnet = Telnet()
    assert heard(command(SB, TERMINAL_TYPE), *[bytes(100_000)] * 5, telnet=telnet) == []
    assert not any(vars(telnet)[name] for name in ("_line", "_word"))
    assert heard(command(SE), b"info\r\n", telnet=telnet) == [Line("info")]


def test_a_command_inside_a_subnegotiation_ends_it():
    assert heard(command(SB, TERMINAL_TYPE), b"xterm\n", command(AYT), b"info\n") == [ALIVE, Line("info")]


@pytest.mark.parametrize(("asked", "answered"), [
    ((DO, SUPPRESS_GO_AHEAD), (WILL, SUPPRESS_GO_AHEAD)), ((WILL, SUPPRESS_GO_AHEAD), (DO, SUPPRESS_GO_AHEAD)),
    ((DO, ECHO), (WONT, ECHO)), ((WILL, ECHO), (DONT, ECHO)), ((DO, IAC), (WONT, IAC)),
    ((WILL, TERMINAL_TYPE), (DONT, TERMINAL_TYPE)), ((DO, TIMING_MARK), (WILL, TIMING_MARK)),
    ((DONT, ECHO), None), ((WONT, ECHO), None), ((DONT, TIMING_MARK), None), ((WILL, TIMING_MARK), None),
])
def test_options_are_answered(asked, answered):
    assert heard(command(*asked)) == ([Reply(command(*answered))] if answered else [])


def test_an_option_is_answered_when_it_changes_and_a_mark_always():
    def replies(verb, option, times):
        return heard(command(verb, option) * times, telnet=telnet)

    telnet = Telnet()
    for asks, no, yes, is_no in ((DO, DONT, WILL, WONT), (WILL, WONT, DO, DONT)):
        for _ in range(2):
            assert replies(asks, SUPPRESS_GO_AHEAD, 3) == [Reply(command(yes, SUPPRESS_GO_AHEAD))]
            assert replies(no, SUPPRESS_GO_AHEAD, 3) == [Reply(command(is_no, SUPPRESS_GO_AHEAD))]
    assert replies(DO, TIMING_MARK, 3) == [Reply(command(WILL, TIMING_MARK))] * 3


@given(st.lists(st.tuples(st.sampled_from(VERBS), st.integers(0, 255)), max_size=20))
def test_two_of_a_kind_come_to_an_end(asked):
    one, other = Telnet(), Telnet()
    said = b"".join(command(*words) for words in asked)
    for _ in range(3):
        said = b"".join(reply.data for reply in heard(said, telnet=one))
        one, other = other, one
    assert said == b""


def test_the_line_being_typed_can_be_edited():
    assert heard(b"infx", command(EC), b"o\r\n") == [Line("info")]
    assert heard("ä€𝄞".encode(), command(EC), b"\n") == [Line("ä€")]
    assert heard("ä€𝄞".encode(), command(EC) * 7, b"x\n") == [Line("x")]
    assert heard(b"rm", command(EL), b"info\n") == heard(b"rm", command(IP), b"info\n") == [Line("info")]
    assert heard(b"x" * (LINE_LIMIT + 1), command(EC) * 9, b"\n") == [TooLong()]
    assert heard(b"x" * (LINE_LIMIT + 1), command(EL), b"info\n") == [Line("info")]


def test_keys_edit_the_line_of_a_client_that_sends_each_as_it_is_typed():
    keys = b"rm\x15infx\x7fx\x08o\n"
    assert heard(command(DO, SUPPRESS_GO_AHEAD), keys)[1:] == [Line("info")]
    assert heard(keys) == [Line(keys[:-1].decode())], "who edits a line before sending it means what is in it"


def test_a_synch_drops_text_and_no_commands():
    telnet = Telnet()
    assert heard(b"some", telnet=telnet) == []
    telnet.synchronize()
    stream = b"info\r\n" + command(AYT) + b"rm\n" + command(DO, TIMING_MARK) + b"\n\r"
    assert heard(stream, telnet=telnet) == [ALIVE, Reply(command(WILL, TIMING_MARK))]
    assert heard(command(DM), b"\nhelp\n", telnet=telnet) == [Line(""), Line("help")]
    assert heard(b"a" + command(DM) + b"b\n") == [Line("ab")], "a data mark that is not urgent says nothing"


def test_output_is_aborted_by_a_synch():
    assert heard(b"in" + command(AO) + b"fo\n") == [SYNCH, Line("info")]


@pytest.mark.parametrize("line", [
    b"GET / HTTP/1.1", b"POST /?" + b"x" * 100_000 + b" HTTP/1.1", b"POST /\tHTTP/1.1 ", b"HTTP/",
    b"x" * LINE_LIMIT + b" HTTP/2", b"x" * (LINE_LIMIT - 2) + b" HTTP/2", b"x" * (LINE_LIMIT - 6) + b" HTTP/2",
])
def test_a_line_of_http_is_known_however_long_it_is(line):
    assert heard(line + b"\r\n") == [WebPage()]


@pytest.mark.parametrize("line", [b"GET / http/1.1", b"HTTP/1.1 200 OK", b"echo xHTTP/1.1"])
def test_a_line_that_only_mentions_http_is_a_line(line):
    assert heard(line + b"\r\n") == [Line(line.decode())]


def test_what_is_printed_is_what_a_terminal_takes():
    assert printed(b"a\nb\rc\r\nd\n\r\xff\xff\xfe\n") == b"a\r\nb\r\0c\r\nd\r\n\r\0\xff\xff\xff\xff\xfe\r\n"


@given(st.lists(TEXT))
def test_what_is_printed_says_the_same_to_telnet(texts):
    assert heard(printed(b"".join(text + b"\n" for text in texts))) == [
        Line(text.decode("utf-8", "replace")) for text in texts]
