"""Nodes go from tenant to tenant on the RTL: nothing can be read of the one before, and nothing of him arrives.

All on the native engine with the node the campaign of attacks uses.
"""

from itertools import count

import pytest

from khhw.bench.owned import OwnedMachine
from khhw.control.domains import Domains
from khhw.control.epochs import AdoptError, EpochControl, Moment
from khhw.control.log import read_logs
from khhw.control.owner import ConsoleKeys, Owner
from khhw.sim.sync import spawn, timeout
from rtl.formats import STALE_COMMITS, Reason
from rtl.registers import REGISTERS
from tests.control.tenants import NODE, READABLE, dirty, dirty_guard, look, shout

CONSTANT = {"MAGIC", "VERSION", "COORDINATE", "SIZE", "RANK", "NODE_ID", "MEMORY_BYTES", "RESOURCES"}
ALWAYS_ZERO = {"BAD_DROPS", "LOG_TIME_HIGH"}
"""No software on one node can bring these about."""

SHAPE, TAKEN, PARTNER, OTHERS = (2, 2, 2), (7, 4), 2, (0, 1, 3, 5, 6)
DOMAINS = Domains.from_groups({"tenants": [*TAKEN, PARTNER], "others": OTHERS}, 8)
"""Before and after: who comes next may do what the one before might, so nothing is refused for its domains alone."""
OLD_CHANNEL, NEW_CHANNEL, OTHER_CHANNEL = 5, 6, 9
KEYS = {rank: ConsoleKeys(NEW_CHANNEL, (NEW_CHANNEL, OLD_CHANNEL)) for rank in TAKEN}


def run(machine, main, cycles=3_000_000):
    return machine.run(main, max_cycles=cycles)


def again(machine, **options):
    """The owner, who has forgotten everything."""
    machine.owner = Owner(machine.outside, machine.shape)
    machine.epochs = EpochControl(machine.owner, **options)
    return machine.epochs


@pytest.fixture(scope="module")
def fresh():
    """What the tenants see on a machine nobody has used."""
    machine = OwnedMachine(SHAPE, NODE)

    async def main():
        await machine.owner.hold()
        await machine.change(DOMAINS)
        for rank, keys in KEYS.items():
            await machine.owner.set_console(rank, *keys)
        await machine.owner.release()
        return {rank: await look(machine, rank) for rank in TAKEN}

    return run(machine, main)


def differences(found, wanted):
    """Names of what is not the same: name -> (index, found, wanted) of the first."""
    different = {}
    for key in {**wanted, **found}:
        if found.get(key, 0) != wanted.get(key, 0):
            different.setdefault(key[0], (key[1], found.get(key, 0), wanted.get(key, 0)))
    return different


async def flood(machine, stopped):
    """Others fill torus and tree; the partner keeps sending to the nodes that are taken."""
    targets = [None] * 8
    for rank, target in zip(OTHERS, (*OTHERS[1:], OTHERS[0]), strict=True):
        targets[rank] = target
    targets[PARTNER] = TAKEN[0]
    await machine.send_traffic(targets, 0.3, range(1, 9))
    for rank in OTHERS:
        await spawn(shout(machine, rank, stopped), name=f"flood {rank}", daemon=True)


@pytest.mark.parametrize("known", [True, False], ids=["known", "restarted"])
def test_the_next_tenant_sees_a_fresh_machine(fresh, known):
    machine = OwnedMachine(SHAPE, NODE)
    changes = []

    async def quiet_partner(moment, _domains):
        """Before the new domains let the partner in again, so that it is not its new messages that are seen."""
        changes.append(moment)
        if changes.count(Moment.BALANCED) == STALE_COMMITS - 1:
            await machine.write(PARTNER, "TRAFFIC_CONTROL", 0)
            while await machine.read(PARTNER, "TRAFFIC_STATUS"):
                await machine.outside.sleep(50)

    async def main():
        owner, stopped = machine.owner, []
        await owner.set_console(None, OTHER_CHANNEL, [OTHER_CHANNEL])
        for rank in (*TAKEN, PARTNER):
            await owner.set_console(rank, OLD_CHANNEL, [OLD_CHANNEL, NEW_CHANNEL])
            await owner.grant_priority(rank)
        await machine.change(DOMAINS)
        await machine.everywhere(TAKEN, lambda rank: dirty(machine, rank, PARTNER))
        await flood(machine, stopped)
        for rank in TAKEN:
            await spawn(shout(machine, rank, stopped), name=f"late {rank}", daemon=True)
        before = await machine.everywhere(TAKEN, lambda rank: look(machine, rank))
        epochs = machine.epochs if known else again(machine)
        seen = {}

        async def next_tenant(rank):
            seen[rank] = await look(machine, rank)

        async def when_held():
            while not all(await machine.owner.read_all("HOLD")):
                pass

        await machine.owner.write_each({rank: [] for rank in TAKEN})
        tenants = []

        async def watch(moment, domains):
            if not tenants:
                tenants.extend([await spawn(next_tenant(rank), name=f"next {rank}") for rank in TAKEN])
            await quiet_partner(moment, domains)

        await epochs.hand_over(TAKEN, DOMAINS, KEYS, 2, watch=watch)
        while len(seen) < len(TAKEN):
            await machine.outside.sleep(500)
        assert await again(machine).adopt(DOMAINS, 2) == []
        for number in range(10):
            await machine.change(Domains.from_groups({"all": range(8)}, 8) if number % 2 else DOMAINS)
        stopped.append(True)
        return dict(zip(TAKEN, before, strict=True)), seen

    before, after = run(machine, main)
    names = {name for name, _, _ in READABLE if not name.startswith("TIME_")} | {"memory"}
    left = set()
    for rank in TAKEN:
        left |= set(differences(before[rank], fresh[rank]))
    assert names - left == CONSTANT | ALWAYS_ZERO
    for rank in TAKEN:
        assert differences(after[rank], fresh[rank]) == {}
