"""What a block has written so far, over the state before it; and what one command sees of that.

Three layers: the state, the block's writes, the writes of the present unit (a command, or a whole
atomic transaction). A unit's writes move down when it took effect and are dropped when it did not.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

import msgspec
from msgspec import Struct

from grootboek.errors import StorageError
from grootboek.ledger.store import Store
from grootboek.types import Limits
from grootboek.wire import Event

__all__ = ["BlockWrites", "BudgetExceeded", "Unit"]

_FIRST_PAGE: Final = 16
"""How many rows of the state a scan fetches first; each further page has twice as many."""
_LAST_PAGE: Final = 1_024
_EVENT_NAME: Final = 64
"""Characters of an event's name."""
_EVENT_OVERHEAD: Final = 8
"""Bytes that an event takes in a record besides its name and body, at most."""

_encode: Final = msgspec.msgpack.Encoder().encode


class BudgetExceeded(Exception):
    """A command is beyond one of the ledger's limits."""


class BlockWrites:
    """The writes of a block, and the values of the state that were read on the way."""

    def __init__(self, store: Store) -> None:
        self._state = store.state
        self._store = store
        self.written: dict[bytes, bytes | None] = {}
        self._base: dict[bytes, bytes | None] = {}
        self._sorted: list[bytes] = []
        self._unsorted: list[bytes] = []

    def get(self, key: bytes) -> bytes | None:
        """The value so far."""
        if key in self.written:
            return self.written[key]
        if key in self._base:
            return self._base[key]
        value = self._base[key] = self._state.get(key)
        return value

    def apply(self, writes: Mapping[bytes, bytes | None]) -> None:
        """Take over the writes of a unit."""
        written, unsorted = self.written, self._unsorted
        for key, value in writes.items():
            if key not in written:
                unsorted.append(key)
            written[key] = value

    def changes(self) -> list[tuple[bytes, bytes | None]]:
        """What differs from the state before the block, by key."""
        unread = [key for key in self.written if key not in self._base]
        self._base.update(zip(unread, self._store.get_many(unread), strict=True))
        base = self._base
        return sorted((key, value) for key, value in self.written.items() if base[key] != value)

    def keys(self, prefix: bytes, after: bytes | None) -> list[bytes]:
        """The written keys that start with ``prefix`` and are greater than ``after``, sorted."""
        for key in self._unsorted:
            insort(self._sorted, key)
        self._unsorted.clear()
        return keys_within(self._sorted, prefix, after)

    def scan(self, prefix: bytes, after: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        """The state's own pairs, page by page."""
        size = _FIRST_PAGE
        while page := self._state.scan(prefix, after, size):
            yield from page
            after = page[-1][0]
            size = min(2 * size, _LAST_PAGE)


def keys_within(ordered: list[bytes], prefix: bytes, after: bytes | None) -> list[bytes]:
    """The part of sorted keys that starts with ``prefix`` and is greater than ``after``."""
    start = bisect_left(ordered, prefix)
    if after is not None and after >= prefix:
        start = bisect_left(ordered, after + b"\0")
    end = start
    while end < len(ordered) and ordered[end].startswith(prefix):
        end += 1
    return ordered[start:end]


class Unit:
    """One unit's layer, and the View that its commands see (see ``module.View``).

    A failure that must not be lost is remembered: a module may catch what the view raises.
    """

    __slots__ = (
        "_block",
        "_limits",
        "_prefix",
        "emitted",
        "event_bytes",
        "exceeded",
        "failure",
        "puts",
        "reads",
        "scanned",
        "writes",
    )

    def __init__(self, block: BlockWrites, limits: Limits) -> None:
        self._block = block
        self._limits = limits
        self.writes: dict[bytes, bytes | None] = {}
        self.begin(b"")

    def begin(self, prefix: bytes) -> None:
        """The next command begins, with a budget of its own; its module's keys start with ``prefix``."""
        self._prefix = prefix
        self.reads = self.puts = self.scanned = self.event_bytes = 0
        self.emitted: list[Event] = []
        self.exceeded = False
        self.failure: BaseException | None = None

    def end(self, *, keep: bool) -> None:
        """The unit ends: its writes become the block's, or are dropped."""
        if keep:
            self._block.apply(self.writes)
        self.writes = {}

    def get(self, key: bytes) -> bytes | None:
        """See View."""
        self._count_read(key)
        full = self._prefix + key
        if full in self.writes:
            return self.writes[full]
        try:
            return self._block.get(full)
        except OSError as error:
            raise self._failed(error) from error

    def _count_read(self, key: bytes) -> None:
        """A longer key cannot be there; and the store takes none of any length."""
        self.reads += 1
        if self.reads > self._limits.reads:
            raise self._beyond("reads")
        if len(key) > self._limits.key_bytes:
            raise self._beyond("key_bytes")

    def put(self, key: bytes, value: bytes) -> None:
        """See View."""
        if type(value) is not bytes:
            raise TypeError(f"a value is bytes, not {type(value).__name__}")
        if len(value) > self._limits.value_bytes:
            raise self._beyond("value_bytes")
        self._write(key, value)

    def delete(self, key: bytes) -> None:
        """See View."""
        self._write(key, None)

    def _write(self, key: bytes, value: bytes | None) -> None:
        self.puts += 1
        if self.puts > self._limits.writes:
            raise self._beyond("writes")
        if len(key) > self._limits.key_bytes:
            raise self._beyond("key_bytes")
        self.writes[self._prefix + key] = value

    def scan(
        self, prefix: bytes, after: bytes | None = None, limit: int = 1_000
    ) -> Iterator[tuple[bytes, bytes]]:
        """See View. The rows are those of now: what is written while they are read does not show."""
        self._count_read(max(prefix, after or b"", key=len))
        left = self._limits.scanned_rows - self.scanned
        skip = len(self._prefix)
        full = None if after is None else self._prefix + after
        try:
            found = self._merged(self._prefix + prefix, full)
            rows = [(key[skip:], value) for key, value in islice(found, max(0, min(limit, left + 1)))]
        except OSError as error:
            raise self._failed(error) from error
        self.scanned += len(rows)
        if len(rows) > left:
            raise self._beyond("scanned_rows")
        return iter(rows)

    def _merged(self, prefix: bytes, after: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        """The state's pairs with the block's and the unit's writes laid over them, in key order."""
        own = keys_within(sorted(self.writes), prefix, after)
        changed = sorted({*self._block.keys(prefix, after), *own})
        position = 0
        for key, value in self._block.scan(prefix, after):
            while position < len(changed) and changed[position] < key:
                yield from self._changed(changed[position])
                position += 1
            if position < len(changed) and changed[position] == key:
                yield from self._changed(key)
                position += 1
            else:
                yield key, value
        for key in changed[position:]:
            yield from self._changed(key)

    def _changed(self, key: bytes) -> Iterator[tuple[bytes, bytes]]:
        value = self.writes[key] if key in self.writes else self._block.written[key]
        if value is not None:
            yield key, value

    def emit(self, event: Struct) -> None:
        """See View."""
        name = type(event).__name__
        if not isinstance(event, Struct) or len(name) > _EVENT_NAME:
            raise TypeError(f"{name} is no event: a Struct whose name has at most {_EVENT_NAME} characters")
        body = _encode(event)
        self.event_bytes += len(name.encode()) + len(body) + _EVENT_OVERHEAD
        if len(self.emitted) == self._limits.events:
            raise self._beyond("events")
        if self.event_bytes > self._limits.event_bytes:
            raise self._beyond("event_bytes")
        self.emitted.append(Event(name, body))

    def _beyond(self, limit: str) -> BudgetExceeded:
        self.exceeded = True
        return BudgetExceeded(limit)

    def _failed(self, error: OSError) -> StorageError:
        failure = self.failure = StorageError(str(error), where="state")
        return failure
