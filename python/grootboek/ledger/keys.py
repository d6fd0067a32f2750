"""The keys under which modules' values lie in the state, and the ledger's rows in its index."""

from typing import Final

from grootboek.wire import BlockEntry

__all__ = [
    "BLOCK",
    "GAP",
    "START",
    "TIME",
    "TRANSACTION",
    "block_rows",
    "number",
    "state_key",
    "state_prefix",
]

TRANSACTION: Final = b"t"
"""``t`` id -> index of the header entry."""
BLOCK: Final = b"h"
"""``h`` height -> index of the block's first entry, and of its block entry."""
START: Final = b"i"
"""``i`` index of a block's first entry -> height."""
TIME: Final = b"m"
"""``m`` agreed time, height -> nothing: the greatest row up to a time is the last block then."""

GAP: Final = b"g"
"""``g`` height -> the next height at which the state is known: a snapshot led from one to the other."""


def block_rows(entry: BlockEntry, start: int, index: int) -> list[tuple[bytes, bytes]]:
    """The rows of a block whose entries begin at ``start`` and end with its block entry at ``index``."""
    height = number(entry.height)
    return [
        (BLOCK + height, number(start) + number(index)),
        (START + number(start), height),
        (TIME + number(entry.time) + height, height),
    ]


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
