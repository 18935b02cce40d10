"""Consoles by telnet, and what people and programs type, without a machine."""

import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khhw.control.console import OUTSIDE
from khhw.gateway.daemon import Daemon
from khhw.gateway.operations import Operations
from khhw.node.commands import LINE_LIMIT
from tests.gateway.telnets import Telnets
from tests.report.screens import SEQUENCES, Terminal


def test_lines_go_to_the_node_of_the_port_and_to_all():
    with Telnets().running() as telnets, telnets.at(1) as (one, _), telnets.at(None) as (everybody, _):
        one.sendall(b"info\r\necho a")
        telnets.wait_for_lines(1)
        everybody.sendall(b"on 0,2 help\r\n")
        telnets.wait_for_lines(2)
        one.sendall(b" b\n")
        telnets.wait_for_lines(3)
    assert telnets.console.lines == [("info", [1]), ("on 0,2 help", None), ("echo a b", [1])]


def test_what_a_node_says_is_heard_at_its_port_and_at_that_of_all():
    with Telnets().running() as telnets:
        with telnets.at(2) as (_, two), telnets.at(1) as (_, one), telnets.at(None) as (_, everybody):
            for rank, text in ((2, "node 2> hello"), (OUTSIDE, "echo hello"), (1, "node 1> bye")):
                telnets.say(rank, text)
            assert two.readline() == b"node 2> hello\r\n"
            assert one.readline() == b"node 1> bye\r\n"
            assert [everybody.readline() for _ in range(2)] == [b"[2] node 2> hello\r\n", b"[1] node 1> bye\r\n"]


def test_who_does_not_read_misses_lines_and_is_told_how_many():
    with Telnets().running() as telnets:
        with telnets.at(0) as (sleeper, slow), telnets.at(0) as (_, quick):
            count, line = 8_000, "x" * 1000
            for number in range(count):
                telnets.say(0, f"{number} {line}")
                assert quick.readline().startswith(b"%d " % number)
            telnets.say(0, "last")
            assert quick.readline() == b"last\r\n"
            heard = missed = 0
            sleeper.settimeout(10)
            while heard + missed < count:
                text = slow.readline()
                if text.startswith(b"("):
                    missed += int(text[1:].split()[0])
                else:
                    heard += text != b"last\r\n"
                    telnets.say(0, "last")
            assert missed > 0


def test_a_line_too_long_is_refused_and_the_next_one_taken():
    with Telnets().running() as telnets, telnets.at(0) as (person, heard):
        person.sendall(b"x" * (LINE_LIMIT + 1) + b"\nhelp\n")
        assert heard.readline() == b"error: a line has at most 16,384 bytes; this one was dropped\r\n"
        telnets.wait_for_lines(1)
        assert telnets.console.lines == [("help", [0])]


def test_what_a_node_says_is_shown_at_every_port_and_who_said_it():
    """Bytes that a terminal would obey leave its state, the lines around them and the stamp as they were."""
    with Telnets().running() as telnets, telnets.at(2) as (_, two), telnets.at(None) as (_, everybody):
        lines = ["before", *SEQUENCES, "".join(SEQUENCES), "after"]
        for line in lines:
            telnets.say(2, line)
        own, all_of_it = ([heard.readline() for _ in lines] for heard in (two, everybody))
    assert [line.removeprefix(b"[2] ") for line in all_of_it] == own
    for line, said in zip(lines, all_of_it, strict=True):
        text = said.decode()
        assert re.fullmatch(r"\[2\] [^\0-\x08\n-\x1f\x7f-\x9f\u2028\u2029\u202e\u200b]*\r\n", text), line
        terminal = Terminal(f"top\r\n{text}bottom")
        assert terminal.rows[0] == "top" and terminal.rows[1].startswith("[2]")
        assert terminal.rows[terminal.screen.cursor.y] == "bottom"
        assert terminal.state == Terminal("top\r\n[2] x\r\nbottom").state


def test_a_list_of_nodes_that_would_not_be_read_as_written_is_answered_at_once():
    with Telnets().running() as telnets:
        with telnets.at(0) as (person, heard):
            person.sendall(b"on 1 info\n on 0-x info\non all info\nonwards\n")
            for _ in range(3):
                assert heard.readline().startswith(b"error: this is the console of node 0; 'on NODES' is for the one ")
        with telnets.at(None) as (person, heard):
            person.sendall(b"on 0,99 info\non all info\non 0 info\non 3-1 info\n")
            assert heard.readline().startswith(b"error: there is no node 99; nodes are 0 to ")
        telnets.wait_for_lines(4)
        assert telnets.console.lines == [
            ("onwards", [0]), ("on all info", None), ("on 0 info", None), ("on 3-1 info", None)]


def test_a_line_that_no_node_could_read_is_answered_at_once():
    with Telnets().running() as telnets, telnets.at(0) as (person, heard):
        person.sendall("e\u0301\u0301\u0301\u0301\u0301\u0301\x1b\n".encode())
        assert b"e" + 4 * "\u0301".encode() + b"\\u0301\\u0301'" in heard.readline()
        person.sendall(b"echo \x1b[A\n" + "echo \u2028\n".encode() + b"help\n")
        assert heard.readline().startswith(b"error: a console line takes no control characters; '\\x1b' is in it")
        assert heard.readline().startswith(b"error: a console line takes no control characters; '\\u2028' is in it")
        telnets.wait_for_lines(1)
        assert telnets.console.lines == [("help", [0])]


COMMANDS = [b"get a\r\n", b"set a 0 0 5\r\nab\ncd\r\n", b"add b 0 0 0 noreply\r\n\r\n", b"version\n", b"nonsense\r\n",
            b"cas a 1 2 3 4\r\nset\r\n", b"set a 0 0 99999999999999999999\r\n", b"get " + b"k" * 3000 + b"\r\n"]


@given(st.lists(st.sampled_from(COMMANDS), max_size=8), st.data())
def test_operations_are_counted_however_they_are_cut(commands, data):
    stream = b"".join(commands)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    operations = Operations()
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        operations.feed(stream[begin:end])
    assert operations.count == len(commands)


@pytest.mark.parametrize(("length", "value"), [
    (b"1" * 5000, 0), (b"0" * 5000 + b"5", 7), (b"-1", 0), (b"+3", 5), (b"2147483646", 0), (b"4294967299", 5)])
def test_lengths_are_read_as_the_server_reads_them(length, value):
    operations = Operations()
    operations.feed(b"set a 0 0 " + length + b"\r\n")
    assert operations.count == (0 if value else 1)
    operations.feed(b"x" * value)
    assert operations.count == 1


def test_whatever_is_wrong_with_one_client_ends_that_client_alone(monkeypatch, capsys):
    async def fails(_daemon, _net, _client):
        raise ValueError("odd bytes")

    monkeypatch.setattr(Daemon, "_connect", fails)
    daemon, aborted = Daemon(1, 0, 11211, 4), []
    client = SimpleNamespace(name="client 1", abort=lambda: aborted.append(True))
    with pytest.raises(StopIteration):
        daemon._serve(None, client).send(None)
    assert (daemon.traffic.failed, daemon.traffic.clients, aborted) == (1, 0, [True])
    assert "the gateway failed with it: ValueError: odd bytes" in capsys.readouterr().out
