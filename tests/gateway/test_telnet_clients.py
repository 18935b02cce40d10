"""Telnet and other clients at the ports of consoles: Debian's, urgent data, and web pages."""

import os
import pty
import select
import shutil
import socket
import time
from contextlib import contextmanager

import pytest

from tests.gateway.telnets import Telnets
from tests.gateway.test_telnet import AO, AYT, DM, DO, IAC, IP, TIMING_MARK, WILL, command

PATIENCE = 10
CTRL_C, CTRL_O, ESCAPE = b"\x03", b"\x0f", b"\x1d"


def urgent(person):
    """Whether urgent data is there, or comes soon."""
    return bool(select.select([], [], [person], PATIENCE)[2])


def test_a_timing_mark_stands_where_it_was_asked_for():
    with Telnets().running() as telnets, telnets.at(0) as (person, heard):
        telnets.say(0, "before")
        assert heard.readline() == b"before\r\n"
        person.sendall(b"half" + command(IP) + command(DO, TIMING_MARK) + b"info\r\n")
        assert heard.read(3) == command(WILL, TIMING_MARK)
        telnets.wait_for_lines(1)
        telnets.say(0, "behind")
        assert heard.readline() == b"behind\r\n"
    assert telnets.console.lines == [("info", [0])]


@pytest.mark.parametrize("ahead", [0, 1, 300, 100_000])
def test_text_in_front_of_a_data_mark_is_dropped(ahead):
    """Even if there is so much of it that the socket is not read any more."""
    with Telnets().running() as telnets, telnets.at(0) as (person, heard):
        telnets.console.hold()
        # One that is being written, sixteen that wait, and one more that waits for room.
        person.sendall(b"early\r\n" * 18 + b"late\r\n" * 5)
        telnets.wait_until_held_back()
        person.send(b"x" * ahead + b"\r\nlate\r\n" * 20 + command(IP) + command(DM), socket.MSG_OOB)
        person.sendall(b"info\r\n" + command(AYT))
        telnets.wait_for_urgent()
        telnets.console.release()
        assert heard.readline() == b"[Yes]\r\n"
        telnets.wait_for_lines(19)
    assert telnets.console.lines == [("early", [0])] * 18 + [("info", [0])]


def test_what_comes_together_with_a_data_mark_is_dropped():
    with Telnets().running() as telnets, telnets.at(0) as (person, heard):
        for _ in range(20):
            person.send(b"late\r\n" * 20 + command(IP) + command(DM), socket.MSG_OOB)
            person.sendall(command(AYT))
            assert heard.readline() == b"[Yes]\r\n"
        person.sendall(b"info\r\n")
        telnets.wait_for_lines(1)
    assert telnets.console.lines == [("info", [0])]


def test_output_is_aborted_by_urgent_data():
    with Telnets().running() as telnets, telnets.at(None) as (person, _):
        telnets.say(0, "before")
        person.sendall(command(AO))
        assert urgent(person)
        assert person.recv(1, socket.MSG_OOB) == bytes([DM])
        telnets.say(0, "behind")
        rest = b""
        while not rest.endswith(b"behind\r\n"):
            rest += person.recv(100)
        assert rest.replace(b"[0] before\r\n", b"") == bytes([IAC]) + b"[0] behind\r\n"


PAGE = (b"POST /%b HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 21\r\n\r\n"
        b"on all info\r\nmr 0 8\r\n")


@pytest.mark.parametrize("rank", [1, None])
@pytest.mark.parametrize("path", [b"", b"x" * 5000, b"x" * 200_000])
def test_nothing_of_what_a_web_page_posts_is_obeyed(rank, path):
    with Telnets().running() as telnets:
        with telnets.at(rank) as (browser, heard):
            browser.sendall(PAGE % path)
            assert heard.readline() == b"error: this is a console, and no web server\r\n"
            assert heard.read() == b""
        with telnets.at(rank) as (person, _):
            person.sendall(b"info\r\n")
            telnets.wait_for_lines(1)
    assert [text for text, _ in telnets.console.lines] == ["info"]


if shutil.which("telnet"):

    class DebiansTelnet:
        """The program, at a terminal of its own."""

        def __init__(self, port):
            self._process, self._terminal = pty.fork()
            if not self._process:
                os.execvpe("telnet", ["telnet", "127.0.0.1", str(port)], {**os.environ, "TERM": "vt100", "HOME": "/"})
            self._shown = b""

        def type(self, keys):
            os.write(self._terminal, keys)

        def wait_for(self, text):
            """Until it is shown; returns what was shown before it."""
            end = time.monotonic() + PATIENCE
            while text not in self._shown:
                assert time.monotonic() < end, self._shown
                if select.select([self._terminal], [], [], 0.1)[0]:
                    self._shown += os.read(self._terminal, 1 << 16)
            before, _, self._shown = self._shown.partition(text)
            return before

        def order(self, command):
            """Give it an order at its own command line."""
            self.type(ESCAPE)
            self.wait_for(b"telnet> ")
            self.type(command + b"\r")
            self.wait_for(command + b"\r\n")

        def close(self):
            os.close(self._terminal)
            os.waitpid(self._process, 0)

    @contextmanager
    def telnet_of_debian(telnets):
        telnet = DebiansTelnet(telnets.consoles.ports[0])
        try:
            telnet.wait_for(b"console of node 0; type help\r\n")
            yield telnet
        finally:
            telnet.close()

    @pytest.mark.rare
    @pytest.mark.parametrize("key", [CTRL_C, CTRL_O])
    def test_after_a_key_that_stops_output_debians_telnet_shows_what_follows(key):
        """It asks for a timing mark and shows nothing until that comes."""
        with Telnets().running() as telnets, telnet_of_debian(telnets) as telnet:
            for number in range(3):
                telnet.type(b"half" + key)
                telnet.type(b"info %d\r" % number)
                telnets.wait_for_lines(number + 1)
                telnets.say(0, f"answer {number}")
                telnet.wait_for(b"answer %d\r\n" % number)
            assert [text.removeprefix("half") for text, _ in telnets.console.lines] == ["info 0", "info 1", "info 2"]

    @pytest.mark.rare
    def test_debians_telnet_edits_asks_and_synchronizes():
        with Telnets().running() as telnets, telnet_of_debian(telnets) as telnet:
            telnet.type("infoö\x7f\x7f\x7fo ä\r".encode())
            telnets.wait_for_lines(1)
            telnet.order(b"send ao brk ec el ga ip nop synch ayt")
            telnet.wait_for(b"[Yes]\r\n")
            telnet.type(b"help\r")
            telnets.wait_for_lines(2)
            telnets.say(0, "still here")
            telnet.wait_for(b"still here\r\n")
            assert telnets.console.lines[1:] == [("help", [0])]

    @pytest.mark.rare
    def test_debians_telnet_sending_each_key_is_understood():
        with Telnets().running() as telnets, telnet_of_debian(telnets) as telnet:
            telnet.order(b"mode character")
            time.sleep(0.3)
            telnet.type("infä\x7fo\r".encode())
            telnets.wait_for_lines(1)
            assert telnets.console.lines == [("info", [0])]
