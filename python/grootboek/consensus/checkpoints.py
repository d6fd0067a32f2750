"""From cosignatures to certificates: when a checkpoint of the log is stable."""

from grootboek.consensus.events import Executed
from grootboek.wire import Certificate, Checkpoint, Cosignature

__all__ = ["Checkpoints"]


class Checkpoints:
    """Cosignatures above the last stable checkpoint, within ``window`` blocks of each sender."""

    def __init__(self, quorum: int, window: int) -> None:
        self._quorum = quorum
        self._window = window
        self._votes: dict[tuple[int, bytes], dict[int, Cosignature]] = {}
        self._executed: dict[int, Executed] = {}
        self._sizes: dict[int, dict[int, bytes]] = {}
        self.stable: Certificate | None = None

    @property
    def size(self) -> int:
        """The log size of the stable checkpoint."""
        return 0 if self.stable is None else self.stable.size

    def executed(self, event: Executed) -> Certificate | None:
        """This replica executed a block: the certificate, if that completes one."""
        if event.size <= self.size:
            return None
        self._executed[event.size] = event
        if event.cosignature is not None:
            self._count(event.size, event.root, event.cosignature)
        return self._complete(event.size, event.root)

    def received(self, message: Checkpoint) -> Certificate | None:
        """A peer's cosignature: the certificate, if that completes one of our own log."""
        if message.size <= self.size:
            return None
        self._count(message.size, message.root, message.cosignature)
        return self._complete(message.size, message.root)

    def contradicted(self, message: Checkpoint) -> tuple[bytes, Cosignature] | None:
        """Another root that the sender has cosigned for the same size, with that cosignature."""
        sender = message.cosignature.replica
        root = self._sizes.get(sender, {}).get(message.size, message.root)
        return None if root == message.root else (root, self._votes[message.size, root][sender])

    def _count(self, size: int, root: bytes, cosignature: Cosignature) -> None:
        """One root for each sender and size; a sender that runs far ahead loses its oldest."""
        sizes = self._sizes.setdefault(cosignature.replica, {})
        if sizes.setdefault(size, root) != root:
            return
        self._votes.setdefault((size, root), {})[cosignature.replica] = cosignature
        if len(sizes) > 2 * self._window:
            oldest = min(sizes)
            self._forget(cosignature.replica, oldest, sizes.pop(oldest))

    def _forget(self, replica: int, size: int, root: bytes) -> None:
        votes = self._votes.get((size, root), {})
        votes.pop(replica, None)
        if not votes:
            self._votes.pop((size, root), None)

    def _complete(self, size: int, root: bytes) -> Certificate | None:
        event = self._executed.get(size)
        votes = self._votes.get((size, root), {})
        if event is None or event.root != root or len(votes) < self._quorum:
            return None
        chosen = tuple(votes[replica] for replica in sorted(votes)[: self._quorum])
        return Certificate(size=size, root=root, block=event.block, path=event.path, cosignatures=chosen)

    def adopt(self, certificate: Certificate) -> bool:
        """Make ``certificate`` the stable one; False where it is not newer."""
        if certificate.size <= self.size:
            return False
        self.stable = certificate
        size = certificate.size
        self._executed = {at: event for at, event in self._executed.items() if at > size}
        self._votes = {key: votes for key, votes in self._votes.items() if key[0] > size}
        self._sizes = {
            sender: {at: root for at, root in sizes.items() if at > size}
            for sender, sizes in self._sizes.items()
        }
        return True

    def ahead(self, size: int) -> int:
        """How many peers have cosigned more than ``size`` entries."""
        return sum(any(at > size for at in sizes) for sizes in self._sizes.values())

    def own(self, me: int) -> list[Checkpoint]:
        """This replica's cosignatures that are not stable yet, to be told again."""
        return [
            Checkpoint(event.size, event.root, event.block, event.cosignature)
            for event in self._executed.values()
            if event.cosignature is not None and event.cosignature.replica == me
        ]

    def unconfirmed(self, replica: int) -> bool:
        """Whether ``replica`` has not been heard of at the newest size that we executed."""
        newest = max(self._executed, default=0)
        return newest > 0 and newest not in self._sizes.get(replica, {})
