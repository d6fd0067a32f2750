"""Evidence: two signatures of one replica in one role, over different things. No correct replica gives both.

A correct replica persists what it says before it says it, so it never contradicts itself, not even across
crashes; and the signed bytes name chain and epoch, so nothing that it says elsewhere or later fits in.
Evidence convinces anybody who knows the epoch's keys.
"""

import typing
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct

from grootboek._core import verify_many
from grootboek.errors import BadFrame, BadMessage
from grootboek.notes import cosigned_bytes
from grootboek.types import Chain
from grootboek.wire import (
    Commit,
    Digest,
    Evidence,
    Prepare,
    PrePrepare,
    Said,
    Signed,
    Size,
    decode,
    encode,
    message_bytes,
)

__all__ = ["CosignedRoot", "Role", "convicts", "cosigned", "evidences", "pair", "role_of", "signed"]

Role: TypeAlias = tuple[int, int, str, int, int]
"""Epoch, replica, kind of message, view (0 for a cosignature), and sequence number or log size."""


class CosignedRoot(Struct, frozen=True, array_like=True, tag=4):
    """What a cosignature says; its signed bytes are those of cosignature/v1."""

    size: Size
    root: Digest
    time: Annotated[int, Meta(ge=0, lt=2**53)]


_Statement: TypeAlias = PrePrepare | Prepare | Commit | CosignedRoot
evidences: typing.Final = msgspec.msgpack.Decoder(Evidence)
_statements: typing.Final[msgspec.msgpack.Decoder[_Statement]] = msgspec.msgpack.Decoder(_Statement)


def signed(message: Signed) -> Said:
    """What a protocol message says."""
    return Said(message.payload, message.signature)


def cosigned(size: int, root: bytes, time: int, signature: bytes) -> Said:
    """What a cosignature says."""
    return Said(encode(CosignedRoot(size, root, time)), signature)


def pair(epoch: int, replica: int, one: Said, other: Said) -> Evidence:
    """Both, in the one order that is accepted: the same pair is the same evidence, whoever found it."""
    first, second = sorted((one, other), key=lambda said: said.payload)
    return Evidence(epoch, replica, first, second)


def role_of(evidence: Evidence) -> Role:
    """In which role the replica contradicts itself; raises BadMessage where it does not."""
    if evidence.first.payload >= evidence.second.payload:
        raise BadMessage("the statements are the same, or in the wrong order")
    first, second = _statement(evidence.first), _statement(evidence.second)
    role = _role(first)
    if role != _role(second):
        raise BadMessage("the statements are made in different roles")
    if isinstance(first, CosignedRoot) and isinstance(second, CosignedRoot) and first.root == second.root:
        raise BadMessage("a checkpoint may be cosigned again at another time")
    return (evidence.epoch, evidence.replica, *role)


def convicts(evidence: Evidence, chain: Chain, voting: bytes, cosigning: bytes) -> bool:
    """Whether both signatures are the replica's, by its keys of that epoch. ``role_of`` comes first."""
    obligations = []
    for said in (evidence.first, evidence.second):
        match _statement(said):
            case CosignedRoot(size, root, time):
                text = cosigned_bytes(chain.origin, size, root, time)
                obligations.append((cosigning, text, said.signature))
            case _:
                text = message_bytes(chain, evidence.epoch, evidence.replica, said.payload)
                obligations.append((voting, text, said.signature))
    return all(verify_many(obligations, cofactorless=True))


def _statement(said: Said) -> _Statement:
    try:
        return decode(_statements, said.payload)
    except BadFrame as error:
        raise BadMessage(error.detail) from error


def _role(statement: _Statement) -> tuple[str, int, int]:
    if isinstance(statement, CosignedRoot):
        return "checkpoint", 0, statement.size
    return type(statement).__name__.lower(), statement.view, statement.seq
