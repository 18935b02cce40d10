"""Archives of the audit: what they hold, and what is found when they, or the store, were changed."""

import hashlib
import json
import sqlite3
from contextlib import closing

import pytest

from khhw.cli import main
from khhw.cloud.errors import Kind, StoreError
from tests.cloud.clouds import refused
from tests.cloud.test_core_files import files_of_at_most


@pytest.fixture
def busy(cloud):
    """With some entries in its audit."""
    cloud.rent(cloud.person("alice"))
    return cloud


def findings(cloud, *archives):
    return [each.what for each in cloud.core.check(archives=archives).findings]


def rewritten(path, change):
    """An archive, with its lines changed."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    change(lines)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_the_chain_goes_on_from_an_archive(busy, tmp_path):
    before = busy.core.audit(busy.owner, limit=1000)
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    made = busy.core.archive_audit(first, keep=1)
    assert (made.first, made.last, made.file) == (1, len(before) - 1, "first.jsonl")
    assert made.sha256 == hashlib.sha256(first.read_bytes()).hexdigest() and first.stat().st_mode & 0o777 == 0o600
    header, *entries = map(json.loads, first.read_text().splitlines())
    assert [entry["hash"] for entry in entries] == [entry.hash for entry in before[:-1]]
    assert set(header["principals"].values()) == {"owner", "alice"}
    # As docs/cloud.md says how a hash is made, for whoever has no khhw.
    hashes = [header["before"]]
    for entry in entries:
        fields = [entry[name] for name in ("number", "at", "cycle", "principal", "operation", "arguments", "result")]
        hashes.append(hashlib.sha256(json.dumps([hashes[-1], *fields]).encode()).hexdigest())
    assert hashes[1:] == [entry["hash"] for entry in entries]

    left = busy.core.audit(busy.owner, limit=1000)
    assert left[0] == before[-1] and [entry.operation for entry in left[1:]] == ["audit archive"]
    assert left[1].principal == "-" and left[1].arguments["sha256"] == made.sha256
    busy.rent(busy.person("bob"))
    again = busy.core.archive_audit(second, keep=0)
    assert again.first == made.last + 1
    found = busy.core.check(archives=[first, second])
    assert found.findings == [] and (found.audit_entries, found.archived_entries, found.archives) == (1, again.last, 2)
    assert findings(busy, second) == [] and busy.clean()
    with busy.core._store.read() as db:
        assert db.execute("PRAGMA freelist_count").fetchone()[0] == 0, "the disk has its room back"
    busy.core.close()
    busy.open()
    busy.settle()
    assert busy.clean()


def test_what_was_changed_in_an_archive_is_found(busy, tmp_path):
    path = tmp_path / "audit.jsonl"
    last = busy.core.archive_audit(path, keep=1).last
    whole = path.read_bytes()

    def found(change):
        path.write_bytes(whole)
        rewritten(path, change)
        return findings(busy, path)

    def change(name, value, line=2):
        return lambda lines: lines[line].__setitem__(name, value)

    assert found(change("result", "x")) == [
        f"{path}: audit: entry 2 is not as it was written", f"{path}: it is not as it was written"]
    assert found(lambda lines: lines.pop(2))[0] == f"{path}: audit: there is no entry 2; it was taken out"
    assert found(lambda lines: lines.pop()) == [
        f"{path}: the store knows of no archive that ends with entry {last - 1}"]
    assert found(change("before", "1" * 64, 0))[0] == (
        f"{path}: it does not begin behind the archive before it: entry 0 had another hash")
    assert found(change("principals", {}, 0)) == [f"{path}: it is not as it was written"]
    assert found(change("machine", "another", 0)) == [f"{path}: no archive of this cloud"]
    for data in (b"", b"{}\n", b"[]\n", b"no JSON", whole[:-20], whole + b"\n"):
        path.write_bytes(data)
        assert "no archive of an audit log" in findings(busy, path)[0], data
    path.write_bytes(whole)
    assert findings(busy, path) == []
    with pytest.raises(StoreError, match="cannot be read: No such file"):
        findings(busy, tmp_path / "nothing")


def test_entries_that_are_taken_out_otherwise_are_found(busy):
    with closing(sqlite3.connect(busy.state / "cloud.db", isolation_level=None)) as db:
        hashed, = db.execute("SELECT hash FROM audit WHERE number = 3").fetchone()
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute("DELETE FROM audit WHERE number < 3")
        db.execute("INSERT INTO archive VALUES (3, ?, 'nowhere', ?)", (hashed, "0" * 64))
        db.execute("DELETE FROM audit WHERE number <= 3")
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute("DELETE FROM audit")
        for statement in ("UPDATE archive SET hash = ''", "DELETE FROM archive"):
            with pytest.raises(sqlite3.IntegrityError, match="archives stay"):
                db.execute(statement)
    assert findings(busy) == ["audit: entries up to 3 are gone, and no entry tells of their archive"]


def test_what_cannot_be_archived_changes_nothing(busy, tmp_path):
    path, before = tmp_path / "audit.jsonl", busy.core.audit(busy.owner, limit=1000)
    refused(Kind.CONFLICT, "nothing to archive: the audit log has no more than 1,000 entries here",
            busy.core.archive_audit, path, keep=1000)
    refused(Kind.BAD_REQUEST, "--keep takes a number from 0", busy.core.archive_audit, path, keep=-1)
    refused(Kind.BAD_REQUEST, "the name of an archive", busy.core.archive_audit, tmp_path / "a\nb", keep=0)
    with pytest.raises(StoreError, match="cannot be written: No such file"):
        busy.core.archive_audit(tmp_path / "nowhere" / "audit.jsonl", keep=0)
    with files_of_at_most(100), pytest.raises(StoreError, match="cannot be written: File too large"):
        busy.core.archive_audit(path, keep=0)
    busy.core._store._writer.execute("CREATE TRIGGER torn BEFORE INSERT ON archive BEGIN SELECT raise(ABORT, 'x'); END")
    with pytest.raises(sqlite3.IntegrityError):
        busy.core.archive_audit(path, keep=0)
    busy.core._store._writer.execute("DROP TRIGGER torn")
    assert list(tmp_path.glob("**/*jsonl")) == [] and busy.core.audit(busy.owner, limit=1000) == before
    path.write_text("something of mine")
    with pytest.raises(StoreError, match="cannot be written: File exists"):
        busy.core.archive_audit(path, keep=0)
    assert path.read_text() == "something of mine" and busy.clean()


def test_an_archive_takes_no_name_of_the_store(busy, tmp_path):
    """SQLite removes a file of such a name when the store is opened again, and the entries with it."""
    state = busy.core._store.folder
    for name in ("cloud.db-journal", "cloud.db.new"):
        refused(Kind.BAD_REQUEST, "a name that the store's own files have", busy.core.archive_audit, state / name,
                keep=0)
        assert not (state / name).exists()
    assert busy.clean()


@pytest.mark.parametrize("text", [
    "[" * 200_000, '{"first": Infinity}', '{"first": 1180591620717411303424, "before": "0"}', None])
def test_what_is_no_archive_is_a_finding(busy, tmp_path, text):
    path = tmp_path / "audit.jsonl"
    busy.core.archive_audit(path, keep=0)
    if text is None:
        rewritten(path, lambda lines: lines[-1].update(number=[1]))
    else:
        path.write_text(text)
    (found,) = findings(busy, path)
    assert "no archive of an audit log: " in found


def test_as_people_type_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    machine = tmp_path / "machine.toml"
    machine.write_text("[torus]\nshape = [2, 2, 1]\n")
    about = (str(machine), "--state", "cloud")
    assert main(["cloud", "init", *about]) == 0
    assert main(["cloud", "audit", *about, "--archive", "audit.jsonl"]) == 2
    assert "nothing to archive" in capsys.readouterr().err
    assert main(["cloud", "audit", *about, "--archive", "audit.jsonl", "--keep", "0"]) == 0
    assert "entries 1 to 1 of the audit log are in audit.jsonl" in capsys.readouterr().out
    assert main(["cloud", "check", *about]) == 0
    assert "1 entries of the audit log, 1 more in archives (0 looked at)" in capsys.readouterr().out
    assert main(["cloud", "check", *about, "--archive", "audit.jsonl"]) == 0
    assert "1 more in archives (1 looked at)" in capsys.readouterr().out
    rewritten(tmp_path / "audit.jsonl", lambda lines: lines[1].update(result="x"))
    assert main(["cloud", "check", *about, "--archive", "audit.jsonl", "--json"]) == 1
    assert "entry 1 is not as it was written" in capsys.readouterr().out
