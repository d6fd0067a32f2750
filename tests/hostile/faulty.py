"""The faulty replica: number 2 of four, with its own keys and every frame that the others sent.

It is primary of view 2, so that PRE-PREPARE and NEW-VIEW of that view are its to send.
"""

from msgspec.structs import replace

from grootboek.evidence import pair
from grootboek.evidence import signed as said
from grootboek.node.judging import judge_batch
from grootboek.node.outbox import Outbox
from grootboek.node.signers import Signers
from grootboek.node.transfer import serve_offers
from grootboek.simulation.heap import EPOCH_MS
from grootboek.transfer import Chunk, FetchSnapshot, Offer
from grootboek.types import Chain
from grootboek.wire import (
    Certificate,
    Checkpoint,
    Cosignature,
    Evidence,
    Prepare,
    Prepared,
    PrePrepare,
    ProtocolMessage,
    Signed,
    ViewChange,
    block_of,
    encode,
    message_bytes,
    value_digest,
)
from tests.node.cluster import Cluster, signed

FAULTY = 2
VICTIM = 1
"""The correct replica that it attacks; not the primary of view 0, so that it prepares."""
D = bytes(32)
SIGNATURE = bytes(64)
OTHER_CHAIN = Chain("other.invalid/ledger", bytes(32))
LOGGED = 1
"""The number of the transaction that is in the log of ``founded``."""


def founded() -> Cluster:
    """Four replicas with one block."""
    cluster = Cluster().start()
    cluster.commit(LOGGED)
    cluster.run()
    return cluster


class Faulty:
    """What the faulty replica can make."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.chain = cluster.genesis.chain
        self.now = cluster.heap.now_ms
        certificate = cluster.engine(FAULTY).ledger.certificate
        assert certificate is not None
        self.certificate: Certificate = certificate
        self.next = block_of(certificate).seq + 1

    def sign(
        self, message: ProtocolMessage, *, by: int = FAULTY, epoch: int = 0, chain: Chain | None = None
    ) -> Signed:
        """``by``: another one's key is used only to make what that one has really said."""
        payload = encode(message)  # a liar's key has no guard
        text = message_bytes(chain or self.chain, epoch, by, payload)
        return Signed(by, payload, self.cluster.keys[by].voting.sign(text))

    def evidence(self, *, epoch: int = 0, chain: Chain | None = None, ahead: int = 0) -> Evidence:
        """Two PREPAREs of its own that contradict each other."""
        votes = [Prepare(0, self.next + ahead, bytes([i]) * 32) for i in (1, 2)]
        first, second = (said(self.sign(vote, epoch=epoch, chain=chain)) for vote in votes)
        return pair(epoch, FAULTY, first, second)

    def cosign(
        self, size: int, root: bytes, *, epoch_key: int = FAULTY, chain: Chain | None = None
    ) -> Cosignature:
        signers = Signers(chain or self.chain, 0, FAULTY, self.cluster.keys[epoch_key])
        made = signers.cosign(size, root, self.now // 1_000)
        assert made is not None
        return made

    def checkpoint(self, size: int, root: bytes) -> Checkpoint:
        """Its cosignature of a log of its own invention."""
        return Checkpoint(size, root, self.certificate.block, self.cosign(size, root))

    def offer(self) -> Offer:
        """The snapshots that it has, of the newest certified log."""
        ledger, out = self.cluster.engine(FAULTY).ledger, Outbox()
        serve_offers(ledger, VICTIM, FetchSnapshot(self.certificate.size), out)
        ((_, frame),) = out.frames
        assert isinstance(frame, Offer)
        return frame

    def chunk(self) -> Chunk:
        """The first one of its newest snapshot."""
        ledger = self.cluster.engine(FAULTY).ledger
        head = ledger.snapshot_heads[0]
        return Chunk(head.manifest.height, 0, ledger.chunk(head, 0))

    def digest(self, seq: int, *batches: bytes) -> bytes:
        return value_digest(self.chain, 0, seq, self.now, batches)

    def prepare(self, view: int, seq: int, digest: bytes) -> Signed:
        """Its own PREPARE."""
        return self.sign(Prepare(view, seq, digest))

    def prepared(self, view: int, seq: int, *batches: bytes) -> Prepared:
        """A prepared certificate as correct replicas make it, of a view that never was."""
        primary = view % 4
        value = PrePrepare(view, seq, self.now, batches)
        payload = Prepare(view, seq, self.digest(seq, *batches))
        backups = [i for i in range(4) if i != primary][:2]
        votes = tuple((i, self.sign(payload, by=i).signature) for i in backups)
        return Prepared(self.sign(value, by=primary), votes)

    def wishes(self, view: int, *prepared: Prepared) -> tuple[Signed, ...]:
        """q VIEW-CHANGEs, its own among them."""
        message = ViewChange(view, self.certificate, prepared)
        return tuple(self.sign(message, by=i) for i in (0, FAULTY, 3))

    def body(self, number: int, *, expiry: int = EPOCH_MS + 500_000, commands: int = 1) -> bytes:
        """A batch of one good transaction."""
        return signed(self.chain, number, expiry=expiry, commands=commands).frame

    def give(self, body: bytes, *, to: int = VICTIM) -> None:
        """A body as the connection takes it."""
        replica, now = self.cluster.replicas[to], self.cluster.heap.now_ms
        replica._do(replica.engine.body(FAULTY, judge_batch(body, self.cluster.genesis), now))


def relabelled(message: Signed, sender: int) -> Signed:
    """The same bytes under another name."""
    return replace(message, sender=sender)


def flipped(data: bytes, bit: int = 0) -> bytes:
    """One bit changed."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
