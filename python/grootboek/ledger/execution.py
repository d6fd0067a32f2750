"""Running transactions: from parsed batches to log entries, outcomes and writes.

Ordering, catch-up, recovery and audit all execute here, so they cannot differ. Nothing in this file
reads a clock, a file or anything else than its arguments and the state before the block.
"""

import re
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from grootboek._core import TransactionBatch
from grootboek.errors import CommandFailed, Expired, ExpiryTooFar, Rejected
from grootboek.ledger.keys import TRANSACTION, number, state_prefix
from grootboek.ledger.module import Context, Signer
from grootboek.ledger.overlay import BlockWrites, Unit
from grootboek.ledger.parties import Register
from grootboek.ledger.recent import Recent
from grootboek.ledger.registry import Active, Rule
from grootboek.ledger.store import Store
from grootboek.proofs import Final as FinalResult
from grootboek.proofs import Refused
from grootboek.types import Chain, Limits, Millis
from grootboek.wire import APPLIED, RECORD_ENTRY, Event, RecordEntry

__all__ = ["ABORTED", "RESERVED", "Executed", "Executor", "Result"]

ABORTED: Final = "aborted"
"""Another command of the same atomic transaction was refused."""
BUDGET: Final = "budget-exceeded"
UNKNOWN: Final = "unknown-command"
MALFORMED: Final = "malformed-command"
RULE_FAILED: Final = "rule-failed"
RESERVED: Final = frozenset({APPLIED, ABORTED, BUDGET, UNKNOWN, MALFORMED, RULE_FAILED})
"""Outcomes that the ledger itself gives; a module's own reasons are others."""

SLICE: Final = 64
"""So many transactions of a batch are taken apart at a time: their parts stay in the processor's cache."""
REASON_LENGTH: Final = 64
_REASON: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", re.ASCII)
_RULE_ERRORS: Final = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError)

Result: TypeAlias = tuple[bytes, FinalResult | Refused | None]
"""A transaction's id and what became of it; None where it is a duplicate of one in the log."""
Outcome: TypeAlias = tuple[str, tuple[Event, ...]]
Call: TypeAlias = tuple[str, str, int, bytes, bytes]
"""A command: module, name, version, body, and all of it encoded."""
Parsed: TypeAlias = tuple[bytes, int, bool, tuple[bytes, ...], bytes, list[Call]]
"""What ``TransactionBatch.transactions`` gives: id, expiry, atomic, signers, header entry, commands."""

_EXPIRED: Final = Refused(Expired.code, Expired.title)
_TOO_FAR: Final = Refused(ExpiryTooFar.code, ExpiryTooFar.title)

_encode: Final = msgspec.msgpack.Encoder().encode


class Executed(Struct):
    """A block before its block entry."""

    entries: list[bytes]
    """Header and record entries, in order."""
    results: list[Result]
    """One for each transaction of the batches, in order."""
    changes: list[tuple[bytes, bytes | None]]
    """The state's writes, by key."""
    index: list[tuple[bytes, bytes]]
    """The index's new rows."""
    transactions: int = 0
    records: int = 0
    duplicates: int = 0
    expired: int = 0


class Executor:
    """Runs one block after another over one state."""

    def __init__(self, chain: Chain, limits: Limits, active: Active, store: Store) -> None:
        """``active``: the modules that run."""
        self.origin = chain.origin
        self.limits = limits
        self.rules = active.rules
        self.prefixes = {module.name: state_prefix(module.name) for module in active.modules}
        self.store = store
        self.register = Register(store)
        self.begin(None)

    def begin(self, time: Millis | None) -> None:
        """The last block's agreed time is ``time``; None where there is no block yet."""
        validity = self.limits.validity_ms
        self.recent = Recent(validity, -validity - 1 if time is None else time)

    def run(self, height: int, time: int, start: int, batches: Sequence[TransactionBatch]) -> Executed:
        """Execute; the state is only read. ``start``: the log index of the first entry.

        Raises CommandFailed where this machine failed and not the command, StorageError where the
        state cannot be read.
        """
        block = _BlockRun(self, height, time, start)
        for batch in batches:
            for first in range(0, len(batch), SLICE):
                block.extend(batch.transactions(first, first + SLICE))
        done = block.finish()
        self.register.changed(key for key, _ in done.changes)
        return done


class _BlockRun:
    """One block while it is executed."""

    def __init__(self, executor: Executor, height: int, time: int, start: int) -> None:
        self._host = executor
        self._height = height
        self._time = time
        self._latest = time + executor.limits.validity_ms
        self._start = start
        self._signers: dict[bytes, Signer] = {}
        self._seen: set[bytes] = set()
        """The ids of this block's transactions, and of those named in it that the log has already."""
        self._writes = BlockWrites(executor.store)
        self._unit = Unit(self._writes, executor.limits)
        self._done = Executed([], [], [], [])

    def finish(self) -> Executed:
        """What all of them left."""
        done = self._done
        done.changes = self._writes.changes()
        done.transactions = len(done.index)
        done.records = len(done.entries) - done.transactions
        return done

    def extend(self, parsed: Sequence[Parsed]) -> None:
        """Run some transactions, or leave them out (protocol section "Exactly once").

        What is outside its validity counts as expired even where it is in the log, so that the counts
        do not depend on how long a replica remembers ids.
        """
        host, done, seen = self._host, self._done, self._seen
        self._signers = host.register.signers([key for item in parsed for key in item[3]])
        seen |= _known(host, self._start, parsed)
        for item in parsed:
            identity, expiry = item[0], item[1]
            known = identity in seen
            if not self._time < expiry <= self._latest:
                done.expired += 1
                refused = _EXPIRED if expiry <= self._time else _TOO_FAR
                done.results.append((identity, None if known else refused))
            elif known:
                done.duplicates += 1
                done.results.append((identity, None))
            else:
                seen.add(identity)
                self._execute(item)

    def _execute(self, item: Parsed) -> None:
        identity, _, atomic, signers, header, commands = item
        done, entries, count = self._done, self._done.entries, len(commands)
        who = tuple([self._signers[key] for key in signers])
        outcomes = (self._together if atomic and count > 1 else self._each)(identity, who, commands)
        index = self._start + len(entries)
        entries.append(header)
        for i, (outcome, events) in enumerate(outcomes):
            record = RecordEntry(identity, i, count, commands[i][4], outcome, events)
            entries.append(RECORD_ENTRY + _encode(record))
        done.results.append((identity, FinalResult(index, tuple(outcomes))))
        done.index.append((TRANSACTION + identity, number(index)))

    def _each(self, identity: bytes, who: tuple[Signer, ...], commands: Sequence[Call]) -> list[Outcome]:
        """Each command for itself."""
        outcomes = []
        for i, command in enumerate(commands):
            outcome = self._run(identity, i, who, command)
            self._unit.end(keep=outcome[0] == APPLIED)
            outcomes.append(outcome)
        return outcomes

    def _together(self, identity: bytes, who: tuple[Signer, ...], commands: Sequence[Call]) -> list[Outcome]:
        """All or none: the first refusal drops what the others wrote and said."""
        outcomes = []
        for i, command in enumerate(commands):
            outcome = self._run(identity, i, who, command)
            if outcome[0] != APPLIED:
                self._unit.end(keep=False)
                aborted: list[Outcome] = [(ABORTED, ())] * len(commands)
                aborted[i] = outcome
                return aborted
            outcomes.append(outcome)
        self._unit.end(keep=True)
        return outcomes

    def _run(self, identity: bytes, i: int, who: tuple[Signer, ...], command: Call) -> Outcome:
        """One command: its outcome and events; no events where it is refused."""
        module, name, version, body, _ = command
        rule = self._host.rules.get((module, name, version))
        if rule is None:
            return UNKNOWN, ()
        value = _decoded(rule, body)
        if value is None:
            return MALFORMED, ()
        unit = self._unit
        unit.begin(self._host.prefixes[module])
        context = Context(self._host.origin, self._height, self._time, identity, i, who)
        outcome = _judge(rule, context, unit, value)
        return outcome, tuple(unit.emitted) if outcome == APPLIED else ()


def _known(executor: Executor, start: int, parsed: Sequence[Parsed]) -> set[bytes]:
    """The ids of those that are in the log, which ends at ``start``."""
    ids = [item[0] for item in parsed]
    maybe = [ids[i] for i in executor.recent.candidates(ids, [item[1] for item in parsed])]
    rows = executor.store.index_get_many([TRANSACTION + identity for identity in maybe])
    # A row that points beyond is of a leap that a crash has undone: its rows are durable at once.
    places = [start if row is None else int.from_bytes(row, "big") for row in rows]
    return {identity for identity, place in zip(maybe, places, strict=True) if place < start}


def _decoded(rule: Rule, body: bytes) -> Any:
    """The typed command; None unless ``body`` is its one encoding."""
    try:
        value = rule.decode(body)
    except (msgspec.DecodeError, RecursionError, Rejected, *_RULE_ERRORS):
        return None
    return value if _encode(value) == body else None


def _judge(rule: Rule, context: Context, unit: Unit, value: Any) -> str:
    """Run the module's method: ``applied`` or why not.

    What is neither a refusal nor an error of the rule may not happen on the other replicas, so it
    must not become an outcome. What the view refused counts even where the module has caught it.
    """
    try:
        rule.run(context, unit, value)
        outcome = APPLIED
    except Rejected as refusal:
        outcome = _reason(refusal.reason)
    except _RULE_ERRORS:
        outcome = RULE_FAILED
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too, and what a panic of the core becomes
        if unit.failure is None and not unit.exceeded:
            where = f"transaction {context.transaction.hex()}, command {context.index}"
            what = f"{rule.module.name}.{rule.command.name}: {type(error).__name__}: {error}"
            raise CommandFailed(what, where=where) from error
        outcome = BUDGET
    if unit.failure is not None:
        raise unit.failure
    return BUDGET if unit.exceeded else outcome


def _reason(reason: object) -> str:
    """A module's reason where it may stand in the log, else ``rule-failed``."""
    if not isinstance(reason, str) or len(reason) > REASON_LENGTH or reason in RESERVED:
        return RULE_FAILED
    return reason if _REASON.fullmatch(reason) else RULE_FAILED
