"""Clients that say nothing, read nothing, or come in crowds: they hold up nobody, and end."""

import asyncio
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import asyncssh
import httpx
import pytest
from websockets.sync.client import connect

from khhw.cloud.connections import Admission, BoundedListener, Limits, _origin
from khhw.cloud.serve import Service
from khhw.cloud.settings import Settings
from tests.cloud.world import Facts, World, opened

LIMITS = Limits(connections=24, of_an_address=12, request_seconds=0.5, unread_seconds=1.0)
UPGRADE = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
           "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}


class Served:
    """A service that runs in a thread."""

    def __init__(self, world: World, facts: Facts, service: Service) -> None:
        self.world, self.facts, self.service = world, facts, service
        self.http = ("127.0.0.1", int(service.url.rpartition(":")[2]))
        self.ssh = ("127.0.0.1", service.ssh_port)
        self.bearer = {"Authorization": f"Bearer {facts.tokens['self']}"}
        self.client = httpx.Client(base_url=service.url, headers=self.bearer)

    def answers(self) -> bool:
        """Whether somebody who comes now is answered at once."""
        begun = time.monotonic()
        return self.client.get("/v1/whoami").json()["name"] == "sam" and time.monotonic() - begun < 5

    def enter(self, **more: object) -> object:
        """Sam, by ssh."""
        return asyncssh.connect(*self.ssh, username="sam", password=self.facts.tokens["self"], known_hosts=None,
                                client_keys=None, config=None, agent_path=None, **more)


@contextmanager
def served(template: tuple[Path, Facts], folder: Path, limits: Limits = LIMITS, **settings: object) -> Iterator[Served]:
    with opened(template[0], folder) as world:
        service = Service(folder, world.core, world.machine, Settings(port=0, ssh_port=0, **settings), limits)
        begun, loop, ended = threading.Event(), asyncio.new_event_loop(), asyncio.Event()
        thread = threading.Thread(target=lambda: loop.run_until_complete(service.serve(begun.set, ended)))
        thread.start()
        assert begun.wait(30)
        try:
            one = Served(world, template[1], service)
            with one.client:
                yield one
        finally:
            loop.call_soon_threadsafe(ended.set)
            thread.join(30)
            loop.close()


@pytest.fixture
def service(template: tuple[Path, Facts], tmp_path: Path) -> Iterator[Served]:
    with served(template, tmp_path / "world") as one:
        yield one


def ends(client: socket.socket, within: float = 20.0) -> bytes:
    """What it is told until the other side ends it."""
    client.settimeout(within)
    told = b""
    while data := client.recv(65536):
        told += data
    return told


@pytest.mark.parametrize("sent", [
    b"", b"GET /v1/health HTT", b"GET /v1/health HTTP/1.1\r\nHost: x\r\n",
    b"POST /v1/leases HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
    b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\nGET /v1/hea",
])
def test_who_does_not_end_a_request_is_not_waited_for(service: Served, sent: bytes) -> None:
    with socket.create_connection(service.http) as silent:
        silent.sendall(sent)
        assert service.answers()
        told = ends(silent)
    assert b"408 Request Timeout" in told and told.endswith(b'"quota":false}')
    assert b"no whole request came within 0.5 s" in told


def test_who_sends_a_byte_now_and_then_is_not_waited_for(service: Served) -> None:
    with socket.create_connection(service.http) as slow:
        sent = 0
        with suppress(ConnectionError):
            while sent < 200:
                slow.sendall(b"x")
                sent += 1
                time.sleep(0.1)
        assert sent < 100


def test_a_request_that_waits_for_the_machine_is_not_cut_off(service: Served) -> None:
    """Nor is who asks again behind a pause."""
    intent = service.client.get(f"/v1/intents/{service.facts.intent}").json()
    assert intent["state"] == "done"
    with service.world.core._store.write() as db:
        db.execute("UPDATE intent SET done_at = NULL WHERE id = ?", (intent["id"], ))
    answer = service.client.get(f"/v1/intents/{intent['id']}", params={"wait": 1.5})
    assert answer.status_code == 200 and answer.elapsed.total_seconds() > 1.4
    with service.world.core._store.write() as db:
        db.execute("UPDATE intent SET done_at = created_at WHERE id = ?", (intent["id"], ))
    time.sleep(0.4)
    assert service.answers()


@pytest.mark.parametrize("door", ["http", "ssh"])
def test_a_crowd_is_refused_in_words_and_others_are_not(service: Served, door: str) -> None:
    address = getattr(service, door)
    files = len(os.listdir("/proc/self/fd"))
    with ExitStack() as crowd:
        for _ in range(LIMITS.of_an_address):
            crowd.enter_context(socket.create_connection(address, source_address=("127.0.0.2", 0)))
        for _ in range(30):
            one_more = crowd.enter_context(socket.create_connection(address, source_address=("127.0.0.2", 0)))
            assert b"127.0.0.2 has 12 connections open, and no address has more" in ends(one_more)
        # Its own end of each is a file of this process, too; the service's are bounded.
        assert len(os.listdir("/proc/self/fd")) <= files + 2 * LIMITS.of_an_address + 30 + 16 + 8
        assert service.answers()
    assert service.answers()


def test_a_client_of_ssh_shows_why_it_is_refused(service: Served) -> None:
    async def main() -> None:
        await service.enter()

    with ExitStack() as crowd:
        for _ in range(LIMITS.of_an_address):
            crowd.enter_context(socket.create_connection(service.ssh))
        with pytest.raises(asyncssh.DisconnectError, match=r"127\.0\.0\.1 has 12 connections open"):
            asyncio.run(main())


def test_http_says_what_every_refusal_says(service: Served) -> None:
    with ExitStack() as crowd:
        for _ in range(LIMITS.of_an_address):
            crowd.enter_context(socket.create_connection(service.http))
        answer = httpx.get(f"{service.service.url}/v1/health")
        assert answer.status_code == 503 and answer.headers["Retry-After"] == "1"
        assert answer.json()["detail"].startswith("127.0.0.1 has 12 connections open")


def test_with_tls_too(
    template: tuple[Path, Facts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who does not even shake hands ends, and who is refused cannot be told why."""
    monkeypatch.setattr("asyncio.constants.SSL_HANDSHAKE_TIMEOUT", 0.5)
    with served(template, tmp_path / "world", tls=True) as service, ExitStack() as crowd:
        silent = [crowd.enter_context(socket.create_connection(service.http)) for _ in range(LIMITS.of_an_address)]
        assert ends(crowd.enter_context(socket.create_connection(service.http))) == b""
        assert ends(silent[0]) == b""
        context = ssl.create_default_context(cafile=str(service.service.certificate))
        assert httpx.get(f"{service.service.url}/v1/health", verify=context).status_code == 200


def test_who_leaves_makes_room(service: Served) -> None:
    for _ in range(3):
        with ExitStack() as crowd:
            for _ in range(LIMITS.of_an_address - 1):
                crowd.enter_context(socket.create_connection(service.http))
        deadline = time.monotonic() + 20
        while service.service._admission._open.total() > 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert service.answers()


def test_silence_before_a_login_ends(
    template: tuple[Path, Facts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("khhw.cloud.ssh._LOGIN_SECONDS", 0.5)
    with served(template, tmp_path / "world") as service, socket.create_connection(service.ssh) as silent:
        assert ends(silent).startswith(b"SSH-2.0-")
        assert service.answers()


def test_a_quiet_console_is_not_cut_off(
    template: tuple[Path, Facts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its client is asked now and then whether it is still there, and answers by itself."""
    monkeypatch.setattr("khhw.cloud.serve._PING_SECONDS", 0.1)
    monkeypatch.setattr("khhw.cloud.serve._PONG_SECONDS", 0.5)
    monkeypatch.setattr("khhw.cloud.ssh._KEEPALIVE_SECONDS", 0.2)

    async def by_ssh(service: Served) -> str:
        async with service.enter() as connection, connection.create_process(term_type="xterm") as process:
            await process.stdout.readuntil("khhw> ")
            await asyncio.sleep(2.5)
            process.stdin.write("whoami\n")
            return await process.stdout.readuntil("khhw> ")

    with served(template, tmp_path / "world") as service:
        url = f"ws://127.0.0.1:{service.http[1]}/v1/consoles/{service.facts.console}/stream"
        with connect(url, additional_headers=service.bearer) as console:
            assert '"welcome"' in console.recv()
            assert "sam" in asyncio.run(by_ssh(service))
            console.send('{"kind": "line", "text": "help", "id": 7}')
            assert '"taken"' in console.recv(timeout=10)


def test_who_no_longer_answers_at_a_console_has_gone(
    template: tuple[Path, Facts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("khhw.cloud.serve._PING_SECONDS", 0.1)
    monkeypatch.setattr("khhw.cloud.serve._PONG_SECONDS", 0.5)
    with served(template, tmp_path / "world") as service, socket.create_connection(service.http) as gone:
        lines = [f"GET /v1/consoles/{service.facts.console}/stream HTTP/1.1", "Host: x", *(
            f"{name}: {value}" for name, value in {**UPGRADE, **service.bearer}.items()), "", ""]
        gone.sendall("\r\n".join(lines).encode())
        assert b"101 Switching Protocols" in ends(gone)


def test_who_reads_nothing_is_not_waited_for(service: Served) -> None:
    """What the kernel holds for him is given up with the connection."""
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        deaf.connect(service.http)
        request = (f"GET /openapi.json HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.facts.tokens['self']}"
                   "\r\n\r\n").encode()
        deaf.sendall(200 * request)
        # So that nothing is told apart too early: first it is taken, then most of it waits for him.
        assert service.answers() and service.service._admission._open.total() == 2
        deadline = time.monotonic() + 30
        while service.service._admission._open["127.0.0.1"] > 1 and time.monotonic() < deadline:
            service.answers()
            time.sleep(0.2)
        assert service.service._admission._open["127.0.0.1"] <= 1, "its own, and no more"


def test_a_principal_has_so_many_connections_and_sessions(
    template: tuple[Path, Facts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("khhw.cloud.ssh_limits.MOST_CONNECTIONS", 2)
    monkeypatch.setattr("khhw.cloud.ssh_limits.MOST_SESSIONS", 2)

    async def use(service: Served) -> None:
        first = await service.enter()
        async with service.enter() as second:
            with pytest.raises(asyncssh.DisconnectError, match="sam has 2 connections by ssh"):
                await service.enter()
            processes = [await second.create_process() for _ in range(2)]
            with pytest.raises(asyncssh.ChannelOpenError, match="at most 2 sessions"):
                await second.create_process()
            processes[0].close()
            await processes[0].wait_closed()
            assert "sam" in (await second.run("whoami")).stdout
        first.close()
        await first.wait_closed()
        async with service.enter() as third:
            assert (await third.run("whoami")).exit_status == 0

    with served(template, tmp_path / "world") as service:
        asyncio.run(use(service))


def test_a_principal_is_at_so_many_consoles(
    template: tuple[Path, Facts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("khhw.cloud.consoles.hub._MOST_VISITS", 2)
    with served(template, tmp_path / "world") as service, ExitStack() as consoles:
        url = f"ws://127.0.0.1:{service.http[1]}/v1/consoles/{service.facts.console}/stream"
        for _ in range(2):
            consoles.enter_context(connect(url, additional_headers=service.bearer)).recv()
        answer = httpx.get(url.replace("ws", "http", 1), headers={**service.bearer, **UPGRADE})
        assert answer.status_code == 409 and "sam is at 2 consoles" in answer.json()["detail"]


@pytest.mark.parametrize(("address", "origin"), [
    ("127.0.0.1", "127.0.0.1"), ("::ffff:10.0.0.7", "10.0.0.7"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
    ("fe80::1%eth0", "fe80::/64"),
])
def test_places(address: str, origin: str) -> None:
    assert _origin(address) == origin


def test_bounds_leave_files_for_the_service_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("resource.getrlimit", lambda _what: (1024, 1024))
    monkeypatch.setattr("resource.setrlimit", lambda _what, values: asked.append(values))
    found = Limits.of_this_process()
    assert (found.connections, found.of_an_address) == (624, 312) and asked == [(1024, 1024)]
    monkeypatch.setattr("resource.getrlimit", lambda _what: (1024, 1 << 20))
    assert Limits.of_this_process().connections == 2048 and asked[-1] == (4096, 1 << 20)
    monkeypatch.setattr("resource.getrlimit", lambda _what: (256, 256))
    assert Limits.of_this_process().connections == 16


def test_all_addresses_together_are_bounded() -> None:
    admission = Admission(replace(LIMITS, connections=3))
    bound = socket.create_server(("127.0.0.1", 0))
    bound.setblocking(False)
    with BoundedListener.over(bound, admission, str.encode) as listener, ExitStack() as crowd:
        clients = [crowd.enter_context(socket.create_connection(
            listener.getsockname(), source_address=(f"127.0.0.{2 + number}", 0))) for number in range(4)]
        accepted = [crowd.enter_context(listener.accept()[0]) for _ in range(3)]
        with pytest.raises(BlockingIOError):
            listener.accept()
        assert ends(clients[3]) == b"the service has 3 connections, and takes no more; try again later"
        accepted[0].close()
        accepted[0].close()
        crowd.enter_context(socket.create_connection(listener.getsockname()))
        crowd.enter_context(listener.accept()[0])
