"""Which key signs for which role, from the key files that the user has."""

from collections.abc import Sequence
from pathlib import Path

from grootboek._core import SigningKey
from grootboek.errors import ConfigError
from grootboek.node.keystore import Identity, unlock
from grootboek.types import Genesis

__all__ = ["Keyring"]


class Keyring:
    """The keys of one or more identities, found by the roles that the genesis file gives them."""

    def __init__(self, genesis: Genesis, keys: Sequence[SigningKey]) -> None:
        self._keys = tuple(keys)
        roles = {key: party.roles for party in genesis.parties for key in party.keys}
        self._by_role = {
            role: key for key in reversed(self._keys) for role in roles.get(key.public.hex(), ())
        }

    @classmethod
    def open(cls, genesis: Genesis, paths: Sequence[Path], passphrase_file: Path | None) -> "Keyring":
        """Unlock key files, and all key files of folders. Raises KeyFileError, ConfigError."""
        files = [file for path in paths for file in _files(path)]
        if not files:
            raise ConfigError(
                "no key is named: give --key FILE, or --keys with files or folders", where="--keys"
            )
        return cls(genesis, [unlock(file, passphrase_file, Identity).key for file in files])

    def key_for(self, role: str) -> SigningKey:
        """The key of a party with ``role``; the only key there is, where the genesis file names none.

        Raises ConfigError where several keys are there and none has the role.
        """
        found = self._by_role.get(role)
        if found is not None:
            return found
        if len(self._keys) == 1:
            return self._keys[0]
        raise ConfigError(
            f"none of the {len(self._keys)} keys belongs to a party with role {role}", where="--keys"
        )


def _files(path: Path) -> list[Path]:
    """The key files in a folder; public halves (``NAME.json``) and hidden files lie beside them."""
    if not path.exists():
        raise ConfigError("No such file or directory", where=str(path))
    if not path.is_dir():
        return [path]
    return sorted(
        file
        for file in path.iterdir()
        if file.is_file() and file.suffix != ".json" and not file.name.startswith(".")
    )
