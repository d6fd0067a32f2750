"""The keys under which modules' values lie in the state, and the ledger's rows in its index."""

from typing import Final

__all__ = ["BLOCK", "START", "TIME", "TRANSACTION", "number", "state_key", "state_prefix"]

TRANSACTION: Final = b"t"
"""``t`` id -> index of the header entry."""
BLOCK: Final = b"h"
"""``h`` height -> index of the block's first entry, and of its block entry."""
START: Final = b"i"
"""``i`` index of a block's first entry -> height."""
TIME: Final = b"m"
"""``m`` agreed time, height -> nothing: the greatest row up to a time is the last block then."""


def number(value: int) -> bytes:
    """8 bytes big-endian, so that keys sort as numbers do."""
    return value.to_bytes(8, "big")


def state_prefix(module: str) -> bytes:
    """What every state key of ``module`` starts with: no module's prefix starts like another's."""
    name = module.encode()
    return bytes([len(name)]) + name


def state_key(module: str, key: bytes) -> bytes:
    """The state key of a module's own ``key``: the length and the name of the module, then the key."""
    return state_prefix(module) + key
