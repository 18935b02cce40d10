"""State folders: what cannot be served, what cannot be written, and what is found damaged."""

import dataclasses
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from khhw.cloud import audit
from khhw.cloud.core import Core
from khhw.cloud.errors import Kind, StoreError
from khhw.cloud.machine_folder import MachineFolder
from khhw.cloud.models import Acquire
from khhw.cloud.store import Store
from tests.cloud.clouds import refused


def test_a_folder_is_made_once_and_opened_once(cloud):
    with pytest.raises(StoreError, match="holds a cloud already"):
        Core.init(cloud.state, cloud.machine.info)
    with pytest.raises(StoreError, match="is served already, by process"):
        Core.open(cloud.state, cloud.machine.info)
    other = (f"from khhw.cloud.store import Store\nfrom pathlib import Path\nStore.open(Path({str(cloud.state)!r}))")
    found = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True)
    assert found.returncode == 1 and "is served already" in found.stderr
    with pytest.raises(StoreError, match="holds no cloud; make one with khhw cloud init"):
        Core.open(cloud.state / "nothing", cloud.machine.info)
    with pytest.raises(StoreError, match="no cloud can be made there"):
        Core.init(cloud.state / "cloud.db" / "under a file", cloud.machine.info)


def test_nobody_comes_in_beside_a_service_whatever_is_removed_by_hand(cloud):
    """A lock is of what cannot be removed but with the state itself."""
    other = [sys.executable, "-c", "import sys; from pathlib import Path; from khhw.cloud.store import Store; "
             "Store.open(Path(sys.argv[1]))", str(cloud.state)]
    for name in ("lock", "cloud.db-shm", "cloud.db-wal"):
        (cloud.state / name).unlink()
        with pytest.raises(StoreError, match="is served already"):
            Core.open(cloud.state, cloud.machine.info)
        found = subprocess.run(other, capture_output=True, text=True)
        assert found.returncode == 1 and "is served already" in found.stderr, name
    cloud.core.close()
    assert subprocess.run(other).returncode == 0


def test_nobody_simulates_beside_a_simulator_whatever_is_removed_by_hand(tmp_path):
    folder = MachineFolder(tmp_path)
    folder.create()
    held = folder.hold()
    for file in folder.path.iterdir():
        file.unlink()
    assert held is not None and MachineFolder(tmp_path).hold() is None
    os.close(held)
    again = MachineFolder(tmp_path).hold()
    assert again is not None
    os.close(again)


def test_another_machine_and_another_schema(cloud, tmp_path):
    cloud.core.close()
    other = dataclasses.replace(cloud.machine.info, shape=(4, 4, 4), digest="e" * 64)
    with pytest.raises(StoreError, match=r"another machine: shape \[2, 2, 2\], not \[4, 4, 4\]; digest d+, not e"):
        Core.open(cloud.state, other)
    db = sqlite3.connect(cloud.state / "cloud.db")
    db.execute("PRAGMA user_version = 7")
    db.close()
    with pytest.raises(StoreError, match="has schema 7, and this khhw reads schema 3"):
        Core.open(cloud.state, cloud.machine.info)
    for data, words in ((b"not a database at all" * 400, "cannot be read: file is not a database"),
                        (b"", "is no store of khhw")):
        for file in cloud.state.glob("cloud.db*"):
            file.unlink()
        (cloud.state / "cloud.db").write_bytes(data)
        with pytest.raises(StoreError, match=words):
            Core.open(cloud.state, cloud.machine.info)
    cloud.core.close()


def test_a_damaged_database_is_not_served(cloud):
    cloud.rent(cloud.person("alice"))
    cloud.core.close()
    file = cloud.state / "cloud.db"
    data = bytearray(file.read_bytes())
    data[8192:12288] = b"\xaa" * 4096
    file.write_bytes(data)
    with pytest.raises(StoreError, match=r"damaged|cannot be read"):
        Core.open(cloud.state, cloud.machine.info)


@pytest.mark.parametrize("damage", [
    "DELETE FROM meta", "DROP TABLE meta", "UPDATE meta SET info = '{'", "UPDATE meta SET info = '7'"])
def test_a_store_that_does_not_know_its_machine_is_not_served(cloud, damage):
    cloud.core.close()
    with closing(sqlite3.connect(cloud.state / "cloud.db", isolation_level=None)) as db:
        db.execute(damage)
    with pytest.raises(StoreError, match="is damaged: its machine cannot be read"):
        Core.open(cloud.state, cloud.machine.info)
    Store.open(cloud.state).close()


def test_a_full_disk_refuses_changes_and_loses_nothing(cloud):
    alice = cloud.person("alice")
    lease = cloud.rent(alice, 2)
    before = cloud.core.audit(cloud.owner)
    db = cloud.core._store._writer
    pages, = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages}")
    refused(Kind.UNAVAILABLE, "the store cannot be used now: database or disk is full; nothing was changed",
            lambda: [cloud.core.principals.create(alice, None, f"p{i}") for i in range(1000)])
    db.execute("PRAGMA max_page_count = 1000000")
    assert cloud.core.leases.get(alice, lease.uuid) == lease
    assert cloud.core.audit(cloud.owner, limit=1000)[:len(before)] == before
    cloud.core.leases.release(alice, None, lease.uuid)
    cloud.settle()
    assert cloud.clean()


def test_a_locked_database_refuses_changes_and_steps_go_on_later(cloud):
    cloud.core._store._writer.execute("PRAGMA busy_timeout = 10")
    alice = cloud.person("alice")
    cloud.core.leases.acquire(alice, None, Acquire())
    db = sqlite3.connect(cloud.state / "cloud.db", isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    refused(Kind.UNAVAILABLE, "database is locked", cloud.core.leases.acquire, alice, None, Acquire())
    assert len(cloud.core.leases.all(alice)) == 1, "readers wait for nobody"
    assert not cloud.core.step() and "locked" in cloud.core.time().trouble
    db.execute("ROLLBACK")
    db.close()
    cloud.settle()
    assert cloud.core.time().trouble is None and cloud.clean()


def test_the_audit_cannot_be_changed_unnoticed(cloud):
    cloud.rent(cloud.person("alice"))
    db = sqlite3.connect(cloud.state / "cloud.db", isolation_level=None)
    for statement in ("UPDATE audit SET result = 'x'", "DELETE FROM audit"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute(statement)
    db.execute("DROP TRIGGER audit_is_not_changed")
    db.execute("DROP TRIGGER audit_is_not_deleted")
    db.execute("UPDATE audit SET result = 'x' WHERE number = 3")
    db.execute("DELETE FROM audit WHERE number = 5")
    db.close()
    assert [each.what for each in cloud.core.check().findings] == [
        "audit: entry 3 is not as it was written", "audit: there is no entry 5; it was taken out"]


def test_the_audit_is_a_chain(cloud):
    """An entry that is changed together with its own hash is told by the next one."""
    cloud.rent(cloud.person("alice"))
    db = cloud.core._store._writer
    db.execute("DROP TRIGGER audit_is_not_changed")
    rows = [tuple(row) for row in db.execute("SELECT * FROM audit WHERE number IN (2, 3) ORDER BY number")]
    changed = (*rows[1][:6], "refused")
    db.execute("UPDATE audit SET result = ?, hash = ? WHERE number = 3", (changed[6], audit._hash(rows[0][7], changed)))
    assert [each.what for each in cloud.core.check().findings] == ["audit: entry 4 is not as it was written"]


def test_the_database_itself_gives_no_node_to_two(cloud):
    cloud.rent(cloud.person("alice"))
    lease = cloud.rent(cloud.person("bob"))
    with pytest.raises(sqlite3.IntegrityError, match=r"UNIQUE constraint failed: lease_node\.rank"):
        cloud.core._store._writer.execute(
            "INSERT INTO lease_node (lease, rank, channel, since) VALUES (?, 0, 99, 9)", (lease.uuid, ))


@pytest.mark.parametrize(("damage", "words"), [
    ("UPDATE lease SET status = 'deleted', live = 0", "still in lease"),
    ("UPDATE node SET state = 'free' WHERE rank = 0", "node 0 is free, and its leases say otherwise"),
    ("UPDATE node SET state = 'reserved' WHERE rank = 0", "nothing will change that"),
    ("DELETE FROM interface", "allows node 0 to send"),
    ("UPDATE interface SET network = 1", "to send to node"),
    ("UPDATE network SET deleted = 1 WHERE id = 3", "to which nothing entitles it"),
    ("UPDATE lease SET console = 99", "other console channels"),
    ("UPDATE lease SET serial = 99", "revision 2 has node 0 in another lease than it is in"),
    ("UPDATE lease_node SET leaf = 0 WHERE rank = 1", "let on and not let on"),
    ("UPDATE intent SET done_at = NULL", "says of revision"),
    ("DELETE FROM reading WHERE rank = 1", "the reading of node 1 at revision 2 is lost"),
    ("UPDATE boot SET number = 5", "in boot 1, and the store knows of 5"),
    ("DELETE FROM principal WHERE name = 'alice'", "a row of lease names what is not in principal"),
    ("UPDATE revision SET allowed = x'00'", "revision 2, or what leases and networks say, cannot be read"),
    ("UPDATE revision SET keys = '{'", "revision 2, or what leases and networks say, cannot be read"),
    ("UPDATE revision SET leases = '[]'", "revision 2, or what leases and networks say, cannot be read"),
    ("UPDATE reading SET counters = 'garbage'", "has counters that no meter has"),
    ("UPDATE reading SET counters = replace(counters, ':', ':-1')", "has counters that no meter has"),
    ("UPDATE principal SET quota = '{bad'", "the quota of alice cannot be read"),
    ("UPDATE principal SET parent = id WHERE name = 'alice'", "principal alice is below nobody"),
    ("UPDATE meta SET applied = revision + 5", "is applied, and the last one made is"),
    ("UPDATE meta SET next_network = 3", "the next network would have number 3"),
    ("UPDATE meta SET next_console = 2", "the next lease would have console 2"),
    ("UPDATE lease SET end_cycle = -1", "ends in cycle -1"),
])
def test_check_finds(cloud, damage, words):
    cloud.rent(cloud.person("alice"), 2)
    assert cloud.clean()
    db = sqlite3.connect(cloud.state / "cloud.db", isolation_level=None)
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute(damage.replace(", live = 0", ""))
    db.close()
    assert any(words in each.what for each in cloud.core.check(cloud.machine).findings)


def test_check_finds_a_machine_that_holds_something_else(cloud):
    cloud.rent(cloud.person("alice"), 2)
    cloud.machine._write(cloud.machine._state() | {"allowed": {"0": [1, 5]}})
    findings = cloud.core.check(cloud.machine).findings
    assert len(findings) >= 1 and "node 0: other tables of revision 2" in findings[0].what


def test_check_finds_a_machine_that_meters_for_other_leases(cloud):
    """Two leases of one network: the hardware is told that they are two."""
    alice = cloud.person("alice")
    cloud.rent(alice, 2)
    cloud.rent(alice, 1)
    assert cloud.clean()
    cloud.machine._write(cloud.machine._state() | {"leases": {"0": 1, "1": 1, "2": 1}})
    assert [each.what.partition(" of")[0] for each in cloud.core.check(cloud.machine).findings] == [
        f"node {rank}: other tables" for rank in range(3)]


def test_texts_and_numbers_that_no_database_takes(cloud):
    refused(Kind.BAD_REQUEST, "half a surrogate pair", cloud.core.principals.get, cloud.owner, "\ud800")
    refused(Kind.NOT_FOUND, "nothing of that number", cloud.core.networks.get, cloud.owner, 1 << 70)
    refused(Kind.NOT_FOUND, "no network -1", cloud.core.networks.get, cloud.owner, -1)
    refused(Kind.NOT_FOUND, "no lease", cloud.core.leases.get, cloud.owner, "\x00' OR 1 --")


def test_readers_see_one_state_while_writers_change_it(cloud):
    alice = cloud.person("alice")
    wrong, stop = [], threading.Event()

    def read():
        while not stop.is_set():
            found = cloud.core.check()
            if not found.clean:
                wrong.append(found)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for _ in range(10):
        lease = cloud.rent(alice, 3)
        cloud.core.leases.release(alice, None, lease.uuid)
        cloud.settle()
    stop.set()
    for reader in readers:
        reader.join()
    assert wrong == []


def test_a_copy_of_the_folder_is_a_backup(cloud):
    alice = cloud.person("alice")
    lease = cloud.rent(alice, 2)
    copy = cloud.state.parent / "copy"
    shutil.copytree(cloud.state, copy)
    cloud.core.leases.release(alice, None, lease.uuid)
    cloud.settle()
    cloud.core.close()
    shutil.rmtree(cloud.state)
    copy.rename(cloud.state)
    cloud.open()
    cloud.settle()
    # The machine had later revisions than this store: it gets what the store says, with numbers behind those.
    assert cloud.core.leases.get(alice, lease.uuid).status == "active" and cloud.states()[0] == "cold" and cloud.clean()


