"""Whether a history of reads and writes is linearizable: a register for each key, a value for each write.

Linearizability is local (Herlihy and Wing, 1990), so each key is judged alone. In general one searches for
an order that explains all (Wing and Gong, 1993; Lowe, 2017), which may take exponential time. Where no two
writes of a key write the same value, each read tells which write it saw, and no search is needed (Gibbons and
Korach, "Testing shared memories", 1997). A write and the reads that saw it are a group; in any legal order a
group stands together, the write first. A group must come before another where one of its operations returned
before one of the other's was invoked: where its *first return* is before the other's *last invocation*. So

- an order exists exactly if these rules form no cycle, and no read returned before its write was invoked;
- a cycle holds a cycle of two: let B be invoked last of all groups in the cycle, C follow B, and D follow C.
  B comes before C; C's first return is before D's last invocation, hence before B's, so C comes before B.

One pass over the groups by their first returns finds two that must each come before the other. It costs
O(n log n) for n operations, however many of them are concurrent or of unknown outcome.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from msgspec import Struct

__all__ = ["Anomaly", "Operation", "check"]


class Operation(Struct, frozen=True):
    """What one client did to one key, and when, by one clock for all clients (of any unit)."""

    client: int
    key: str
    kind: Literal["write", "read"]
    value: int | None
    """What was written, or what was read: None where nothing was written before."""
    invoked: int
    returned: int | None
    """None: the outcome is unknown. Such a write takes effect at any later time or never; such a read tells
    nothing.
    """

    @property
    def until(self) -> float:
        """When it has taken effect at the latest."""
        return math.inf if self.returned is None else self.returned

    def __str__(self) -> str:
        verb = "wrote" if self.kind == "write" else "read"
        end = "?" if self.returned is None else self.returned
        return f"client {self.client} {verb} {self.value} from {self.invoked} to {end}"


class Anomaly(Struct, frozen=True):
    """Operations on one key that no order explains, whatever else happened."""

    key: str
    reason: str
    operations: tuple[Operation, ...]
    """By the time they were invoked; at most six, and no read too many."""

    def __str__(self) -> str:
        return "\n  ".join([f"{self.key}: {self.reason}", *map(str, self.operations)])


class _Group(Struct, frozen=True):
    """A write and the reads that saw it."""

    write: Operation | None
    """None: what was there before any write."""
    first: Operation | None
    """The first to return; None: before all others."""
    last: Operation
    """The last to be invoked."""

    @property
    def since(self) -> float:
        """When the value was there at the latest."""
        return -math.inf if self.first is None else self.first.until

    def precedes(self, other: "_Group") -> bool:
        """Whether one of its operations returned before one of the other's was invoked."""
        return self.since < other.last.invoked

    def operations(self) -> Iterator[Operation]:
        """The write, and what says how early and how late the value was there."""
        for operation in (self.write, self.first, self.last):
            if operation is not None:
                yield operation


def check(history: Sequence[Operation]) -> Anomaly | None:
    """What cannot have happened to registers that hold None at first; None where an order explains all.

    The operations may come in any order. Raises ValueError where two writes of a key write the same value, or
    one writes None: who read what is then not known.
    """
    keys: defaultdict[str, list[Operation]] = defaultdict(list)
    for operation in history:
        keys[operation.key].append(operation)
    found = next(filter(None, map(_check_key, keys.values())), None)
    return None if found is None else _least(found)


def _least(anomaly: Anomaly) -> Anomaly:
    """The same without the reads that it takes nothing from."""
    for operation in anomaly.operations:
        if operation.kind == "read":
            left = [other for other in anomaly.operations if other is not operation]
            anomaly = _check_key(left) or anomaly
    return anomaly


def _check_key(operations: Iterable[Operation]) -> Anomaly | None:
    writes: dict[int | None, Operation] = {}
    reads: defaultdict[int | None, list[Operation]] = defaultdict(list)
    for operation in operations:
        if operation.kind == "read":
            if operation.returned is not None:
                reads[operation.value].append(operation)
        elif operation.value is None or operation.value in writes:
            raise ValueError(f"{operation.key}: {operation}, and every write needs a value of its own")
        else:
            writes[operation.value] = operation
    return _check_reads(writes, reads) or _check_order(_groups(writes, reads))


def _check_reads(
    writes: dict[int | None, Operation], reads: dict[int | None, list[Operation]]
) -> Anomaly | None:
    """Each value that was read was written, and not later."""
    for value, seen in reads.items():
        early = min(seen, key=lambda read: read.until)
        if value is None:
            continue
        if value not in writes:
            return _anomaly("read what nobody wrote", early)
        if early.until < writes[value].invoked:
            return _anomaly("read before it was written", writes[value], early)
    return None


def _groups(
    writes: dict[int | None, Operation], reads: dict[int | None, list[Operation]]
) -> Iterator[_Group]:
    """A write of unknown outcome that nobody saw is left out: it may have had no effect."""
    if None in reads:
        yield _Group(None, None, max(reads[None], key=lambda read: read.invoked))
    for value, write in writes.items():
        if write.returned is None and value not in reads:
            continue
        group = [write, *reads.get(value, ())]
        first = min(group, key=lambda operation: operation.until)
        yield _Group(write, first, max(group, key=lambda operation: operation.invoked))


def _check_order(groups: Iterable[_Group]) -> Anomaly | None:
    """Compare each group with the one that lasts longest of those before it.

    Were there a contradiction with another one before it, that one would contradict the longest, too.
    """
    longest: _Group | None = None
    for group in sorted(groups, key=lambda group: group.since):
        if longest is not None and longest.precedes(group) and group.precedes(longest):
            return _anomaly(
                "each of two values was there before the other", *longest.operations(), *group.operations()
            )
        if longest is None or group.last.invoked > longest.last.invoked:
            longest = group
    return None


def _anomaly(reason: str, *operations: Operation) -> Anomaly:
    ordered = sorted(dict.fromkeys(operations), key=lambda operation: operation.invoked)
    return Anomaly(ordered[0].key, reason, tuple(ordered))
