"""Whatever people do, in whatever order: nobody reaches whom he may not, and store and machine agree.

A law that is worked out again from what the owner sees, and not from the tables: two nodes may talk if they are one, or
are in one network in which the one may send and the other receive, and not otherwise; and whoever is in a private
network owns it, is its guest, or has the node from somebody who is.
"""

import random

import pytest

from khhw.cloud.errors import CloudError
from khhw.cloud.models import Acquire, Connection, LeaseChange
from tests.cloud.clouds import PLENTY

PEOPLE = ("alice", "bob", "carol", "dora")
DIRECTIONS = (None, "both", "send", "receive")


class Crowd:
    """People who do things at random."""

    def __init__(self, cloud, seed):
        self.cloud = cloud
        self.random = random.Random(seed)
        self.people = {"alice": cloud.person("alice"), "bob": cloud.person("bob")}
        self.people["carol"] = cloud.person("carol", self.people["alice"], PLENTY.model_copy(update={"nodes": 3}))
        self.people["dora"] = cloud.person("dora", self.people["carol"])
        self.done = 0

    def act(self):
        """Somebody does something, or is refused."""
        who = self.random.choice([*self.people.values(), self.cloud.owner])
        deed = self.random.choice(DEEDS)
        try:
            deed(self, who)
            self.done += 1
        except CloudError as error:
            assert error.kind != 503, error.sentence

    def lease(self, who):
        """One of his, or of somebody else."""
        leases = self.cloud.core.leases.all(self.random.choice([who, self.cloud.owner]))
        return self.random.choice(leases).uuid if leases else "none"

    def network(self):
        return self.random.randrange(1, 9)

    def name(self):
        return self.random.choice(PEOPLE)

    def ranks(self):
        return self.random.sample(range(8), self.random.randrange(1, 4))

    def acquire(self, who):
        chance = self.random.random
        self.cloud.core.leases.acquire(who, None, Acquire(
            user=self.name() if chance() < 0.3 else None, count=self.random.randrange(1, 4),
            nodes=self.ranks() if chance() < 0.3 else None, internal=chance() < 0.2, external=chance() < 0.3,
            new_networks=self.random.choice([None, 0, 1]), seconds=self.random.choice([None, 2.0, 50.0]),
            networks=[Connection(network=self.network())] if chance() < 0.3 else []))

    def let_on(self, who):
        lease = self.lease(who)
        self.cloud.core.leases.acquire(who, None, Acquire(
            user=self.name(), count=self.random.randrange(1, 3), parent_lease_uuid=lease, new_networks=0,
            external=self.random.random() < 0.3, seconds=self.random.choice([None, 3.0]),
            networks=[Connection(network=self.network(), direction=self.random.choice(DIRECTIONS))]))

    def release(self, who):
        self.cloud.core.leases.release(who, None, self.lease(who))

    def add(self, who):
        self.cloud.core.leases.add(who, None, self.lease(who), LeaseChange(count=1))

    def remove(self, who):
        lease = self.lease(who)
        has = self.cloud.core.leases.get(who, lease).nodes or [0]
        self.cloud.core.leases.remove(who, None, lease, LeaseChange(nodes=[self.random.choice(has)]))

    def transfer(self, who):
        self.cloud.core.leases.transfer(who, None, self.lease(who), self.name())

    def accept(self, who):
        self.cloud.core.leases.accept(who, None, self.lease(who))

    def decline(self, who):
        self.cloud.core.leases.decline(who, None, self.lease(who))

    def share(self, who):
        self.cloud.core.networks.share(who, None, self.network(), self.name(), self.random.choice(DIRECTIONS[1:]))

    def consent(self, who):
        self.cloud.core.networks.accept(who, None, self.network())

    def leave(self, who):
        self.cloud.core.networks.leave(who, None, self.network(), self.random.choice([None, *PEOPLE]))

    def delete(self, who):
        self.cloud.core.networks.delete(who, None, self.network())

    def connect(self, who):
        self.cloud.core.networks.connect(who, None, self.lease(who), Connection(
            network=self.network(), direction=self.random.choice(DIRECTIONS)))

    def disconnect(self, who):
        self.cloud.core.networks.disconnect(who, None, self.lease(who), self.network())

    def quarantine(self, who):
        rank = self.random.randrange(8)
        if self.random.random() < 0.3:
            self.cloud.core.nodes.quarantine(self.cloud.owner, None, rank)
        else:
            self.cloud.core.nodes.restore(self.cloud.owner, None, rank)

    def pass_time(self, who):
        self.cloud.machine.pass_time(1000)

    def step(self, who):
        self.cloud.core.step()

    def cut_power(self, who):
        if self.random.random() < 0.2:
            self.cloud.machine.switch_off()

    def restart(self, who):
        if self.random.random() < 0.2:
            self.cloud.core.close()
            self.cloud.open()


DEEDS = [getattr(Crowd, name) for name in vars(Crowd) if name not in (
    "act", "lease", "network", "name", "ranks") and not name.startswith("_")] + [Crowd.step] * 4 + [Crowd.acquire] * 2


def unlawful(cloud):
    """Pairs that may talk on the machine, and should not; or should, and may not."""
    nodes = {node.rank: node for node in cloud.core.nodes.all(cloud.owner) if node.lease_uuid}
    lawful = {(rank, rank) for rank in nodes}
    for source in nodes.values():
        for destination in nodes.values():
            sends = {each.network for each in source.networks if each.direction != "receive"}
            hears = {each.network for each in destination.networks if each.direction != "send"}
            if sends & hears - {1}:
                lawful.add((source.rank, destination.rank))
    return lawful ^ {(source, rank) for source, there in cloud.machine.allowed.items() for rank in there}


def unentitled(cloud):
    """Nodes in private networks of which nobody in the line of their lessees is owner or guest."""
    networks = {each.id: {each.owner, *(consent.principal for consent in each.consents if consent.state == "accepted")}
                for each in cloud.core.networks.all(cloud.owner) if each.kind == "private"}
    leases = {lease.uuid: lease for lease in cloud.core.leases.all(cloud.owner)}
    for node in cloud.core.nodes.all(cloud.owner):
        line, lease = set(), leases.get(node.lease_uuid)
        while lease is not None:
            line.add(lease.project)
            lease = leases.get(lease.parent_lease_uuid)
        yield from (node for each in node.networks if each.network > 2 and not line & networks[each.network])


@pytest.mark.parametrize("seed", range(2))
def test_a_crowd(cloud, seed):
    crowd = Crowd(cloud, seed)
    for _ in range(12):
        for _ in range(25):
            crowd.act()
        cloud.settle()
        assert cloud.clean() and unlawful(cloud) == set() and list(unentitled(cloud)) == []
    assert crowd.done > 60


@pytest.mark.rare
@pytest.mark.parametrize("seed", range(100, 140))
def test_a_crowd_of_another_day(cloud, seed):
    test_a_crowd(cloud, seed)
