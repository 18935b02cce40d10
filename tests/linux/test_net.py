"""Linux programs on nodes: `khhw net` as a user runs it, on the native engine."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from khhw.errors import RequestError
from khhw.linux.namespaces import check_programs

ROOT = Path(__file__).parents[2]
PATIENCE = 180


def unusable():
    """Why there can be no namespaces here, or nothing."""
    try:
        check_programs()
    except RequestError as error:
        return str(error)
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    tried = subprocess.run(["unshare", *user, "--net", "--pid", "--fork", "true"], capture_output=True, text=True,
                           encoding="utf-8", check=False)
    return tried.stderr.strip()


pytestmark = pytest.mark.skipif(bool(unusable()), reason=unusable() or "-")


def needs(program):
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"there is no {program}")


class Net:
    """A machine that is up."""

    def __init__(self, folder, *, name="network"):
        self.folder = folder
        self.name = name
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "khhw", "net", "up", str(ROOT / "examples" / "network.toml"), "--json", "--name",
             name, "-o", str(folder / name)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment, text=True, encoding="utf-8")

    def ready(self):
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        assert json.loads(line)["results"]["nodes"] == [0, 1, 2, 3]

    def stop(self, number):
        """End it, and what is left to be read."""
        self.process.send_signal(number)
        self.process.communicate(timeout=30)
        return self.process.returncode

    def khhw(self, *arguments):
        return subprocess.run([sys.executable, "-m", "khhw", "net", *map(str, arguments)], capture_output=True,
                              env=self.environment, timeout=PATIENCE, text=True, encoding="utf-8", check=False)

    def on(self, rank, *command):
        return self.khhw("exec", "--name", self.name, rank, *command)

    def status(self):
        return json.loads(self.khhw("status", "--name", self.name, "--json").stdout)["nodes"]

    def begin(self, rank, *command):
        return subprocess.Popen(
            [sys.executable, "-m", "khhw", "net", "exec", "--name", self.name, str(rank), *command],
            env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8")


def processes(folder):
    """Processes that were started with this folder in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if str(folder).encode() in path.read_bytes():
                found.append(path.parent.name)
    return found


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    machine = Net(tmp_path_factory.mktemp("net"))
    machine.ready()
    yield machine
    assert machine.stop(signal.SIGINT) == 0


@needs("ping")
def test_a_flood_of_pings_loses_nothing(net):
    done = net.on(0, "ping", "-f", "-q", "-c", "20", "node2")
    assert "20 received, 0% packet loss" in done.stdout, done.stdout + done.stderr


@needs("ping")
def test_nodes_without_a_common_network_hear_nothing_of_each_other(net):
    before = [node["refused"]["ROW"] for node in net.status()]
    commands = ("ip route add 10.4.0.0/16 dev blue; ip neighbour add 10.4.0.4 dev blue lladdr 06:00:00:01:01:00; "
                "ping -c 2 -W 2 10.4.0.4")
    done = net.on(0, "sh", "-c", commands)
    assert "2 packets transmitted, 0 received" in done.stdout, done.stdout + done.stderr
    after = net.status()
    assert [node["refused"]["ROW"] - old for node, old in zip(after, before, strict=True)] == [2, 0, 0, 0]
    assert after[3]["received"] == 0


@needs("ping")
def test_raw_frames_are_refused_by_guards_and_forged_senders_by_drivers(net):
    """A hostile program with a raw socket: to a node without a common network, and in another node's name."""
    before = net.status()
    hostile = ("import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('blue', 0)); "
               "s.send(bytes.fromhex('060000010100' '060000000000' '0806') + bytes(46)); "
               "s.send(bytes.fromhex('060000010000' '060000000100' '0806') + bytes(46))")
    done = net.on(0, sys.executable, "-c", hostile)
    assert done.returncode == 0, done.stderr
    end = time.monotonic() + 10
    while net.status()[1]["forged"] == before[1]["forged"] and time.monotonic() < end:
        time.sleep(0.1)
    after = net.status()
    assert after[0]["refused"]["ROW"] - before[0]["refused"]["ROW"] == 1
    assert after[1]["forged"] - before[1]["forged"] == 1
    assert after[1]["received"] == before[1]["received"]


@needs("iperf3")
def test_a_right_that_is_revoked_stops_tcp_and_one_granted_again_lets_it_go_on(net):
    server = net.begin(1, "iperf3", "-s", "-1")
    time.sleep(1)
    client = net.begin(0, "iperf3", "-c", "node1", "-t", "12", "--json")
    time.sleep(4)
    assert net.khhw("change", "--name", net.name, "apart").returncode == 0
    time.sleep(2)
    assert net.khhw("change", "--name", net.name).returncode == 0
    said, _ = client.communicate(timeout=60)
    server.communicate(timeout=30)
    moved = [one["sum"]["bytes"] for one in json.loads(said)["intervals"]]
    assert moved[0] and moved[-1] and 0 in moved[3:8], moved
    assert net.status()[0]["refused"]["ROW"] + net.status()[1]["refused"]["COLUMN"] > 0


def test_a_file_arrives_as_it_was_sent(net, tmp_path):
    (tmp_path / "sent").write_bytes(os.urandom(1 << 18))
    serve = ("import http.server as h, os, sys; os.chdir(sys.argv[1]); "
             "h.HTTPServer(('', 8000), h.SimpleHTTPRequestHandler).handle_request()")
    server = net.begin(0, sys.executable, "-c", serve, str(tmp_path))
    fetch = ("import time, urllib.request as u\nfor _ in range(50):\n    try: data = u.urlopen('http://node0:8000/sent'"
             ").read(); break\n    except OSError: time.sleep(.2)\nopen(__import__('sys').argv[1], 'wb').write(data)")
    done = net.on(1, sys.executable, "-c", fetch, str(tmp_path / "got"))
    server.communicate(timeout=30)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "got").read_bytes() == (tmp_path / "sent").read_bytes()


def test_wrong_requests_are_one_line(net):
    for arguments, said in (
        (("exec", "--name", "other", "0", "true"), "no machine other is up; there are network"),
        (("exec", "9", "true"), "node 9 of network is in no network; those with Linux are 0, 1, 2, 3"),
        (("exec", "0"), "no program to run"),
        (("exec", "0", "no-such-program"), "no program no-such-program"),
        (("change", "asunder"), "no domains 'asunder'; there are 'apart'"),
        (("up", str(ROOT / "examples" / "network.toml")), "a machine network is up already"),
        (("up", str(ROOT / "examples" / "pair.toml")), "the machine has no networks"),
    ):
        done = net.khhw(*arguments)
        assert done.returncode == 2 and said in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left(tmp_path, number):
    machine = Net(tmp_path, name="short")
    machine.ready()
    program = machine.begin(0, "sleep", "1000")
    time.sleep(1)
    assert len(processes(tmp_path)) > 3
    machine.stop(number)
    program.communicate(timeout=30)
    assert program.returncode != 0
    end = time.monotonic() + 20
    while processes(tmp_path) and time.monotonic() < end:
        time.sleep(0.2)
    assert processes(tmp_path) == []
    assert "no machine is up" in machine.khhw("exec", 0, "true").stderr
