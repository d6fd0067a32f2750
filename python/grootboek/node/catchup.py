"""State transfer by log entries: a replica that is behind a certificate fetches what it lacks.

It runs beside ordering. One request is under way at a time; a peer that does not answer in time, or
answers with something that is not proven by the certificate, is passed over for the next one.
"""

from grootboek._core import verify_consistency
from grootboek.consensus import CaughtUp
from grootboek.errors import BadProof
from grootboek.ledger import Block, Ledger
from grootboek.node.outbox import Outbox
from grootboek.wire import Certificate, Entries, FetchEntries

__all__ = ["TRANSFER_TIMER", "CatchUp"]

TRANSFER_TIMER = "transfer"
RETRY_MS = 1_000
"""How long a peer has for its answer."""
CHUNK_BYTES = 1 << 20
"""How many bytes of entries one answer carries, up to the end of a block."""


class CatchUp:
    """The fetching and the serving side."""

    def __init__(self, ledger: Ledger, me: int, n: int) -> None:
        """``me`` of ``n`` replicas."""
        self._ledger = ledger
        self.among(me, n)
        self._target: Certificate | None = None
        self._asked: Certificate | None = None
        self._source = 0

    def among(self, me: int, n: int) -> None:
        """Whom to ask from now on: the replicas of an epoch."""
        self._peers = [peer for peer in range(n) if peer != me]

    @property
    def running(self) -> bool:
        """Whether a transfer is under way."""
        return self._target is not None

    def want(self, certificate: Certificate, source: int, out: Outbox) -> None:
        """Go for ``certificate``, asking ``source`` first."""
        if certificate.size <= self._ledger.size:
            return
        if self._target is None or certificate.size > self._target.size:
            fresh = self._target is None
            self._target = certificate
            if fresh:
                self._source = self._peers.index(source) if source in self._peers else 0
                self._ask(out)

    @property
    def _peer(self) -> int:
        """Whose turn it is to answer."""
        return self._peers[self._source % len(self._peers)]

    def _ask(self, out: Outbox) -> None:
        target = self._asked = self._target
        if target is None:
            return
        out.send(self._peer, FetchEntries(start=self._ledger.fetched, size=target.size))
        out.start(TRANSFER_TIMER, RETRY_MS)

    def retry(self, out: Outbox) -> None:
        """The peer did not answer in time."""
        self._source += 1
        self._ask(out)

    def received(self, sender: int, entries: Entries, out: Outbox) -> tuple[list[Block], CaughtUp | None]:
        """Verify and apply an answer: the blocks it brought, and the event when the target is reached.

        A late answer of a peer that was passed over is as good as any; a wrong one moves nothing.
        """
        asked = self._asked
        if asked is None or entries.start != self._ledger.fetched or entries.size != asked.size:
            return [], None
        try:
            blocks = self._apply(entries, asked)
        except BadProof:
            if sender == self._peer:
                self.retry(out)
            return [], None
        return blocks, self.progress(out)

    def _apply(self, entries: Entries, certified: Certificate) -> list[Block]:
        def proven(size: int, root: bytes) -> bool:
            if size == certified.size:
                return root == certified.root
            return verify_consistency(size, root, certified.size, certified.root, entries.proof)

        return self._ledger.replay(entries.start, entries.body, proven)

    def progress(self, out: Outbox) -> CaughtUp | None:
        """Ask for the next entries, or say that the target is reached (by transfer or by ordering)."""
        target = self._target
        if target is None:
            return None
        if self._ledger.size < target.size:
            self._ask(out)
            return None
        self._target = self._asked = None
        out.stop(TRANSFER_TIMER)
        return CaughtUp(target, closes=self._ledger.closed and self._ledger.size == target.size)

    def serve(self, sender: int, request: FetchEntries, out: Outbox) -> None:
        """Answer a peer with proven entries; nothing where it asks beyond what is here."""
        if not request.start < request.size <= self._ledger.size:
            return
        body, end = self._ledger.entries(request.start, request.size, CHUNK_BYTES)
        proof = tuple(self._ledger.consistency(end, request.size)) if end < request.size else ()
        out.send(sender, Entries(start=request.start, size=request.size, body=body, proof=proof))
