"""Receipts, answers and state proofs: what a reader with the genesis file alone can check."""

from collections.abc import Iterable, Sequence
from typing import Final

from grootboek import wire
from grootboek._core import command_path
from grootboek.errors import NotFound, Unavailable
from grootboek.ledger.epochs import Epochs
from grootboek.ledger.reading import Reader
from grootboek.proofs import Answer, Range, Receipt, RecordProof, Refused, StateProof
from grootboek.proofs import Final as FinalResult
from grootboek.wire import Certificate, ReplicaId, Signature

__all__ = ["Prover"]

_GAP: Final = 16
"""Two ranges this close are proven as one: 32 bytes for each entry between are less than a second proof."""


class Prover(Reader):
    """The proving part of a ledger."""

    epochs: Epochs
    """Those whose beginning is certified."""

    def receipt(
        self,
        transaction: bytes,
        certificate: Certificate,
        log_signature: tuple[ReplicaId, Signature],
        records: Sequence[int] | None = None,
    ) -> Receipt:
        """The receipt of a transaction, or of some of its ``records`` by command index.

        Raises NotFound where it has no entry or no such record, Unavailable where the certificate does
        not cover it yet.
        """
        index = self.locate(transaction)
        if index is None:
            raise NotFound("no entry in the log", where=transaction.hex())
        entries = self._entries_of(index)
        header, commands = entries[0], [_record(entry).command for entry in entries[1:]]
        chosen = range(len(commands)) if records is None else sorted(set(records))
        if not chosen or not 0 <= chosen[0] <= chosen[-1] < len(commands):
            raise NotFound(f"the transaction has {len(commands)} records", where=transaction.hex())
        self._covered(certificate, index + len(entries), transaction.hex())
        size = certificate.size
        return Receipt(
            header=header,
            index=index,
            path=self._log.inclusion(index, size),
            records=tuple(
                RecordProof(
                    entries[1 + i], self._log.inclusion(index + 1 + i, size), tuple(command_path(commands, i))
                )
                for i in chosen
            ),
            certificate=certificate,
            log=log_signature,
            handovers=self.epochs.up_to(certificate),
        )

    def _entries_of(self, index: int) -> list[bytes]:
        """A transaction's header and record entries."""
        count = _record(self._log.read(index + 1, index + 2)[0]).count
        return self._log.read(index, index + 1 + count)

    def answer(
        self,
        results: Iterable[FinalResult | Refused],
        certificate: Certificate,
        log_signature: tuple[ReplicaId, Signature],
    ) -> Answer:
        """The answer to a request: its results, and the proof of all that are final.

        Raises Unavailable where the certificate does not cover one of them yet.
        """
        settled = tuple(results)
        spans = _merge(
            sorted((r.index, r.index + 1 + len(r.records)) for r in settled if isinstance(r, FinalResult))
        )
        if not spans:
            return Answer(settled, (), None, None)
        self._covered(certificate, spans[-1][1], "answer")
        ranges = [Range(start, *self._log.range_proof(start, end, certificate.size)) for start, end in spans]
        return Answer(settled, tuple(ranges), certificate, log_signature)

    def state_proof(
        self, module: str, key: bytes, height: int, certificate: Certificate | None = None
    ) -> StateProof:
        """The value or absence of a module's key after ``height``.

        ``certificate``: at or above that height (default: the newest known). Raises NotFound,
        ApiError for a key that is too long, Pruned where the height is no longer provable, Unavailable
        where it is not certified yet.
        """
        block = self.block(height)
        chosen = certificate or self.certificate
        if chosen is None:
            raise Unavailable("nothing is certified yet", where=str(height))
        self._covered(chosen, block.index + 1, str(height))
        full = self._key(module, key)
        return StateProof(
            module=module,
            key=key,
            value=self._store.get_at(full, height),
            proof=self._store.prove(full, height, self.genesis.limits.proof_heights),
            block=block.raw,
            index=block.index,
            path=self._log.inclusion(block.index, chosen.size),
            certificate=chosen,
            handovers=self.epochs.up_to(chosen),
        )

    def _covered(self, certificate: Certificate, end: int, where: str) -> None:
        if not end <= certificate.size <= self.size:
            raise Unavailable("executed, and not certified yet", where=where)


def _record(entry: bytes) -> wire.RecordEntry:
    return wire.decode(wire.record_entries, entry[1:])


def _merge(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sorted spans, with those that overlap or nearly touch made one."""
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and start - merged[-1][1] <= _GAP:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
