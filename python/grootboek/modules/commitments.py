"""Salted commitments: how personal data is named on the ledger without being on it.

A commitment is ``BLAKE3(domain || salt || canonical(field, value))`` with 32 random bytes of salt for
each field, as the disclosures of SD-JWT (RFC 9901) have one each: a holder of the salt can show one
field and hide the others, and who lacks the salt cannot test a guess, however few the values are
(EDPB Guidelines 02/2025). Salt and value live in the vault (``grootboek.modules.vault``).
"""

import unicodedata
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from grootboek._core import digest

__all__ = ["SALT_BYTES", "Commitment", "Opening", "canonical", "commit", "commit_all", "opens"]

SALT_BYTES: Final = 32

Commitment = Annotated[bytes, Meta(min_length=32, max_length=32)]
"""What the ledger holds in place of a personal field."""

_FIELD: Final = b"grootboek/1 commitment\n"
_LIST: Final = b"grootboek/1 commitments\n"


class Opening(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What its holder shows to disclose one field."""

    salt: Annotated[bytes, Meta(min_length=SALT_BYTES, max_length=SALT_BYTES)]
    field: str
    """The field's name, for example ``BT-27``."""
    value: str


def canonical(field: str, value: str) -> bytes:
    """The one encoding of a field: msgpack of its name and its text in Unicode form NFC."""
    return msgspec.msgpack.encode((field, unicodedata.normalize("NFC", value)))


def commit(salt: bytes, field: str, value: str) -> bytes:
    """The commitment to ``value`` of ``field``; raises ValueError unless the salt has 32 bytes."""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes")
    return digest(_FIELD + salt + canonical(field, value))


def commit_all(commitments: Sequence[bytes]) -> bytes:
    """One commitment for a list of them; shown with the list, each member opens by itself."""
    return digest(_LIST + len(commitments).to_bytes(8, "big") + b"".join(commitments))


def opens(commitment: bytes, opening: Opening) -> bool:
    """Whether ``opening`` is what was committed to."""
    return commit(opening.salt, opening.field, opening.value) == commitment
