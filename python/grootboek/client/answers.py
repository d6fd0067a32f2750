"""From a node's answer to proven results: nothing in the answer is believed unverified.

The client knows its own bytes. With the outcomes that the node reports it rebuilds each log entry,
hashes it, and compares it with the leaves that the answer proves against a certified checkpoint.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from typing import Literal

from msgspec import Struct

from grootboek import receipts, wire
from grootboek._core import command_path, leaf_hashes, range_paths
from grootboek.client.transactions import Prepared
from grootboek.client.verifier import Verifier
from grootboek.errors import BadProof, Expired, NotFound, Rejected
from grootboek.proofs import Answer, Final, Receipt, RecordProof, Refused
from grootboek.wire import (
    APPLIED,
    HEADER_ENTRY,
    RECORD_ENTRY,
    BlockEntry,
    Certificate,
    Event,
    Handover,
    HeaderEntry,
    RecordEntry,
)

__all__ = ["Result", "verify_answer", "verify_certificate", "verify_receipt"]

HASH = 32

Status = Literal["applied", "rejected", "expired"]


class _Range(Struct, frozen=True, dict=True):
    """Consecutive leaves that are proven to be in the certified log."""

    start: int
    leaves: bytes
    nodes: tuple[bytes, ...]
    size: int
    """Of the certified log."""

    @cached_property
    def paths(self) -> list[list[bytes]]:
        """The inclusion path of each leaf: made when the first receipt is asked for, because they take
        twenty times the room of what they are made from.
        """
        return range_paths(self.size, self.start, self.leaves, self.nodes)[1]


class _Proof(Struct, frozen=True):
    """What the results of one answer share."""

    certificate: Certificate
    log: tuple[int, bytes]
    ranges: tuple[_Range, ...]
    handovers: tuple[Handover, ...]
    """Up to the epoch of the replica whose log key has signed; an answer has none, a receipt needs them."""

    def range_of(self, index: int) -> _Range:
        """The range that starts last at or before ``index``; raises BadProof."""
        position = bisect_right(self.ranges, index, key=lambda item: item.start) - 1
        if position < 0:
            raise BadProof(f"the answer proves nothing at index {index}")
        return self.ranges[position]

    def path(self, index: int) -> tuple[bytes, ...]:
        """The inclusion path of the leaf at ``index``."""
        found = self.range_of(index)
        return tuple(found.paths[index - found.start])


class Result(Struct, frozen=True, kw_only=True):
    """What became of one transaction: proven, and final."""

    id: bytes
    """The transaction's id."""
    outcomes: tuple[str, ...]
    """``applied`` or the reason of the refusal, for each command; empty where it expired."""
    events: tuple[tuple[Event, ...], ...] = ()
    """What each command told subscribers."""
    index: int = 0
    """Log index of the transaction's header entry; its records follow."""
    height: int = 0
    """Of the certified block: the transaction is in it or in an earlier one."""
    time: int = 0
    """Agreed time of that block, milliseconds since 1970."""
    _prepared: Prepared | None = None
    _proof: _Proof | None = None

    @property
    def status(self) -> Status:
        """``applied``: every command took effect; ``rejected``: at least one was refused by its
        module; ``expired``: the transaction never entered the log and never will.
        """
        if not self.outcomes:
            return "expired"
        return "applied" if self.applied else "rejected"

    @property
    def applied(self) -> bool:
        """Whether every command took effect."""
        return bool(self.outcomes) and all(outcome == APPLIED for outcome in self.outcomes)

    def require(self) -> "Result":
        """The same result where every command took effect; else raises Rejected or Expired."""
        if not self.outcomes:
            raise Expired(where=self.id.hex())
        for i, outcome in enumerate(self.outcomes):
            if outcome != APPLIED:
                raise Rejected(outcome, where=f"{self.id.hex()}[{i}]")
        return self

    def receipt(self) -> Receipt:
        """The self-contained receipt of all commands; raises NotFound where it expired."""
        if self._proof is None or self._prepared is None:
            raise NotFound("an expired transaction has no receipt", where=self.id.hex())
        header, *records = entries(
            self._prepared, Final(self.index, tuple(zip(self.outcomes, self.events, strict=True)))
        )
        commands = self._prepared.transaction.commands
        return Receipt(
            header=header,
            index=self.index,
            path=self._proof.path(self.index),
            records=tuple(
                RecordProof(entry, self._proof.path(self.index + 1 + i), tuple(command_path(commands, i)))
                for i, entry in enumerate(records)
            ),
            certificate=self._proof.certificate,
            log=self._proof.log,
            handovers=self._proof.handovers,
        )


def entries(prepared: Prepared, final: Final) -> list[bytes]:
    """The log entries of a transaction with these outcomes."""
    transaction = prepared.transaction
    header = HEADER_ENTRY + wire.encode(HeaderEntry(transaction.header, transaction.signatures))
    count = len(transaction.commands)
    return [
        header,
        *(
            RECORD_ENTRY + wire.encode(RecordEntry(prepared.id, i, count, command, outcome, events))
            for i, (command, (outcome, events)) in enumerate(
                zip(transaction.commands, final.records, strict=True)
            )
        ),
    ]


def verify_answer(verifier: Verifier, answer: Answer, sent: Sequence[Prepared]) -> list[Result | Refused]:
    """What became of each transaction in ``sent``, in order.

    A Refused is only what this one node says. Raises ProofError where any part does not verify.
    """
    if len(answer.results) != len(sent):
        raise BadProof(f"{len(answer.results)} results for {len(sent)} transactions")
    finals = [
        (prepared, result)
        for prepared, result in zip(sent, answer.results, strict=True)
        if isinstance(result, Final)
    ]
    if not finals:
        return [result for result in answer.results if isinstance(result, Refused)]
    if answer.certificate is None or answer.log is None:
        raise BadProof("the answer has results and no certificate")
    block = verifier.verify_certificate(answer.certificate)
    signed = verifier.verify_log_signature(answer.certificate, answer.log)
    handovers = tuple(verifier.epochs.handovers[: signed.number])
    proof = _Proof(answer.certificate, answer.log, _ranges(answer, answer.certificate), handovers)
    _check_leaves(proof, finals)
    return [
        result
        if isinstance(result, Refused)
        else Result(
            id=prepared.id,
            outcomes=tuple(outcome for outcome, _ in result.records),
            events=tuple(events for _, events in result.records),
            index=result.index,
            height=block.height,
            time=block.time,
            _prepared=prepared,
            _proof=proof,
        )
        for prepared, result in zip(sent, answer.results, strict=True)
    ]


def verify_receipt(verifier: Verifier, transaction: bytes, data: bytes) -> Receipt:
    """A node's receipt of all commands of a transaction. Raises ProofError."""
    receipt = receipts.decode(data)
    proven = verifier.verify_receipt(receipt)
    if proven.transaction != transaction:
        raise BadProof("the receipt is of another transaction", where=transaction.hex())
    if len(proven.records) != proven.count:
        raise BadProof("the receipt does not show every command", where=transaction.hex())
    return receipt


def verify_certificate(verifier: Verifier, data: bytes) -> tuple[Certificate, BlockEntry]:
    """A node's newest certificate and the block that it ends with. Raises BadFrame, BadCertificate."""
    certificate = wire.decode(wire.certificates, data)
    return certificate, verifier.verify_certificate(certificate)


def _ranges(answer: Answer, certificate: Certificate) -> tuple[_Range, ...]:
    """The answer's ranges, by start, each proven against the certified root."""
    proven = []
    for item in answer.ranges:
        try:
            root, _ = range_paths(certificate.size, item.start, item.leaves, item.nodes)
        except ValueError as error:
            raise BadProof(str(error)) from error
        if root != certificate.root:
            raise BadProof(f"the range at {item.start} does not lead to the certified root")
        proven.append(_Range(item.start, item.leaves, item.nodes, certificate.size))
    return tuple(sorted(proven, key=lambda item: item.start))


def _check_leaves(proof: _Proof, finals: Sequence[tuple[Prepared, Final]]) -> None:
    """Compare the leaves of the rebuilt entries, hashed in one call, with the proven ones."""
    framed: list[bytes] = []
    for prepared, final in finals:
        if len(final.records) != len(prepared.transaction.commands):
            raise BadProof("the outcomes are not one for each command", where=prepared.id.hex())
        for entry in entries(prepared, final):
            if len(entry) > wire.ENTRY_BYTES:
                raise BadProof("an entry is too long", where=prepared.id.hex())
            framed += (len(entry).to_bytes(2, "big"), entry)
    leaves, at = leaf_hashes(b"".join(framed)), 0
    for prepared, final in finals:
        end = at + HASH * (1 + len(final.records))
        found = proof.range_of(final.index)
        offset = HASH * (final.index - found.start)
        if found.leaves[offset : offset + end - at] != leaves[at:end]:
            raise BadProof("the log holds something else", where=prepared.id.hex())
        at = end
