"""What a run of the cluster is asked to measure."""

from typing import Final, Literal, Self

from msgspec import Struct

from grootboek import webapi
from grootboek.bench.workloads import WORKLOADS
from grootboek.errors import ConfigError
from grootboek.types import Quorum

__all__ = ["Setting", "Victim"]

MIN_CONNECTIONS: Final = 16
WINDOW: Final = 4_000
"""Records under way, where no window is given."""

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

    @classmethod
    def of(
        cls,
        workload: str,
        *,
        replicas: int = 4,
        seconds: float = 20.0,
        warm_up: float = 3.0,
        window: int | None = None,
        rate: float = 0.0,
        connections: int = MIN_CONNECTIONS,
        keys: int = 1_000,
        ceiling: int | None = None,
        kill: Victim | None = None,
        at: float = 0.0,
    ) -> Self:
        """The setting that flags ask for, with the workload's defaults. Raises ConfigError."""
        chosen = WORKLOADS[workload]
        wanted = WINDOW // chosen.records if window is None else window
        signed = chosen.ceiling if ceiling is None else ceiling
        if connections < MIN_CONNECTIONS or min(replicas, seconds, wanted, keys, signed) <= 0:
            detail = f"counts must be positive, and connections at least {MIN_CONNECTIONS}"
            raise ConfigError(detail, where="flags")
        if min(rate, warm_up) < 0:
            raise ConfigError("must not be below zero", where="--rate, --warm-up")
        if kill is not None and (not 0 <= at < seconds or Quorum.of(replicas).faults == 0):
            raise ConfigError(
                "must be in the measured time, of a ledger that survives it", where="--kill, --at"
            )
        return cls(
            workload=workload,
            replicas=replicas,
            seconds=seconds,
            warm_up=warm_up,
            window=0 if rate else max(wanted, connections),
            rate=rate,
            connections=connections,
            keys=keys,
            ceiling=signed,
            kill=kill,
            at=at if kill else 0.0,
        )

    @property
    def pace(self) -> float:
        """The most transactions a second that the client has signed for."""
        return self.rate or float(self.ceiling)

    @property
    def prepared(self) -> int:
        """How many transactions the client signs."""
        return int(self.pace * (self.seconds + self.warm_up)) + self.connections

    @property
    def in_request(self) -> int:
        """Transactions in one request."""
        return 1 if self.rate else max(1, min(webapi.REQUEST_TRANSACTIONS, self.window // self.connections))
