"""The state by the ledger's heights, with errors of its disk as StorageError.

The genesis file's parties are the state's own first commit, so what the ledger calls height h is
height h + 1 of ``_core.State``. Nothing outside this file knows.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Concatenate, Final, ParamSpec, TypeVar

from grootboek._core import State
from grootboek.errors import NotFound, Pruned, StorageError

__all__ = ["Store"]

P = ParamSpec("P")
R = TypeVar("R")

FLUSH_BYTES: Final = 6 << 20
"""How much may be in memory only before it is time for a flush. Each flush becomes a file, and the fewer
there are, the less is written again when they are merged.
"""

_FOUNDING: Final = 1
"""The state's height of the founding rows."""


def _guarded(method: "Callable[Concatenate[Store, P], R]") -> "Callable[Concatenate[Store, P], R]":
    @wraps(method)
    def call(self: "Store", /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except OSError as error:
            raise StorageError(str(error), where="state") from error

    return call


class Store:
    """One ledger's state."""

    def __init__(self, state: State, founding: Sequence[tuple[bytes, bytes]]) -> None:
        """``founding``: the rows at height 0, written where the state is empty still."""
        self.state = state
        if not state.height:
            state.commit(_FOUNDING, founding)

    @property
    def height(self) -> int:
        """The last committed height; 0 is the genesis file."""
        return self.state.height - _FOUNDING

    @property
    def root(self) -> bytes:
        """The root after it."""
        return self.state.root

    @property
    def flushed(self) -> int:
        """The height that a crash falls back to; -1 where not even the founding rows are durable."""
        return self.state.flushed - _FOUNDING

    @property
    def flush_due(self) -> bool:
        """Whether so much is in memory only that it should be flushed."""
        return self.state.pending >= FLUSH_BYTES

    @_guarded
    def get(self, key: bytes) -> bytes | None:
        """The value now."""
        return self.state.get(key)

    @_guarded
    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values now."""
        return self.state.get_many(keys)

    @_guarded
    def get_at(self, key: bytes, height: int) -> bytes | None:
        """The value after ``height``."""
        return self.state.get_at(key, height + _FOUNDING)

    @_guarded
    def scan(self, prefix: bytes, after: bytes | None, limit: int) -> list[tuple[bytes, bytes]]:
        """Pairs now, in key order."""
        return self.state.scan(prefix, after, limit)

    @_guarded
    def scan_at(
        self, prefix: bytes, after: bytes | None, limit: int, height: int
    ) -> list[tuple[bytes, bytes]]:
        """Pairs after ``height``, in key order."""
        return self.state.scan_at(prefix, after, limit, height + _FOUNDING)

    @_guarded
    def commit(
        self, height: int, writes: Sequence[tuple[bytes, bytes | None]], index: Sequence[tuple[bytes, bytes]]
    ) -> None:
        """Apply what the block of ``height`` changes."""
        self.state.commit(height + _FOUNDING, writes, index)

    @_guarded
    def leap(self, height: int, root: bytes, changes: Sequence[tuple[bytes, bytes | None]]) -> bool:
        """Go to ``height`` by one commit; False, with nothing changed, where it does not give ``root``.

        All that is executed is flushed. No proof reaches below ``height`` any more.
        """
        self.state.flush(self.state.height, 0)
        try:
            self.state.leap(height + _FOUNDING, root, changes)
        except ValueError:
            return False
        return True

    @_guarded
    def index_put(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        """Put rows of the index at once, durably."""
        self.state.index_put(rows)

    @_guarded
    def index_get(self, key: bytes) -> bytes | None:
        """A row of the index."""
        return self.state.index_get(key)

    @_guarded
    def index_get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Rows of the index."""
        return self.state.index_get_many(keys)

    @_guarded
    def index_scan(self, prefix: bytes, last: bytes) -> tuple[bytes, bytes] | None:
        """The greatest row of the index that starts with ``prefix`` and is <= ``last``."""
        return self.state.index_scan(prefix, last)

    @_guarded
    def prove(self, key: bytes, height: int, keep: int) -> bytes:
        """A proof against the root after ``height``; raises NotFound or Pruned.

        ``keep``: for how many heights below the flushed one proofs can be made.
        """
        if not 0 < height <= self.height:
            raise NotFound(f"the heights are 1 to {self.height}", where=str(height))
        try:
            return self.state.prove(key, height + _FOUNDING)
        except LookupError as error:
            first = max(1, self.flushed - keep)
            raise Pruned(f"proofs are kept from height {first} on", where=str(height)) from error

    @_guarded
    def flush(self, height: int, keep: int) -> None:
        """Make everything up to ``height`` durable; proofs stay for the last ``keep`` of that."""
        self.state.flush(height + _FOUNDING, keep)
