"""The folder of a sweep: files are whole or not there."""

import errno
import json
import os
import resource
import signal

import pytest

from khhw.errors import RequestError
from khhw.sweep.grid import curves
from khhw.sweep.reading import load
from khhw.sweep.store import Record, Store, WriteError, write_whole
from tests.sweep.fake import measure
from tests.sweep.specs import written


@pytest.fixture
def record(tmp_path):
    point = curves(load(written(tmp_path)), tmp_path)[0].at(0.1)
    return Record(id=point.identity("build", "v"), point=point, build="build", version="v", state="done",
                  measurement=measure(point), worker="here", lost_workers=2)


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "out").opened() as store:
        yield store


def test_reads_what_it_saved(store, record):
    store.save(record)
    assert store.read(record.id) == record
    assert len(store) == 1


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"{}", b'"text"', b"\xff\xfe"])
def test_what_is_no_record_is_as_if_not_there(store, record, damage):
    store.save(record)
    (path,) = (store.folder / "points").iterdir()
    path.write_bytes(damage)
    assert store.read(record.id) is None
    assert store.broken == [path]


def test_a_record_under_another_name_is_not_taken(store, record):
    store.save(record)
    (path,) = (store.folder / "points").iterdir()
    path.rename(path.with_name("0123456789abcdef.json"))
    assert store.read("0123456789abcdef") is None


def test_one_sweep_at_a_time(store):
    with pytest.raises(RequestError, match="another sweep is running"):
        with Store(store.folder).opened():
            raise AssertionError


def test_what_a_killed_one_was_writing_is_cleared(tmp_path):
    points = tmp_path / "out" / "points"
    points.mkdir(parents=True)
    (points / ".part-abc").write_text('{"half')
    (tmp_path / "out" / ".part-xyz").mkdir()
    (tmp_path / "out" / ".part-xyz" / "page").write_text("half")
    with Store(tmp_path / "out").opened():
        assert not list((tmp_path / "out").rglob(".part-*"))


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match=r"cannot write to .*file/out.*-o"):
        with Store(tmp_path / "file" / "out").opened():
            raise AssertionError


class TestFullDisk:
    def test_nothing_is_half_written(self, tmp_path, monkeypatch):
        path = tmp_path / "point.json"
        write_whole(path, b"before")

        def full(_descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(WriteError, match=r"cannot write .*point\.json: No space left on device; make room"):
            write_whole(path, b"after")
        assert path.read_bytes() == b"before"
        assert list(tmp_path.iterdir()) == [path]

    def test_a_real_one(self, store, record):
        """A folder behind which there is no room: a file may not grow past what the system allows it."""
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
        try:
            with pytest.raises(WriteError, match="File too large"):
                store.save(record)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)
        assert list((store.folder / "points").iterdir()) == []
        store.save(record)
        assert json.loads(next((store.folder / "points").iterdir()).read_text())["id"] == record.id
