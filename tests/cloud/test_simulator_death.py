"""Services and simulators that die: what goes on, what is a power cut, and who finds whom again."""

import json
import os
import random
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest

from khhw.cloud.client import SimulatedMachine
from khhw.cloud.machine import MachineError, MachineGoneError
from khhw.cloud.machine_folder import FolderError, MachineFolder
from khhw.cloud.simulator import CRASH
from khhw.machine.machine import Machine
from tests.cloud.simulated import Ear, agrees, killed, machine_of, revision, simulated, soon
from tests.machine.machines import TALK

ROOT = Path(__file__).parents[2]
PARTS = 6
"""Each part takes a few minutes where little else runs."""


@pytest.fixture
def machine(tmp_path):
    with simulated(tmp_path) as machine:
        yield machine


def dies(machine, file, number, seconds):
    """A service that dies in the middle of a revision."""
    found = subprocess.run([sys.executable, "-m", "tests.cloud.dying_service", str(machine.state), str(file),
                            str(number), str(seconds)], cwd=ROOT, check=False)
    assert found.returncode == -signal.SIGKILL


@pytest.mark.rare
def test_a_machine_outlives_its_service_and_ends_what_it_has_begun(machine, tmp_path):
    wanted = revision(1, {7: [0, 1]}, hand_over=[0, 1])
    dies(machine, tmp_path / "machine.toml", 1, 0.02)
    assert machine.connect().boot == 1
    applied = machine.apply(wanted)
    assert applied == machine.apply(wanted)
    assert agrees(machine, wanted)
    assert applied.started < machine.clock()


@pytest.mark.rare  # Each simulator costs seconds of a processor.
def test_a_killed_simulator_is_a_power_cut(machine):
    wanted = revision(3, {7: [0, 1], 9: [2]}, hand_over=[0])
    machine.connect()
    ear = Ear(machine, 7)
    machine.apply(wanted)
    ear.wait("node 0> ready", "node 1> ready")
    with ThreadPoolExecutor(1) as pool:
        # It is killed with a change under way; what becomes of it nobody can say.
        waiting = pool.submit(machine.apply, revision(4, {7: [0], 9: [2]}))
        killed(machine)
        with pytest.raises(MachineGoneError, match="whether it did what it was asked is not known"):
            waiting.result()
    with pytest.raises(MachineGoneError):
        machine.clock()
    assert (machine.find(), machine.alive) == (None, False)

    assert machine.connect().boot == machine.find().boot == 2
    assert [(state.committed, state.held) for state in machine.nodes()] == [(False, True)] * 4
    assert machine.read(5)[0].counters["own_sent_packets"] == 0
    # The same again: who has a node gets it as it comes from the factory, and is heard as before.
    heard = len(ear.heard)
    machine.apply(wanted)
    assert agrees(machine, wanted)
    machine.say(7, "echo there again")
    soon(lambda: sum("there again" in line for line in ear.lines) == 2)
    assert {message.clock.boot for message in ear.heard[heard:]} == {2}


@pytest.mark.rare
def test_a_simulator_whose_starter_was_killed_ends_too(machine):
    machine.connect()
    os.kill(_parent(machine.pid), signal.SIGKILL)
    soon(lambda: not machine.alive)
    assert machine.connect().boot == 2


@pytest.mark.rare
def test_a_simulator_whose_folder_is_gone_ends(machine):
    machine.connect()
    (machine.state / "machine" / "socket").unlink()
    soon(lambda: not machine.alive)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A machine in a folder with a long name, that three services wanted at once."""
    folder = tmp_path_factory.mktemp("shared") / ("long" * 30)
    folder.mkdir()
    with simulated(folder) as machine:
        machine.all = [machine, *(SimulatedMachine(machine.state, machine_of(folder)) for _ in range(2))]
        with ThreadPoolExecutor(3) as pool:
            machine.clocks = list(pool.map(lambda one: one.connect(), machine.all))
        yield machine
        for one in machine.all[1:]:
            one.close()


@pytest.mark.rare  # Each simulator costs seconds of a processor.
def test_services_that_begin_at_once_find_one_machine(shared):
    assert {clock.boot for clock in shared.clocks} == {1}
    assert len({one.pid for one in shared.all}) == 1


def test_a_boot_number_that_cannot_be_read_is_no_first_boot(tmp_path):
    folder = MachineFolder(tmp_path)
    folder.create()
    assert [folder.next_boot(), folder.next_boot()] == [1, 2]
    (folder.path / "boot").write_text("")
    with pytest.raises(FolderError, match=r"boot holds '', and no number: write the highest boot number into it"):
        folder.next_boot()


@pytest.mark.rare
def test_a_simulator_that_does_not_come_up_says_why(machine):
    (machine.state / "machine").mkdir()
    (machine.state / "machine" / "boot").write_text("x")
    with pytest.raises(MachineError, match=r"its process ended with code 1\n.*boot holds 'x', and no number"):
        machine.connect()


def test_a_simulator_of_nobody_else_is_not_left_coming_up(tmp_path):
    """One that waits has a single user; who gives up, or is interrupted, takes it along."""
    machine = SimulatedMachine(tmp_path, machine_of(tmp_path), patience=0.2, waits=True)
    with pytest.raises(MachineError, match=r"has not come up within 0.2 s; .*machine.log says why"):
        machine.connect()
    commands = [file.read_bytes() for file in Path("/proc").glob("[0-9]*/cmdline") if file.is_file()]
    assert b"".join(commands) and not any(os.fsencode(machine.state) in command for command in commands)


@pytest.mark.rare  # Each simulator costs seconds of a processor.
def test_a_machine_that_dies_at_a_packet_of_its_owner_is_brought_to_where_it_was(machine, monkeypatch):
    brought_back(machine, [40], monkeypatch)


@pytest.fixture(scope="module")
def talk():
    return Machine.load(TALK, engine="native")


@pytest.fixture(scope="module")
def deadly(talk, tmp_path_factory):
    """Packets at which the talk's machine shall die: the first, the last, beside all borders of phases, 50 others."""
    with simulated(tmp_path_factory.mktemp("counted"), machine=talk) as machine, pytest.MonkeyPatch.context() as patch:
        brought_back(machine, [], patch)
        total, borders = packets(machine)
    chosen = {1, total, *(border + step for border in borders for step in (0, 1))}
    return sorted(chosen | set(random.Random(1).sample(range(1, total + 1), 50)))


@pytest.mark.rare
@pytest.mark.parametrize("part", range(PARTS))
def test_a_machine_that_dies_at_any_packet_is_brought_to_where_it_was(talk, deadly, tmp_path, monkeypatch, part):
    with simulated(tmp_path, machine=talk) as machine:
        brought_back(machine, deadly[part::PARTS], monkeypatch)


def brought_back(machine, dies_at, patch):
    """Two revisions, the machine dying in boot after boot; who asks again and again has the last one in the end."""
    patch.setenv(CRASH, ",".join(f"{boot}:{packet}" for boot, packet in enumerate(dies_at, 1)))
    first = revision(1, {7: [0, 1]}, hand_over=[0, 1])
    second = revision(2, {7: [0], 9: [1, 2]}, hand_over=[1, 2])
    for boot, packet in enumerate([*dies_at, None], 1):
        assert machine.connect().boot == boot
        with nullcontext() if packet is None else pytest.raises(MachineGoneError):
            assert all(state.held and not state.committed for state in machine.nodes())
            machine.apply(first)
            machine.apply(second)
            assert agrees(machine, second)
    ear = Ear(machine, 9)
    machine.say(9, "info")
    ear.wait("node 1> info", "node 2> info")


def packets(machine):
    """How many the owner of a machine has sent, and how many at each moment of each phase; switches it off."""
    machine.switch_off()
    results = json.loads((machine.state / "machine" / "run" / "run.json").read_text())["results"]
    return results["owner_packets"], results["borders"]


def _parent(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("PPid:"):
            return int(line.split()[1])
    raise AssertionError(pid)
