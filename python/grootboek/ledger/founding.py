"""What the genesis file writes into the state at height 0."""

from grootboek.ledger import members, parties
from grootboek.types import Genesis

__all__ = ["founding_rows"]


def founding_rows(genesis: Genesis) -> list[tuple[bytes, bytes]]:
    """State keys and values of the first parties and of the first replicas."""
    return parties.founding_rows(genesis.parties) + members.founding_rows(genesis)
