"""Blocks as they stand in the log: taking them apart to execute them again, and comparing.

A block's entries hold every byte of its transactions, so execution can be repeated from the log alone.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from grootboek import wire
from grootboek._core import TransactionBatch
from grootboek.errors import BadFrame
from grootboek.types import Chain, Limits
from grootboek.wire import (
    BLOCK_ENTRY,
    EPOCH_ENTRY,
    HEADER_ENTRY,
    RECORD_ENTRY,
    BlockEntry,
    EpochEntry,
    HeaderEntry,
    RecordEntry,
    Transaction,
)

__all__ = ["Mismatch", "StoredBlock", "batch_of", "difference", "parse", "transactions_of"]

_PREFIX: Final = 4
"""Bytes of a transaction's length in a batch."""
_VERDICTS: Final = {
    1: "is malformed",
    2: "exceeds a limit",
    3: "is not canonically encoded",
    4: "is for another chain",
    5: "has a bad signature",
    8: "has other commands than were signed",
}


class Mismatch(Exception):
    """Entries of a block that executing again does not give; nothing was changed.

    Each caller turns it into an error of its own.
    """


class StoredBlock(Struct, frozen=True):
    """A block, and where it is in the log."""

    entry: BlockEntry
    start: int
    """Index of its first entry."""
    index: int
    """Index of its block entry."""
    raw: bytes
    """The block entry with its type byte."""

    @property
    def height(self) -> int:
        """Of the block."""
        return self.entry.height

    @property
    def time(self) -> int:
        """Agreed time, milliseconds since 1970."""
        return self.entry.time


def parse(entry: bytes) -> HeaderEntry | RecordEntry | BlockEntry | EpochEntry:
    """A log entry of any kind; raises BadFrame unless it is the one encoding of one."""
    kind, data = entry[:1], entry[1:]
    if kind == HEADER_ENTRY:
        return wire.decode(wire.header_entries, data)
    if kind == RECORD_ENTRY:
        return wire.decode(wire.record_entries, data)
    if kind == BLOCK_ENTRY:
        return wire.decode(wire.block_entries, data)
    if kind == EPOCH_ENTRY:
        return wire.decode(wire.epoch_entries, data)
    raise BadFrame(f"unknown kind of log entry {kind.hex()}")


def transactions_of(entries: Sequence[bytes]) -> bytes:
    """The framed transactions that a block's header and record entries were made from.

    Raises BadFrame where the entries are not of that form. Whether they are the right ones shows when
    they are executed.
    """
    frames: list[bytes] = []
    header: HeaderEntry | None = None
    commands: list[bytes] = []
    for entry in entries:
        parsed = parse(entry)
        if isinstance(parsed, RecordEntry):
            commands.append(parsed.command)
        elif isinstance(parsed, HeaderEntry):
            frames += _frame(header, commands)
            header, commands = parsed, []
        else:
            raise BadFrame(f"{type(parsed).__name__} inside a block")
    return b"".join(frames + _frame(header, commands))


def _frame(header: HeaderEntry | None, commands: list[bytes]) -> list[bytes]:
    if header is None:
        if commands:
            raise BadFrame("a record entry without its header entry")
        return []
    data = wire.encode(Transaction(header.header, header.signatures, tuple(commands)))
    return [len(data).to_bytes(_PREFIX, "big"), data]


def batch_of(
    entries: Sequence[bytes], chain: Chain, limits: Limits, *, check_signatures: bool
) -> TransactionBatch:
    """The transactions of a block's entries, judged as at admission; raises BadFrame."""
    batch = TransactionBatch(
        transactions_of(entries),
        chain.digest,
        signers=limits.signers,
        commands=limits.commands,
        command_bytes=limits.command_bytes,
        transaction_bytes=limits.transaction_bytes,
        check_signatures=check_signatures,
    )
    if any(batch.verdicts):
        place, verdict = next((i, v) for i, v in enumerate(batch.verdicts) if v)
        raise BadFrame(f"transaction {place} of the block {_VERDICTS[verdict]}")
    return batch


def difference(expected: Sequence[bytes], found: Sequence[bytes]) -> str:
    """In words: the first place where executing again gave ``found`` and the log says ``expected``."""
    pairs = enumerate(zip(expected, found, strict=False))
    at = next((i for i, (a, b) in pairs if a != b), min(len(expected), len(found)))
    if at >= len(expected) or at >= len(found):
        return f"{len(found)} entries where the log has {len(expected)}"
    return f"entry {at} of the block ({_describe(expected[at])}) comes out as ({_describe(found[at])})"


def _describe(entry: bytes) -> str:
    try:
        parsed = parse(entry)
    except BadFrame as error:
        return error.detail
    if isinstance(parsed, RecordEntry):
        command = msgspec.msgpack.decode(parsed.command, type=wire.Command)
        events = ", ".join(event.name for event in parsed.events)
        return (
            f"transaction {parsed.transaction.hex()}, command {parsed.index} "
            f"{command.module}.{command.name}: {parsed.outcome}{events and ' with ' + events}"
        )
    if isinstance(parsed, HeaderEntry):
        return "a transaction's header"
    if isinstance(parsed, EpochEntry):
        return f"the replicas of epoch {parsed.epoch}"
    return f"block {parsed.height}, state root {parsed.state.hex()}"
