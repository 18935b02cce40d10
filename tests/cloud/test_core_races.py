"""Several at once: one wins, and the others are told so."""

import threading
from collections import Counter

from khhw.cloud.errors import CloudError, Kind
from khhw.cloud.models import Acquire, Quota
from tests.cloud.clouds import PLENTY


def at_once(*dos):
    """Do all of them in threads of their own; what each gave, or why it was refused."""
    found = [None] * len(dos)
    start = threading.Barrier(len(dos))

    def run(index, do):
        start.wait()
        try:
            found[index] = do()
        except CloudError as error:
            found[index] = error

    threads = [threading.Thread(target=run, args=each) for each in enumerate(dos)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_the_last_node_goes_to_one_of_two_a_hundred_times(cloud):
    people = [cloud.person("alice"), cloud.person("bob")]
    cloud.rent(cloud.owner, 7)
    wins = Counter()
    for _ in range(100):
        found = at_once(*(lambda who=who: cloud.core.leases.acquire(who, None, Acquire()) for who in people))
        lost, = (each for each in found if isinstance(each, CloudError))
        assert (lost.kind, lost.sentence) == (
            Kind.CONFLICT, "not enough nodes available: 1 wanted, and 0 are free")
        cloud.settle()
        winner = next(index for index, each in enumerate(found) if each is not lost)
        wins[winner] += 1
        lease = cloud.lease(people[winner], found[winner])
        assert lease.nodes == [7] and cloud.machine.allowed[7] == [7]
        cloud.core.leases.release(people[winner], None, lease.uuid)
        cloud.settle()
    assert wins.total() == 100 and cloud.clean()


def test_one_key_at_once_is_one_lease(cloud):
    alice = cloud.person("alice")
    answers = at_once(*[lambda: cloud.core.leases.acquire(alice, "k", Acquire(count=2))] * 6)
    assert len({answer.id for answer in answers}) == 1 and len(cloud.core.leases.all(alice)) == 1


def test_a_quota_is_not_got_round_by_two_at_once(cloud):
    alice = cloud.person("alice", quota=PLENTY.model_copy(update={"nodes": 3}))
    carol = cloud.person("carol", alice)
    for _ in range(10):
        found = at_once(*(
            lambda who=who: cloud.core.leases.acquire(who, None, Acquire(count=2)) for who in (alice, carol)))
        refused, = (each for each in found if isinstance(each, CloudError))
        assert refused.quota
        for lease in cloud.core.leases.all(alice):
            cloud.core.leases.release(alice, None, lease.uuid)
        cloud.settle()
    assert cloud.clean()


def test_a_lease_that_is_released_by_two_at_once_ends_once(cloud):
    alice = cloud.person("alice")
    lease = cloud.rent(alice, 2)
    found = at_once(*[lambda: cloud.core.leases.release(alice, None, lease.uuid)] * 2)
    assert [each.kind for each in found if isinstance(each, CloudError)] == [Kind.CONFLICT]
    cloud.settle()
    assert cloud.clean()


def test_many_people_while_the_machine_follows(cloud):
    """Leases come and go, in threads, while another one carries them out."""
    # More than the machine has: it is nodes that are lacking, and nobody's quota.
    callers = [cloud.person(f"p{number}", quota=Quota(nodes=80, networks=80, leases=80)) for number in range(4)]
    stop = threading.Event()

    def follow():
        while not stop.is_set():
            if not cloud.core.step():
                cloud.core.wait(0.01)

    def live(who):
        for turn in range(10):
            try:
                intent = cloud.core.leases.acquire(who, f"{turn}", Acquire(count=1 + turn % 3))
                if turn % 2:
                    cloud.core.leases.release(who, None, intent.lease_uuid)
            except CloudError as error:
                assert error.kind == Kind.CONFLICT, error.sentence
                for lease in cloud.core.leases.all(who):
                    if lease.status in ("active", "wait fulfill"):
                        cloud.core.leases.release(who, None, lease.uuid)

    follower = threading.Thread(target=follow)
    follower.start()
    found = at_once(*(lambda who=who: live(who) for who in callers))
    assert found == [None] * len(callers)
    stop.set()
    follower.join()
    cloud.settle()
    assert cloud.clean()
