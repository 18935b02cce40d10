"""Networks: shared by consent of both sides, one way if so wished; and consoles."""

from khhw.cloud.errors import Kind
from khhw.cloud.models import Acquire, Connection, LeaseChange
from tests.cloud.clouds import refused


def joined(cloud, who, lease, network, direction=None, nodes=None):
    cloud.core.networks.connect(who, None, lease.uuid, Connection(network=network, direction=direction), nodes=nodes)
    cloud.settle()


def test_two_principals_share_a_network_by_consent_and_either_ends_it(cloud):
    alice, bob, rita = (cloud.person(name) for name in ("alice", "bob", "rita"))
    networks = cloud.core.networks
    first, second = cloud.rent(alice), cloud.rent(bob)
    shared = first.networks[0].network
    refused(Kind.NOT_FOUND, "no network 3", networks.get, bob, shared)
    refused(Kind.NOT_FOUND, "no network 3", joined, cloud, bob, second, shared)
    networks.share(alice, None, shared, "bob")
    assert networks.get(bob, shared).consents[0].state == "offered"
    refused(Kind.NOT_FOUND, "no network 3 that the lessee may join", joined, cloud, bob, second, shared)
    refused(Kind.NOT_FOUND, "no network 3", networks.accept, rita, None, shared)
    networks.accept(bob, None, shared)
    joined(cloud, bob, second, shared)
    assert cloud.machine.allowed == {0: [0, 1], 1: [0, 1]} and networks.get(alice, shared).nodes == [0, 1]
    refused(Kind.FORBIDDEN, "network 3 is alice's", networks.share, bob, None, shared, "rita")
    for ender, guest in ((bob, None), (alice, "bob")):
        networks.leave(ender, None, shared, guest)
        cloud.settle()
        assert cloud.machine.allowed == {0: [0], 1: [1]}
        refused(Kind.NOT_FOUND, "no network 3", networks.get, bob, shared)
        networks.share(alice, None, shared, "bob")
        networks.accept(bob, None, shared)
        joined(cloud, bob, second, shared)
    networks.delete(alice, None, shared)
    cloud.settle()
    assert cloud.machine.allowed == {0: [0], 1: [1]} and cloud.clean()
    assert cloud.core.networks.create(alice, None).id == 5, "no number is used again"


def test_one_way(cloud):
    alice, bob = cloud.person("alice"), cloud.person("bob")
    networks = cloud.core.networks
    cloud.rent(alice)
    second = cloud.rent(bob)
    networks.share(alice, None, 3, "bob", "receive")
    networks.accept(bob, None, 3)
    refused(Kind.FORBIDDEN, "may only receive, and not send", joined, cloud, bob, second, 3, "send")
    joined(cloud, bob, second, 3)
    assert cloud.machine.allowed == {0: [0, 1], 1: [1]}
    refused(Kind.CONFLICT, "has accepted network 3 with direction receive", networks.share, alice, None, 3, "bob")
    cloud.core._store._writer.execute("UPDATE interface SET direction = 'both' WHERE rank = 1")
    assert "node 1 is in network 3, to which nothing entitles it" in [
        each.what for each in cloud.core.check().findings]
    cloud.core.networks.disconnect(bob, None, second.uuid, 3)
    cloud.settle()
    assert cloud.machine.allowed == {0: [0], 1: [1]}
    refused(Kind.CONFLICT, "no such node", cloud.core.networks.disconnect, bob, None, second.uuid, 3)
    assert cloud.clean()


def test_the_second_slide_s_directed_relation_of_one_way_networks(cloud):
    """0 -> 3, 4; 1 -> 5, 7; 2 -> 1, 5, 6, 7; 3 -> 2, 4, 6; 4 -> 3; 5 -> 1, 7; 6 -> 2, 3; 7 -> 1, 5."""
    wanted = {0: [3, 4], 1: [5, 7], 2: [1, 5, 6, 7], 3: [2, 4, 6], 4: [3], 5: [1, 7], 6: [2, 3], 7: [1, 5]}
    lease = cloud.rent(cloud.owner, 8, new_networks=0)
    for source, destinations in wanted.items():
        network = cloud.core.networks.create(cloud.owner, None).id
        joined(cloud, cloud.owner, lease, network, "send", [source])
        joined(cloud, cloud.owner, lease, network, "receive", destinations)
    assert cloud.machine.allowed == {source: sorted({source, *there}) for source, there in wanted.items()}
    assert cloud.clean()


def test_internal_is_for_everybody_and_external_for_no_pair(cloud):
    alice, bob = cloud.person("alice"), cloud.person("bob")
    cloud.rent(alice, internal=True, external=True)
    cloud.rent(bob, internal=True, external=True)
    cloud.rent(bob, external=True)
    assert cloud.machine.allowed == {0: [0, 1], 1: [0, 1, 2], 2: [1, 2]}
    assert cloud.core.networks.get(alice, 1).nodes == [0] and cloud.core.networks.get(alice, 2).nodes == [0, 1]
    refused(Kind.FORBIDDEN, "nobody's", cloud.core.networks.delete, cloud.owner, None, 2)
    refused(Kind.BAD_REQUEST, "Internal is nobody's", cloud.core.networks.leave, alice, None, 2)
    refused(Kind.CONFLICT, "network 3 is alice's own: khhw ctl network leave 3 --guest USER ends it for a guest, khhw "
            "ctl network delete 3 for all", cloud.core.networks.leave, alice, None, 3)
    assert cloud.clean()


def test_what_a_guest_has_let_on_leaves_with_him(cloud):
    alice, bob = cloud.person("alice"), cloud.person("bob")
    carol = cloud.person("carol", bob)
    cloud.rent(alice)
    cloud.core.networks.share(alice, None, 3, "bob")
    cloud.core.networks.accept(bob, None, 3)
    whole = cloud.rent(bob, 2, networks=[{"network": 3}])
    cloud.rent(bob, user="carol", parent_lease_uuid=whole.uuid, nodes=[2], networks=[{"network": 3}])
    assert cloud.machine.allowed[2] == [0, 1, 2] and [each.id for each in cloud.core.networks.all(carol)] == [1, 2, 3]
    cloud.core.networks.leave(bob, None, 3)
    cloud.settle()
    assert cloud.machine.allowed == {0: [0], 1: [1], 2: [2]} and cloud.clean()
    refused(Kind.NOT_FOUND, "no network 3", cloud.core.networks.get, carol, 3)


def test_a_console_says_which_nodes_are_still_handed_over(cloud):
    alice = cloud.person("alice")
    lease = cloud.core.leases.acquire(alice, None, Acquire(count=2)).lease_uuid
    console = cloud.core.leases.get(alice, lease).console

    def coming():
        found = cloud.core.channels.get(alice, console)
        assert found.nodes[:2] == [0, 1]
        return found.coming

    assert coming() == [0, 1]
    cloud.settle()
    assert coming() == []
    cloud.core.leases.add(alice, None, lease, LeaseChange(count=1))
    assert coming() == [2]
    cloud.settle()
    cloud.machine.switch_off()
    cloud.machine.gone = 1
    cloud.core.step()
    assert coming() == [0, 1, 2], "the machine was switched on again, and holds nothing yet"
    cloud.machine.gone = None
    cloud.settle()
    assert coming() == [] and cloud.clean()


def test_consoles_are_the_lessee_s_and_nobody_else_s(cloud):
    alice, bob = cloud.person("alice"), cloud.person("bob")
    carol = cloud.person("carol", alice)
    channels = cloud.core.channels
    lease = cloud.rent(alice, 2)
    node = cloud.core.nodes.all(alice)[0].console
    console = channels.get(alice, lease.console)
    assert console.nodes == [0, 1] and console.rights == ["listen", "write", "share"]
    assert channels.get(alice, node).nodes == [0] and channels.get(alice, node).send_id == console.send_id
    assert [each.id for each in channels.all(alice)] == [lease.console, node, node + 1]
    for who in (bob, cloud.owner, carol):
        refused(Kind.NOT_FOUND, "no console con2", channels.get, who, lease.console)
        refused(Kind.NOT_FOUND, "no console con2", channels.share, who, None, lease.console, "bob")
        assert channels.all(who) == []
    channels.share(alice, None, lease.console, "bob")
    assert channels.get(bob, lease.console).rights == ["listen"] and channels.get(bob, lease.console).shares == []
    channels.share(alice, None, lease.console, "bob", write=True)
    assert channels.get(bob, lease.console).rights == ["listen", "write"]
    refused(Kind.FORBIDDEN, "alice's", channels.share, bob, None, lease.console, "carol")
    channels.unshare(bob, None, lease.console, "bob")
    refused(Kind.NOT_FOUND, "no console", channels.get, bob, lease.console)
    part = cloud.rent(alice, user="carol", parent_lease_uuid=lease.uuid, nodes=[0])
    assert channels.get(alice, node).rights == [] and not channels.get(alice, node).open
    assert channels.get(carol, part.console).nodes == [0]
    refused(Kind.NOT_FOUND, "no console", channels.get, alice, part.console)
    channels.share(alice, None, lease.console, "bob")
    cloud.core.leases.release(alice, None, lease.uuid)
    assert not channels.get(alice, lease.console).open and channels.all(alice) == []
    refused(Kind.NOT_FOUND, "no console", channels.get, bob, lease.console)
    refused(Kind.CONFLICT, "nobody is at con2", channels.share, alice, None, lease.console, "bob")


def test_only_the_owner_approves_images(cloud):
    alice, digest = cloud.person("alice"), "ab" * 32
    approvals = cloud.core.approvals
    refused(Kind.FORBIDDEN, "only the owner", approvals.approve, alice, None, digest, "mine")
    refused(Kind.BAD_REQUEST, "64 hexadecimal", approvals.approve, cloud.owner, None, digest.upper(), "shell")
    approvals.approve(cloud.owner, None, digest, "shell")
    cloud.settle()
    assert cloud.machine.images == [digest] and approvals.all(alice)[0].name == "shell"
    cloud.machine.switch_off()
    cloud.settle()
    assert cloud.machine.images == [digest], "a machine that was switched on knows none, and is told again"
    refused(Kind.FORBIDDEN, "only the owner", approvals.withdraw, alice, None, digest)
    approvals.withdraw(cloud.owner, None, digest)
    cloud.settle()
    assert cloud.machine.images == []
    refused(Kind.NOT_FOUND, "no image", approvals.withdraw, cloud.owner, None, digest)


def test_what_strangers_learn_of_nodes(cloud):
    alice, bob = cloud.person("alice"), cloud.person("bob")
    cloud.rent(alice, purpose="secret")
    node = cloud.core.nodes.all(bob)[0]
    assert (node.state, node.project, node.lease_uuid, node.networks, node.console) == ("ready", None, None, [], None)
    intents = cloud.core.intents
    mine = cloud.core.leases.acquire(alice, None, Acquire())
    assert intents.all(alice) == [mine] and intents.all(bob) == []
    refused(Kind.NOT_FOUND, "no intent", intents.get, bob, mine.id)
    cloud.settle()
    assert intents.get(alice, mine.id).state == "done" and intents.all(alice) == []
    assert len(intents.all(alice, open=False)) == 2


def test_the_audit_keeps_no_more_of_a_request_than_a_machine_has_nodes_for(cloud):
    alice = cloud.person("alice")
    lease = cloud.rent(alice)
    before = len(cloud.core.audit(alice))
    refused(Kind.BAD_REQUEST, "name each node and each network once", joined, cloud, alice, lease, 3,
            nodes=[0] * 100_000)
    assert len(cloud.core.audit(alice)) == before
