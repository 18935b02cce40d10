"""Secrets by which principals are known, and what the store keeps of them.

A token is 256 random bits, of which SHA-256 gives nothing away. What somebody has chosen himself is easier to guess; it
is kept as scrypt (RFC 7914) with a salt of 16 random bytes, so that each guess costs memory and time.

scrypt and not Argon2id: both cost a guesser memory, and scrypt is in Python's standard library (OpenSSL's), where
Argon2id would be one more package with compiled code. N = 2^15, r = 8, p = 3 is one of the five settings of which
OWASP says that they give a similar level of defence (Password Storage Cheat Sheet, section scrypt: "N=2^15 (32 MiB),
r=8 (1024 bytes), p=3"). It takes 32 MiB and about a third of a second of a processor. :data:`AT_ONCE` are computed at a
time, whoever asks, so all of them take 64 MiB; who has waited :data:`PATIENCE_SECONDS` for a turn is refused. Who is
known already has one computed at a time, so that he does not keep others waiting.
"""

import base64
import functools
import hashlib
import hmac
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from khhw.cloud.errors import CloudError

__all__ = ["AT_ONCE", "PATIENCE_SECONDS", "digest_of", "fingerprint", "hash_credential", "is_credential", "new_token",
           "one_at_a_time"]

_PREFIX = "khhw_"
_COST, _BLOCK, _LANES = 1 << 15, 8, 3
"""N, r and p of RFC 7914."""
_ROOM = 2
"""OpenSSL is let have so many times the memory that these take by the RFC: 128 r (N + p + 2) bytes."""
AT_ONCE = 2
PATIENCE_SECONDS = 10.0
_turn = threading.BoundedSemaphore(AT_ONCE)
_SHORTEST, _LONGEST = 8, 1000
_choosing: set[str] = set()
_choosers = threading.Lock()


def new_token() -> str:
    """A new one."""
    return _PREFIX + secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    """What the store has of a token: SHA-256, in hexadecimal digits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


@contextmanager
def one_at_a_time(who: str, credential: str | None) -> Iterator[None]:
    """Let this caller have one credential hashed; None is nothing to wait for.

    Raises
    ------
    CloudError
        UNAVAILABLE if another one of his is being hashed.
    """
    if credential is None:
        yield
        return
    with _choosers:
        if who in _choosing:
            raise CloudError.unavailable("another credential that you chose is being looked at; wait for its answer")
        _choosing.add(who)
    try:
        yield
    finally:
        with _choosers:
            _choosing.discard(who)


def hash_credential(credential: str) -> str:
    """What the store has of a credential: its parameters, salt and scrypt.

    Raises
    ------
    CloudError
        If it is too short to withstand guessing.
    """
    if not _SHORTEST <= len(credential) <= _LONGEST:
        raise CloudError.bad(f"a credential has {_SHORTEST} to {_LONGEST} characters")
    salt = secrets.token_bytes(16)
    return f"scrypt${_COST}${_BLOCK}${_LANES}${_text(salt)}${_text(_scrypt(credential, salt, _COST, _BLOCK, _LANES))}"


def fingerprint(credential: str | None, purpose: str) -> str | None:
    """By which the same credential is known again for one purpose, and which is as hard to guess from as the others."""
    return credential and _text(_scrypt(credential, hashlib.sha256(purpose.encode()).digest(), _COST, _BLOCK, _LANES))


def is_credential(credential: str, kept: str | None) -> bool:
    """Whether it is the one that was hashed; takes as long where there is none.

    Raises
    ------
    CloudError
        UNAVAILABLE if others are being looked at for too long.
    """
    _, cost, block, lanes, salt, expected = (kept or _nobodys()).split("$")
    if len(credential) > _LONGEST:
        return False
    found = _scrypt(credential, base64.b64decode(salt), int(cost), int(block), int(lanes))
    return hmac.compare_digest(found, base64.b64decode(expected)) and kept is not None


@functools.cache
def _nobodys() -> str:
    return hash_credential(secrets.token_hex())


def _scrypt(credential: str, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    if not _turn.acquire(timeout=PATIENCE_SECONDS):
        raise CloudError.unavailable(f"{AT_ONCE} credentials are looked at at a time, and others wait; try again later")
    try:
        return hashlib.scrypt(
            credential.encode("utf-8", "surrogatepass"), salt=salt, n=cost, r=block, p=lanes, dklen=32,
            maxmem=_ROOM * 128 * block * (cost + lanes + 2))
    finally:
        _turn.release()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
