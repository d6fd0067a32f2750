"""From cosignatures to certificates: when a checkpoint of the log is stable."""

from collections import defaultdict

from msgspec import Struct

from grootboek.consensus.events import Executed
from grootboek.wire import Certificate, Checkpoint, Cosignature

__all__ = ["Checkpoints"]


class _Ballot(Struct):
    """What is known of one log size above the stable checkpoint."""

    executed: Executed | None = None
    """The block of our own log that ends there."""
    cosigned: dict[int, tuple[bytes, Cosignature]] = {}
    """By sender: the root, and the newest cosignature of it."""


class Checkpoints:
    """Cosignatures above the last stable checkpoint, within ``window`` blocks of each sender."""

    def __init__(self, quorum: int, window: int) -> None:
        self._quorum = quorum
        self._most = 2 * window
        self._ballots = defaultdict[int, _Ballot](_Ballot)
        """By log size."""
        self.stable: Certificate | None = None
        self.size = 0
        """The log size of the stable checkpoint."""

    def executed(self, event: Executed) -> None:
        """This replica executed a block; its own cosignature of it counts."""
        if event.size > self.size:
            self._ballots[event.size].executed = event
            if event.cosignature is not None:
                self.count(event.size, event.root, event.cosignature)

    def count(self, size: int, root: bytes, cosignature: Cosignature) -> tuple[bytes, Cosignature] | None:
        """One root for each sender and size: the earlier one, with its cosignature, if it is another."""
        if size <= self.size:
            return None
        cosigned, replica = self._ballots[size].cosigned, cosignature.replica
        first = cosigned.get(replica)
        if first is not None and first[0] != root:
            return first
        cosigned[replica] = (root, cosignature)
        if len(self._ballots) > self._most:
            self._trim(replica)
        return None

    def complete(self, size: int, root: bytes) -> tuple[int, Certificate] | None:
        """The certificate, with its sequence number, once q replicas cosigned this root of our own log."""
        ballot = self._ballots.get(size)
        if ballot is None or len(ballot.cosigned) < self._quorum:
            return None
        event = ballot.executed
        if event is None or event.root != root:
            return None
        votes = []
        for replica in sorted(ballot.cosigned):
            of, vote = ballot.cosigned[replica]
            if of == root:
                votes.append(vote)
        if len(votes) < self._quorum:
            return None
        return event.seq, Certificate(size, root, event.block, event.path, tuple(votes[: self._quorum]))

    def adopt(self, certificate: Certificate) -> bool:
        """Make ``certificate`` the stable one; False where it is not newer."""
        size = certificate.size
        if size <= self.size:
            return False
        self.stable, self.size = certificate, size
        for at in tuple(self._ballots):
            if at <= size:
                del self._ballots[at]
        return True

    def ahead(self, size: int) -> int:
        """How many replicas have cosigned more than ``size`` entries."""
        above = (ballot.cosigned for at, ballot in self._ballots.items() if at > size)
        return len(set().union(*above))

    def own(self, me: int) -> list[Checkpoint]:
        """This replica's cosignatures that are not stable yet, to be told again."""
        events = [ballot.executed for _, ballot in sorted(self._ballots.items())]
        return [
            Checkpoint(event.size, event.root, event.block, event.cosignature)
            for event in events
            if event is not None and event.cosignature is not None and event.cosignature.replica == me
        ]

    def unconfirmed(self, replica: int) -> bool:
        """Whether ``replica`` has not been heard of at the newest size that we executed."""
        executed = [at for at, ballot in self._ballots.items() if ballot.executed is not None]
        return bool(executed) and replica not in self._ballots[max(executed)].cosigned

    def _trim(self, replica: int) -> None:
        """A sender that runs far ahead loses its oldest."""
        sizes = [at for at, ballot in self._ballots.items() if replica in ballot.cosigned]
        if len(sizes) > self._most:
            oldest = min(sizes)
            del self._ballots[oldest].cosigned[replica]
            if not self._ballots[oldest].cosigned and self._ballots[oldest].executed is None:
                del self._ballots[oldest]
