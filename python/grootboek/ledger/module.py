"""The module API: all that a government module sees.

A module is a class with a ``name``, a ``version`` and one small method for each command::

    class Anchor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
        key: str
        digest: bytes

    class Records(Module):
        name = "records"
        version = 1

        @command
        def anchor(self, ctx: Context, state: View, cmd: Anchor) -> None:
            if documents.get(state, cmd.key) is not None:
                raise Rejected("key-taken")
            documents.put(state, Document(cmd.digest, ctx.time), cmd.key)

The command's name on the wire is that of its Struct. Rules are deterministic: no clock, randomness,
I/O, float or iteration over sets; time comes from ``ctx``. A method that raises leaves no trace but
its outcome: ``Rejected(reason)`` records the reason, a plain error of a rule (ValueError, TypeError,
LookupError, ArithmeticError, AttributeError, AssertionError) records ``rule-failed``.
"""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar, get_type_hints

import msgspec
from msgspec import Struct

from grootboek._core import row_key
from grootboek.errors import Rejected

__all__ = ["Context", "Module", "Query", "Rejected", "Signer", "Table", "View", "command", "query"]

S = TypeVar("S", bound=Struct)
F = TypeVar("F", bound=Callable[..., Any])

KeyPart = str | bytes | int


class Signer(Struct, frozen=True):
    """One signer of the transaction, as the parties register knew it before the block."""

    key: bytes
    party: bytes | None
    """The 16-byte id of the party that the key belongs to; None for an unregistered key."""
    roles: tuple[str, ...]
    """``module.role``, sorted."""


class Context(Struct, frozen=True):
    """What a command may know besides the state."""

    chain: str
    """The log's origin."""
    height: int
    time: int
    """Agreed time of the block, milliseconds since 1970."""
    transaction: bytes
    """The transaction's id."""
    index: int
    """The command's index in its transaction."""
    signers: tuple[Signer, ...]

    @property
    def sender(self) -> Signer:
        """The first signer."""
        return self.signers[0]

    def require(self, role: str) -> bytes:
        """The id of the first signing party that holds ``role``; raises Rejected("role-missing")."""
        for signer in self.signers:
            if signer.party is not None and role in signer.roles:
                return signer.party
        raise Rejected("role-missing", f"needs a signer with role {role}")


class View(Protocol):
    """The module's own keys. Reads see the transaction's own writes; writes of a refused command
    are dropped. Each call counts against the ledger's limits (``budget-exceeded``).
    """

    def get(self, key: bytes) -> bytes | None:
        """The value, or None."""

    def put(self, key: bytes, value: bytes) -> None:
        """Write; an equal value is no write."""

    def delete(self, key: bytes) -> None:
        """Remove; no error where it is absent."""

    def scan(
        self, prefix: bytes, after: bytes | None = None, limit: int = 1_000
    ) -> Iterator[tuple[bytes, bytes]]:
        """Pairs in key order whose key starts with ``prefix`` and is greater than ``after``."""

    def emit(self, event: Struct) -> None:
        """Tell subscribers; recorded in the log under the Struct's name."""


_PAGE: Final = 1_000
_encode: Final = msgspec.msgpack.Encoder().encode


class Table(Generic[S]):
    """Typed rows of a module's state: ``invoices = Table("invoice", Invoice)``.

    Key parts are text, bytes or integers 0 <= i < 2**63; rows of one key prefix are neighbours, in
    order of their parts.
    """

    def __init__(self, name: str, row: type[S]) -> None:
        """``name`` is unique within the module."""
        self.name = name
        self.row = row
        self._prefix = name.encode() + b"\0"
        self._decode = msgspec.msgpack.Decoder(row).decode

    def encode(self, row: S) -> bytes:
        """The state value of a row."""
        return _encode(row)

    def decode(self, value: bytes) -> S:
        """The row of a state value."""
        return self._decode(value)

    def key(self, *parts: KeyPart) -> bytes:
        """The state key of a row, or of all rows below a prefix of the parts."""
        return row_key(self._prefix, parts)

    def get(self, state: View, *key: KeyPart) -> S | None:
        """The row, or None."""
        data = state.get(self.key(*key))
        return None if data is None else self._decode(data)

    def require(self, state: View, reason: str, *key: KeyPart) -> S:
        """The row; raises ``Rejected(reason)`` where there is none."""
        row = self.get(state, *key)
        if row is None:
            raise Rejected(reason)
        return row

    def put(self, state: View, row: S, *key: KeyPart) -> None:
        """Write the row."""
        state.put(self.key(*key), _encode(row))

    def delete(self, state: View, *key: KeyPart) -> None:
        """Remove the row."""
        state.delete(self.key(*key))

    def scan(self, state: View, *prefix: KeyPart, limit: int = 1_000) -> Iterator[S]:
        """The rows whose key starts with these parts, in key order."""
        for _, data in state.scan(self.key(*prefix), None, limit):
            yield self._decode(data)

    def every(self, state: View, *prefix: KeyPart) -> Iterator[S]:
        """All rows whose key starts with these parts, read page by page: for invariants and queries."""
        after: bytes | None = None
        while True:
            page = list(state.scan(self.key(*prefix), after, _PAGE))
            yield from (self._decode(data) for _, data in page)
            if len(page) < _PAGE:
                return
            after = page[-1][0]


class Command(Struct, frozen=True):
    """One command of a module, compiled once."""

    name: str
    type: type[Struct]
    run: Callable[[Any, Context, View, Any], None]
    doc: str


class Query(Struct, frozen=True):
    """One query of a module: reads state, changes nothing."""

    name: str
    type: type[Struct]
    run: Callable[[Any, View, Any], Any]
    result: Any
    """The annotated return type."""
    doc: str


def command(method: F) -> F:
    """Mark ``def name(self, ctx: Context, state: View, cmd: SomeStruct) -> None`` as a command."""
    method.__grootboek__ = "command"  # type: ignore[attr-defined]  # a mark on the function object
    return method


def query(method: F) -> F:
    """Mark ``def name(self, state: View, args: SomeStruct) -> Result`` as a query named like the method."""
    method.__grootboek__ = "query"  # type: ignore[attr-defined]  # a mark on the function object
    return method


class Module:
    """Base of all modules. Registered under the entry point group ``grootboek.modules``."""

    name: ClassVar[str]
    """Lower-case, at most 64 characters; also the prefix of roles and rejection pages."""
    version: ClassVar[int]
    roles: ClassVar[dict[str, str]] = {}
    """Role (``tax.authority``) -> what its holder may do."""
    reasons: ClassVar[dict[str, str]] = {}
    """Rejection reason -> explanation, with the invariant's id (``T1``) where there is one."""
    importers: ClassVar[dict[str, str]] = {}
    """File format (``ubl``, ``csv``) -> ``package.module:Importer``, loaded only when used."""
    commands: ClassVar[dict[str, Command]] = {}
    """Filled from the decorated methods."""
    queries: ClassVar[dict[str, Query]] = {}
    """Filled from the decorated methods."""

    def __init_subclass__(cls) -> None:
        cls.commands = dict(cls.commands)
        cls.queries = dict(cls.queries)
        for name, method in inspect.getmembers(cls, inspect.isfunction):
            mark = getattr(method, "__grootboek__", None)
            if mark is None:
                continue
            hints = get_type_hints(method)
            argument = hints[list(inspect.signature(method).parameters)[-1]]
            doc = inspect.getdoc(method) or ""
            if mark == "command":
                cls.commands[argument.__name__] = Command(argument.__name__, argument, method, doc)
            else:
                cls.queries[name] = Query(name, argument, method, hints["return"], doc)

    def invariants(self, state: View) -> Iterator[tuple[str, bool]]:  # noqa: ARG002  # for those that have some
        """Each invariant's id and whether it holds now; run by tests, the simulator and ``verify``."""
        yield from ()
