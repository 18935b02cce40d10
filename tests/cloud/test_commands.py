"""``khhw cloud`` and ``khhw ctl`` as people type them, in processes of their own."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from khhw.cli import main
from khhw.cloud.client import SimulatedMachine
from khhw.cloud.core import Core
from khhw.cloud.errors import StoreError
from khhw.cloud.machine import Clock, MachineFaultError
from tests.cloud.serving import serving
from tests.cloud.world import Facts, build

ROOT = Path(__file__).resolve().parents[2]
LEASE = ROOT / "examples" / "lease.toml"
PAIR = ROOT / "examples" / "pair.toml"


def khhw(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command."""
    return subprocess.run([sys.executable, "-m", "khhw", *map(str, words)], cwd=ROOT, env={**os.environ, **environment},
                          capture_output=True, encoding="utf-8", timeout=600, check=False)


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """What a command says that ends with exit code 2."""
    assert main([str(word) for word in words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("khhw: ") and "Traceback" not in said
    return said


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Facts]:
    """A world of its own for this module."""
    folder = tmp_path_factory.mktemp("commands") / "world"
    return folder, build(folder)


@pytest.fixture(scope="module")
def service(world: tuple[Path, Facts]) -> Iterator[dict[str, Any]]:
    """A service of it over TLS."""
    with serving(world[0], tls="yes") as service:
        yield service


def test_over_tls(service: dict[str, Any], world: tuple[Path, Facts], tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(world[1].tokens["self"], encoding="utf-8")
    about = ("ctl", "--url", service["url"], "--token-file", token)
    assert service["url"].startswith("https://")
    done = khhw(*about, "--cafile", service["certificate"], "whoami", "--json")
    assert json.loads(done.stdout)["name"] == "sam", done.stderr
    done = khhw(*about, "whoami")
    assert done.returncode == 2 and "--cafile FILE" in done.stderr
    done = khhw("ctl", "--url", service["url"].replace("https", "http"), "--token-file", token, "whoami")
    assert done.returncode == 2 and done.stderr.startswith("khhw: no service answers")
    assert world[1].tokens["self"] not in done.stderr


@pytest.mark.rare  # The lock of a store is tested with it; this is that its sentence reaches who serves.
def test_two_services_on_one_state(service: dict[str, Any], world: tuple[Path, Facts]) -> None:
    done = subprocess.run([sys.executable, "-m", "tests.cloud.serving", str(world[0])], cwd=ROOT, capture_output=True,
                          encoding="utf-8", timeout=60, check=False)
    assert done.returncode != 0 and "is served already, by process" in done.stderr


@pytest.mark.rare  # Kills at every point are the core's; this is that processes can begin again.
def test_a_service_that_is_killed_comes_back(tmp_path: Path) -> None:
    facts = build(tmp_path / "world")
    with serving(tmp_path / "world") as service:
        service["process"].send_signal(signal.SIGKILL)
        service["process"].wait()
    with serving(tmp_path / "world") as service:
        done = khhw("ctl", "list", "--json", KHHW_CLOUD=service["url"], KHHW_TOKEN=facts.tokens["self"])
        assert {lease["status"] for lease in json.loads(done.stdout)} == {"active"}


@pytest.mark.rare  # SIGTERM ends all other services of tests.
def test_an_end_in_order(world: tuple[Path, Facts], tmp_path: Path) -> None:
    build(tmp_path / "world")
    with serving(tmp_path / "world") as service:
        service["process"].send_signal(signal.SIGINT)
        assert service["process"].wait(30) == 0


class TestInit:
    def test_the_token_is_the_owner_s_alone(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert main(["cloud", "init", str(LEASE), "--state", "cloud", "--owner", "otto"]) == 0
        token = (tmp_path / "otto.token").read_text(encoding="utf-8").strip()
        assert (tmp_path / "otto.token").stat().st_mode & 0o777 == 0o600
        assert token not in capsys.readouterr().out
        assert token.encode() not in (tmp_path / "cloud" / "cloud.db").read_bytes()
        said = refused(capsys, "cloud", "init", LEASE, "--state", "cloud", "--token-file", "other")
        assert "holds a cloud already" in said and not (tmp_path / "other").exists()
        said = refused(capsys, "cloud", "init", LEASE, "--state", "second", "--owner", "otto")
        assert "otto.token is there already" in said and not (tmp_path / "second").exists()
        assert "made for another machine" in refused(capsys, "cloud", "serve", PAIR, "--state", "cloud")
        assert "made for another machine" in refused(capsys, "cloud", "check", PAIR, "--state", "cloud")
        for stale in (False, True):
            if stale:
                # What a power cut leaves: a socket that nobody listens at is no machine that runs.
                path = tmp_path / "cloud" / "machine" / "socket"
                path.parent.mkdir(exist_ok=True)
                with closing(socket.socket(socket.AF_UNIX)) as end:
                    end.bind(str(path))
            assert main(["cloud", "check", str(LEASE), "--state", "cloud"]) == 0
            assert "the machine does not run" in capsys.readouterr().out
            assert main(["cloud", "off", str(LEASE), "--state", "cloud"]) == 0
            assert "the machine did not run" in capsys.readouterr().out

    def test_the_token_is_there_before_the_cloud(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Whenever init is cut off, there is no cloud whose owner nobody can be."""
        monkeypatch.chdir(tmp_path)

        def torn(*_arguments: object, token: str, **_others: object) -> None:
            assert (tmp_path / "owner.token").read_text(encoding="utf-8") == f"{token}\n"
            raise StoreError("no room")

        monkeypatch.setattr(Core, "init", torn)
        assert "no room" in refused(capsys, "cloud", "init", LEASE, "--state", "cloud")
        assert list(tmp_path.iterdir()) == []

    def test_a_machine_that_runs_is_not_said_to_be_off(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A service that was killed in the midst of a change leaves a revision that nothing can be compared with."""
        monkeypatch.chdir(tmp_path)
        about = (str(LEASE), "--state", "cloud")
        assert main(["cloud", "init", *about]) == 0
        with sqlite3.connect(tmp_path / "cloud" / "cloud.db") as db:
            db.execute("UPDATE meta SET applied = revision - 1")
        db.close()
        monkeypatch.setattr(SimulatedMachine, "find", lambda _self: Clock(1, 1))
        main(["cloud", "check", *about])
        assert "the machine runs, and was not asked: a change is on its way" in capsys.readouterr().out

    def test_what_a_machine_was_used_for_is_kept_when_it_goes_off_or_said_to_be_lost(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        about, ended = (str(LEASE), "--state", "cloud"), list[bool]()
        assert main(["cloud", "init", *about]) == 0
        monkeypatch.setattr(SimulatedMachine, "find", lambda _self: Clock(1, 1))
        monkeypatch.setattr(SimulatedMachine, "switch_off", lambda _self: ended.append(True))
        monkeypatch.setattr(Core, "switch_off", lambda *_: [0, 1])
        capsys.readouterr()
        assert main(["cloud", "off", *about]) == 0
        assert "off; what leases had used of nodes 0-1 is kept" in capsys.readouterr().out

        def broken(*_: object) -> None:
            raise MachineFaultError("node 3 does not answer")

        monkeypatch.setattr(Core, "switch_off", broken)
        assert main(["cloud", "off", *about]) == 1 and ended == [True]
        assert "could not be read, and is lost: node 3 does not answer" in capsys.readouterr().out

    def test_where_nothing_is(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for command in ("serve", "check", "off"):
            said = refused(capsys, "cloud", command, LEASE, "--state", tmp_path)
            assert "holds no cloud; make one with khhw cloud init" in said
        assert list(tmp_path.iterdir()) == []

    def test_names_that_are_none(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        for name in ("con7", "a b", "", "../x", "1st"):
            assert "--owner" in refused(capsys, "cloud", "init", LEASE, "--state", "state", "--owner", name)
            assert not (tmp_path / "state").exists(), name
            assert list(tmp_path.glob("*.token")) == [], name


def test_serve_options_that_make_no_sense(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in ((("--port", "70000"), "--port must be"), (("--ssh-port", "-1"), "--ssh-port must be"),
                        (("--certificate", "x"), "go together")):
        assert said in refused(capsys, "cloud", "serve", LEASE, "--state", tmp_path, *words)


@pytest.mark.rare  # It simulates the machine.
def test_two_principals_whose_nodes_cannot_reach_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What docs/cloud.md shows."""
    monkeypatch.chdir(tmp_path)
    about = (LEASE, "--state", tmp_path / "cloud")
    owner, alice, bob = (str(tmp_path / f"{name}.token") for name in ("owner", "alice", "bob"))
    assert khhw("cloud", "init", *about, "--token-file", owner).returncode == 0
    serve = [sys.executable, "-m", "khhw", "cloud", "serve", *map(str, about), "--port", "0", "--no-ssh", "--json"]

    def start() -> "subprocess.Popen[str]":
        process = subprocess.Popen(serve, cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8")
        assert process.stdout is not None
        monkeypatch.setenv("KHHW_CLOUD", json.loads(process.stdout.readline())["results"]["url"])
        return process

    def ctl(token: str, *words: str) -> str:
        done = khhw("ctl", "--token-file", token, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def boot(token: str, arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "khhw", "console", "con2", "--token-file", token], cwd=ROOT, capture_output=True,
            encoding="utf-8", input=f"boot 0x1a900 {arguments}\n", timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    process = start()
    try:
        for token in (alice, bob):
            ctl(owner, "principal", "create", Path(token).stem, "--nodes", "4", "--token-file", token)
        assert ctl(alice, "acquireNodes", "alice", "3").endswith("nodes: 0 1 2\n")
        assert ctl(bob, "acquireNodes", "bob", "2").endswith("nodes: 3 4\n")
        image = str(tmp_path / "ping.image")
        assert khhw("new", "kernel", "ping", "-o", tmp_path).returncode == 0
        assert khhw("image", tmp_path / "ping.py", "-o", image).returncode == 0
        ctl(owner, "image", "approve", image)
        written = khhw("console", "write", "con2", "--file", image, "--token-file", alice)
        assert written.stdout == f"{Path(image).stat().st_size:,} bytes written to nodes 0-2, and checked by each\n"
        # Node 1 is alice's and answers; node 3 is bob's, and her guard sends nothing to it.
        said = boot(alice, "source=0 to=1")
        assert "ping: 'pong hello' after" in said and "refused" not in said
        said = boot(alice, "source=0 to=3")
        assert "the guard refused to send 1 packet to node 3" in said and "pong" not in said
        process.kill()
        process.communicate()
        checked = khhw("cloud", "check", *about)
        assert checked.returncode == 0 and "the machine agrees" in checked.stdout, checked.stdout + checked.stderr
        process = start()
        assert "active" in ctl(alice, "list")
        assert "deleted" in ctl(bob, "release", "con3")
        assert "clean" in ctl(owner, "check")
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()
        time.sleep(0.1)
        assert khhw("cloud", "off", *about).returncode == 0


def test_help_needs_none_of_the_libraries() -> None:
    code = ("import sys; from khhw.cli import _parser; _parser(); "
            "print([name for name in ('fastapi', 'uvicorn', 'httpx', 'asyncssh', 'cryptography', 'pydantic', 'numpy', "
            "'sqlite3') if name in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.strip() == "[]"
