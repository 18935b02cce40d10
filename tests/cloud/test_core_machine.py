"""The core and a real machine: what the store says is in the registers, whoever dies."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from khhw.cloud.client import SimulatedMachine
from khhw.cloud.core import Core
from khhw.cloud.credentials import digest_of
from khhw.cloud.models import Acquire, Quota
from khhw.machine.machine import Machine
from tests.cloud.clouds import PLENTY
from tests.cloud.living_service import PEOPLE, Diary
from tests.cloud.simulated import killed, simulated
from tests.machine.machines import TALK

ROOT = Path(__file__).parents[2]
KILLS = 50


def settled(core):
    while core.step():
        pass


def people(core, token):
    """Those who rent, each with a token that tests know."""
    owner = core.principals.authenticate(token)
    for name in PEOPLE:
        core.principals.create(owner, None, name, quota=PLENTY)
    for name in (*PEOPLE, "owner"):
        core.principals.create_token(owner, None, name, sha256=digest_of(f"the token of {name}".ljust(32)))
    return [core.principals.authenticate(f"the token of {name}".ljust(32)) for name in PEOPLE]


@pytest.mark.parametrize("power_cut", [False, pytest.param(True, marks=pytest.mark.rare)])
def test_registers_are_what_the_store_says_and_a_power_cut_loses_no_lease(tmp_path, power_cut):
    with simulated(tmp_path) as machine:
        token = Core.init(machine.state, machine.info)
        core = Core.open(machine.state, machine.info)
        try:
            core.connect(machine)
            alice, bob, _ = people(core, token)
            first = core.leases.acquire(alice, None, Acquire(count=2, new_networks=1))
            core.leases.acquire(bob, None, Acquire(count=1))
            settled(core)
            assert core.check(machine).clean and core.time().running
            assert [state.keys.receive[0] for state in machine.nodes()[:3]] == [2, 2, 3]
            if power_cut:
                killed(machine)
            core.leases.release(alice, None, first.lease_uuid)
            settled(core)
            found = core.check(machine)
            assert found.clean and found.machine and core.time().boot == 1 + power_cut
            assert [node.state for node in core.nodes.all(alice)] == [
                "free", "free", "cold" if power_cut else "ready", "free"]
        finally:
            core.close()


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    with simulated(tmp_path_factory.mktemp("talk"), machine=Machine.load(TALK, engine="native")) as machine:
        token = Core.init(machine.state, machine.info)
        core = Core.open(machine.state, machine.info)
        people(core, token)
        core.principals.set_quota(core.principals.authenticate(token), None, PEOPLE[0], Quota(nodes=3, networks=2))
        core.close()
        yield machine


@pytest.mark.rare
@pytest.mark.timeout(3600)
def test_services_and_simulators_are_killed_at_random(talk, tmp_path):
    """Fifty times; the machine of the talk, in RTL."""
    chance, file = random.Random(7), tmp_path / "diary"
    command = [sys.executable, "-m", "tests.cloud.living_service", str(talk.state), str(TALK), str(file)]
    service, simulators = None, 0
    for kill in range(KILLS):
        if service is None:
            service = subprocess.Popen([*command, "100000"], cwd=ROOT)
            begun = len(Diary(file).lines)
            # As long as it takes to begin, at a random moment behind which it is killed.
            while len(Diary(file).lines) == begun and service.poll() is None:
                time.sleep(0.05)
        time.sleep(chance.uniform(0, 3))
        assert service.poll() is None
        if kill % 2:
            simulators += _killed(simulator_of(file))
        else:
            service.send_signal(signal.SIGKILL)
            service.wait()
            service = None
    if service is not None:
        service.send_signal(signal.SIGKILL)
        service.wait()
    turns = sum(line[0] == "asked" for line in Diary(file).lines)
    last = subprocess.run([*command, str(turns)], cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(last.stdout)
    assert found["clean"] and found["machine"], found["findings"]
    answers = {}
    for line in Diary(file).lines:
        if line[0] == "told" and "refused" not in line[2]:
            assert answers.setdefault(line[1], line[2]) == line[2], "one key gives one answer"
    assert len(answers) > KILLS / 4
    machine = SimulatedMachine(talk.state, Machine.load(TALK, engine="native"))
    assert machine.connect().boot > simulators > KILLS / 8
    machine.close()


def simulator_of(file):
    """Process of the simulator that the service spoke with last."""
    return next((line[1] for line in reversed(Diary(file).lines) if line[0] == "pid"), None)


def _killed(process):
    try:
        os.kill(process, signal.SIGKILL)
    except (ProcessLookupError, TypeError):
        return 0
    return 1
