"""A replica's key files over its epochs: the present keys, those that a later epoch will name, and what
is erased once an epoch is over.
"""

from pathlib import Path
from typing import Final

import msgspec

from grootboek.errors import GenesisError
from grootboek.node import keystore
from grootboek.node.keystore import ReplicaKeys
from grootboek.types import ReplicaInfo

__all__ = ["NEXT", "KeyFiles", "own_info"]

NEXT: Final = "keys.next"
"""Beside the key file: other keys of the same replica, for the epoch that will name them."""


class KeyFiles:
    """The key file of a replica, and the one beside it that waits for its epoch."""

    def __init__(self, path: Path, passphrase_file: Path | None) -> None:
        """Unlocks both with one passphrase; raises KeyFileError."""
        self._path = path
        self._next = path.with_name(NEXT)
        self._passphrase = keystore.passphrase_of(path, passphrase_file)
        self.all = [keystore.load(path, self._passphrase, ReplicaKeys)]
        """The present keys first."""
        self.look()

    def look(self) -> None:
        """See whether other keys wait by now: they may be made while the replica runs.

        Raises KeyFileError.
        """
        waiting = [self._next] if self._next.exists() else []
        self.all[1:] = [keystore.load(path, self._passphrase, ReplicaKeys) for path in waiting]

    def seated(self, epoch: int, *, rotate: bool = False) -> ReplicaKeys:
        """The keys for a seat in ``epoch``: the present ones, or with ``rotate`` others, which then wait.

        Keys that wait already are taken again and not replaced: an epoch that names them may be about to
        begin. Raises KeyFileError.
        """
        if not rotate:
            return self.all[0].at(epoch)
        if not self.all[1:]:
            fresh = msgspec.structs.replace(ReplicaKeys.generate(self.all[0].name), epoch=epoch)
            keystore.put(self._next, fresh, self._passphrase, keystore.cost_of(self._path))
            self.look()
        return self.all[1].at(epoch)

    def erase_before(self, present: ReplicaKeys) -> None:
        """The epoch of ``present`` has begun: keep these, and nothing that an earlier one signed with.

        Raises KeyFileError.
        """
        if present != self.all[0]:
            keystore.put(self._path, present, self._passphrase, keystore.cost_of(self._path))
            self.all[0] = present
        # Also where the keys are in place already: a crash may have come before the next line.
        if any(one.epoch <= present.epoch and one.at(present.epoch) == present for one in self.all[1:]):
            self._next.unlink()
            del self.all[1:]


def own_info(data: Path, name: str) -> ReplicaInfo | None:
    """How a replica that no epoch names yet presents itself: ``NAME.json``, which ``init replica`` wrote.

    None where there is no such file; raises GenesisError.
    """
    path = data / f"{name}.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=ReplicaInfo)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise GenesisError(str(error), where=str(path)) from error
