"""Secrets by which principals are known, and what the store keeps of them.

A token is 256 random bits, of which SHA-256 gives nothing away. What somebody has chosen himself is easier to guess; it
is kept as scrypt (RFC 7914), with a salt, so that each guess costs memory and time.
"""

import base64
import functools
import hashlib
import hmac
import secrets

from khhw.cloud.errors import CloudError

__all__ = ["digest_of", "fingerprint", "hash_credential", "is_credential", "new_token"]

_PREFIX = "khhw_"
_COST, _BLOCK, _LANES = 1 << 14, 8, 1
_SHORTEST, _LONGEST = 8, 1000


def new_token() -> str:
    """A new one."""
    return _PREFIX + secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    """What the store has of a token: SHA-256, in hexadecimal digits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


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
    return f"scrypt${_COST}${_text(salt)}${_text(_scrypt(credential, salt, _COST))}"


def fingerprint(credential: str | None, purpose: str) -> str | None:
    """By which the same credential is known again for one purpose, and which is as hard to guess from as the others."""
    return credential and _text(_scrypt(credential, hashlib.sha256(purpose.encode()).digest(), _COST))


def is_credential(credential: str, kept: str | None) -> bool:
    """Whether it is the one that was hashed; takes as long where there is none."""
    _, cost, salt, expected = (kept or _nobodys()).split("$")
    if len(credential) > _LONGEST:
        return False
    found = _scrypt(credential, base64.b64decode(salt), int(cost))
    return hmac.compare_digest(found, base64.b64decode(expected)) and kept is not None


@functools.cache
def _nobodys() -> str:
    return hash_credential(secrets.token_hex())


def _scrypt(credential: str, salt: bytes, cost: int) -> bytes:
    return hashlib.scrypt(credential.encode("utf-8", "surrogatepass"), salt=salt, n=cost, r=_BLOCK, p=_LANES, dklen=32)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
