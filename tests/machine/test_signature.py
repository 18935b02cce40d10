"""Signed JSON: whoever has the file and the owner's public key knows whether anything in it was changed."""

import json

import pytest

pytest.importorskip("cryptography")

from khhw.errors import RequestError
from khhw.machine.signature import (
    SignatureError,
    canonical,
    fingerprint,
    new_key,
    private_key,
    public_key,
    read_signed,
    signed,
    verify,
)

DOCUMENT = {"format": "a reading", "counts": {"b": 18446744073709551615, "a": 240}, "names": ["é", "0.5", 0.5, None]}


@pytest.fixture
def keys(tmp_path):
    """Private and public key of the owner, in files."""
    for name, pem in zip(("owner.pem", "owner.pub.pem"), new_key(), strict=True):
        (tmp_path / name).write_bytes(pem)
    return tmp_path / "owner.pem", tmp_path / "owner.pub.pem"


def test_there_is_one_form_of_bytes():
    assert canonical({"b": 1, "a": {"é": [1, 2]}}) == b'{"a":{"\xc3\xa9":[1,2]},"b":1}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"a": float("nan")})


def test_what_was_signed_is_known_however_it_was_written(keys, tmp_path):
    document = signed(DOCUMENT, private_key(keys[0]))
    file = tmp_path / "reading.json"
    for text in (json.dumps(document), json.dumps(document, indent=3, sort_keys=True, ensure_ascii=False)):
        file.write_text(text, encoding="utf-8")
        owner = public_key(keys[1])
        assert verify(read_signed(file), owner) == verify(read_signed(file)) == fingerprint(owner)


def test_one_digit_or_name_that_was_changed_is_noticed(keys, tmp_path):
    text = json.dumps(signed(DOCUMENT, private_key(keys[0])))
    file = tmp_path / "reading.json"
    for before, after in (("240", "241"), ("18446744073709551615", "18446744073709551614"), ("0.5,", "0.25,"),
                          ("a reading", "a Reading"), ('"a":', '"c":'), ("null", "0")):
        assert before in text
        file.write_text(text.replace(before, after, 1), encoding="utf-8")
        with pytest.raises(SignatureError, match="something in it was changed"):
            verify(read_signed(file), public_key(keys[1]))


def test_a_signature_of_somebody_else_is_his(keys):
    owners, owner = signed(DOCUMENT, private_key(keys[0])), public_key(keys[1])
    keys[0].write_bytes(new_key()[0])
    others = signed(DOCUMENT, private_key(keys[0]))
    other = verify(others)
    assert other != fingerprint(owner)
    with pytest.raises(SignatureError, match=f"is signed by {other}, not by {fingerprint(owner)}"):
        verify(others, owner)
    # Nor does it help to say that it is the owner's.
    with pytest.raises(SignatureError, match="something in it was changed"):
        verify(others | {"public_key": owners["public_key"]}, owner)


@pytest.mark.parametrize("name", ["signature", "public_key"])
def test_what_bears_no_signature_is_refused(keys, name):
    document = signed(DOCUMENT, private_key(keys[0]))
    del document[name]
    with pytest.raises(RequestError, match=f"it has no {name}"):
        verify(document)


@pytest.mark.parametrize("value", ["", "%%%", "AAAA", 7, None, ["x"]])
@pytest.mark.parametrize("name", ["signature", "public_key"])
def test_what_is_no_signature_does_not_fit(keys, name, value):
    with pytest.raises(SignatureError, match=f"its {name} is none of Ed25519"):
        verify(signed(DOCUMENT, private_key(keys[0])) | {name: value})


@pytest.mark.parametrize(("text", "words"), [
    ('{"a": 1, "a": 2}', "names a twice"), ('{"x": {"b": 1, "b": 1}}', "names b twice"), ("[1]", "is no JSON object"),
    ("{", "is not JSON"),
])
def test_what_two_readers_may_read_otherwise_is_refused(tmp_path, text, words):
    file = tmp_path / "reading.json"
    file.write_text(text)
    with pytest.raises(RequestError, match=words):
        read_signed(file)


def test_a_text_that_is_not_unicode_fits_no_signature(keys, tmp_path):
    file = tmp_path / "reading.json"
    text = json.dumps(signed(DOCUMENT, private_key(keys[0])))
    file.write_text(text.replace("a reading", "\\ud800"))
    with pytest.raises(SignatureError, match="something in it was changed"):
        verify(read_signed(file))


def test_keys_of_another_kind_are_named(keys, tmp_path):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    other = ec.generate_private_key(ec.SECP256R1())
    wrong = tmp_path / "wrong.pem"
    wrong.write_bytes(other.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    with pytest.raises(RequestError, match="a private key of another kind"):
        private_key(wrong)
    wrong.write_bytes(other.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(RequestError, match="a public key of another kind"):
        public_key(wrong)
    for read, path, words in ((private_key, keys[1], "no private key in PEM"), (public_key, keys[0], "no public key"),
                              (private_key, tmp_path / "missing.pem", "cannot be read")):
        with pytest.raises(RequestError, match=words):
            read(path)
