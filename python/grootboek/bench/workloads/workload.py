"""What a workload is: transactions of many signers, each of which the ledger applies in whatever order.

Transactions that are under way together are not ordered among themselves, so none may rely on another
one that was not acknowledged before it is sent. What a workload relies on is set up before the clock
starts, or lies ``distance`` transactions back.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import ClassVar, Final

from msgspec import Struct

from grootboek._core import SigningKey, digest
from grootboek.client.transactions import encode_command
from grootboek.ledger.module import Module
from grootboek.modules.parties import REGISTRAR, AddParty, Parties

__all__ = [
    "REGISTRAR",
    "Draft",
    "Office",
    "Roles",
    "Workload",
    "encoded",
    "known_id",
    "known_key",
    "offices",
    "packed",
    "registered",
    "today",
]

PACKED_COMMANDS: Final = 500
PACKED_BYTES: Final = 200_000
"""Set-up transactions stay below these: the ledger's limits are 1,000 and 262,144."""

Roles = Mapping[str, SigningKey]
"""A key of a party with each role of the active modules, as the ledger was founded."""


class Draft(Struct, frozen=True):
    """A transaction before it is signed; several commands take effect together or not at all."""

    signer: SigningKey
    commands: tuple[bytes, ...]


class Workload(ABC):
    """One kind of everyday work."""

    name: ClassVar[str]
    modules: ClassVar[tuple[str, ...]]
    """Those that the ledger is founded with."""
    records: ClassVar[int] = 1
    """Commands in a transaction."""
    ceiling: ClassVar[int] = 6_000
    """Transactions a second that are enough to sign before the clock starts."""
    distance: int = 0
    """A transaction relies on none of the last ``distance`` before it; 0: on none at all."""

    def distinct(self, count: int) -> int:  # noqa: ARG002  # those that write keys in turn need it
        """How many keys of the state ``count`` transactions write in turn; 0 where each writes new ones."""
        return 0

    @abstractmethod
    def __init__(self, keys: int) -> None:
        """``keys``: how many sign."""

    @abstractmethod
    def prepare(self, roles: Roles, count: int) -> Iterator[Sequence[Draft]]:
        """What ``count`` transactions need: rounds, each sent when the one before it is final."""

    @abstractmethod
    def transactions(self, count: int) -> Iterator[Draft]:
        """The first ``count`` transactions."""


class Office(Struct, frozen=True):
    """A party with one key that takes part in a workload."""

    party: bytes
    key: SigningKey


def offices(kind: str, count: int) -> list[Office]:
    """So many, the same ones for the same ``kind``."""
    return [Office(known_id(kind, i), known_key(kind, i)) for i in range(count)]


def known_key(kind: str, number: int) -> SigningKey:
    """A private key that everybody can compute: nothing that counts is on a benchmark's ledger."""
    return SigningKey(digest(f"grootboek/1 bench key\n{kind}/{number}".encode()))


def known_id(kind: str, number: int) -> bytes:
    """16 bytes that look random."""
    return digest(f"grootboek/1 bench id\n{kind}/{number}".encode())[:16]


def today() -> str:
    """The day that everything is dated with, as modules write it."""
    return datetime.now(UTC).date().isoformat()


def registered(registrar: SigningKey, members: Iterable[Office], role: str) -> list[Draft]:
    """The transactions that add parties with one role. They hold it from the next block on."""
    added = (AddParty(member.party, (member.key.public,), (role,)) for member in members)
    return packed(registrar, (encoded(Parties, one) for one in added))


def encoded(module: type[Module], command: Struct) -> bytes:
    """A command of a module as it is signed."""
    return encode_command(module.name, module.version, command)


def packed(signer: SigningKey, commands: Iterable[bytes]) -> list[Draft]:
    """As few transactions as the ledger's limits allow."""
    drafts: list[Draft] = []
    rest = iter(commands)
    while chunk := tuple(islice(rest, PACKED_COMMANDS)):
        drafts += [Draft(signer, part) for part in _within(chunk)]
    return drafts


def _within(commands: tuple[bytes, ...]) -> Iterator[tuple[bytes, ...]]:
    """The commands in parts of no more than ``PACKED_BYTES``."""
    start = size = 0
    for i, command in enumerate(commands):
        if size and size + len(command) > PACKED_BYTES:
            yield commands[start:i]
            start, size = i, 0
        size += len(command)
    yield commands[start:]
