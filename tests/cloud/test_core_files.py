"""Files of a state folder: whose they are, and what is left where the disk is full or something was cut off."""

import resource
import stat
from contextlib import contextmanager

import pytest

from khhw.cloud.core import Core
from khhw.cloud.errors import StoreError
from khhw.cloud.ssh import HOST_KEY, host_key
from khhw.cloud.tls import CERTIFICATE, KEY, certificate_for, server_context, write_secret
from khhw.errors import RequestError
from tests.cloud.recorded import RecordedMachine


@contextmanager
def files_of_at_most(size):
    """As on a disk that is full, files of this process grow no further."""
    before, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))


def permissions(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_folder_that_was_there_is_its_users_only_from_then_on(tmp_path):
    """Others could lock the service out, with a lock of a file that they can read."""
    machine, state = RecordedMachine(tmp_path), tmp_path / "state"
    state.mkdir(mode=0o755)
    Core.init(state, machine.info)
    assert permissions(state) == 0o700
    core = Core.open(state, machine.info)
    assert {path.name: permissions(path) for path in state.iterdir()} == dict.fromkeys(
        ("cloud.db", "cloud.db-wal", "cloud.db-shm", "lock"), 0o600)
    core.close()


@pytest.mark.parametrize("size", [0, 100_000])
def test_no_cloud_is_made_where_there_is_no_room(tmp_path, size):
    machine = RecordedMachine(tmp_path)
    with files_of_at_most(size), pytest.raises(StoreError, match="no cloud can be made there"):
        Core.init(tmp_path / "state", machine.info)
    assert list((tmp_path / "state").iterdir()) == []


def test_no_cloud_is_served_where_there_is_no_room(tmp_path):
    machine = RecordedMachine(tmp_path)
    token = Core.init(tmp_path / "state", machine.info)
    with files_of_at_most(0), pytest.raises(StoreError, match="cannot be read: disk I/O error"):
        Core.open(tmp_path / "state", machine.info)
    core = Core.open(tmp_path / "state", machine.info)
    assert core.principals.authenticate(token).is_owner
    core.close()


def test_a_secret_is_whole_or_not_there(tmp_path):
    with files_of_at_most(100), pytest.raises(OSError, match="too large"):
        write_secret(tmp_path / "secret", b"x" * 1000)
    with files_of_at_most(100), pytest.raises(OSError, match="too large"):
        host_key(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == []
    assert host_key(tmp_path).export_public_key() == host_key(tmp_path).export_public_key()


def test_keys_that_were_cut_off_are_made_anew(tmp_path):
    for name in (KEY, f"{KEY}.new", f"{HOST_KEY}.new"):
        (tmp_path / name).write_bytes(b"half a k")
    server_context(*certificate_for(tmp_path, ()))
    host_key(tmp_path)
    assert {path.name: permissions(path) for path in tmp_path.iterdir()} == {
        KEY: 0o600, CERTIFICATE: 0o644, HOST_KEY: 0o600}


def test_a_key_that_is_none(tmp_path):
    (tmp_path / HOST_KEY).write_bytes(b"")
    with pytest.raises(RequestError, match=r"holds no key of ssh .* remove it, and a new one is made"):
        host_key(tmp_path)
