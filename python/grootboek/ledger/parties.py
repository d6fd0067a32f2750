"""Who signs: the register of parties, as rows of the state under the module name ``parties``.

The ledger itself reads these tables to tell a command who signed it, so their form belongs to the
ledger and not to the module that changes them. The genesis file's parties are the rows at height 0.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from grootboek.ledger.keys import state_key
from grootboek.ledger.module import Signer, Table
from grootboek.ledger.store import Store
from grootboek.types import Party, PublicKey

__all__ = ["PARTIES", "KeyRow", "PartyRow", "Register", "founding_rows", "keys", "parties"]

PARTIES: Final = "parties"
"""The module whose part of the state holds the register."""

_CACHED_SIGNERS: Final = 65_536
"""How many signers are remembered between blocks."""


class KeyRow(Struct, frozen=True, array_like=True):
    """Whose a public key is."""

    party: bytes
    """The party's id, 16 bytes."""


class PartyRow(Struct, frozen=True, array_like=True):
    """What is known of a party."""

    keys: tuple[PublicKey, ...]
    """Its present keys, sorted."""
    roles: tuple[str, ...]
    """``module.role``, sorted."""


keys: Final = Table("key", KeyRow)
"""Public key -> KeyRow."""
parties: Final = Table("party", PartyRow)
"""Party id -> PartyRow."""

_PREFIX: Final = state_key(PARTIES, b"")


def founding_rows(founders: Iterable[Party]) -> list[tuple[bytes, bytes]]:
    """The rows of the genesis file's parties, as pairs of state key and value."""
    rows = []
    for founder in founders:
        identity = bytes.fromhex(founder.id)
        public = tuple(sorted(bytes.fromhex(key) for key in founder.keys))
        rows.append((_PREFIX + parties.key(identity), parties.encode(PartyRow(public, founder.roles))))
        rows += [(_PREFIX + keys.key(key), keys.encode(KeyRow(identity))) for key in public]
    return rows


class Register:
    """Looks signers up, as of the start of a block, and remembers them while nothing changes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[bytes, Signer] = {}

    def signers(self, wanted: Iterable[bytes]) -> dict[bytes, Signer]:
        """The signer for each of the public keys ``wanted`` (at least)."""
        distinct = list(dict.fromkeys(wanted))
        missing = [key for key in distinct if key not in self._known]
        if len(self._known) + len(missing) > _CACHED_SIGNERS:
            self._known, missing = {}, distinct
        self._known |= self._look_up(missing)
        return self._known

    def changed(self, written: Iterable[bytes]) -> None:
        """Forget what is known where one of the written state keys belongs to the register."""
        if any(key.startswith(_PREFIX) for key in written):
            self._known = {}

    def _look_up(self, public: Sequence[bytes]) -> dict[bytes, Signer]:
        rows = self._store.get_many([_PREFIX + keys.key(key) for key in public])
        owners = {
            key: keys.decode(row).party for key, row in zip(public, rows, strict=True) if row is not None
        }
        return {key: self._signer(key, owners.get(key)) for key in public}

    def _signer(self, key: bytes, party: bytes | None) -> Signer:
        if party is None:
            return Signer(key, None, ())
        row = self._store.get(_PREFIX + parties.key(party))
        return Signer(key, party, () if row is None else parties.decode(row).roles)
