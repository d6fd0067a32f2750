"""A snapshot on its way here: chunks that the manifest names, in the folder ``incoming``."""

from grootboek.disk import Disk
from grootboek.ledger.snapshots import INCOMING, SnapshotHead, chunk_digest, clear, name_of, write_head
from grootboek.transfer import Manifest
from grootboek.types import Chain
from grootboek.wire import Certificate

__all__ = ["Incoming"]

_SYNC_CHUNKS = 16
"""After so many chunks the file is synced, so that the last sync is not a long one."""


class Incoming:
    """Takes chunk after chunk, each only if it is the one that the manifest names."""

    def __init__(self, disk: Disk, chain: Chain, manifest: Manifest, certificate: Certificate) -> None:
        """Begin with an empty folder. ``certificate``: of a log that the manifest's is the beginning of."""
        self.manifest = manifest
        self._disk = disk
        self._chain = chain
        self._certificate = certificate
        self._ends: list[int] = []
        clear(disk)

    @property
    def next(self) -> int:
        """The number of the chunk that is due."""
        return len(self._ends)

    @property
    def whole(self) -> bool:
        """Whether all chunks are here."""
        return self.next == len(self.manifest.chunks)

    def add(self, body: bytes) -> bool:
        """Take the chunk that is due; False where these are not its bytes."""
        if chunk_digest(self._chain, body) != self.manifest.chunks[self.next]:
            return False
        name = name_of(self.manifest.height, INCOMING)
        self._disk.append(name, body)
        self._ends.append(len(body) + (self._ends[-1] if self._ends else 0))
        if self.whole or self.next % _SYNC_CHUNKS == 0:
            self._disk.sync(name)
        return True

    def finish(self) -> SnapshotHead:
        """Keep the whole snapshot over a restart."""
        head = SnapshotHead(self._chain.digest, self.manifest, self._certificate, tuple(self._ends))
        write_head(self._disk, self._chain, head, INCOMING)
        return head
