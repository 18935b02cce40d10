"""Killed at every point of every operation, and asked again: one key, one answer; nothing held twice, nothing lost."""

import itertools
import json
import os
import shutil
import signal
import traceback

import pytest

from khhw.cloud import crash
from khhw.cloud.callers import Caller
from khhw.cloud.core import Core
from khhw.cloud.models import Acquire, Connection, LeaseChange, Quota
from tests.cloud.recorded import RecordedMachine

POINTS = 400
"""More than there are."""


class Client:
    """Somebody who repeats each request until it is answered, and writes down what he was told."""

    def __init__(self, core, told):
        self.core = core
        self.told = told
        self._keys = itertools.count()

    def ask(self, do, *arguments, **keywords):
        """An operation, with the next key; all of the machine's part too."""
        caller, *rest = arguments
        key = f"key{next(self._keys)}"
        answer = do(caller, key, *rest, **keywords)
        crash.crash_point()
        with self.told.open("a") as file:
            file.write(json.dumps([key, json.loads(answer.model_dump_json(exclude={"secret"}))]) + "\n")
        settle(self.core)
        return answer


def settle(core):
    while core.step():
        pass


def life(core, machine, told):
    """What happens: each operation at least once."""
    client = Client(core, told)
    owner = core.principals.authenticate(told.with_name("token").read_text())
    quota = Quota(nodes=8, networks=8, leases=8)
    people = {name: client.ask(core.principals.create, owner, name, quota=quota) for name in ("alice", "bob")}
    tokens = {name: client.ask(core.principals.create_token, owner, name, sha256=f"{number:064x}")
              for number, name in enumerate(people)}
    alice, bob = (caller(people[name]) for name in ("alice", "bob"))
    assert tokens["alice"].principal == "alice"
    carol = caller(client.ask(core.principals.create, alice, "carol", quota=quota))
    whole = client.ask(core.leases.acquire, alice, Acquire(count=3, name="whole", seconds=1000)).lease_uuid
    part = client.ask(core.leases.acquire, alice, Acquire(user="carol", nodes=[0], parent_lease_uuid=whole)).lease_uuid
    mine = client.ask(core.leases.acquire, bob, Acquire(count=2, name="mine")).lease_uuid
    shared = next(network.id for network in core.networks.all(alice) if network.owner == "alice")
    client.ask(core.networks.share, alice, shared, "bob", "receive")
    client.ask(core.networks.accept, bob, shared)
    client.ask(core.networks.connect, bob, mine, Connection(network=shared), nodes=[3])
    client.ask(core.leases.add, bob, mine, LeaseChange(count=1))
    client.ask(core.leases.remove, bob, mine, LeaseChange(nodes=[4]))
    client.ask(core.leases.extend, alice, whole, seconds=10)
    client.ask(core.leases.rename, bob, mine, "ours")
    client.ask(core.channels.share, bob, core.leases.get(bob, mine).console, "alice", write=True)
    client.ask(core.approvals.approve, owner, "ab" * 32, "shell")
    short = client.ask(core.leases.acquire, bob, Acquire(nodes=[7], new_networks=1, seconds=5)).lease_uuid
    if core.leases.get(bob, short).status == "active":
        machine.pass_time(6000)
        settle(core)
    assert core.leases.get(bob, short).status == "expired"
    client.ask(core.leases.transfer, bob, mine, "alice")
    client.ask(core.leases.accept, alice, mine)
    client.ask(core.leases.release, carol, part)
    client.ask(core.nodes.quarantine, owner, 6)
    if core.time().boot == 1:
        machine.switch_off()
    settle(core)
    client.ask(core.networks.leave, alice, shared, "bob")
    client.ask(core.leases.warm, alice, whole)
    client.ask(core.leases.release, alice, whole)


def caller(principal):
    return Caller(principal.id, principal.name)


def run(folder, crash_at=None):
    """A process that lives through it, or is killed; its exit status."""
    process = os.fork()
    if process == 0:
        status = 1
        try:
            crash._passed = itertools.count(1)
            if crash_at is not None:
                os.environ["KHHW_CRASH_AT"] = str(crash_at)
            machine = RecordedMachine(folder)
            core = Core.open(folder / "state", machine.info)
            core.connect(machine)
            settle(core)
            life(core, machine, folder / "told")
            core.close()
            status = 0
        except BaseException:
            (folder / "error").write_text(traceback.format_exc())
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def outcome(folder):
    """What there is in the end, without what chance decides."""
    machine = RecordedMachine(folder)
    core = Core.open(folder / "state", machine.info)
    try:
        machine.connect()
        core.connect(machine)
        owner = core.principals.authenticate((folder / "token").read_text())
        found = core.check(machine)
        assert found.findings == [] and found.machine
        leases = [(lease.name, lease.project, lease.status, lease.nodes, lease.console, lease.networks)
                  for lease in core.leases.all(owner, ended=True)]
        held = [sum(end - begin for begin, end in counted(core, owner, lease.uuid))
                for lease in core.leases.all(owner, ended=True)]
        nodes = [(node.state, node.project) for node in core.nodes.all(owner)]
        return leases, held, nodes, machine.allowed, machine.images
    finally:
        core.close()


def counted(core, owner, lease):
    """What each of its nodes has sent in each whole stay."""
    open_at = {}
    for reading in core.leases.readings(owner, lease):
        if reading.moment == "begin":
            open_at[reading.rank, reading.boot] = reading.counters["own_sent_packets"]
        else:
            yield open_at.pop((reading.rank, reading.boot)), reading.counters["own_sent_packets"]


def told(folder):
    """Answers by key; each key has one, however often it was asked."""
    answers = {}
    for line in (folder / "told").read_text().splitlines():
        key, answer = json.loads(line)
        assert answers.setdefault(key, answer) == answer, key
    return answers


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A state folder in which nothing has happened yet."""
    folder = tmp_path_factory.mktemp("durable") / "template"
    folder.mkdir()
    (folder / "token").write_text(Core.init(folder / "state", RecordedMachine(folder).info))
    return folder


@pytest.fixture(scope="module")
def undisturbed(template):
    """What there is in the end of a life without death."""
    folder = template.with_name("undisturbed")
    shutil.copytree(template, folder)
    assert run(folder) == 0, (folder / "error").read_text()
    return outcome(folder), set(told(folder))


def killed_at(point, template, undisturbed):
    """Kill it there, and let it go on; whether there is such a point."""
    folder = template.with_name("killed")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)
    status = run(folder, point)
    if status == 0:
        return False
    assert status == -signal.SIGKILL, (folder / "error").read_text()
    assert run(folder) == 0, f"{point}: " + (folder / "error").read_text()
    assert (outcome(folder), set(told(folder))) == undisturbed
    return True


def test_killed_at_some_points(template, undisturbed):
    for point in range(3, POINTS, 29):
        if not killed_at(point, template, undisturbed):
            break
    assert point > 100


@pytest.mark.rare
def test_killed_at_every_point(template, undisturbed):
    point = next(point for point in range(1, POINTS) if not killed_at(point, template, undisturbed))
    assert point > 100
