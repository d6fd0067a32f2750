"""A replica's place and keys in each epoch, from the keys that it holds."""

from collections.abc import Callable, Sequence

from grootboek.errors import GenesisError, KeyFileError
from grootboek.node.keystore import ReplicaKeys
from grootboek.node.signers import Keys
from grootboek.types import Epoch, ReplicaInfo

__all__ = ["Seats"]


class Seats:
    """One replica's keys: those that it has, and those that it will have once an epoch names them."""

    def __init__(
        self,
        keys: Sequence[ReplicaKeys],
        own: ReplicaInfo | None = None,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        """``keys``: all of one replica, the oldest first. ``own``: how it presents itself where no epoch
        names it. ``look`` adds to ``keys`` those that were made since, where none of them will do.
        """
        self.name = keys[0].name
        self._keys = keys
        self._own = own
        self._look = look

    def recall(self, epochs: Sequence[Epoch]) -> None:
        """These are the epochs so far: whoever has left presents itself as it last did."""
        for epoch in epochs:
            if epoch.index(self.name) is not None:
                self.info(epoch)

    def info(self, epoch: Epoch) -> ReplicaInfo:
        """How this replica presents itself in ``epoch``; raises GenesisError where nothing says."""
        index = epoch.index(self.name)
        if index is not None:
            self._own = epoch.replicas[index]
        if self._own is None:
            names = ", ".join(replica.name for replica in epoch.replicas)
            raise GenesisError(f"no replica is called {self.name!r} (there are {names})", where="$.replicas")
        return self._own

    def keys(self, epoch: Epoch) -> ReplicaKeys:
        """Those that ``epoch`` names, the oldest where it does not name this replica; raises KeyFileError.

        Whoever has left cosigns nothing any more: its cosigning key moves on, too, and can be erased.
        """
        info = self.info(epoch)
        if epoch.index(self.name) is None:
            first = self._keys[0]
            return first.at(max(first.epoch, epoch.number))
        try:
            return self._named(epoch, info)
        except KeyFileError:
            self._look()
            return self._named(epoch, info)

    def _named(self, epoch: Epoch, info: ReplicaInfo) -> ReplicaKeys:
        failure: KeyFileError | None = None
        for keys in reversed(self._keys):
            try:
                found = keys.at(epoch.number)
                found.check(info)
            except KeyFileError as error:
                failure = error
            else:
                return found
        raise failure or KeyFileError("there are no keys")

    def seat(self, epoch: Epoch) -> tuple[int, Keys]:
        """Index and signing keys in ``epoch``; n for an observer. Raises as ``keys``."""
        index = epoch.index(self.name)
        return epoch.quorum.n if index is None else index, self.keys(epoch).signing()
