"""The door for ssh: who comes in, what they can do, and what it must not do."""

import asyncio
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from khhw.cloud.carrier import Carrier
from khhw.cloud.consoles.hub import Hub
from khhw.cloud.errors import CloudError
from khhw.cloud.settings import bound
from khhw.cloud.ssh import SshDoor, host_key
from tests.cloud.world import Facts, World, opened


class Door:
    """A door that is open.

    Parameters
    ----------
    world : World
    facts : Facts
    port : int
    """

    def __init__(self, world: World, facts: Facts, port: int) -> None:
        self.world, self.facts, self.port = world, facts, port

    def enter(self, user: str, password: str, **more: Any) -> Any:
        """A connection."""
        return asyncssh.connect("127.0.0.1", self.port, username=user, password=password, known_hosts=None,
                                client_keys=None, config=None, agent_path=None, **more)

    async def say(self, role: str, user: str, line: str, **more: Any) -> Any:
        """What comes of a command."""
        async with self.enter(user, self.facts.tokens[role]) as connection:
            return await connection.run(line, **more)


def with_door(
    template: tuple[Path, Facts], tmp_path: Path, use: Callable[[Door], Awaitable[None]],
) -> None:
    """Open a door to a copy of the world, and use it."""
    async def main() -> None:
        async with door(template, tmp_path) as opened_door:
            await asyncio.wait_for(use(opened_door), 60)

    asyncio.run(main())


@asynccontextmanager
async def door(template: tuple[Path, Facts], tmp_path: Path) -> AsyncIterator[Door]:
    """A door, in the loop that runs."""
    with opened(template[0], tmp_path / "world") as world:
        hub = Hub(world.machine)
        ssh = SshDoor(world.app, world.core, hub)
        listener = bound("127.0.0.1", 0, "--ssh-port")
        await ssh.open(listener, host_key(tmp_path))
        carrier = Carrier(world.core, world.machine)
        carrier.start()
        try:
            yield Door(world, template[1], listener.getsockname()[1])
        finally:
            await hub.close()
            await ssh.close()
            await asyncio.to_thread(carrier.stop)


def test_acquire_nodes_prints_the_original_s_bytes(template: tuple[Path, Facts], tmp_path: Path) -> None:
    async def use(door: Door) -> None:
        done = await door.say("stranger", "rita", "acquireNodes -i rita 2", encoding=None)
        console = int(done.stdout.partition(b"@")[0].removeprefix(b"con"))
        assert done.stdout == (
            f"con{console}@127.0.0.1\nprotocol: uboot\nnetwork Internal : eth0\n"
            f"network {door.facts.network + 2} : eth1\n"
            "nodeinfo: 6 8 172.16.0.9\nnodeinfo: 7 9 172.16.0.10\nnodes: 6 7\n").encode()
        assert done.exit_status == 0 and done.stderr == b""
        few = await door.say("stranger", "rita", "acquireNodes rita 1")
        assert few.stdout == "not enough nodes available\n" and few.exit_status == 2

    with_door(template, tmp_path, use)


def test_commands(template: tuple[Path, Facts], tmp_path: Path) -> None:
    async def use(door: Door) -> None:
        done = await door.say("self", "sam", "list")
        assert "part" in done.stdout and done.exit_status == 0
        done = await door.say("self", "sam", "show nope")
        assert done.exit_status == 2 and done.stderr.startswith("khhw: ") and "nope" in done.stderr
        for wrong in ("bogus", "show", "add 'part", "remove part"):
            done = await door.say("self", "sam", wrong)
            assert done.exit_status == 2 and done.stderr.startswith("khhw: "), wrong
            assert "Traceback" not in done.stderr
        done = await door.say("self", "sam", "--help")
        assert "acquireNodes" in done.stdout and done.exit_status == 0
        done = await door.say("self", "sam", "add --help")
        assert "--strict" in done.stdout

    with_door(template, tmp_path, use)


def test_several_commands_in_a_session(template: tuple[Path, Facts], tmp_path: Path) -> None:
    async def use(door: Door) -> None:
        async with door.enter("sam", door.facts.tokens["self"]) as connection:
            done = await connection.run(input="whoami\nshow nope\nlist\nexit\n")
            assert "sam" in done.stdout and "part" in done.stdout and "nope" in done.stderr
            done = await connection.run(input="whoami\n", term_type="xterm")
            assert "khhw> " in done.stdout

    with_door(template, tmp_path, use)


@pytest.mark.parametrize("line", [
    "image approve /etc/passwd", "principal create eve --token-file /tmp/eve", "token create --token-file /tmp/eve",
    "principal credential sam", "image approve ../../etc/passwd",
])
def test_files_of_the_service_are_out_of_reach(
    line: str, template: tuple[Path, Facts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    def touched(*_arguments: object, **_more: object) -> None:
        raise AssertionError("a file was touched")

    async def use(door: Door) -> None:
        monkeypatch.setattr("khhw.cloud.ctl.machine.Path.read_bytes", touched)
        monkeypatch.setattr("khhw.cloud.ctl.principals.write_secret", touched)
        done = await door.say("owner", "owner", line)
        assert done.exit_status == 2 and done.stderr.startswith("khhw: "), done.stderr

    with_door(template, tmp_path, use)


def test_a_token_comes_by_the_answer(template: tuple[Path, Facts], tmp_path: Path) -> None:
    async def use(door: Door) -> None:
        done = await door.say("self", "sam", "token create --label phone")
        token = done.stdout.split()[1]
        async with door.enter("sam", token) as connection:
            assert "sam" in (await connection.run("whoami")).stdout

    with_door(template, tmp_path, use)


def test_who_comes_in(template: tuple[Path, Facts], tmp_path: Path) -> None:
    async def use(door: Door) -> None:
        tokens = door.facts.tokens
        for user, password in (("sam", "wrong"), ("sam", ""), ("sam", tokens["stranger"]), ("nobody", tokens["self"]),
                               ("con2", "wrong"), ("con2", "sam:wrong"), ("", tokens["self"]), ("root", "root")):
            with pytest.raises(asyncssh.PermissionDenied):
                await door.enter(user, password)
        sam = door.world.core.principals.authenticate(tokens["self"])
        door.world.core.principals.set_credential(sam, None, "sam", "a credential")
        async with door.enter("sam", "a credential") as connection:
            assert "sam" in (await connection.run("whoami")).stdout
            door.world.core.principals.set_credential(sam, None, "sam", "another one")
            done = await connection.run("whoami")
            assert done.exit_status == 2 and "has another credential now" in done.stderr
        async with door.enter("sam", "another one") as connection:
            owner = door.world.core.principals.authenticate(tokens["owner"])
            door.world.core.principals.set_enabled(owner, None, "sam", False)
            done = await connection.run("whoami")
            assert done.exit_status == 2 and "sam" not in done.stdout
        for credential in ("a credential", "another one"):
            with pytest.raises(asyncssh.PermissionDenied):
                await door.enter("sam", credential)

    with_door(template, tmp_path, use)


def test_a_console_is_a_user(template: tuple[Path, Facts], tmp_path: Path) -> None:
    async def use(door: Door) -> None:
        user = f"con{door.facts.console}"
        async with door.enter(user, door.facts.tokens["self"]) as connection:
            await connection.run(input="on 2 info\n")
        assert [text for _, text, _ in door.world.machine.said] == ["on 2 info"]
        async with door.enter(user, door.facts.tokens["sub-tenant"]) as connection:
            # Refused before it has said anything; who still writes then finds the channel closed.
            done = await connection.run()
            assert done.exit_status == 2 and done.stderr.startswith("khhw: ")
        assert len(door.world.machine.said) == 1, "a stranger writes nothing"

    with_door(template, tmp_path, use)


def test_who_has_much_under_way_holds_up_nobody(
    template: tuple[Path, Facts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("khhw.cloud.ssh._MOST_COMMANDS", 2)

    async def use(door: Door) -> None:
        started, stopped = threading.Barrier(3), threading.Event()
        look = door.world.core.leases.all

        def slow(*arguments: Any, **more: Any) -> Any:
            if arguments[0].name == "sam":
                started.wait(20)
                assert stopped.wait(20)
            return look(*arguments, **more)

        monkeypatch.setattr(door.world.core.leases, "all", slow)
        monkeypatch.setattr("khhw.cloud.http.ask._FEW_NODES", 0)
        async with door.enter("sam", door.facts.tokens["self"]) as connection:
            waiting = [asyncio.ensure_future(connection.run("list")) for _ in range(2)]
            await asyncio.to_thread(started.wait, 20)
            third = await connection.run("list")
            assert third.exit_status == 2 and "2 commands under way" in third.stderr
            assert (await door.say("stranger", "rita", "whoami")).exit_status == 0
            stopped.set()
            assert [(await one).exit_status for one in waiting] == [0, 0]

    with_door(template, tmp_path, use)


def test_nothing_else_goes_through(template: tuple[Path, Facts], tmp_path: Path) -> None:
    async def use(door: Door) -> None:
        async with door.enter("sam", door.facts.tokens["self"]) as connection:
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.open_connection("127.0.0.1", door.port)
            with pytest.raises(asyncssh.ChannelListenError):
                await connection.forward_remote_port("127.0.0.1", 0, "127.0.0.1", 1)
            with pytest.raises(asyncssh.Error):
                await connection.start_sftp_client()

    with_door(template, tmp_path, use)


def test_the_key_stays(tmp_path: Path) -> None:
    first = host_key(tmp_path)
    assert host_key(tmp_path).public_data == first.public_data
    assert (tmp_path / "ssh_host_key").stat().st_mode & 0o777 == 0o600


def test_with_openssh(template: tuple[Path, Facts], tmp_path: Path) -> None:

    async def use(door: Door) -> None:
        asks = tmp_path / "asks"
        asks.write_text(f"#!/bin/sh\necho {door.facts.tokens['stranger']}\n", encoding="utf-8")
        asks.chmod(0o700)
        done = await asyncio.to_thread(
            subprocess.run,
            ["ssh", "-p", str(door.port), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-F",
             "none", "rita@127.0.0.1", "acquireNodes", "-x", "rita"],
            env={"SSH_ASKPASS": str(asks), "SSH_ASKPASS_REQUIRE": "force", "PATH": "/usr/bin:/bin", "DISPLAY": "none"},
            stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=50, check=False)
        assert "network External : eth0\n" in done.stdout and done.returncode == 0, done.stderr

    with_door(template, tmp_path, use)


def test_who_sends_long_lines_holds_up_nobody(template: tuple[Path, Facts], tmp_path: Path) -> None:
    """Words of a line of megabytes take minutes to tell apart; and its end, cut off from it, is no command."""
    async def use(door: Door) -> None:
        refused = await door.say("self", "sam", "x" * 20_000)
        assert refused.exit_status == 2 and refused.stderr == (
            "khhw: a command has at most 16,384 characters; this one has more\n")
        several = await door.say("self", "sam", "", input=f"{'x' * 3_000_000} \nwhoami --json\n{'y' * 3_000_000}")
        assert several.stderr == 2 * refused.stderr and several.stdout.count('"name": "sam"') == 1
        console = await door.say("self", f"con{door.facts.console}", "", input=f"{'x' * 3_000_000}\nhelp\n")
        assert console.stdout.count("-- error: a console line has at most 16,384 bytes") == 1
        assert door.world.machine.said == [(door.facts.console, "help", b"")]

    with_door(template, tmp_path, use)


def test_guesses_hold_up_nobody_who_has_a_token(
    template: tuple[Path, Facts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def use(door: Door) -> None:
        guessed, gone = threading.Semaphore(0), threading.Event()

        def slow(_name: str, _credential: str) -> None:
            guessed.release()
            gone.wait(60)
            raise CloudError.unauthorized("no")

        monkeypatch.setattr(door.world.core.principals, "authenticate_credential", slow)
        guesses = [asyncio.ensure_future(door.enter("sam", "a guess").__aenter__()) for _ in range(4)]
        for _ in range(2):
            assert await asyncio.to_thread(guessed.acquire, timeout=30)
        assert (await door.say("self", "sam", "whoami")).exit_status == 0
        gone.set()
        assert all(isinstance(one, asyncssh.PermissionDenied)
                   for one in await asyncio.gather(*guesses, return_exceptions=True))

    with_door(template, tmp_path, use)


def test_a_fault_of_a_command_is_told(
    template: tuple[Path, Facts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def use(door: Door) -> None:
        wrong = await door.say("self", "sam", "extend own --seconds nan")
        assert (wrong.exit_status, wrong.stderr) == (2, "khhw: a number is to be given, and not nan\n")
        monkeypatch.setattr("khhw.cloud.ssh.obey", lambda *_arguments: 1 // 0)
        faulty = await door.say("self", "sam", "whoami")
        assert (faulty.exit_status, faulty.stderr) == (1, "khhw: the service has failed at this; its log says where\n")

    with_door(template, tmp_path, use)
