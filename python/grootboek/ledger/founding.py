"""What the ledger itself writes into the state: before the first block, and where an epoch opens."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from grootboek.ledger import members as replicas
from grootboek.ledger import parties
from grootboek.ledger.keys import state_key
from grootboek.ledger.module import Table
from grootboek.types import Chain, Genesis, PublicKey
from grootboek.wire import Member

__all__ = ["CONDUCT", "Members", "founding_rows", "members", "opening_row"]

CONDUCT: Final = "conduct"
"""The module that judges replicas by their keys, and whose part of the state therefore names them."""

Row = tuple[bytes, bytes]


class Members(Struct, frozen=True, array_like=True):
    """The replicas of one epoch, by index."""

    name: str
    """Of the ledger; with ``digest`` it is the chain that signatures name."""
    digest: bytes
    voting: tuple[PublicKey, ...]
    cosigning: tuple[PublicKey, ...]


members: Final = Table("members", Members)
"""Epoch -> Members."""


def founding_rows(genesis: Genesis) -> list[Row]:
    """State keys and values of the first parties and of the first replicas, where modules read them."""
    rows = parties.founding_rows(genesis.parties) + replicas.founding_rows(genesis)
    if CONDUCT in genesis.modules:
        rows.append(opening_row(genesis.chain, 0, [Member.of(replica) for replica in genesis.replicas]))
    return rows


def opening_row(chain: Chain, epoch: int, who: Sequence[Member]) -> Row:
    """State key and value of the replicas of an epoch, for the module ``conduct``."""
    voting, cosigning = tuple(one.voting for one in who), tuple(one.cosigning for one in who)
    row = Members(chain.name, chain.digest, voting, cosigning)
    return state_key(CONDUCT, members.key(epoch)), members.encode(row)
