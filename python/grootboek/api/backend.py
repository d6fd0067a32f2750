"""What the API needs of the node behind it; everything else it reads from the ledger itself."""

from collections.abc import Sequence
from typing import Protocol

from prometheus_client import CollectorRegistry

from grootboek.ledger import Ledger
from grootboek.proofs import Answer
from grootboek.types import Genesis
from grootboek.webapi import NodeStatus
from grootboek.wire import Certificate, Evidence, ReplicaId, Signature

__all__ = ["Backend"]


class Backend(Protocol):
    """A node, seen from the API's thread: each call must be safe there.

    ``submit`` is awaited on the API's own event loop; everything else returns at once.
    """

    @property
    def genesis(self) -> Genesis:
        """The founding document."""

    @property
    def ledger(self) -> Ledger:
        """The ledger, for reading only."""

    @property
    def registry(self) -> CollectorRegistry:
        """The node's metrics; the API adds its own."""

    def certificate(self) -> Certificate | None:
        """The newest stable checkpoint; None before the first."""

    def log_signature(self, certificate: Certificate) -> tuple[ReplicaId, Signature]:
        """This replica and its log key's signature over a certified checkpoint."""

    async def submit(self, body: bytes, client: str) -> bytes | Answer:
        """Hand over one request of framed transactions; the answer comes when all are settled.

        ``client`` names the sender for quotas (its network address). Raises PoolFull,
        TransactionError or Unavailable.
        """

    def status(self) -> NodeStatus:
        """Where the node is."""

    def ready(self) -> Sequence[str]:
        """Why the node should get no traffic; empty where it should."""

    def evidence(self) -> Sequence[Evidence]:
        """Pairs of signed messages that no correct replica signs both."""
