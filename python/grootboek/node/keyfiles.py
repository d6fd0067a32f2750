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
        if self._next.exists():
            self.all.append(keystore.load(self._next, self._passphrase, ReplicaKeys))

    def erase_before(self, present: ReplicaKeys) -> None:
        """The epoch of ``present`` has begun: keep these, and nothing that an earlier one signed with.

        Raises KeyFileError.
        """
        if present == self.all[0]:
            return
        keystore.replace(self._path, present, self._passphrase)
        if self.all[1:] and self.all[1].at(present.epoch) == present:
            self._next.unlink()
            del self.all[1]
        self.all[0] = present


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
