"""JSON objects that their maker signs, so that a third party who has nothing but the object can check them.

What is signed is the object without its key `signature`, in one form of bytes: keys in order, no spaces, UTF-8. The
signature is one of Ed25519 (RFC 8032); `public_key`, which is signed as well, says whose.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from khhw.errors import RequestError
from khhw.files import UnreadableError, read_json, read_text

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = [
    "NotSignedError", "SignatureError", "bears_signature", "canonical", "fingerprint", "is_reading", "new_key",
    "private_key", "public_key", "read_signed", "signed", "verify",
]

_KEY, _SIGNATURE = "public_key", "signature"
_KEY_BYTES, _SIGNATURE_BYTES = 32, 64


class NotSignedError(RequestError):
    """What nobody has ever signed."""


class SignatureError(Exception):
    """A signature that does not fit what it is of, or is somebody else's."""


def canonical(document: Mapping[str, Any]) -> bytes:
    """The one form of bytes of a JSON object.

    Raises
    ------
    ValueError
        If it holds what JSON or UTF-8 has no form for.
    """
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def signed(document: Mapping[str, Any], key: "Ed25519PrivateKey") -> dict[str, Any]:
    """A document with the public key of who signs it, and the signature.

    Parameters
    ----------
    document : mapping
        Plain values.
    key : Ed25519PrivateKey
    """
    named = {**document, _KEY: _text(key.public_key().public_bytes_raw())}
    return {**named, _SIGNATURE: _text(key.sign(canonical(named)))}


def verify(document: Mapping[str, Any], key: "Ed25519PublicKey | None" = None) -> str:
    """The fingerprint of whose signature a document bears.

    Parameters
    ----------
    document : mapping
        As :func:`signed` makes it.
    key : Ed25519PublicKey, optional
        Who must have signed it; by default whoever it says.

    Raises
    ------
    RequestError
        If it bears none; NotSignedError if nobody has ever signed it.
    SignatureError
        If the signature does not fit, or is somebody else's.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if _SIGNATURE not in document and _KEY not in document:
        raise NotSignedError("it is not signed")
    if _SIGNATURE not in document or _KEY not in document:
        raise RequestError(f"there is no signature: it has no {_SIGNATURE if _KEY in document else _KEY}")
    raw, signature = (_bytes(document, name, size) for name, size in (
        (_KEY, _KEY_BYTES), (_SIGNATURE, _SIGNATURE_BYTES)))
    signer = Ed25519PublicKey.from_public_bytes(raw)
    rest = {name: value for name, value in document.items() if name != _SIGNATURE}
    try:
        signer.verify(signature, canonical(rest))
    except (InvalidSignature, ValueError):
        raise SignatureError("the signature does not fit: something in it was changed since it was signed") from None
    if key is not None and key.public_bytes_raw() != raw:
        raise SignatureError(f"it is signed by {fingerprint(signer)}, not by {fingerprint(key)}")
    return fingerprint(signer)


def read_signed(path: Path | str) -> dict[str, Any]:
    """The JSON object in a file, every key in it once, so that nobody reads another value than what was signed.

    Raises
    ------
    UnreadableError
        If it cannot be read, is no such object, or names something twice.
    """
    if not isinstance(read_json(path), dict):
        raise UnreadableError(str(path), "is no JSON object")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise UnreadableError(str(path), f"names {twice} twice in one object")
        return found

    document: dict[str, Any] = json.loads(read_text(path), object_pairs_hook=once)
    return document


def bears_signature(path: Path | str) -> bool:
    """Whether a file is there that says that it is signed, whether the signature fits or not."""
    return {_SIGNATURE, _KEY} <= _object(path).keys()


def is_reading(path: Path | str, kind: str) -> bool:
    """Whether a file holds an object whose `format` is this one."""
    return _object(path).get("format") == kind


def _object(path: Path | str) -> dict[str, Any]:
    """The JSON object in a file; an empty one if there is none."""
    try:
        document = read_json(path)
    except UnreadableError:
        return {}
    return document if isinstance(document, dict) else {}


def fingerprint(key: "Ed25519PublicKey") -> str:
    """By which people tell a public key: SHA-256 of its 32 bytes, in hexadecimal."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def new_key() -> tuple[bytes, bytes]:
    """A new key pair, private and public, both in PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    return (
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))


def private_key(path: Path | str) -> "Ed25519PrivateKey":
    """The private key in a file.

    Raises
    ------
    RequestError
        If it cannot be read, or holds no private key of Ed25519 without a password.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    text = read_text(path).encode()
    try:
        key = serialization.load_pem_private_key(text, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise RequestError(f"{path} holds no private key in PEM without a password; khhw meter --new-key makes one") \
            from None
    if not isinstance(key, Ed25519PrivateKey):
        raise RequestError(f"{path} holds a private key of another kind; readings are signed by Ed25519")
    return key


def public_key(path: Path | str) -> "Ed25519PublicKey":
    """The public key in a file.

    Raises
    ------
    RequestError
        If it cannot be read, or holds no public key of Ed25519.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    text = read_text(path).encode()
    try:
        key = serialization.load_pem_public_key(text)
    except (ValueError, UnsupportedAlgorithm):
        raise RequestError(f"{path} holds no public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise RequestError(f"{path} holds a public key of another kind; readings are signed by Ed25519")
    return key


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(document: Mapping[str, Any], name: str, size: int) -> bytes:
    try:
        data = base64.b64decode(document[name], validate=True)
    except (binascii.Error, TypeError, ValueError):
        data = b""
    if len(data) != size:
        raise SignatureError(f"its {name} is none of Ed25519: that is {size} bytes in base64")
    return data
