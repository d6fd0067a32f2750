"""Parsing and judging framed transactions: one call over one buffer, with the GIL released."""

from collections.abc import Callable

from grootboek._core import TransactionBatch
from grootboek.errors import BadBatch, Malformed
from grootboek.types import Genesis

__all__ = ["Judge", "judge_batch", "judge_request"]

Judge = Callable[[bytes, Genesis], TransactionBatch]


def judge_request(body: bytes, genesis: Genesis) -> TransactionBatch:
    """A client's transactions, each with its verdict; raises Malformed where the framing is broken."""
    limits = genesis.limits
    try:
        return TransactionBatch(
            body,
            genesis.chain.digest,
            signers=limits.signers,
            commands=limits.commands,
            command_bytes=limits.command_bytes,
            transaction_bytes=limits.transaction_bytes,
        )
    except ValueError as error:
        raise Malformed(str(error)) from error


def judge_batch(body: bytes, genesis: Genesis, judge: Judge = judge_request) -> TransactionBatch:
    """A peer's batch; raises BadBatch unless it is within the limits and all of it is admissible.

    ``judge`` judges each transaction in it.
    """
    limits = genesis.limits
    if len(body) > limits.batch_bytes + limits.transaction_bytes:
        raise BadBatch(f"{len(body)} bytes are too many")
    try:
        batch = judge(body, genesis)
    except Malformed as error:
        raise BadBatch(error.detail) from error
    if not 0 < len(batch) <= limits.batch_transactions:
        raise BadBatch(f"{len(batch)} transactions are too few or too many")
    for i, verdict in enumerate(batch.verdicts):
        if verdict:
            raise BadBatch(f"GB-100{verdict} in it", where=f"transaction {i}")
    return batch
