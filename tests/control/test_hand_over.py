"""Nodes go from tenant to tenant on the RTL: nothing can be read of the one before, and nothing of him arrives.

All on the native engine, with the node the campaign of attacks uses.
"""

from contextlib import suppress
from itertools import count

import pytest

from khhw.bench.owned import OwnedMachine
from khhw.control.changes import AdoptError, Moment
from khhw.control.domains import Domains
from khhw.control.epochs import EpochControl
from khhw.control.log import read_logs
from khhw.control.owner import ConsoleKeys, Owner
from khhw.host.sync import spawn
from rtl.formats import STALE_COMMITS, Reason
from tests.control.stopped import StoppedError, stop_after
from tests.control.tenants import NODE, READABLE, dirty, dirty_guard, look, shout, stream, texts_from

CONSTANT = {"MAGIC", "VERSION", "COORDINATE", "SIZE", "RANK", "NODE_ID", "MEMORY_BYTES", "RESOURCES"}
ALWAYS_ZERO = {"BAD_DROPS", "LOG_TIME_HIGH"}
"""No software on one node can bring these about."""

SHAPE, TAKEN, PARTNER, OTHERS = (2, 2, 2), (7, 4), 2, (0, 1, 3, 5, 6)
DOMAINS = Domains.from_groups({"tenants": [*TAKEN, PARTNER], "others": OTHERS}, 8)
"""Before and after: who comes next may do what the one before might, so nothing is refused for its domains alone."""
EVERYBODY = Domains.from_rules(["* -> *"], 8)
OLD_CHANNEL, NEW_CHANNEL, OTHER_CHANNEL = 5, 6, 9
KEYS = {rank: ConsoleKeys(NEW_CHANNEL, (NEW_CHANNEL, OLD_CHANNEL)) for rank in TAKEN}


def again(machine):
    """The owner, who has forgotten everything."""
    machine.owner = Owner(machine.outside, machine.shape)
    machine.epochs = EpochControl(machine.owner)
    return machine.epochs


def differences(found, wanted):
    """What is not the same: the first element of each name, with both values."""
    different = {}
    for key in {**wanted, **found}:
        if found.get(key, 0) != wanted.get(key, 0):
            different.setdefault(key[0], (key[1], found.get(key, 0), wanted.get(key, 0)))
    return different


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """So few nodes are no quicker with more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("khhw.sim.engine.engine.usable_cores", lambda: 1)
        yield


@pytest.fixture(scope="module")
def fresh():
    """What the next tenants see on a machine nobody has used."""
    machine = OwnedMachine(SHAPE, NODE)

    async def main():
        await machine.change(DOMAINS)
        for rank, keys in KEYS.items():
            await machine.owner.set_console(rank, *keys)
        return {rank: await look(machine, rank) for rank in TAKEN}

    return machine.run(main, max_cycles=100_000)


async def occupied(machine):
    """Tenants on all nodes: the others fill torus and tree, the partner sends to a node that will be taken."""
    stopped = []
    await machine.owner.set_console(None, OTHER_CHANNEL, [OTHER_CHANNEL])
    for rank in (*TAKEN, PARTNER):
        await machine.owner.set_console(rank, OLD_CHANNEL, [OLD_CHANNEL, NEW_CHANNEL, NEW_CHANNEL + 1])
        await machine.owner.grant_priority(rank)
    await machine.change(DOMAINS)
    await machine.everywhere(TAKEN, lambda rank: dirty(machine, rank, sum(TAKEN) - rank))
    targets = [None] * machine.shape.nodes
    for rank, target in zip(OTHERS, (*OTHERS[1:], OTHERS[0]), strict=True):
        targets[rank] = target
    targets[PARTNER] = TAKEN[0]
    for rank in (*OTHERS, PARTNER):
        await stream(machine, rank, targets[rank])
    for rank in (*OTHERS, *TAKEN):
        await spawn(shout(machine, rank, stopped), name=f"shout {rank}", daemon=True)
    await machine.outside.sleep(3000)
    return stopped


@pytest.mark.parametrize("known", [True, False], ids=["known", "restarted"])
def test_the_next_tenant_sees_a_fresh_machine(fresh, known):
    machine = OwnedMachine(SHAPE, NODE)
    before, after, balanced = {}, {}, []

    async def next_tenant(rank):
        after[rank] = await look(machine, rank)

    async def watch(moment, _domains):
        if moment is not Moment.BALANCED:
            return
        balanced.append(moment)
        if len(balanced) == 1:
            for rank in TAKEN:
                await spawn(next_tenant(rank), name=f"next {rank}")
        if len(balanced) == STALE_COMMITS - 1:
            # Else it would be the partner's next messages that are seen.
            await machine.write(PARTNER, "TRAFFIC_CONTROL", 0)
            while await machine.read(PARTNER, "TRAFFIC_STATUS"):
                await machine.outside.sleep(50)

    async def main():
        stopped = await occupied(machine)
        for rank in TAKEN:
            before[rank] = await look(machine, rank)
        epochs = machine.epochs if known else again(machine)
        await epochs.hand_over(TAKEN, DOMAINS, KEYS, 2, watch=watch)
        while len(after) < len(TAKEN):
            await machine.outside.sleep(500)
        # And the machine goes on under load: the owner starts again, and ten changes end.
        assert await again(machine).adopt(DOMAINS, 2, epochs.sums) == []
        await stream(machine, PARTNER, TAKEN[0])
        for domains in [EVERYBODY, DOMAINS] * 5:
            await machine.change(domains)
        stopped.append(True)

    machine.run(main, max_cycles=1_000_000)
    readable = {name for name, _, _ in READABLE if not name.startswith("TIME_")} | {"memory"}
    used = set().union(*(differences(before[rank], fresh[rank]) for rank in TAKEN))
    assert readable - used == CONSTANT | ALWAYS_ZERO
    for rank in TAKEN:
        assert differences(after[rank], fresh[rank]) == {}


def test_no_text_of_the_tenant_before_arrives():
    """All shout, on the channel the partner and the next tenants listen to; the taken nodes are leaves, and starve.

    The owner has forgotten what the domains are.
    """
    machine = OwnedMachine((4, 2, 2), NODE)
    taken, partner, stopped, heard = (15, 14), 2, [], {}
    domains = Domains.from_groups({"tenants": [*taken, partner], "others": [*range(2), *range(3, 14)]}, 16)
    ring = 0x8000

    async def listen(rank):
        await machine.write(rank, "CONSOLE_BASE", ring)
        await machine.write(rank, "CONSOLE_SIZE", ring)

    async def watch(_moment, _domains):
        """From the first commit on, by which nobody may talk to the partner."""
        if partner not in heard:
            heard[partner] = await listen(partner)

    async def main():
        await machine.owner.set_console(None, OLD_CHANNEL, [OLD_CHANNEL])
        await machine.change(domains)
        for rank in range(16):
            if rank != partner:
                await spawn(shout(machine, rank, stopped), name=f"shout {rank}", daemon=True)
        await machine.outside.sleep(1000)
        keys = {rank: ConsoleKeys(NEW_CHANNEL, (OLD_CHANNEL,)) for rank in taken}
        await again(machine).hand_over(taken, domains, keys, watch=watch)
        for rank in taken:
            await listen(rank)
        await machine.outside.sleep(4000)
        for rank in (*taken, partner):
            heard[rank] = await texts_from(machine, rank, ring)
        return await read_logs(machine.owner)

    logs = machine.run(main, max_cycles=200_000)
    ids = [machine.shape.node_id(rank) for rank in taken]
    assert heard == {rank: [] for rank in (*taken, partner)}
    # There were such texts, and they came late: who stayed is told of them, who came later is not.
    assert logs[partner].counts[Reason.STALE] > 0
    for rank in taken:
        assert logs[rank].counts[Reason.STALE] == 0 < logs[rank].counts[Reason.TREE]
        assert not [entry for entry in logs[rank].entries if entry.source in ids]


@pytest.mark.parametrize("known", [True, False], ids=["known", "restarted"])
def test_an_owner_who_is_stopped_at_any_step_begins_again(known):
    machine = OwnedMachine((2, 1, 1), NODE)
    both, keys = Domains.from_rules(["0 1 -> 0 1"], 2), {0: ConsoleKeys(7, [7, 8])}

    async def use():
        machine.host.nodes[0].poke(0x4000, b"secret" * 100)
        await machine.owner.grant_priority(0)
        await dirty_guard(machine, 0)

    async def attempt(revision, sums):
        """Hand node 0 over; whether the owner was stopped in between."""
        epochs = again(machine)
        if known:
            await epochs.adopt(both, revision - 1, sums)
        immortal = stop_after(machine.outside, revision - 2)
        try:
            await epochs.hand_over([0], both, keys, revision)
        except StoppedError:
            return True
        immortal()
        return False

    async def main():
        await machine.owner.set_console(0, *keys[0])
        await machine.epochs.change(both, revision=1)
        wanted, sums = await look(machine, 0), machine.epochs.sums
        for revision in count(2):
            await use()
            if revision == 2:
                used = differences(await look(machine, 0), wanted)
                assert used.keys() >= {"memory", "REFUSED", "LOG_COUNT", "LOG_LOST", "GUARD_STATUS"}
            stopped = await attempt(revision, sums)
            if stopped:
                epochs = again(machine)
                with suppress(AdoptError):
                    await epochs.adopt(both, revision - known, sums)
                await epochs.hand_over([0], both, keys, revision)
            assert differences(await look(machine, 0), wanted) == {}
            sums = machine.epochs.sums
            assert await again(machine).adopt(both, revision, sums) == []
            if not stopped:
                return revision - 2

    assert machine.run(main, max_cycles=2_000_000) > 20


def test_a_change_that_was_stopped_at_any_step_is_made_again():
    machine = OwnedMachine((2, 1, 1), NODE)
    domains = [Domains.from_rules(rules, 2) for rules in (["0 1 -> 0 1"], ["0 -> 0 1", "1 -> 1"])]

    async def main():
        await machine.epochs.change(domains[1], revision=1)
        await stream(machine, 0, 1)
        for revision in count(2):
            new = domains[revision % 2]
            immortal = stop_after(machine.outside, revision - 2)
            try:
                await machine.epochs.change(new, revision=revision)
            except StoppedError:
                epochs = again(machine)
                await epochs.change(new, revision=revision)
                assert await again(machine).adopt(new, revision, epochs.sums) == []
            else:
                immortal()
                return revision - 2

    assert machine.run(main, max_cycles=2_000_000) > 10
