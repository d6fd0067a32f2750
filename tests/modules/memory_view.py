"""A module's state in a dict, and a tiny host that runs commands on it."""

import itertools
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from grootboek.ledger.module import Context, Module, Rejected, Signer, View

APPLIED = "applied"
RULE_ERRORS = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError)
DAY_MS = 86_400_000


class MemoryView:
    """A View over a dict; events are kept in order."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.events: list[Struct] = []
        self._keys: list[bytes] = []
        self._keys_of = self.rows

    def get(self, key: bytes) -> bytes | None:
        return self.rows.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        if key not in self.rows and self._is_indexed():
            insort(self._keys, key)
        self.rows[key] = value

    def delete(self, key: bytes) -> None:
        if key in self.rows and self._is_indexed():
            del self._keys[bisect_left(self._keys, key)]
        self.rows.pop(key, None)

    def scan(
        self, prefix: bytes, after: bytes | None = None, limit: int = 1_000
    ) -> Iterator[tuple[bytes, bytes]]:
        if not self._is_indexed():
            self._keys, self._keys_of = sorted(self.rows), self.rows
        start = bisect_left(self._keys, prefix) if after is None else bisect_right(self._keys, after)
        found = itertools.takewhile(lambda key: key.startswith(prefix), self._keys[start : start + limit])
        return iter([(key, self.rows[key]) for key in found])

    def emit(self, event: Struct) -> None:
        self.events.append(event)

    def _is_indexed(self) -> bool:
        """Whether the sorted keys are still those of the rows, which tests change at will."""
        return self._keys_of is self.rows and len(self._keys) == len(self.rows)


def signer(party: bytes | None, *roles: str, key: bytes | None = None) -> Signer:
    """A signer of a registered party; the key is made from the party's id unless given."""
    return Signer(key or (party or b"").ljust(32, b"k"), party, tuple(sorted(roles)))


class Host:
    """Runs commands of one module as the ledger would: encoded, decoded, refused without a trace."""

    def __init__(self, module: Module, *, time: int = 20_000 * DAY_MS) -> None:
        self.module = module
        self.state = MemoryView()
        self.time = time
        self.height = 0

    def run(self, cmd: Struct, *signers: Signer, context: Context | None = None) -> str:
        """The outcome: ``applied`` or the reason of the refusal."""
        self.height += 1
        ctx = context or Context(
            "example.org/test/00", self.height, self.time, self.height.to_bytes(32, "big"), 0, signers
        )
        spec = self.module.commands[type(cmd).__name__]
        rows, events = dict(self.state.rows), len(self.state.events)
        try:
            decoded = msgspec.msgpack.decode(msgspec.msgpack.encode(cmd), type=spec.type)
            spec.run(self.module, ctx, self.state, decoded)
        except Rejected as refusal:
            outcome = refusal.reason
        except msgspec.ValidationError:
            outcome = "bad-command"
        except RULE_ERRORS:
            outcome = "rule-failed"
        else:
            return APPLIED
        self.state.rows = rows
        del self.state.events[events:]
        return outcome

    def ask(self, name: str, **arguments: Any) -> Any:
        """The answer of a query."""
        spec = self.module.queries[name]
        return spec.run(self.module, self.state, spec.type(**arguments))

    def broken(self) -> list[str]:
        """The ids of the invariants that do not hold."""
        return [name for name, good in self.module.invariants(self.state) if not good]


_: type[View] = MemoryView  # MemoryView satisfies the protocol
