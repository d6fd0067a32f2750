"""What a replica is told once: the ledger, the epoch and its own place in it."""

from msgspec import Struct

from grootboek.types import Chain, Limits, Quorum

__all__ = ["Config"]


class Config(Struct, frozen=True):
    """The fixed surroundings of one replica in one epoch."""

    chain: Chain
    epoch: int
    me: int
    """This replica's index; n or above for an observer, which follows and has no vote."""
    n: int
    """How many replicas the epoch has."""
    limits: Limits

    @property
    def quorum(self) -> Quorum:
        """The quorum arithmetic of the epoch."""
        return Quorum.of(self.n)

    @property
    def votes(self) -> bool:
        """Whether this replica takes part in the epoch."""
        return self.me < self.n

    def primary(self, view: int) -> int:
        """The primary of ``view`` (PBFT section 4.1: view modulo n)."""
        return view % self.n
