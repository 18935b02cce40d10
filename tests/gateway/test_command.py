"""``khhw serve``: what it refuses before it builds anything, and how a machine whose domains say no is served."""

import signal
import socket

import pytest

from khhw.cli import main
from khhw.commands.serve import _failure as failure_of
from khhw.gateway.serve import ServeError, Service
from khhw.machine.machine import Machine
from khhw.machine.reading import MachineFileError
from khhw.sim.process import ProcessResult
from tests.gateway.served import PAIR, Served


def machine(tmp_path, serve=""):
    file = tmp_path / "machine.toml"
    file.write_text(f"{PAIR}\n[serve]\n{serve}\n")
    return file


@pytest.mark.parametrize(("serve", "message"), [
    ("server = 2", "no node 2; nodes are 0 to 1"),
    ("gateway = 0", "node 0 is the server; the gateway needs a node of its own"),
    ("domains = \"open\"", "unknown domains 'open'; known are none; add a [domains.NAME] table"),
    ("kernel = \"memcash\"", "no kernel 'memcash'"),
    ("console_port = 65534", "3 ports from 65534 on end behind 65535"),
    ("port = 70000", "port"),
    ("doors = 1", "doors"),
])
def test_a_section_that_cannot_be_served_is_refused_with_its_line(tmp_path, serve, message):
    with pytest.raises(MachineFileError) as caught:
        Machine.load(machine(tmp_path, serve))
    assert message in str(caught.value)
    assert "machine.toml" in str(caught.value)


def test_a_machine_without_the_section_is_served_with_the_defaults(tmp_path):
    file = tmp_path / "machine.toml"
    file.write_text(PAIR)
    offer = Service.of(Machine.load(file), port=1234).offer
    assert (offer.server, offer.gateway, offer.kernel, offer.port) == (0, 1, "memcached", 1234)
    file.write_text("[torus]\nshape = [1, 1, 1]\n")
    with pytest.raises(ServeError, match=r"serve\.gateway: no node 1; nodes are 0 to 0"):
        Service.of(Machine.load(file))


def test_a_taken_port_is_named_before_anything_is_built(tmp_path, capsys):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        file = machine(tmp_path, f"port = {port}\nconsole_port = 0")
        assert main(["serve", str(file)]) == 2
        said = capsys.readouterr().err
        assert f"khhw: cannot listen on 127.0.0.1:{port}: Address already in use; name another port" in said
        assert main(["serve", str(file), "--port", "99999"]) == 2
        assert "khhw: --port must be from 0 to 65535, not 99999" in capsys.readouterr().err


def test_a_client_whose_gateway_may_not_send_is_turned_away_with_the_reason(tmp_path):
    text = PAIR + '\n[serve]\ndomains = "deaf"\n[domains.deaf]\nrules = ["0 -> 0 1", "1 -> 1"]\n'
    with Served(tmp_path, text, as_json=False, stop=signal.SIGTERM) as served:
        with served.connect() as client:
            client.sendall(b"version\r\n")
            with pytest.raises(ConnectionResetError):
                client.recv(100)
        with served.connect(served.consoles[1]) as person, person.makefile() as says:
            assert says.readline() == "console of node 1; type help\n"
            person.sendall(b"info\n")
            assert "0 clients, 1 so far, 0 operations" in says.readline()
    assert served.code == 0, served.lines
    assert [line for line in served.lines if "error" in line] == [], "an image for the server is no text for others"
    turned_away = [line for line in served.lines if line.startswith("client 127.0.0.1:")]
    assert len(turned_away) == 1 and "node 1 -> node 0" in turned_away[0], served.lines
    assert served.lines[-1].startswith("stopped; its log is ")
    assert served.lines[-2].startswith("0 clients of 1 so far, 1 lost; 0 operations, 0/s; 0 bytes in, 0 out; ")


MORTAL = """
async def main(node, arguments):
    await node.console.print(f"node {node.rank}> mortal: open")
    await node.console.told_to_stop("mortal")
    raise LookupError("\\x1b[2Jgone\\nnode 1> never mind")
"""


def test_a_server_that_fails_ends_the_serving_with_its_reason(tmp_path):
    (tmp_path / "mortal.py").write_text(MORTAL)
    with Served(tmp_path, f'{PAIR}\n[serve]\nkernel = "mortal.py"\n', as_json=False) as served:
        with served.connect(served.consoles[2]) as person, person.makefile("rb") as says:
            assert b"type help" in says.readline()
            person.sendall(b"on all info\n")
            heard = {says.readline().partition(b" ")[0] for _ in range(2)}
            assert heard == {b"[0]", b"[1]"}, "a node that is told what it does not know says so"
            person.sendall(b"on 0 stop\n")
            while says.readline():
                pass
        served.wait()
    assert served.code == 1, served.lines
    reason = ("mortal on node 0 has ended, and what it held is gone: node 0 said 'node 0> error: kernel mortal failed: "
              "LookupError: \\x1b[2Jgone node 1> never mind, in mortal line 5'")
    assert reason in served.lines
    assert any(line.startswith("[0] node 0> error: unknown command 'info'; mortal") for line in served.lines)
    assert not any("\x1b" in line for line in served.lines)


@pytest.mark.parametrize(("state", "message", "failure", "code"), [
    ("interrupted", "", "", 0), ("finished", "all tasks have ended", "", 0), ("finished", "", "memcached has ended", 1),
    ("failed", "task", "", 1), ("crashed", "interrupted", "", 0),
])
def test_how_a_serving_ended_is_its_exit_code(tmp_path, state, message, failure, code):
    ended = ProcessResult(state=state, message=message, outcome={}, results={"failure": failure}, path=tmp_path,
                          log=tmp_path, waves=None)
    assert bool(failure_of(ended)) == bool(code)
