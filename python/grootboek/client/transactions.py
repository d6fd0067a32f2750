"""Building and signing transactions: pure functions of keys, commands and times.

A transaction that is prepared is plain bytes: it can be stored, sent later, sent twice (the ledger
answers with the first receipt) and through any node.
"""

import os
import secrets
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from grootboek import wire
from grootboek._core import SigningKey, command_root, digest
from grootboek.errors import BadFrame, Malformed, Oversized
from grootboek.types import Chain, Limits, Millis
from grootboek.wire import Command, Header, Transaction

__all__ = ["Prepared", "encode_command", "from_frame", "header_of", "prepare", "prepare_many"]

SALT_BYTES: Final = 16
SIGNATURE_BYTES: Final = 64
NONCE_BITS: Final = 62


class Prepared(Struct, frozen=True):
    """A signed transaction, ready to be sent any number of times."""

    id: bytes
    """The 32 bytes by which the log and the API know it."""
    expiry: Millis
    """Without an entry in the log by then, it never takes effect."""
    transaction: Transaction

    @property
    def frame(self) -> bytes:
        """The bytes on the wire: a length of 4 bytes big-endian, then the transaction."""
        return framed(wire.encode(self.transaction))


def framed(data: bytes) -> bytes:
    """``data`` behind its length, 4 bytes big-endian."""
    return len(data).to_bytes(4, "big") + data


def encode_command(module: str, version: int, command: Struct, *, salt: bytes | None = None) -> bytes:
    """One command as it is hashed, signed and recorded.

    ``salt``: 16 random bytes (the default) keep the record from being guessed from its hash.
    """
    body = wire.encode(command)
    return wire.encode(Command(module, type(command).__name__, version, body, salt or os.urandom(SALT_BYTES)))


def prepare(
    chain: Chain,
    signers: Sequence[SigningKey],
    commands: Sequence[bytes],
    *,
    expiry: Millis,
    atomic: bool = False,
    nonce: int | None = None,
    limits: Limits | None = None,
) -> Prepared:
    """Sign encoded commands as one transaction.

    ``expiry``: milliseconds since 1970; ``atomic``: all commands take effect or none;
    ``nonce``: random by default. Raises Oversized where ``limits`` (the default ones) are exceeded.
    """
    raw = header_of(
        chain,
        [key.public for key in signers],
        commands,
        expiry=expiry,
        atomic=atomic,
        nonce=nonce,
        limits=limits or Limits(),
    )
    signed = wire.transaction_bytes(chain, raw)
    signatures = tuple(key.sign(signed) for key in signers)
    return Prepared(digest(signed), expiry, Transaction(raw, signatures, tuple(commands)))


def header_of(
    chain: Chain,
    signers: Sequence[bytes],
    commands: Sequence[bytes],
    *,
    expiry: Millis,
    atomic: bool,
    nonce: int | None = None,
    limits: Limits,
) -> bytes:
    """The header that these public keys are to sign; parameters and errors as for ``prepare``."""
    _check_size(signers, commands, limits)
    header = Header(
        chain=chain.id,
        signers=tuple(signers),
        nonce=secrets.randbits(NONCE_BITS) if nonce is None else nonce,
        expiry=expiry,
        atomic=atomic,
        count=len(commands),
        root=command_root(commands),
    )
    raw = wire.encode(header)
    unsigned = Transaction(raw, (bytes(SIGNATURE_BYTES),) * len(signers), tuple(commands))
    _check_limit(len(wire.encode(unsigned)), limits.transaction_bytes, "bytes")
    return raw


def prepare_many(
    chain: Chain, signer: SigningKey, transactions: Iterable[Sequence[bytes]], *, expiry: Millis
) -> list[Prepared]:
    """Transactions of one signer, each given by its commands, which take effect together or not at all.

    For loads of many small transactions; limits are not checked.
    """
    signers, start = (signer.public,), secrets.randbits(NONCE_BITS)
    items = [tuple(commands) for commands in transactions]
    headers = [
        wire.encode(
            Header(chain.id, signers, start + i, expiry, len(item) > 1, len(item), command_root(item))
        )
        for i, item in enumerate(items)
    ]
    signed = [wire.transaction_bytes(chain, raw) for raw in headers]
    return [
        Prepared(digest(message), expiry, Transaction(raw, (signature,), item))
        for message, raw, signature, item in zip(
            signed, headers, signer.sign_many(signed), items, strict=True
        )
    ]


def from_frame(chain: Chain, frame: bytes) -> Prepared:
    """Read a stored frame back; raises Malformed. Signatures are not checked."""
    if int.from_bytes(frame[:4], "big") != len(frame) - 4:
        raise Malformed("the frame's length is wrong")
    try:
        transaction = wire.decode(wire.transactions, frame[4:])
        header = wire.decode(wire.headers, transaction.header)
    except BadFrame as error:
        raise Malformed(error.detail) from error
    identity = digest(wire.transaction_bytes(chain, transaction.header))
    return Prepared(identity, header.expiry, transaction)


def _check_size(signers: Sequence[bytes], commands: Sequence[bytes], limits: Limits) -> None:
    """Refuse before anything is hashed or signed."""
    if not signers or not commands:
        raise Malformed("a transaction needs a signer and a command")
    _check_limit(len(signers), limits.signers, "signers")
    _check_limit(len(commands), limits.commands, "commands")
    _check_limit(max(map(len, commands)), limits.command_bytes, "bytes in one command")


def _check_limit(count: int, limit: int, what: str) -> None:
    if count > limit:
        raise Oversized(f"{count} {what}, the limit is {limit}")
