"""An orderly end of the machine: what leases have used in this boot is read before, and kept, whatever is cut off."""

import itertools
import os

import pytest

from khhw.cloud import crash
from khhw.cloud.core import Core
from khhw.cloud.machine import MachineFaultError
from khhw.cloud.models import Acquire
from khhw.cloud.stays import stays
from tests.cloud.clouds import Cloud
from tests.cloud.recorded import RecordedMachine


@pytest.fixture
def cloud(tmp_path):
    made = Cloud(tmp_path / "cloud")
    yield made
    made.core.close()


def used(cloud, who, lease):
    """Rank, boot and packets sent of each stay; None of one without an end."""
    return [(stay.begin.rank, stay.begin.boot, stay.used and stay.used["own_sent_packets"])
            for stay in stays(cloud.core.leases.readings(who, lease))]


def sends(cloud, rank, count):
    """A node has sent so many packets in all."""
    state = cloud.machine._state()
    cloud.machine._write(state | {"sent": state["sent"] | {str(rank): count}})


def test_what_was_used_in_a_boot_is_kept_and_the_next_boot_counts_anew(cloud):
    alice = cloud.person("alice")
    lease = cloud.rent(alice, 2)
    sends(cloud, 1, 5000)
    assert cloud.core.switch_off(cloud.machine) == [0, 1] and not cloud.machine.alive
    assert used(cloud, alice, lease.uuid) == [(0, 1, 1000), (1, 1, 5000)]
    cloud.settle()
    assert used(cloud, alice, lease.uuid) == [(0, 1, 1000), (1, 1, 5000), (0, 2, None), (1, 2, None)]
    cloud.core.leases.release(alice, None, lease.uuid)
    cloud.settle()
    assert used(cloud, alice, lease.uuid) == [(0, 1, 1000), (1, 1, 5000), (0, 2, 1000), (1, 2, 1000)]
    assert cloud.clean()


def test_a_machine_that_was_read_and_runs_on_is_read_again(cloud):
    alice = cloud.person("alice")
    lease = cloud.rent(alice)
    off, cloud.machine.switch_off = cloud.machine.switch_off, lambda: None
    for sent in (2000, 3000):
        sends(cloud, 0, sent)
        cloud.core.switch_off(cloud.machine)
        assert used(cloud, alice, lease.uuid) == [(0, 1, sent)]
    sends(cloud, 0, 4000)
    cloud.core.leases.release(alice, None, lease.uuid)
    cloud.settle()
    assert used(cloud, alice, lease.uuid) == [(0, 1, 4000)]
    cloud.machine.switch_off = off


def test_a_change_that_is_on_its_way_is_carried_out_before(cloud):
    alice = cloud.person("alice")
    lease = cloud.rent(alice)
    sends(cloud, 0, 1500)
    cloud.core.leases.release(alice, None, lease.uuid)
    coming = cloud.core.leases.acquire(alice, None, Acquire(nodes=[3]))
    assert cloud.core.switch_off(cloud.machine) == [3]
    assert used(cloud, alice, lease.uuid) == [(0, 1, 1500)]
    assert used(cloud, alice, coming.lease_uuid) == [(3, 1, 1000)]


def test_of_a_boot_that_nobody_has_served_nothing_is_kept(cloud):
    alice = cloud.person("alice")
    lease = cloud.rent(alice)
    cloud.machine.switch_off()
    cloud.machine.connect()
    assert cloud.core.switch_off(cloud.machine) == []
    assert used(cloud, alice, lease.uuid) == [(0, 1, None)]


def test_a_machine_that_cannot_be_read_is_not_switched_off_here(cloud, monkeypatch):
    cloud.rent(cloud.person("alice"))

    def broken(tag, ranks):
        raise MachineFaultError("node 0 does not answer")

    monkeypatch.setattr(cloud.machine, "read", broken)
    with pytest.raises(MachineFaultError):
        cloud.core.switch_off(cloud.machine)
    assert cloud.machine.alive


@pytest.mark.parametrize(("crash_at", "kept"), [(1, False), (2, False), (3, True), (4, True)])
def test_whenever_it_is_killed_it_can_be_done_again(tmp_path, crash_at, kept):
    """Behind the reading; in front of and behind the end of its transaction; in front of the machine's end."""
    cloud = Cloud(tmp_path / "cloud")
    alice = cloud.person("alice")
    lease = cloud.rent(alice, 2)
    cloud.core.close()
    process = os.fork()
    if process == 0:
        try:
            crash._passed = itertools.count(1)
            os.environ["KHHW_CRASH_AT"] = str(crash_at)
            machine = RecordedMachine(tmp_path / "cloud")
            machine.connect()
            Core.open(cloud.state, machine.info).switch_off(machine)
        finally:
            os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(process, 0)[1]), "it was killed"
    cloud.open()
    assert used(cloud, alice, lease.uuid) == [(rank, 1, 1000 if kept else None) for rank in (0, 1)]
    cloud.machine.connect()
    assert cloud.core.switch_off(cloud.machine) == [0, 1]
    assert used(cloud, alice, lease.uuid) == [(0, 1, 1000), (1, 1, 1000)]
    cloud.settle()
    assert cloud.clean()
    cloud.core.close()
