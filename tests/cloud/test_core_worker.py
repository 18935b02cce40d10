"""What makes the machine follow: several changes at once, power cuts, a machine that does not answer or differs."""

import dataclasses

from khhw.cloud.errors import Kind
from khhw.cloud.machine import MachineGoneError
from khhw.cloud.models import Acquire, Connection
from tests.cloud.clouds import refused


def test_changes_that_wait_are_carried_out_together(cloud):
    alice, bob = cloud.person("alice"), cloud.person("bob")
    before = len(cloud.machine.log)
    first = cloud.core.leases.acquire(alice, None, Acquire(count=2))
    second = cloud.core.leases.acquire(bob, None, Acquire(count=2))
    cloud.core.leases.release(alice, None, first.lease_uuid)
    cloud.settle()
    assert cloud.machine.log[before:] == [[second.revision + 1, [0, 1, 2, 3]]]
    assert cloud.states()[:4] == ["free", "free", "ready", "ready"] and cloud.clean()
    ended = cloud.core.leases.get(alice, first.lease_uuid)
    assert ended.status == "deleted"
    assert ended.boots[0].cycle_start == ended.boots[0].cycle_end, "it had them for no time"


def test_a_power_cut_leaves_leases_and_empties_nodes(cloud):
    alice = cloud.person("alice")
    lease = cloud.rent(alice, 2, seconds=100)
    leaving = cloud.rent(alice, 1)
    cloud.machine.pass_time(10_000)
    cloud.core.step()
    seconds = cloud.core.time().seconds
    cloud.core.leases.release(alice, None, leaving.uuid)
    coming = cloud.core.leases.acquire(alice, None, Acquire())
    cloud.machine.switch_off()
    cloud.settle()
    time = cloud.core.time()
    assert time.boot == 2 and seconds <= time.seconds < seconds + 1, "no time passes while it is off"
    assert cloud.states() == ["cold", "cold", "free", "ready", "free", "free", "free", "free"]
    assert cloud.machine.allowed == {0: [0, 1, 3], 1: [0, 1, 3], 3: [0, 1, 3]} and cloud.clean()
    after = cloud.core.leases.get(alice, lease.uuid)
    assert after.status == "active" and after.end_time == lease.end_time
    assert [(each.boot, each.cycle_end) for each in after.boots] == [(1, 10_300), (2, None)]
    # What was on its way out when the power was cut has no reading of the boot after.
    assert [each.boot for each in cloud.core.leases.get(alice, leaving.uuid).boots] == [1]
    assert [each.boot for each in cloud.core.leases.get(alice, coming.lease_uuid).boots] == [2]
    cloud.core.leases.warm(alice, None, lease.uuid)
    assert cloud.states()[:2] == ["ready", "ready"] and cloud.clean()
    cloud.core.leases.release(alice, None, lease.uuid)
    cloud.settle()
    boots = cloud.core.leases.get(alice, lease.uuid).boots
    assert [each.boot for each in boots] == [1, 2] and boots[0].cycle_end == 10_300 and boots[1].cycle_end is not None


def test_a_power_cut_while_the_machine_is_at_it(cloud):
    """What a machine says that is in another boot than was known is worth nothing."""
    alice = cloud.person("alice")
    real = cloud.machine.apply

    def cut(revision):
        cloud.machine.apply = real
        real(revision)
        cloud.machine.switch_off()
        cloud.machine.connect()
        return real(revision)

    cloud.machine.apply = cut
    intent = cloud.core.leases.acquire(alice, None, Acquire())
    assert cloud.core.step() and cloud.core.intents.get(alice, intent.id).state == "queued"
    cloud.settle()
    assert cloud.lease(alice, intent).boots[0].boot == 2 and cloud.clean()


def test_a_machine_that_does_not_answer_is_asked_again(cloud):
    alice = cloud.person("alice")
    intent = cloud.core.leases.acquire(alice, "k", Acquire())
    cloud.machine.gone = 1
    assert not cloud.core.step()
    time = cloud.core.time()
    assert not time.running and time.trouble == "the machine does not answer"
    waiting = cloud.core.intents.get(alice, intent.id)
    assert (waiting.state, waiting.error) == ("queued", "the machine does not answer")
    assert cloud.core.leases.acquire(alice, "k", Acquire()) == intent
    cloud.machine.gone = None
    cloud.settle()
    done = cloud.core.intents.get(alice, intent.id)
    assert (done.state, done.error) == ("done", None) and cloud.core.time().running and cloud.clean()


def test_a_lost_answer_is_asked_for_again_and_counted_once(cloud):
    alice = cloud.person("alice")
    lease = cloud.rent(alice)
    real, calls = cloud.machine.apply, []

    def lost(revision):
        calls.append(revision)
        real(revision)
        cloud.machine.gone = 0
        cloud.machine.apply = real
        cloud.machine._asked()

    cloud.machine.apply = lost
    cloud.core.leases.release(alice, None, lease.uuid)
    assert not cloud.core.step() and len(calls) == 1
    cloud.machine.gone = None
    cloud.settle()
    begin, end = cloud.core.leases.readings(alice, lease.uuid)
    assert end.counters["own_sent_packets"] - begin.counters["own_sent_packets"] == 1000 and cloud.clean()


def test_a_machine_that_holds_something_else_is_made_to_hold_what_the_store_says(cloud):
    alice = cloud.person("alice")
    cloud.rent(alice, 2)
    keys = cloud.machine._state()["keys"]
    cloud.machine._write(cloud.machine._state() | {
        "allowed": {"0": [1, 5]}, "keys": keys | {"1": [77, 15, 77]}, "held": [2, 3, 4, 5, 6]})
    cloud.core.close()
    cloud.open()
    cloud.settle()
    assert cloud.clean() and cloud.states()[:2] == ["ready", "cold"], "only what cannot be put right otherwise is lost"
    assert [each.operation for each in cloud.core.audit(cloud.owner)][-4:] == [
        "repair", "carried out", "repair", "carried out"]


def test_a_machine_that_cannot_be_put_right_is_told(cloud):
    cloud.rent(cloud.person("alice"), 2)
    real = cloud.machine.nodes
    cloud.machine.nodes = lambda: [dataclasses.replace(state, committed=False) for state in real()]
    cloud.core.close()
    cloud.open()
    cloud.settle()
    assert "does not hold what it was told" in cloud.core.time().trouble


def test_a_machine_of_an_earlier_boot_is_not_believed(cloud):
    cloud.rent(cloud.person("alice"))
    cloud.machine.switch_off()
    cloud.machine._write({"boot": -1})
    cloud.settle()
    assert "not the one of this store" in cloud.core.time().trouble


def test_time_never_runs_back(cloud):
    cloud.machine.pass_time(5000)
    cloud.core.step()
    before = cloud.core.time().seconds
    cloud.core.close()
    cloud.machine.switch_off()
    cloud.open()
    cloud.settle()
    assert cloud.core.time().seconds >= 0 and cloud.core.time().boot == 2
    cloud.core.close()
    cloud.open()
    cloud.settle()
    assert cloud.core.time().boot == 2 and before >= 5


def test_nothing_to_do_makes_no_revision(cloud):
    alice = cloud.person("alice")
    lease = cloud.rent(alice)
    before = cloud.machine.log
    intent = cloud.core.networks.connect(alice, None, lease.uuid, Connection(network=1))
    assert (intent.state, intent.revision) == ("done", None)
    cloud.settle()
    assert cloud.machine.log == before and cloud.core.leases.get(alice, lease.uuid).external and cloud.clean()


def test_states_on_the_way(cloud):
    alice = cloud.person("alice")
    lease = cloud.rent(alice)
    seen = []
    real = cloud.machine.apply

    def watched(revision):
        seen.append((cloud.states()[:2], cloud.core.intents.all(alice)[0].state))
        return real(revision)

    cloud.machine.apply = watched
    cloud.core.leases.release(alice, None, lease.uuid)
    cloud.core.leases.acquire(alice, None, Acquire(nodes=[1]))
    assert cloud.states()[:2] == ["draining", "reserved"]
    cloud.settle()
    assert seen == [(["cleaning", "configuring"], "running")] and cloud.states()[:2] == ["free", "ready"]
    refused(Kind.NOT_FOUND, "no intent", cloud.core.intents.get, alice, "x")


def test_what_is_carried_out_and_not_acknowledged_is_asked_for_again_before_what_came_after(cloud):
    """Whose packets they are is in the answer that was lost, not in the one to the next revision."""
    alice, bob = cloud.person("alice"), cloud.person("bob")
    cloud.person("dora", alice)
    whole = cloud.rent(alice, 2)
    part = cloud.core.leases.acquire(alice, None, Acquire(user="dora", nodes=[0], parent_lease_uuid=whole.uuid))
    real, before = cloud.machine.apply, len(cloud.machine.log)

    def lost(revision):
        real(revision)
        raise MachineGoneError("the answer is lost")

    cloud.machine.apply = lost
    cloud.core.step()
    cloud.machine.apply = real
    other = cloud.core.leases.acquire(bob, None, Acquire(count=1))
    cloud.settle()
    assert cloud.machine.log[before:] == [[part.revision, [0]], [other.revision, [2]]], "node 0 is handed over once"
    used = [reading for lease in (whole.uuid, part.lease_uuid) for reading in cloud.core.leases.readings(alice, lease)
            if (reading.rank, reading.tag) == (0, part.revision)]
    assert {reading.moment for reading in used} == {"begin", "end"}
    assert used[0].counters == used[1].counters and used[0].cycle == used[1].cycle
    assert cloud.clean()


def test_a_class_that_texts_may_still_bear_is_given_last(cloud):
    """Also if no revision of the last ones has it: the machine has not had these."""
    alice = cloud.person("alice")
    first = cloud.rent(alice, 1)
    assert first.tree_class == 1
    cloud.core.leases.release(alice, None, first.uuid)
    second = cloud.core.leases.acquire(alice, None, Acquire(count=1))
    cloud.settle()
    assert cloud.core.leases.get(alice, second.lease_uuid).tree_class == 2
