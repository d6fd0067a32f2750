"""Signing and verifying against other implementations, and what malformed arguments give."""

import platform
import random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from grootboek import _core
from tests.core import curve
from tests.core.vectors import seeded


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=300))
def test_signatures_are_those_of_rfc_8032(seed: bytes, message: bytes) -> None:
    key, other = _core.SigningKey(seed), Ed25519PrivateKey.from_private_bytes(seed)
    assert key.public == other.public_key().public_bytes_raw()
    assert key.sign(message) == other.sign(message)
    assert key.sign_many([message, b""]) == [other.sign(message), other.sign(b"")]
    assert _core.verify(key.public, message, key.sign(message), cofactorless=True)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=40), st.integers(0, 511))
def test_changed_signatures_are_judged_as_the_reference_does(seed: bytes, message: bytes, bit: int) -> None:
    key = _core.SigningKey(seed)
    signature = bytearray(key.sign(message))
    signature[bit // 8] ^= 1 << bit % 8
    assert not curve.accepts(key.public, message, bytes(signature))
    assert not _core.verify(key.public, message, bytes(signature))


@pytest.mark.parametrize("count", [0, 1, 2, 255, 256, 257, 600])
def test_one_bad_signature_among_many_is_found(count: int) -> None:
    keys = [_core.SigningKey(seeded(f"key {i}")) for i in range(20)]
    items = [(key.public, b"%d" % i, key.sign(b"%d" % i)) for i, key in enumerate(keys * 30)][:count]
    expected = bytearray(b"\1" * count)
    for bad in random.Random(count).sample(range(count), min(count, 2)):
        items[bad] = (items[bad][0], b"other", items[bad][2])
        expected[bad] = 0
    assert _core.verify_many(items) == expected
    assert _core.verify_many(items, cofactorless=True) == expected


@pytest.mark.parametrize("length", [0, 31, 33])
def test_wrong_lengths_are_refused(length: int) -> None:
    key = _core.SigningKey(seeded("key"))
    signature = key.sign(b"")
    assert not _core.verify(bytes(length), b"", signature)
    assert not _core.verify(key.public, b"", signature[:length])
    assert not _core.verify(key.public, b"", signature + bytes(length + 1))
    items = [(bytes(length), b"", signature), (key.public, b"", signature), (key.public, b"", b"")]
    assert _core.verify_many(items) == b"\0\1\0"
    with pytest.raises(ValueError, match="32 bytes"):
        _core.SigningKey(bytes(length))


def test_the_backend_is_the_fast_one_where_there_is_one() -> None:
    compiled, chosen = _core.backend()
    assert chosen in ("avx512", "avx2", "serial")
    if platform.machine() == "x86_64":
        assert compiled == "avx512"


def test_classes_cannot_be_changed() -> None:
    key = _core.SigningKey(seeded("key"))
    with pytest.raises(AttributeError):
        setattr(key, "public", b"")  # noqa: B010  # the type checker knows already
