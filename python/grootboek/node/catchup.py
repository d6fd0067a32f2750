"""State transfer: a replica that is behind a certificate fetches what it lacks, beside ordering.

Far behind it fetches a snapshot of the state, and then the log's entries up to there, which it only
appends; from there on, and where there is no snapshot that f + 1 peers agree on, it executes what it
fetches. The log is whole at each step. One request is under way at a time; a peer that does not answer
in time, or with something that is not proven, is passed over for the next one.
"""

from grootboek._core import verify_consistency
from grootboek.consensus import CaughtUp
from grootboek.errors import BadProof
from grootboek.ledger import Block, Ledger
from grootboek.node.outbox import Outbox
from grootboek.node.transfer import Fetching, serve_chunk, serve_offers
from grootboek.transfer import Chunk, FetchChunk, FetchSnapshot, Offer
from grootboek.types import Quorum
from grootboek.wire import Certificate, Entries, FetchEntries

__all__ = ["TRANSFER_TIMER", "CatchUp"]

TRANSFER_TIMER = "transfer"
RETRY_MS = 1_000
"""How long a peer has for its answer."""
CHUNK_BYTES = 1 << 20
"""How many bytes of entries one answer carries, up to the end of a block."""
FAR_ENTRIES = 20_000
"""So many entries behind, a snapshot is asked for: to execute fewer takes about as long as to ask."""


class CatchUp:
    """The fetching and the serving side."""

    def __init__(self, ledger: Ledger, me: int, n: int) -> None:
        """``me`` of ``n`` replicas."""
        self.far = FAR_ENTRIES
        """From how many entries on a snapshot is asked for."""
        self.answer_bytes = CHUNK_BYTES
        """How much of the log one answer carries."""
        self._ledger = ledger
        self.among(me, n)
        self._target: Certificate | None = None
        self._asked: tuple[int, bytes] | None = None
        self._source = 0
        self._fetching: Fetching | None = None
        self._leaping = ledger.incoming is not None

    def among(self, me: int, n: int) -> None:
        """Whom to ask from now on: the replicas of an epoch."""
        self._weak = Quorum.of(n).weak
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
                self._begin(certificate, out)

    def _begin(self, target: Certificate, out: Outbox) -> None:
        """Entries at once where a snapshot would spare little, or is here since before a restart."""
        if self._ledger.incoming or target.size - self._ledger.size < self.far:
            self._ask(out)
            return
        self._fetching = Fetching(self._ledger, target, self._weak, self.far)
        self._fetching.ask(out)
        out.start(TRANSFER_TIMER, RETRY_MS)

    # --- entries ---------------------------------------------------------------------------------

    @property
    def _peer(self) -> int:
        """Whose turn it is to answer."""
        return self._peers[self._source % len(self._peers)]

    @property
    def _goal(self) -> tuple[int, bytes] | None:
        """Size and root of the log that is fetched: up to the snapshot first, if there is one."""
        head = self._ledger.incoming
        if self._target is None or head is None:
            return None if self._target is None else (self._target.size, self._target.root)
        return head.manifest.size, head.manifest.root

    def _ask(self, out: Outbox) -> None:
        goal = self._asked = self._goal
        if goal is None:
            return
        if self._ledger.fetched < goal[0]:
            out.send(self._peer, FetchEntries(start=self._ledger.fetched, size=goal[0]))
            out.start(TRANSFER_TIMER, RETRY_MS)
        else:  # the snapshot's block is here, and `flush` leaps to it
            out.stop(TRANSFER_TIMER)
            out.sync = out.flush = True

    def retry(self, out: Outbox) -> None:
        """The peer did not answer in time."""
        if self._fetching is not None:
            self._fetching.passed_over()
            self._ask_chunk(self._fetching, out)
            return
        self._source += 1
        self._ask(out)

    def received(self, sender: int, entries: Entries, out: Outbox) -> tuple[list[Block], CaughtUp | None]:
        """Verify and apply an answer: the blocks it brought, and the event when the target is reached.

        A late answer of a peer that was passed over is as good as any; a wrong one moves nothing.
        """
        asked = self._asked
        if asked is None or entries.start != self._ledger.fetched or entries.size != asked[0]:
            return [], None
        try:
            blocks = self._apply(entries, asked)
        except BadProof:
            if sender == self._peer:
                self.retry(out)
            return [], None
        return blocks, self.progress(out)

    def _apply(self, entries: Entries, goal: tuple[int, bytes]) -> list[Block]:
        def proven(size: int, root: bytes) -> bool:
            if size == goal[0]:
                return root == goal[1]
            return verify_consistency(size, root, *goal, entries.proof)

        return self._ledger.replay(entries.start, entries.body, proven)

    def progress(self, out: Outbox) -> CaughtUp | None:
        """Ask for the next entries, or say that the target is reached (by transfer or by ordering)."""
        target = self._target
        if target is None:
            return None
        if self._ledger.size < target.size:
            if self._fetching is None:
                self._ask(out)
            return None
        self._target = self._asked = self._fetching = None
        out.stop(TRANSFER_TIMER)
        return CaughtUp(target, closes=self._ledger.closed and self._ledger.size == target.size)

    # --- snapshots -------------------------------------------------------------------------------

    def _ask_chunk(self, fetching: Fetching, out: Outbox) -> None:
        """The next chunk; entries where all are here, or none is to be had."""
        incoming = fetching.incoming
        if incoming is not None and incoming.whole:
            self._ledger.expect(incoming.finish())
            self._leaping = True
        elif fetching.ask_chunk(out):
            out.start(TRANSFER_TIMER, RETRY_MS)
            return
        self._fetching = None
        self._ask(out)

    def landed(self) -> bool:
        """Whether the ledger has leapt to the snapshot since this was last asked."""
        landed = self._leaping and self._ledger.incoming is None
        if landed:
            self._leaping = False
        return landed

    def _offered(self, sender: int, offer: Offer, out: Outbox) -> None:
        fetching = self._fetching
        if fetching is not None:
            chosen = fetching.incoming
            fetching.offered(sender, offer)
            if fetching.incoming is not chosen:
                self._ask_chunk(fetching, out)

    def _chunk(self, sender: int, chunk: Chunk, out: Outbox) -> None:
        if self._fetching is not None and self._fetching.received(sender, chunk):
            self._ask_chunk(self._fetching, out)

    def serve(
        self,
        sender: int,
        frame: FetchEntries | FetchSnapshot | Offer | FetchChunk | Chunk,
        out: Outbox,
    ) -> None:
        """What a peer asks for, and what it has of the snapshot that we ask for."""
        match frame:
            case FetchEntries():
                self._serve_entries(sender, frame, out)
            case FetchSnapshot():
                serve_offers(self._ledger, sender, frame, out)
            case FetchChunk():
                serve_chunk(self._ledger, sender, frame, out)
            case Offer():
                self._offered(sender, frame, out)
            case Chunk():
                self._chunk(sender, frame, out)

    def _serve_entries(self, sender: int, request: FetchEntries, out: Outbox) -> None:
        """Answer a peer with proven entries; nothing where it asks beyond what is here."""
        if not request.start < request.size <= self._ledger.size:
            return
        body, end = self._ledger.entries(request.start, request.size, self.answer_bytes)
        proof = tuple(self._ledger.consistency(end, request.size)) if end < request.size else ()
        out.send(sender, Entries(start=request.start, size=request.size, body=body, proof=proof))
