"""Fetching and serving snapshots: offers, then chunks, each from whoever has it.

A manifest counts once f + 1 peers offer the same one, so that a correct replica vouches for it: what a
liar offers alone is never fetched, however much it promises. Its log is proven against the certificate
all the same, and the state that comes of its chunks against the block entry in that log.
"""

from collections import defaultdict, deque

from grootboek._core import verify_consistency
from grootboek.ledger import Incoming, Ledger
from grootboek.node.outbox import Outbox
from grootboek.transfer import Chunk, FetchChunk, FetchSnapshot, Manifest, Offer
from grootboek.wire import Certificate, Path

__all__ = ["Fetching", "serve_chunk", "serve_offers"]

MAX_CHUNKS = 50_000
"""Two manifests of more chunks fit no frame."""
TURN_CHUNKS = 8
"""So many chunks come from one peer before the next one's turn."""


class Fetching:
    """The fetching of one snapshot, from the first offer to the last chunk."""

    def __init__(self, ledger: Ledger, certificate: Certificate, weak: int, least: int) -> None:
        """``weak`` is f + 1; ``least`` how many entries a snapshot must spare us."""
        self.incoming: Incoming | None = None
        """The snapshot that was chosen."""
        self._ledger = ledger
        self._certificate = certificate
        self._weak = weak
        self._least = least
        self._heard: set[int] = set()
        self._offered: dict[Manifest, list[int]] = defaultdict(list)
        self._sources: deque[int] = deque()
        self._failures = 0

    # --- offers ----------------------------------------------------------------------------------

    def ask(self, out: Outbox) -> None:
        """Ask every peer what it has."""
        out.send(None, FetchSnapshot(self._certificate.size))

    def offered(self, sender: int, offer: Offer) -> None:
        """A peer's offer, its first; the newest snapshot that enough peers agree on is chosen."""
        if offer.size != self._certificate.size or sender in self._heard:
            return
        self._heard.add(sender)
        for manifest, proof in dict(offer.snapshots).items():
            if self._useful(manifest) and self._proven(manifest, proof):
                self._offered[manifest].append(sender)
        if self.incoming is None:
            self._choose()
        elif sender in self._offered[self.incoming.manifest]:
            self._sources.append(sender)

    def _choose(self) -> None:
        agreed = [manifest for manifest, senders in self._offered.items() if len(senders) >= self._weak]
        if agreed:
            newest = max(agreed, key=lambda manifest: manifest.height)
            self._sources = deque(self._offered[newest])
            self.incoming = self._ledger.receive(newest, self._certificate)

    def _useful(self, manifest: Manifest) -> bool:
        """Whether it spares enough: to take in a pair costs about a quarter of executing an entry."""
        spared = manifest.size - self._ledger.size
        return spared >= max(self._least, manifest.pairs // 4) and len(manifest.chunks) <= MAX_CHUNKS

    def _proven(self, manifest: Manifest, proof: Path) -> bool:
        certified = self._certificate
        if manifest.size >= certified.size:
            return (manifest.size, manifest.root) == (certified.size, certified.root)
        return verify_consistency(manifest.size, manifest.root, certified.size, certified.root, proof)

    # --- chunks ----------------------------------------------------------------------------------

    def ask_chunk(self, out: Outbox) -> bool:
        """Ask for the chunk that is due; False where nobody is left, or none of them answers."""
        if self.incoming is None or not self._sources or self._failures > 2 * len(self._sources):
            return False
        out.send(self._sources[0], FetchChunk(self.incoming.manifest.height, self.incoming.next))
        return True

    def passed_over(self) -> None:
        """The peer whose turn it was did not answer in time: it is the last one now."""
        self._failures += 1
        self._sources.rotate(-1)

    def received(self, sender: int, chunk: Chunk) -> bool:
        """A chunk: whether the next one is to be asked for. Wrong bytes end their sender's part.

        A late chunk of a peer that was passed over is as good as any.
        """
        incoming = self.incoming
        if incoming is None or (chunk.height, chunk.index) != (incoming.manifest.height, incoming.next):
            return False
        if incoming.add(chunk.body):
            self._failures = 0
            if incoming.next % TURN_CHUNKS == 0:
                self._sources.rotate(-1)
            return True
        asked = bool(self._sources) and sender == self._sources[0]
        if sender in self._sources:
            self._sources.remove(sender)
        return asked


# --- the serving side ----------------------------------------------------------------------------


def serve_offers(ledger: Ledger, sender: int, request: FetchSnapshot, out: Outbox) -> None:
    """Offer what is here, newest first, proven against the tree that the peer knows."""
    size = request.size
    if size > ledger.size:
        return
    manifests = [head.manifest for head in ledger.snapshot_heads if head.manifest.size <= size]
    offered = [
        (manifest, ledger.consistency(manifest.size, size))
        for manifest in manifests
        if len(manifest.chunks) <= MAX_CHUNKS
    ]
    out.send(sender, Offer(size, tuple(offered)))


def serve_chunk(ledger: Ledger, sender: int, request: FetchChunk, out: Outbox) -> None:
    """Send a chunk; nothing where the snapshot is no longer here."""
    for head in ledger.snapshot_heads:
        if head.manifest.height == request.height and request.index < len(head.ends):
            body = ledger.chunk(head, request.index)
            out.send(sender, Chunk(request.height, request.index, body))
