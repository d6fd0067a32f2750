"""Budgets: money granted on a line, reserved once for each key, then consumed or released.

A line (an appropriation, a quota) holds three amounts; ``consumed + reserved <= granted`` at every
height. A key names one use of the line and is reserved at most once until it is released again::

    grant(line)  ->  reserve(line, key)  ->  consume(key)
                          ^    |                 |
                          |  release(key)        |
                          +----- reopen(key) ----+

Amounts are integers; what they count (cents, tonnes) is the module's business.
"""

from collections import Counter
from typing import Final, Literal

from msgspec import Struct, structs

from grootboek.ledger.module import KeyPart, Rejected, Table, View
from grootboek.modules.money import AMOUNT_LIMIT

__all__ = ["Budget", "Key", "Line", "LineRow", "UseRow"]

Line = tuple[str, ...]
"""Names a line within its budget: ``("housing-2026",)``."""

Key = tuple[KeyPart, ...]
"""Names one use within its budget: scheme, person, period, component."""

RESERVED: Final = "reserved"
CONSUMED: Final = "consumed"


class LineRow(Struct, frozen=True, array_like=True):
    """One line as the state holds it."""

    granted: int = 0
    reserved: int = 0
    consumed: int = 0

    @property
    def free(self) -> int:
        """What can still be reserved."""
        return self.granted - self.reserved - self.consumed


class UseRow(Struct, frozen=True, array_like=True):
    """One open use of a line; a released key has none."""

    line: tuple[str, ...]
    amount: int
    status: Literal["reserved", "consumed"]


class Budget:
    """Lines and their uses inside one module's state."""

    def __init__(self, name: str = "budget") -> None:
        """``name`` is unique within the module."""
        self._lines = Table(f"{name}-line", LineRow)
        self._uses = Table(f"{name}-use", UseRow)

    def line(self, state: View, line: Line) -> LineRow:
        """The amounts of a line; zeros for one that nothing was granted on."""
        return self._lines.get(state, *line) or LineRow()

    def use(self, state: View, key: Key) -> UseRow | None:
        """The open use of a key, or None."""
        return self._uses.get(state, *key)

    def grant(self, state: View, line: Line, amount: int) -> None:
        """Add ``amount`` to the line; below zero takes back what is free.

        Raises Rejected("budget-short") where less than nothing would be free,
        Rejected("amount-range") where the line grows too large.
        """
        row = self.line(state, line)
        granted = row.granted + amount
        if granted >= AMOUNT_LIMIT:
            raise Rejected("amount-range", "the line would be too large")
        self._set(state, line, structs.replace(row, granted=granted))

    def reserve(self, state: View, line: Line, key: Key, amount: int) -> None:
        """Reserve ``amount`` > 0 for a key that has no open use.

        Raises Rejected("key-reserved") or Rejected("key-consumed") where it has one,
        Rejected("budget-short") where the line has less free.
        """
        if amount <= 0:
            raise Rejected("amount-range", "an amount must be above zero")
        known = self.use(state, key)
        if known is not None:
            raise Rejected(f"key-{known.status}")
        row = self.line(state, line)
        self._set(state, line, structs.replace(row, reserved=row.reserved + amount))
        self._uses.put(state, UseRow(line, amount, RESERVED), *key)

    def consume(self, state: View, key: Key) -> None:
        """Turn a reservation into consumption; raises Rejected("key-not-reserved")."""
        use = self._require(state, key, RESERVED)
        row = self.line(state, use.line)
        moved = structs.replace(row, reserved=row.reserved - use.amount, consumed=row.consumed + use.amount)
        self._set(state, use.line, moved)
        self._uses.put(state, structs.replace(use, status=CONSUMED), *key)

    def reopen(self, state: View, key: Key) -> None:
        """Turn consumption back into a reservation; raises Rejected("key-not-consumed")."""
        use = self._require(state, key, CONSUMED)
        row = self.line(state, use.line)
        moved = structs.replace(row, reserved=row.reserved + use.amount, consumed=row.consumed - use.amount)
        self._set(state, use.line, moved)
        self._uses.put(state, structs.replace(use, status=RESERVED), *key)

    def release(self, state: View, key: Key) -> None:
        """Give a reservation back to its line; raises Rejected("key-not-reserved")."""
        use = self._require(state, key, RESERVED)
        row = self.line(state, use.line)
        self._set(state, use.line, structs.replace(row, reserved=row.reserved - use.amount))
        self._uses.delete(state, *key)

    def holds(self, state: View) -> bool:
        """The invariant: each line counts its uses, and never more than was granted."""
        reserved: Counter[Line] = Counter()
        consumed: Counter[Line] = Counter()
        for use in self._uses.every(state):
            (reserved if use.status == RESERVED else consumed)[use.line] += use.amount
        rows = list(self._lines.every(state))
        return (
            all(min(row.free, row.reserved, row.consumed) >= 0 for row in rows)
            and sum(row.reserved for row in rows) == reserved.total()
            and sum(row.consumed for row in rows) == consumed.total()
            and all(self.line(state, line).reserved == amount for line, amount in reserved.items())
            and all(self.line(state, line).consumed == amount for line, amount in consumed.items())
        )

    def _require(self, state: View, key: Key, status: str) -> UseRow:
        use = self.use(state, key)
        if use is None or use.status != status:
            raise Rejected(f"key-not-{status}")
        return use

    def _set(self, state: View, line: Line, row: LineRow) -> None:
        if row.free < 0:
            raise Rejected("budget-short", f"{-row.free} more than was granted")
        self._lines.put(state, row, *line)
