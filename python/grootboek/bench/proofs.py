"""What proofs cost: made from a ledger in memory, verified with the genesis file alone."""

import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from grootboek import __version__, receipts, wire
from grootboek._core import State, TransactionBatch, leaf_hashes, verify_consistency, verify_inclusion
from grootboek.bench.host import Host, host
from grootboek.bench.signing import sign
from grootboek.bench.workloads.anchor import AnchorWorkload
from grootboek.client.transactions import Prepared
from grootboek.client.verifier import Verifier
from grootboek.errors import BenchFailed
from grootboek.ledger import Block, Ledger, Registry
from grootboek.modules.records import Anchor, Records, latest
from grootboek.proofs import Receipt
from grootboek.simulation.disk import SimulatedDisk
from grootboek.simulation.founding import certify, found, log_signature
from grootboek.wire import Path

__all__ = ["ProofReport", "ProofRow", "measure_proofs"]

REPLICAS: Final = 4
KEYS: Final = 1_000
IN_BLOCK: Final = 1_000
S = TypeVar("S")
T = TypeVar("T")


class ProofRow(Struct, frozen=True, kw_only=True):
    """One kind of proof; times are CPU time of one process."""

    kind: str
    made_per_s: float
    verified_per_s: float
    made_us: float
    verified_us: float
    bytes_mean: float
    bytes_max: int


class ProofReport(Struct, frozen=True, kw_only=True):
    """All kinds, on one ledger."""

    version: str
    """Of grootboek."""
    host: Host
    transactions: int
    entries: int
    """Of the log."""
    proofs: int
    """Of each kind."""
    rows: tuple[ProofRow, ...]


class _Ledger:
    """A ledger of anchors in memory, and a quorum's certificate of its last block."""

    def __init__(self, transactions: int) -> None:
        self.genesis, keys = found(REPLICAS, {Records.name: Records.version})
        self.ledger = Ledger.open(self.genesis, SimulatedDisk(), State(), Registry.of(Records))
        now = self.genesis.time
        drafts = AnchorWorkload(KEYS, documents=transactions).transactions(transactions)
        self.sent = sign(self.genesis, drafts, now + self.genesis.limits.validity_ms)
        self.blocks = [
            self.ledger.execute(number, now, [self._batch(self.sent[at : at + IN_BLOCK])])
            for number, at in enumerate(range(0, transactions, IN_BLOCK), 1)
        ]
        self.certificate = certify(self.ledger, keys)
        self._log_signature = log_signature(self.ledger, keys, self.certificate)

    def _batch(self, sent: Sequence[Prepared]) -> TransactionBatch:
        return TransactionBatch(b"".join(one.frame for one in sent), self.genesis.chain.digest)

    def receipt(self, sent: Prepared) -> Receipt:
        return self.ledger.receipt(sent.id, self.certificate, self._log_signature)

    def encoded_receipt(self, sent: Prepared) -> tuple[bytes, bytes]:
        data = receipts.encode(self.receipt(sent))
        return data, data

    def inclusion(self, receipt: Receipt) -> tuple[bytes, tuple[Receipt, Path]]:
        """Of the receipt's header entry."""
        path = self.ledger.inclusion(receipt.index, self.ledger.size)
        return b"".join(path), (receipt, path)

    def is_included(self, item: tuple[Receipt, Path]) -> bool:
        receipt, path = item
        leaf = leaf_hashes(len(receipt.header).to_bytes(2, "big") + receipt.header)
        return verify_inclusion(self.certificate.root, self.certificate.size, receipt.index, leaf, path)

    def consistency(self, block: Block) -> tuple[bytes, tuple[Block, Path]]:
        """Of the log that ended with a block."""
        path = self.ledger.consistency(block.size, self.ledger.size)
        return b"".join(path), (block, path)

    def is_consistent(self, item: tuple[Block, Path]) -> bool:
        block, path = item
        now = self.certificate
        return verify_consistency(block.size, block.root, now.size, now.root, path)

    def state(self, key: bytes) -> tuple[bytes, bytes]:
        proof = self.ledger.state_proof(Records.name, key, self.ledger.height, self.certificate)
        data = wire.encode(proof)
        return data, data


def measure_proofs(transactions: int, count: int) -> ProofReport:
    """Make and verify ``count`` proofs of each kind on a ledger of so many transactions.

    Requires 0 < count <= transactions. Raises BenchFailed where a proof does not verify.
    """
    source = _Ledger(transactions)
    verifier = Verifier(source.genesis)
    chosen = [source.sent[i * transactions // count] for i in range(count)]
    headers = [source.receipt(one) for one in chosen]
    older = [source.blocks[i * len(source.blocks) // count] for i in range(count)]
    documents = [_document(one) for one in chosen]
    there = [latest.key(owner, name) for owner, name in documents]
    missing = [latest.key(owner, f"{name} missing") for owner, name in documents]
    return ProofReport(
        version=__version__,
        host=host(),
        transactions=transactions,
        entries=source.ledger.size,
        proofs=count,
        rows=(
            _row("receipt", chosen, source.encoded_receipt, verifier.verify_receipt),
            _row("inclusion", headers, source.inclusion, source.is_included),
            _row("consistency", older, source.consistency, source.is_consistent),
            _row("state, key there", there, source.state, verifier.verify_state_proof),
            _row("state, key missing", missing, source.state, verifier.verify_state_proof),
        ),
    )


def _document(one: Prepared) -> tuple[bytes, str]:
    """Owner and name of what a transaction anchors."""
    header = wire.decode(wire.headers, one.transaction.header)
    command = wire.decode(wire.commands, one.transaction.commands[0])
    return header.signers[0], msgspec.msgpack.decode(command.body, type=Anchor).key


def _row(
    kind: str, items: Sequence[S], make: Callable[[S], tuple[bytes, T]], verify: Callable[[T], object]
) -> ProofRow:
    """Time both sides. ``make`` gives the bytes that travel, and what is verified."""
    start = time.process_time()
    made = [make(item) for item in items]
    between = time.process_time()
    # The verifier raises; only the plain Merkle checks answer with False.
    good = all(verify(proof) is not False for _, proof in made)
    end = time.process_time()
    if not good:
        raise BenchFailed("a proof does not verify", where=kind)
    sizes = [len(data) for data, _ in made]
    made_us, verified_us = (1e6 * spent / len(items) for spent in (between - start, end - between))
    return ProofRow(
        kind=kind,
        made_per_s=1e6 / made_us,
        verified_per_s=1e6 / verified_us,
        made_us=made_us,
        verified_us=verified_us,
        bytes_mean=sum(sizes) / len(sizes),
        bytes_max=max(sizes),
    )
