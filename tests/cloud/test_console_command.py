"""``khhw console``, its websocket and ssh, over real sockets."""

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import asyncssh
import pytest
from websockets.sync.client import connect

from khhw.cli import main
from khhw.cloud.consoles.recording import events
from khhw.node.commands import LINE_LIMIT
from tests.cloud.console_service import ConsoleService
from tests.cloud.listened import NODES


@pytest.fixture(scope="module")
def running_service():
    with ConsoleService().running() as service:
        yield service


@pytest.fixture
def service(running_service, monkeypatch):
    running_service.begin_anew()
    monkeypatch.setenv("KHHW_CLOUD", running_service.url)
    monkeypatch.delenv("KHHW_TOKEN_FILE", raising=False)
    monkeypatch.setenv("KHHW_TOKEN", "alice")
    return running_service


class Running:
    """A ``khhw console`` of somebody, with pipes."""

    def __init__(self, service, who, *words):
        environment = {**os.environ, "KHHW_CLOUD": service.url, "KHHW_TOKEN": who, "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "khhw", "console", *words], env=environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def until(self, text):
        """The next line with a text in it."""
        for line in self.process.stdout:
            if text in line:
                return line
        raise AssertionError(f"no {text!r}; {self.process.stderr.read()}")

    def type(self, *lines):
        self.process.stdin.write("".join(f"{line}\n" for line in lines))
        self.process.stdin.flush()

    def end(self):
        """Nothing more is typed; the exit status."""
        self.process.stdin.close()
        return self.process.wait(30)


@contextmanager
def running(service, who, *words):
    one = Running(service, who, *words)
    try:
        yield one
    finally:
        one.process.kill()
        one.process.wait()
        for pipe in (one.process.stdin, one.process.stdout, one.process.stderr):
            pipe.close()


@pytest.fixture
def piped(monkeypatch):
    """Call it with what is piped into a command of this process."""
    files = []

    def pipe(text):
        read, write = os.pipe()
        os.write(write, text.encode())
        os.close(write)
        files.append(os.fdopen(read))
        monkeypatch.setattr("sys.stdin", files[-1])

    yield pipe
    for file in files:
        file.close()


def test_people_see_nodes_and_each_other_and_it_is_recorded(service, tmp_path, capsys):
    cast = tmp_path / "a.cast"
    with running(service, "alice", "con7", "--record", str(cast), "--quiet", "0") as alice, \
            running(service, "bob", "con7", "--read-only") as bob, \
            running(service, "carol", "con7", "--read-only", "--raw") as carol:
        assert "con7, nodes 2-3,5; type help" in alice.until("con7")
        assert "you only listen" in bob.until("con7")
        assert "you only listen" in carol.process.stderr.readline()
        alice.type("on 2 info", "\x1b[2J", "x" * (LINE_LIMIT + 1))
        errors = "".join(alice.until("error:") for _ in range(2))
        assert "takes no control characters" in errors and "this one was dropped" in errors
        assert bob.until("alice:") == "alice: on 2 info\n"
        service.machine.tell(2, "node 2> hello \x1b[31m\n")
        for person in (alice, bob):
            assert person.until("hello") == "[2] node 2> hello \\x1b[31m\n"
        assert carol.process.stdout.readline() == "node 2> hello \x1b[31m\n", "raw is what nodes say"
        assert alice.end() == 2, "a line was refused"
        assert "alice has left" in bob.until("left")
        del service.rights.of["bob"]
        assert "error: there is no con7" in bob.until("error:")
        assert bob.process.wait(30) == 1
    assert [text for _, text, _ in service.machine.said] == ["on 2 info"]
    shown = {event.text.removesuffix("\r\n"): event.moment for event in events(cast)}
    assert shown["alice: on 2 info"] is None and shown["[2] node 2> hello \\x1b[31m"].boot == 1
    assert main(["console", "replay", str(cast), "--speed", "0", "--cycles"]) == 0
    assert re.search(r"^1:1,[0-9]{3} +\[2\] node 2> hello \\x1b\[31m$", capsys.readouterr().out, re.MULTILINE)


def test_a_script_hears_the_answers_of_what_it_pipes_in(service, piped, capsys):
    piped("on 2 crc 0 4\n")
    assert main(["console", "con7", "--quiet", "0.5"]) == 0
    assert "[2] node 2> crc: 2144df1c\n" in capsys.readouterr().out


def test_messages_as_json(service, piped, capsys):
    piped("crc 0 4\n")
    assert main(["console", "con7", "--quiet", "0.5", "--json"]) == 0
    messages = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert messages[0]["kind"] == "welcome"
    assert sorted(message["node"] for message in messages if message["kind"] == "said") == list(NODES)


def test_a_file_is_copied_into_all_memories(service, tmp_path, capsys):
    image = os.urandom(5000)
    (tmp_path / "probe.img").write_bytes(image)
    assert main(["console", "write", "con7", "--file", str(tmp_path / "probe.img")]) == 0
    assert capsys.readouterr().out == "5,000 bytes written to nodes 2-3,5, and checked by each\n"
    assert all(memory[0x1000:0x1000 + 5000] == image for memory in service.machine.memories.values())
    assert main(["console", "write", "con7", "--file", str(tmp_path / "probe.img"), "--json", "--nodes", "3",
                 "--address", "0x3000"]) == 0
    assert json.loads(capsys.readouterr().out).items() >= {"kind": "written", "nodes": [3], "length": 5000}.items()


def test_a_file_whose_name_is_no_text_is_copied_all_the_same(service, tmp_path):
    path = tmp_path / os.fsdecode(b"\xff" * 200)
    path.write_bytes(b"abc")
    assert main(["console", "write", "con7", "--file", str(path)]) == 0


def test_a_node_that_does_not_take_a_file_fails_the_command(service, tmp_path, capsys):
    (tmp_path / "f").write_bytes(b"abcd")
    service.machine.deaf = {2}

    def fail():
        while not service.machine.said:
            time.sleep(0.01)
        service.machine.tell(2, "node 2> error: unknown command 'mrw'; memcached is running\n")

    thread = threading.Thread(target=fail)
    thread.start()
    assert main(["console", "write", "con7", "--file", str(tmp_path / "f")]) == 1
    thread.join()
    assert "memcached is running" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "message"), [
    (["con7", "con8"], "is nothing to do"), (["7x"], "'7x' is no console; they are called con2"),
    (["con7", "--speed", "2"], "--speed is not for this: it goes with replay"),
    (["con7", "--raw", "--json"], "do not go together"), (["con7", "--quiet", "-1"], "--quiet takes a number from 0"),
    (["write", "con7"], "write takes a file"), (["write", "con7", "--file", "none"], "none cannot be read"),
    (["write", "con7", "--file", "."], ". cannot be read: Is a directory"),
    (["write", "con7", "--file", "f", "--address", "x"], "--address takes a number"),
    (["write", "con7", "--file", "f", "--nodes", "3-x"], "--nodes takes ranks"),
    (["write", "con7", "--file", "f", "--nodes", "4"], "con7 has no node 4; its nodes are 2-3,5"),
    (["write", "con7", "--file", "f", "--address", "0xffff"], "leave the memory of a node"),
    (["write", "con7", "--file", "empty"], "empty is empty"),
    (["replay", "none.cast"], "none.cast cannot be read"), (["replay", "f"], "f is no recording"),
    (["replay", "f", "--speed", "nan"], "--speed takes a number from 0"),
    (["con7", "--record", "f"], "f is there already"),
])
def test_wrong_requests(service, tmp_path, monkeypatch, piped, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f").write_bytes(b"abcd")
    (tmp_path / "empty").touch()
    piped("")
    assert main(["console", *words]) == 2
    assert message in capsys.readouterr().err
    assert not service.machine.said and (tmp_path / "f").read_bytes() == b"abcd"


def test_raw_output_is_not_for_terminals(service, monkeypatch, piped, capsys):
    piped("")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["console", "con7", "--raw"]) == 2
    assert "a terminal would obey what nodes say" in capsys.readouterr().err


@pytest.mark.parametrize(("token", "console", "message"), [
    ("eve", "con7", "the token is wrong"), ("mallory", "con7", "there is no con7")])
def test_who_may_not(service, monkeypatch, piped, capsys, caplog, token, console, message):
    monkeypatch.setenv("KHHW_TOKEN", token)
    piped("info\n")
    assert main(["console", console]) == 2
    assert message in capsys.readouterr().err
    assert not service.machine.said
    assert not caplog.records, "whoever comes can fill no log"


def test_where_no_service_is(monkeypatch, piped, capsys):
    monkeypatch.setenv("KHHW_TOKEN", "alice")
    piped("")
    assert main(["console", "con7", "--url", "http://127.0.0.1:1"]) == 2
    assert "no service answers at http://127.0.0.1:1" in capsys.readouterr().err


def test_what_a_client_says_is_checked(service):
    url = service.url.replace("http", "ws") + "/v1/consoles/7/stream"
    with connect(url, additional_headers={"Authorization": "Bearer alice"}, proxy=None) as client:
        def answer(kind):
            while (message := json.loads(client.recv(20)))["kind"] != kind:
                pass
            return message

        assert answer("welcome")["who"] == "alice"
        for said in ("no", "{}", "[1]", '{"kind": "line", "id": -1, "text": ""}', '{"kind": "fly"}', b"bytes",
                     '{"kind": "write", "name": "", "length": 1}', '{"kind": "write", "name": "f", "length": 0}',
                     '{"kind": "line", "id": 1, "text": "a", "more": 1}', '{"kind": "line", "id": 1e999, "text": ""}'):
            client.send(said)
            assert answer("refused")["text"], said
        client.send('{"kind": "write", "name": "f", "length": 4}')
        assert answer("ready")
        client.send("text")
        assert "text came where bytes" in answer("refused")["text"]
        client.send('{"kind": "line", "id": 9, "text": "info"}')
        assert answer("taken")["id"] == 9
    assert [text for _, text, _ in service.machine.said] == ["info"]


async def _ssh(service, act, **options):
    async with asyncio.timeout(60), asyncssh.connect(
            "127.0.0.1", service.ssh_port, username="con7", known_hosts=None, config=None, client_keys=None,
            **options) as connection:
        await act(connection)


def test_a_terminal_over_ssh(service):
    async def act(connection):
        async with connection.create_process(term_type="xterm", term_size=(40, 20)) as session:
            await session.stdout.readuntil("type help")
            session.stdin.write("on 2 info\r")
            while not service.machine.said:
                await asyncio.sleep(0.01)
            service.machine.tell(2, "y" * 35 + "[5] forged\x1b[2J\n")
            await session.stdout.readuntil("[2] ")
            rows = await session.stdout.readuntil("x1b[2J")
            assert re.search(r"\n    y?\[5\] forg", rows.replace("\r", "")), "it is folded below itself"
            assert "\x1b[2J" not in rows
            session.stdin.write("\x04")
            assert (await session.wait(check=False)).exit_status == 0
        assert service.machine.said[0][:2] == (7, "on 2 info")

    asyncio.run(_ssh(service, act, password="alice"))


def test_scripts_over_ssh(service, monkeypatch):
    monkeypatch.setattr("khhw.cloud.consoles.ssh.QUIET_SECONDS", 0.3)

    async def act(connection):
        done = await connection.run(None, input="on 3 crc 0 4\n", request_pty=False)
        assert done.exit_status == 0 and "[3] node 3> crc: 2144df1c\n" in done.stdout
        done = await connection.run(None, input="a\x1b\n", request_pty=False)
        assert done.exit_status == 2 and "takes no control characters" in done.stdout
        done = await connection.run("listen", input="info\n", request_pty=False)
        assert done.exit_status == 2 and "only listens at con7" in done.stdout
        done = await connection.run("rm -rf \x1b[2J", request_pty=False)
        assert done.exit_status == 2 and "is no command of a console" in done.stderr and "\x1b" not in done.stderr

    asyncio.run(_ssh(service, act, password="alice"))

    async def refused(connection):
        # Refused before it has said anything; who still writes then finds the channel closed.
        done = await connection.run(None, request_pty=False)
        assert done.exit_status == 2 and done.stderr == "khhw: there is no con7\n"

    asyncio.run(_ssh(service, refused, password="mallory"))
    assert [text for _, text, _ in service.machine.said] == ["on 3 crc 0 4"]
