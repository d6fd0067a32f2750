"""The state before the first block: what the genesis file says that modules may read."""

from typing import Final

from msgspec import Struct

from grootboek.ledger import parties
from grootboek.ledger.keys import state_key
from grootboek.ledger.module import Table
from grootboek.types import Genesis, PublicKey

__all__ = ["CONDUCT", "Members", "founding_rows", "members"]

CONDUCT: Final = "conduct"
"""The module whose part of the state names the replicas."""


class Members(Struct, frozen=True, array_like=True):
    """The replicas of one epoch, by index."""

    name: str
    """Of the ledger; with ``digest`` it is the chain that signatures name."""
    digest: bytes
    voting: tuple[PublicKey, ...]
    cosigning: tuple[PublicKey, ...]


members: Final = Table("members", Members)
"""Epoch -> Members."""


def founding_rows(genesis: Genesis) -> list[tuple[bytes, bytes]]:
    """Pairs of state key and value: parties, and the replicas of epoch 0 where a module reads them."""
    rows = parties.founding_rows(genesis.parties)
    if CONDUCT in genesis.modules:
        voting = tuple(replica.voting_key for replica in genesis.replicas)
        cosigning = tuple(replica.cosigning_key for replica in genesis.replicas)
        first = Members(genesis.chain.name, genesis.chain.digest, voting, cosigning)
        rows.append((state_key(CONDUCT, members.key(0)), members.encode(first)))
    return rows
