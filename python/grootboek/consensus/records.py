"""The journal's records: all that a replica must remember so as never to contradict itself."""

import typing
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from grootboek.wire import Certificate, Cosignature, Digest, Prepared, Seq, Signed, Size, View, decode

__all__ = [
    "Accepted",
    "Amnesia",
    "Cosigned",
    "EnteredView",
    "HoldsPrepared",
    "LeftView",
    "OpenedEpoch",
    "Record",
    "StableCheckpoint",
    "Voted",
    "decode_record",
]


class Accepted(Struct, frozen=True, gc=False, array_like=True, tag=1):
    """A PRE-PREPARE that this replica made or accepted."""

    signed: Signed


class Voted(Struct, frozen=True, gc=False, array_like=True, tag=2):
    """Its own PREPARE or COMMIT."""

    signed: Signed


class HoldsPrepared(Struct, frozen=True, gc=False, array_like=True, tag=3):
    """A prepared certificate, written before the COMMIT that rests on it."""

    certificate: Prepared


class LeftView(Struct, frozen=True, gc=False, array_like=True, tag=4):
    """Its own VIEW-CHANGE."""

    signed: Signed


class EnteredView(Struct, frozen=True, gc=False, array_like=True, tag=5):
    """The NEW-VIEW by which it entered a view."""

    signed: Signed


class Cosigned(Struct, frozen=True, gc=False, array_like=True, tag=6):
    """Its own cosignature of the log after the block of ``seq``."""

    seq: Seq
    size: Size
    root: Digest
    cosignature: Cosignature


class StableCheckpoint(Struct, frozen=True, gc=False, array_like=True, tag=7):
    """A certificate that a VIEW-CHANGE claims."""

    certificate: Certificate


class Amnesia(Struct, frozen=True, gc=False, array_like=True, tag=8):
    """It may have forgotten votes: none from here on, until L reaches ``bound``, and none below ``view``.

    A later one replaces it.
    """

    view: View
    bound: Seq | None
    """At least every sequence number that it may have voted for; None while that is not known."""


class OpenedEpoch(Struct, frozen=True, gc=False, array_like=True, tag=9):
    """What follows was said in this epoch; what came before, in earlier ones."""

    epoch: Annotated[int, Meta(ge=1, lt=2**53)]


Record = (
    Accepted
    | Voted
    | HoldsPrepared
    | LeftView
    | EnteredView
    | Cosigned
    | StableCheckpoint
    | Amnesia
    | OpenedEpoch
)

_records: typing.Final[msgspec.msgpack.Decoder[Record]] = msgspec.msgpack.Decoder(Record)


def decode_record(data: bytes) -> Record:
    """A record from its canonical encoding; raises BadFrame."""
    return decode(_records, data)
