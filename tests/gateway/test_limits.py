"""How many clients there can be at a time: memory of the nodes, files of the process, and room that comes free."""

import subprocess
import sys

import pytest

from khhw.cli import main
from khhw.gateway.daemon import Daemon
from khhw.gateway.limits import Room
from khhw.gateway.serve import Service
from khhw.machine.machine import Machine
from khhw.machine.reading import MachineFileError
from khhw.net.areas import Areas
from khhw.node import Layout
from tests.gateway.served import PAIR, ROOT
from tests.net.pair import PORT, Nets


def machine(tmp_path, serve, memory_bytes=4 << 20):
    file = tmp_path / "machine.toml"
    file.write_text(f"{PAIR.replace('4194304', str(memory_bytes))}\n[serve]\n{serve}\n")
    return Machine.load(file)


def test_a_node_of_four_mebibytes_has_room_for_as_many_as_can_be_numbered():
    for memory_bytes in (64 << 10, 1 << 20, 4 << 20):
        layout = Layout(memory_bytes)
        most = Areas.most_connections(layout)
        assert len(Areas.plan(layout, 8, most).buffers) == most
    assert most == 1024


@pytest.mark.parametrize(("clients", "memory_bytes", "message"), [
    (1025, 4 << 20, "1024"), (0, 4 << 20, "1"),
    (1024, 1 << 20, r"nodes of 1048576 bytes have room for the streams of \d+ clients at a time; raise node.memory"),
    (8, 64 << 10, r"room for the streams of 7 clients"),
])
def test_more_clients_than_there_can_be_are_refused_with_their_line(tmp_path, clients, memory_bytes, message):
    with pytest.raises(MachineFileError, match=message) as caught:
        machine(tmp_path, f"clients = {clients}", memory_bytes)
    assert "clients" in str(caught.value) and "machine.toml" in str(caught.value)


def test_there_is_room_for_what_a_file_says_and_for_what_memory_has_if_it_does_not(tmp_path):
    for memory_bytes, serve, room in (
        (64 << 10, "", Room(3, 64)), (4 << 20, "", Room(60, 64)), (64 << 10, "clients = 6", Room(6, 7)),
        (4 << 20, "clients = 1024", Room(1024, 1024)), (4 << 20, "clients = 10", Room(10, 14)),
    ):
        loaded = machine(tmp_path, serve, memory_bytes)
        assert Room.of(Service.of(loaded).offer, loaded.file) == room


def limited(soft, hard, statement):
    """A process that may have so many files open does something."""
    script = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard})); {statement}"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)


def test_the_limit_on_open_files_is_raised_as_far_as_needed():
    ended = limited(64, 400, "from khhw.gateway.limits import allow_files; allow_files(300); allow_files(200); "
                             "print(resource.getrlimit(resource.RLIMIT_NOFILE))")
    assert ended.stdout == "(300, 400)\n", ended.stderr


def test_a_limit_on_open_files_that_is_too_low_is_named_before_anything_is_built(tmp_path):
    machine(tmp_path, "clients = 1000")
    file = tmp_path / "machine.toml"
    ended = limited(400, 400, f"from khhw.cli import main; raise SystemExit(main(['serve', {str(file)!r}]))")
    assert ended.returncode == 2
    assert "need 1071 open files, and this process may have 400: let in fewer clients" in ended.stderr
    assert main(["serve", str(file), "--port", "99999"]) == 2, "what is wrong otherwise is said as before"


def test_a_client_waits_until_the_server_has_room():
    async def gateway(net):
        daemon = Daemon(0, 1, PORT, 4)
        first, second = [await daemon._stream(net) for _ in range(2)]
        begun = net.node.now
        await first.close()
        third = await daemon._stream(net)
        waited = net.node.now - begun
        for connection in (second, third):
            await connection.close()
        return waited

    async def server(net):
        listener = await net.listen(PORT)
        net.table._buffers = type(net.table._buffers)(list(net.table._buffers)[:2])
        accepted = [await listener.accept(), await listener.accept()]
        assert await accepted[0].receive(1) == b""
        await net.node.sleep(100_000)
        await accepted[0].close()
        accepted.append(await listener.accept())
        for connection in accepted[1:]:
            await connection.receive(1)
            await connection.close()

    assert 100_000 < Nets().run(gateway, server)[0] < 200_000


def test_streams_with_the_smallest_buffers_lose_nothing():
    data = bytes(range(251)) * 80

    async def sender(net):
        connection = await net.connect(1, PORT)
        await connection.send(data)
        answer = await connection.receive_exactly(len(data))
        await connection.close()
        return answer, connection.areas[0].length

    async def echo(net):
        connection = await (await net.listen(PORT)).accept()
        await connection.send(await connection.receive_exactly(len(data)))
        await connection.close()

    nets = Nets()
    nets.spoil(lose=0.02, repeat=0.02, delay=50)
    assert nets.run(sender, echo, connections=200)[0] == (data, 512)
