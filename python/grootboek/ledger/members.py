"""Who runs the ledger: the replicas of the present epoch, as rows of the state of module ``replicas``.

The machine itself reads them to know when an epoch closes, so their form belongs to the ledger and not
to the module that changes them. The genesis file's replicas are the rows at height 0.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from grootboek.ledger.keys import state_key
from grootboek.ledger.module import Table
from grootboek.ledger.store import Store
from grootboek.types import Genesis, PublicKey
from grootboek.wire import Member

__all__ = [
    "GOVERNOR",
    "REPLICAS",
    "EpochRow",
    "UsedRow",
    "changed",
    "epochs",
    "founding_row",
    "founding_rows",
    "present",
    "used",
]

REPLICAS: Final = "replicas"
"""The module whose part of the state holds them."""
GOVERNOR: Final = "replicas.governor"
"""The role of those who decide together who runs the ledger."""


class EpochRow(Struct, frozen=True, array_like=True):
    """The epoch that the next block belongs to."""

    number: int
    height: int
    """Of the block that closed the one before; 0 for the founding epoch."""
    approvals: int
    """How many parties with the role of a governor must sign to open another epoch; 0: nobody can."""
    members: tuple[Member, ...]
    observers: tuple[Member, ...] = ()
    """Who may follow over the replicas' own network, to join in a later epoch."""


class UsedRow(Struct, frozen=True, array_like=True):
    """A cosigning key that no later epoch may have."""

    epoch: int


epochs: Final = Table("epoch", EpochRow)
"""One row, without key parts."""
used: Final = Table("used", UsedRow)
"""Cosigning key -> UsedRow."""

_PRESENT: Final = state_key(REPLICAS, epochs.key())
_PREFIX: Final = state_key(REPLICAS, b"")


def founding_row(genesis: Genesis) -> EpochRow:
    """The epoch of the first block; nobody can open another where the ledger does not run the module."""
    members = tuple(Member.of(replica) for replica in genesis.replicas)
    governors = sum(GOVERNOR in party.roles for party in genesis.parties if REPLICAS in genesis.modules)
    return EpochRow(0, 0, governors and governors // 2 + 1, members)


def founding_rows(genesis: Genesis) -> list[tuple[bytes, bytes]]:
    """The rows of the genesis file's replicas; none where the ledger does not run the module."""
    if REPLICAS not in genesis.modules:
        return []
    row = founding_row(genesis)
    keys: list[PublicKey] = [member.cosigning for member in row.members]
    return [
        (_PRESENT, epochs.encode(row)),
        *((_PREFIX + used.key(key), used.encode(UsedRow(0))) for key in keys),
    ]


def present(store: Store) -> EpochRow | None:
    """The epoch of the next block; None where it is the founding one and can be no other."""
    data = store.get(_PRESENT)
    return None if data is None else epochs.decode(data)


def changed(changes: Iterable[tuple[bytes, bytes | None]]) -> EpochRow | None:
    """The row as a block's writes leave it; None where they leave it alone."""
    data = next((value for key, value in changes if key == _PRESENT), None)
    return None if data is None else epochs.decode(data)
