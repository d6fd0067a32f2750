"""What a run of the cluster is asked to measure."""

from typing import Literal

from msgspec import Struct

from grootboek import webapi

__all__ = ["Setting", "Victim"]

Victim = Literal["backup", "primary"]


class Setting(Struct, frozen=True, kw_only=True):
    """Two runs can be compared only where all of this is equal."""

    workload: str
    replicas: int
    seconds: float
    """Measured time, after the warm-up."""
    warm_up: float
    window: int
    """Transactions under way in the closed loop; 0 in the open loop."""
    rate: float
    """Transactions a second in the open loop; 0 in the closed loop."""
    connections: int
    """Of the client, over all replicas."""
    keys: int
    """Signing keys that the workload is asked to use."""
    ceiling: int
    """Transactions a second that are signed before the clock starts (closed loop)."""
    kill: Victim | None = None
    """Which replica gets a SIGKILL while it is measured."""
    at: float = 0.0
    """So many seconds after the warm-up."""

    @property
    def prepared(self) -> int:
        """How many transactions the client signs."""
        wanted = self.rate or self.ceiling
        return int(wanted * (self.seconds + self.warm_up)) + self.connections

    @property
    def in_request(self) -> int:
        """Transactions in one request."""
        return 1 if self.rate else max(1, min(webapi.REQUEST_TRANSACTIONS, self.window // self.connections))
