"""Credentials that people choose: what they cost whoever guesses, and the service."""

import subprocess
import sys
import threading
import time

import pytest

from khhw.cloud import credentials
from khhw.cloud.credentials import hash_credential, is_credential
from khhw.cloud.errors import CloudError, Kind


def test_the_parameters_stand_with_the_hash() -> None:
    """N, r and p as OWASP gives them; what was hashed with others is still known."""
    kept = hash_credential("a credential")
    assert kept.startswith("scrypt$32768$8$3$") and is_credential("a credential", kept)
    assert not is_credential("another one", kept) and not is_credential("a credential", None)


def test_others_are_still_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "_COST", 1 << 10)
    kept = hash_credential("a credential")
    monkeypatch.undo()
    assert is_credential("a credential", kept)


def test_a_crowd_takes_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many log in at a time, no more than two hashes are computed; the others wait, and not for ever."""
    under_way, most, guard, go = 0, 0, threading.Lock(), threading.Event()

    def slow(*_arguments: object, **_more: object) -> bytes:
        nonlocal under_way, most
        with guard:
            under_way += 1
            most = max(most, under_way)
        assert go.wait(20)
        with guard:
            under_way -= 1
        return bytes(32)

    monkeypatch.setattr("hashlib.scrypt", slow)
    monkeypatch.setattr(credentials, "PATIENCE_SECONDS", 0.2)
    refusals: list[CloudError] = []

    def guess() -> None:
        try:
            hash_credential("a credential")
        except CloudError as error:
            refusals.append(error)

    crowd = [threading.Thread(target=guess) for _ in range(10)]
    for one in crowd:
        one.start()
    end = time.monotonic() + 20
    while len(refusals) < 8 and time.monotonic() < end:
        time.sleep(0.01)
    go.set()
    for one in crowd:
        one.join()
    assert most == credentials.AT_ONCE == 2 and len(refusals) == 8
    assert {error.kind for error in refusals} == {Kind.UNAVAILABLE}
    assert "2 credentials are looked at at a time" in refusals[0].sentence


@pytest.mark.rare  # Eight hashes cost seconds of a processor.
def test_a_crowd_takes_no_more_memory_than_two() -> None:
    # VmHWM, because the system hands the maximum of getrusage on from who starts a process.
    code = ("import re, threading; from khhw.cloud import credentials\n"
            "def most(): return int(re.search('VmHWM:\\\\s+([0-9]+)', open('/proc/self/status').read())[1])\n"
            "before, credentials.PATIENCE_SECONDS = most(), 600.0\n"
            "crowd = [threading.Thread(target=credentials.hash_credential, args=('a credential',)) for _ in range(8)]\n"
            "[one.start() for one in crowd]; [one.join() for one in crowd]\n"
            "print(most() - before)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert 32 << 10 < int(done.stdout) < 72 << 10, "KiB"
