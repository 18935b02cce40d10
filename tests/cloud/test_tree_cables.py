"""What nodes of leases say goes down no cable of the tree below which nobody may hear it: seen on the cables of an RTL
machine that carries out the revisions that a store makes.
"""

from contextlib import suppress
from dataclasses import replace
from itertools import count
from typing import NamedTuple

import pytest

from khhw.build.engine import build_engine
from khhw.cloud.models import Acquire, Connection, Quota
from khhw.cloud.simulator_owner import Carrier
from khhw.control.outside import Outside
from khhw.control.owner import Owner
from khhw.host.ports import Host
from khhw.host.scheduler import ROOT
from khhw.host.sync import spawn
from khhw.host.transport import BusError
from khhw.node import Shape
from khhw.sim.engine import Engine
from khhw.sim.engine.bridge import drive
from khhw.sim.options import Options, State
from khhw.trace.flits import tree_cable
from khhw.trace.waves import Waves
from rtl.formats import TreeChannel, TreeClass, TreeHeader, unpack
from rtl.parameters import Parameters
from rtl.registers import REGISTERS
from tests.cloud.clouds import Cloud

pytestmark = pytest.mark.rare  # It needs an engine of its own, with waves.

SIZES = (4, 2, 2)
NODE = Parameters(memory_bytes=8192)
SHAPE = Shape(*SIZES)
PLENTY = Quota(nodes=16, networks=32, leases=32)
SPOKEN_CYCLES = 1500
"""In which all who have a node say something again and again, behind each revision."""
PAUSE_CYCLES = 300
"""Between two texts of a node: the tree takes all that sixteen of them say."""
UNDER_WAY_CYCLES = 400
"""More than a text takes that was said before."""
_TEXT_BYTES = 16
_single = REGISTERS["CONSOLE_TX_DEST"].pack
_BROADCAST = _single(broadcast=1)


@pytest.fixture
def sixteen(tmp_path):
    """A cloud whose machine writes down the revisions that it was told."""
    cloud = Cloud(tmp_path / "cloud", SIZES)
    cloud.told, apply = [], cloud.machine.apply

    def noted(revision):
        cloud.told.append(revision)
        return apply(revision)

    cloud.machine.apply = noted
    yield cloud
    cloud.core.close()


class SpeakingMachine:
    """An RTL machine with what carries out revisions on it, and software on all nodes that never stops to talk."""

    def __init__(self):
        self.host = Host(SHAPE.nodes, NODE.memory_bytes)
        self.outside = Outside(self.host.root)
        self.carrier = Carrier(Owner(self.outside, SHAPE), 1, NODE.receive_ids, on_moment=lambda: None)
        self.applied = []
        """Each revision with the cycles in which it began and ended."""

    def play(self, revisions, file):
        """Carry revisions out, with waves in a file."""
        async def main():
            await self.outside.start()
            for revision in revisions:
                began = self.outside.now
                applied = await self.carrier.apply(revision)
                self.applied.append((began, applied.finished.cycle, revision))
                for rank in revision.hand_over & revision.keys.keys():
                    await spawn(self._speak(rank), name=f"node {rank}", daemon=True)
                await self.outside.sleep(SPOKEN_CYCLES)

        build = build_engine(NODE.as_dict(), waves=True)
        with Engine(build, SIZES, threads=1) as engine, engine.waves(file, range(SHAPE.nodes)):
            self.host.scheduler.spawn(main(), rank=ROOT, name="owner")
            outcome = drive(engine, self.host, Options(max_cycles=1_000_000))
        assert outcome.state is State.FINISHED, outcome.message
        return self

    async def _speak(self, rank):
        """Until the node is held: to everybody, and between to one node after the other, whoever's it is."""
        port = self.host.nodes[rank]
        with suppress(BusError):
            for number in count():
                if not await port.read(REGISTERS["CONSOLE_TX_LENGTH"].at()):
                    single = _single(vector=(number // 2) % SHAPE.nodes)
                    await port.write(REGISTERS["CONSOLE_TX_DEST"].at(), single if number % 2 else _BROADCAST)
                    await port.write(REGISTERS["CONSOLE_TX_LENGTH"].at(), _TEXT_BYTES)
                await port.sleep(PAUSE_CYCLES)

    def passed(self, file):
        """Texts of tenants on cables that lead down."""
        waves = Waves(file)
        for rank in range(SHAPE.nodes):
            for side, top in enumerate((2 * rank + 1, 2 * rank + 2)):
                if top >= SHAPE.nodes:
                    continue
                for packet in tree_cable(waves, f"node_{rank}.child_tx__{side}"):
                    header = unpack(TreeHeader, packet.flits[0])
                    if packet.channel == TreeChannel.TENANT and not header["external"]:
                        source = SHAPE.rank_of_id(header["source"])
                        yield self._passing(source, top, int(waves.cycles[packet.begin]))

    def _passing(self, source, top, cycle):
        at = max(at for at, (began, _, _) in enumerate(self.applied) if began <= cycle)
        _, finished, revision = self.applied[at]
        # While a revision is carried out, and what was said meanwhile is under way, the one before counts too.
        settled = cycle > finished + UNDER_WAY_CYCLES
        told = [revision] if settled or not at else [revision, self.applied[at - 1][2]]
        members = set()
        for each in told:
            lease = {rank for rank, keys in each.keys.items()
                     if source in each.keys and keys.send == each.keys[source].send}
            members |= {there for rank in lease for there in each.allowed.get(rank, ())}
        return Passing(revision.number, source, top, settled, not members & below(top))


class Passing(NamedTuple):
    """A text on a cable: the revision that is there, who says it, the top of what is below the cable, whether the
    revision was there long before, and whether nobody below may hear it."""

    revision: int
    source: int
    top: int
    settled: bool
    stray: bool


def below(top):
    """Ranks of a node and all below it."""
    found = [top]
    for rank in found:
        found += [child for child in (2 * rank + 1, 2 * rank + 2) if child < SHAPE.nodes]
    return set(found)


def shouted(revisions):
    """The same revisions, by which all speak to all."""
    return [replace(revision, keys={rank: keys._replace(tree_class=TreeClass.BROADCAST)
                                    for rank, keys in revision.keys.items()}) for revision in revisions]


def test_nothing_is_said_to_parts_of_the_tree_where_nobody_may_hear_it(sixteen, tmp_path):
    alice, bob = (sixteen.person(name, quota=PLENTY) for name in ("alice", "bob"))
    carol = sixteen.person("carol", alice, PLENTY)
    north = sixteen.rent(alice, nodes=[3, 7, 8, 15])
    south = sixteen.rent(bob, nodes=[2, 6, 12])
    part = sixteen.core.leases.acquire(alice, None, Acquire(
        user="carol", parent_lease_uuid=north.uuid, nodes=[8], new_networks=1))
    sixteen.settle()
    shared = sixteen.core.networks.create(alice, None, "shared").id
    sixteen.core.networks.share(alice, None, shared, "bob")
    sixteen.core.networks.accept(bob, None, shared)
    for who, lease, rank in ((alice, north, 7), (bob, south, 12)):
        sixteen.core.networks.connect(who, None, lease.uuid, Connection(network=shared), nodes=[rank])
    sixteen.settle()
    sixteen.core.networks.leave(bob, None, shared)
    sixteen.settle()
    sixteen.core.leases.release(bob, None, south.uuid)
    sixteen.settle()
    sixteen.rent(bob, nodes=[5, 6])
    assert sixteen.clean()
    classes = {lease.tree_class for who, lease in ((alice, north.uuid), (carol, part.lease_uuid))
               for lease in [sixteen.core.leases.get(who, lease)]}
    assert len(classes) == 2 and TreeClass.BROADCAST not in classes

    passed = set(SpeakingMachine().play(sixteen.told, tmp_path / "led").passed(tmp_path / "led"))
    assert {one for one in passed if one.stray} == set()
    cables = {(one.revision, one.source, one.top) for one in passed if one.settled}
    # They were heard, and as far as they might be: node 12 by node 7 through node 1, while both were in a network.
    joined = sixteen.told[-4].number
    assert {(joined, 12, 1), (joined, 12, 7), (joined, 7, 5), (joined, 7, 12)} <= cables
    assert not {(sixteen.told[0].number, 7, 5), (sixteen.told[-1].number, 7, 5)} & cables

    everywhere = SpeakingMachine().play(shouted(sixteen.told), tmp_path / "all").passed(tmp_path / "all")
    assert {one.source for one in everywhere if one.stray} == {2, 3, 5, 6, 7, 8, 12, 15}, "what is watched is meant"


def test_the_fifteenth_lease_speaks_past_all_until_a_class_is_free(sixteen, tmp_path):
    alice = sixteen.person("alice", quota=PLENTY)
    intents = [sixteen.core.leases.acquire(alice, None, Acquire(nodes=[rank], new_networks=1)) for rank in range(15)]
    sixteen.settle()
    assert [intent.warning for intent in intents[:14]] == [None] * 14
    assert "all 14 classes of the tree are other leases'" in intents[14].warning
    leases = [sixteen.lease(alice, intent) for intent in intents]
    assert [lease.tree_class for lease in leases] == [*range(1, 15), TreeClass.BROADCAST]
    sixteen.core.leases.release(alice, None, leases[3].uuid)
    sixteen.settle()
    assert sixteen.lease(alice, intents[14]).tree_class == 4
    assert sixteen.core.intents.get(alice, intents[14].id).warning is None
    assert sixteen.clean()

    passed = set(SpeakingMachine().play(sixteen.told, tmp_path / "led").passed(tmp_path / "led"))
    strays = {one for one in passed if one.stray}
    first, second = (revision.number for revision in sixteen.told[-2:])
    assert {one.source for one in strays} == {14}
    assert {one.top for one in strays if one.revision == first} == {1, 3, 4, 5, *range(7, 14), 15}
    # And once it has a class of its own it is heard by itself alone, and the others as before.
    assert not [one for one in strays if one.revision == second and one.settled]
    assert {one.source for one in passed if one.revision == second and one.settled} == {*range(1, 15)} - {3}
