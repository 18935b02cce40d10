"""What a machine of metered nodes goes through, on any back end: idle, saturated, attacked, handed over.

Each state is a task of the owner. It ends with no packet moving, and returns plain values: the readings of all meters,
what guards have counted, and what the test wants to compare them with.
"""

import random
from dataclasses import asdict, replace

import numpy as np

from khhw.bench.owned import OwnedNodes
from khhw.control.changes import Moment
from khhw.control.domains import Domains
from khhw.control.meters import GuardCounts, Meters, Reading, read_at_rest
from khhw.control.owner import ConsoleKeys
from khhw.fuzz.attacker import Attacker
from khhw.fuzz.hostile import Aim
from khhw.fuzz.one_guard import install
from khhw.fuzz.scenario import Scenario
from khhw.fuzz.stimulus import draw
from khhw.host.sync import gather
from khhw.node import Shape
from khhw.node.tree_packets import Control
from rtl.formats import ControlOp, Direction, Reason
from rtl.meter_lines import TENANT_LINES
from rtl.registers import REGISTERS, joined

LENGTH = 8
"""Chunks of every packet of the traffic generators."""
BUSY = 1000
"""Cycles of traffic between two things that the owner does."""
ATTACKS = {"mixed": "relay", "source": "apart", "guard": "way in", "deposit": "relay", "console": "apart"}
"""What hostile nodes do in turn, and the matrix of isAllowed that the owner changes to meanwhile."""


def halves(shape):
    """A lease for each half of the ranks."""
    return np.arange(shape.nodes) * 2 // shape.nodes


def everybody(shape):
    """All may send to all, in two leases."""
    return Domains(np.ones((shape.nodes, shape.nodes), bool), halves(shape))


def shuffled(nodes):
    """Another node for each, as a target."""
    order = random.Random(1).sample(range(nodes), nodes)
    return dict(zip(order, order[1:] + order[:1], strict=True))


def others(nodes):
    """For each node one of the other half, as a target."""
    return [(rank + nodes // 2) % nodes for rank in range(nodes)]


def battlefield(shape):
    """Every other rank is hostile, but four nodes in all are enough."""
    return Scenario("every other", shape, tuple(range(0, shape.nodes, 2))[:4])


def talkers(scenario):
    """Those of the honest who send: in a large machine the nearest to the hostile."""
    return scenario.honest[:8]


def handed_on(shape):
    """The nodes that change hands: one of each half."""
    return [0, shape.nodes // 2]


async def crossed(owner):
    """Headers that all torus cables have carried, by the counters at their transmitters."""
    words = [Control(ControlOp.READ, REGISTERS["LINK_SENT"].at(direction)) for direction in Direction]
    answers = await owner.execute(None, words)
    return sum(sum(REGISTERS["LINK_SENT"].unpack(word.data).values()) for answer in answers.values() for word in answer)


async def used(machine, rank):
    """What the tenant of a node reads of its meter, by line."""
    words = [await machine.read(rank, "METER_USED", index) for index in range(2 * TENANT_LINES)]
    return [joined(low, high) for low, high in zip(words[::2], words[1::2], strict=True)]


async def counted(machine, register):
    """A counter of the traffic generator of every node."""
    return await machine.everywhere(range(machine.shape.nodes), lambda rank: machine.read_wide(rank, register))


async def idle(machine):
    """Nothing but the owner does anything."""
    await machine.change(everybody(machine.shape))
    before = machine.outside.now
    return await observed(machine, before=before)


async def saturated(machine):
    """Every node sends to one other as fast as it can."""
    target = shuffled(machine.shape.nodes)
    await machine.change(everybody(machine.shape))
    await machine.send_traffic([target[rank] for rank in range(machine.shape.nodes)], 1.0, [LENGTH])
    await machine.outside.sleep(2 * BUSY)
    await machine.stop_traffic()
    return await observed(machine, sent=await counted(machine, "TRAFFIC_INJECTED"),
                          received=await counted(machine, "TRAFFIC_RECEIVED"))


async def revoked(machine):
    """All flood the other half, and lose the right to; they send on."""
    shape = machine.shape
    await machine.change(everybody(shape))
    await machine.send_traffic(others(shape.nodes), 1.0, [LENGTH])
    await machine.outside.sleep(BUSY)
    await machine.change(Domains(halves(shape)[:, None] == halves(shape), halves(shape)))
    await machine.outside.sleep(BUSY)
    await machine.stop_traffic()
    return await observed(machine, by_row=await machine.owner.read_all("REFUSED", Reason.ROW))


async def attacked(machine):
    """Hostile software does what the attack campaign's does, while others talk and rights change; then once more, with
    its own guards open to all."""
    shape, scenario = machine.shape, battlefield(machine.shape)
    rng = np.random.default_rng(5)
    attackers = [Attacker(machine.host, rank) for rank in scenario.hostile]
    honest = talkers(scenario)
    friends = dict(zip(honest, honest[1:] + honest[:1], strict=True))
    leases = np.isin(np.arange(shape.nodes), scenario.hostile).astype(np.int64)

    async def attack(way):
        stimulus = replace(draw(rng), way=way, laps=1)
        await gather(*(attacker.play(Aim(scenario, attacker.rank, scenario.honest, scenario.hostile, 0, stimulus, rng))
                       for attacker in attackers))

    await machine.change(Domains(scenario.matrix("way out"), leases))
    await machine.send_traffic([friends.get(rank) for rank in range(shape.nodes)], 0.02, [1, 3, LENGTH])
    for way, matrix in ATTACKS.items():
        await gather(attack(way), machine.change(Domains(scenario.matrix(matrix), leases)))
    await machine.stop_traffic()
    apart = scenario.matrix("apart")
    rows = Domains(apart | (leases == 1)[:, None], leases)
    await install(machine.owner, machine.epochs, rows, Domains(apart, leases))
    await attack("mixed")
    await gather(*(attacker.stop() for attacker in attackers))
    await machine.stop_traffic()
    return await observed(machine, sent=await counted(machine, "TRAFFIC_INJECTED"),
                          by_row=await machine.owner.read_all("REFUSED", Reason.ROW),
                          by_column=await machine.owner.read_all("REFUSED", Reason.COLUMN))


async def handed_over(machine):
    """A sender and a receiver of each half change hands under load, and the new tenants send as well."""
    shape = machine.shape
    taken = handed_on(shape)
    targets = [(rank + 1) % shape.nodes for rank in range(shape.nodes)]
    before = []

    async def watch(moment, _domains):
        if moment is Moment.BALANCED and not before:
            before.extend(asdict(reading) for reading in await Meters(machine.owner).read(5, taken))

    await machine.change(everybody(shape))
    await machine.send_traffic(targets, 1.0, [LENGTH])
    await machine.outside.sleep(BUSY)
    after = halves(shape)
    after[taken] = 9
    new = Domains(np.ones((shape.nodes, shape.nodes), bool), after)
    keys = {rank: ConsoleKeys(5, [5]) for rank in taken}
    await machine.epochs.hand_over(taken, new, keys, watch=watch)
    fresh = [await used(machine, rank) for rank in taken]
    for rank in taken:
        while (await machine.read_fields(rank, "TRAFFIC_STATUS"))["clearing"]:
            await machine.outside.sleep(100)
    await machine.send_traffic(targets, 1.0, [LENGTH])
    await machine.outside.sleep(BUSY)
    await machine.stop_traffic()
    seen = await observed(machine, before=before, fresh=fresh)
    return seen | {"tenants": [await used(machine, rank) for rank in taken]}


STATES = {state.__name__: state for state in (idle, saturated, revoked, attacked, handed_over)}


async def observed(machine, **more):
    """Meters and guards of a machine in which no packet moves, and what torus cables have carried."""
    readings, guards = await read_at_rest(machine.owner, 7)
    return {"readings": [asdict(reading) for reading in readings], "guards": asdict(guards),
            "headers": await crossed(machine.owner), "after": machine.outside.now, **more}


def readings_of(seen, name="readings"):
    """Readings among what was observed, after it was written to a file."""
    return [Reading(**reading | {"counts": tuple(reading["counts"])}) for reading in seen[name]]


def guards_of(seen):
    """What guards counted, likewise."""
    return GuardCounts(**{name: tuple(counts) for name, counts in seen["guards"].items()})


class StateProgram:
    """One of these states, as a program of a simulator process: see :class:`khhw.sim.entry.Program`."""

    def __init__(self, host, arguments):
        machine = OwnedNodes(host, Shape(*arguments["shape"]))
        self._seen = machine.begin(lambda: STATES[arguments["state"]](machine))

    def results(self, _outcome):
        return self._seen[0] if self._seen else {}

    def stuck(self, read):
        return [f"quiescent is {read('quiescent'):#b}"]
