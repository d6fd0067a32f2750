"""Frames of a faulty replica: what each is called, its bytes, and the code that it must get.

The faulty one is replica 2 of four; it has its own keys and sees everything. ``None``: nothing is
wrong with the frame, it must only do no harm.
"""

from collections.abc import Callable

from msgspec.structs import replace

from grootboek.client.transactions import framed
from grootboek.node.signers import Signers
from grootboek.types import Chain
from grootboek.wire import (
    BLOCK_ENTRY,
    Batch,
    Certificate,
    Checkpoint,
    Commit,
    Cosignature,
    Entries,
    Envelope,
    FetchBatch,
    FetchEntries,
    Hello,
    HelloProof,
    NewView,
    Prepare,
    Prepared,
    PrePrepare,
    ProtocolMessage,
    Signed,
    Status,
    ViewChange,
    block_of,
    encode,
)
from tests.bad_input.transactions import flipped, sealed
from tests.node.cluster import Cluster

FAULTY = 2
D = bytes(32)
SIGNATURE = bytes(64)


class World:
    """What the faulty replica knows."""

    def __init__(self, cluster: Cluster) -> None:
        self.genesis = cluster.genesis
        self.chain = cluster.genesis.chain
        self.now = cluster.heap.now_ms
        certificate = cluster.engine(FAULTY).ledger.certificate
        assert certificate is not None
        self.certificate: Certificate = certificate
        self.next = block_of(certificate).seq + 1
        self._keys = cluster.keys

    def signed(
        self, message: ProtocolMessage, *, by: int = FAULTY, epoch: int = 0, chain: Chain | None = None
    ) -> Signed:
        signers = Signers(chain or self.chain, epoch, by, self._keys[by])
        signed = signers.message(encode(message))
        assert signed is not None
        return signed

    def envelope(self, message: ProtocolMessage, *, epoch: int = 0, chain: Chain | None = None) -> bytes:
        return encode(Envelope(self.signed(message, epoch=epoch, chain=chain)))

    def cosignature(self, size: int, root: bytes) -> Cosignature:
        signers = Signers(self.chain, 0, FAULTY, self._keys[FAULTY])
        made = signers.cosign(size, root, self.now // 1_000)
        assert made is not None
        return made

    def status(self, **changes: object) -> bytes:
        """A STATUS with the stable checkpoint, something of it changed."""
        return encode(Status(0, True, 1, replace(self.certificate, **changes)))  # noqa: FBT003  # by place

    def checkpoint(self, **changes: object) -> bytes:
        size, root = self.certificate.size, self.certificate.root
        message = Checkpoint(size, root, self.certificate.block, self.cosignature(size, root))
        return encode(replace(message, **changes))

    def prepared(self, *, backups: tuple[int, ...] = (1, 3), forged: bool = True) -> Prepared:
        """A certificate for a value that nobody prepared."""
        proposal = self.signed(PrePrepare(2, self.next, self.now, (D,)))
        signature = SIGNATURE if forged else proposal.signature
        return Prepared(proposal, tuple((backup, signature) for backup in backups))

    def nested(self, depth: int) -> bytes:
        """VIEW-CHANGEs inside each other's certificates."""
        inner = self.signed(Prepare(0, 1, D))
        for _ in range(depth):
            inner = Signed(FAULTY, encode(ViewChange(1, None, (Prepared(inner, ()),))), SIGNATURE)
        return encode(Envelope(inner))

    def long_block(self) -> bytes:
        """A block entry that no log can hold."""
        block = replace(block_of(self.certificate), modules=tuple((f"m{i:060}", 1) for i in range(1_200)))
        return BLOCK_ENTRY + encode(block)


def _cosignatures(world: World) -> tuple[Cosignature, ...]:
    return world.certificate.cosignatures


def _relabelled(world: World) -> bytes:
    """The faulty replica's message as that of another one."""
    return encode(Envelope(replace(world.signed(Prepare(0, world.next, D)), sender=1)))


def _view_change(world: World, prepared: tuple[Prepared, ...], *, stable: bool = True) -> bytes:
    return world.envelope(ViewChange(3, world.certificate if stable else None, prepared))


def _new_view(world: World, senders: tuple[int, ...], view: int = 2) -> bytes:
    """Opened with wishes that are not those of their senders."""
    wish = world.signed(ViewChange(view, None, ()))
    wishes = tuple(replace(wish, sender=sender) for sender in senders)
    return world.envelope(NewView(view, wishes, ()))


def _batch(*transactions: bytes) -> bytes:
    return encode(Batch(b"".join(map(framed, transactions))))


Row = tuple[str, Callable[[World], bytes], str | None]

FRAMES: list[Row] = [
    # --- the encoding
    ("frame malformed: not msgpack", lambda _: b"\xc1", "GB-2001"),
    ("frame malformed: cut off", lambda w: w.status()[:-1], "GB-2001"),
    ("frame malformed: bytes after it", lambda w: w.status() + b"\x00", "GB-2001"),
    ("frame malformed: an unknown type", lambda _: encode((99, 1)), "GB-2001"),
    ("frame malformed: a field too few", lambda _: encode((7, 1)), "GB-2001"),
    ("frame malformed: a digest of 31 bytes", lambda _: encode((9, (bytes(31),))), "GB-2001"),
    ("frame malformed: a negative number", lambda _: encode((10, -1, 5)), "GB-2001"),
    ("frame malformed: a number above 2^53", lambda _: encode((10, 1, 2**60)), "GB-2001"),
    ("frame malformed: deeply nested", lambda _: b"\x91" * 100_000, "GB-2001"),
    ("frame malformed: an array of 2^32 - 1", lambda _: b"\xdd\xff\xff\xff\xff", "GB-2001"),
    ("frame non-canonical: a long array head", lambda w: b"\xdc\x00\x05" + w.status()[1:], "GB-2001"),
    ("frame non-canonical: a long integer", lambda _: b"\x93\x0a\xcd\x00\x01\x02", "GB-2001"),
    # --- signed messages
    ("message malformed", lambda _: encode(Envelope(Signed(FAULTY, b"\xc1", SIGNATURE))), "GB-2004"),
    (
        "message non-canonical",
        lambda _: encode(Envelope(Signed(FAULTY, b"\x94\x02\xcc\x00\x01" + encode(D), SIGNATURE))),
        "GB-2004",
    ),
    (
        "message wrongly signed: a bit",
        lambda w: encode(
            Envelope(Signed(FAULTY, s.payload, flipped(s.signature)))
            if (s := w.signed(Prepare(0, w.next, D)))
            else None
        ),
        "GB-2005",
    ),
    ("message wrongly signed: another sender's name", _relabelled, "GB-2005"),
    (
        "message of a replica that there is not",
        lambda w: encode(Envelope(replace(w.signed(Prepare(0, w.next, D)), sender=4))),
        "GB-2004",
    ),
    (
        "message of a foreign chain",
        lambda w: w.envelope(Prepare(0, w.next, D), chain=Chain("other.invalid/ledger", bytes(32))),
        "GB-2005",
    ),
    ("message of another epoch", lambda w: w.envelope(Prepare(0, w.next, D), epoch=1), "GB-2005"),
    ("PRE-PREPARE not of the primary", lambda w: w.envelope(PrePrepare(0, w.next, w.now, (D,))), "GB-2004"),
    ("PREPARE of an old number", lambda w: w.envelope(Prepare(0, 0, D)), None),
    ("PREPARE beyond the window", lambda w: w.envelope(Prepare(0, 2**50, D)), None),
    ("PREPARE of a view far ahead", lambda w: w.envelope(Prepare(2**50, w.next, D)), None),
    ("COMMIT for nothing", lambda w: w.envelope(Commit(0, w.next, D)), None),
    ("VIEW-CHANGE alone", lambda w: w.envelope(ViewChange(2**40, None, ())), None),
    ("VIEW-CHANGE with a forged certificate", lambda w: _view_change(w, (w.prepared(),)), "GB-2005"),
    ("VIEW-CHANGE with too few PREPAREs", lambda w: _view_change(w, (w.prepared(backups=(1,)),)), "GB-2004"),
    (
        "VIEW-CHANGE with one PREPARE twice",
        lambda w: _view_change(w, (w.prepared(backups=(1, 1)),)),
        "GB-2004",
    ),
    (
        "VIEW-CHANGE with the primary's PREPARE",
        lambda w: _view_change(w, (w.prepared(backups=(1, 2)),)),
        "GB-2004",
    ),
    (
        "VIEW-CHANGE with certificates in disorder",
        lambda w: _view_change(w, (w.prepared(), w.prepared())),
        "GB-2004",
    ),
    (
        "VIEW-CHANGE with a certificate beyond its window",
        lambda w: w.envelope(
            ViewChange(
                3,
                None,
                (Prepared(w.signed(PrePrepare(2, 10_000, 0, (D,))), ((1, SIGNATURE), (3, SIGNATURE))),),
            )
        ),
        "GB-2004",
    ),
    (
        "VIEW-CHANGE with a PREPARE for a PRE-PREPARE",
        lambda w: _view_change(w, (Prepared(w.signed(Prepare(0, w.next, D)), ()),)),
        "GB-2004",
    ),
    ("VIEW-CHANGE nested too deep", lambda w: w.nested(2_000), "GB-2004"),
    ("NEW-VIEW not of the primary", lambda w: _new_view(w, (0, 1, 3), view=1), "GB-2004"),
    ("NEW-VIEW with too few wishes", lambda w: _new_view(w, (0, 1)), "GB-2004"),
    ("NEW-VIEW with one wish twice", lambda w: _new_view(w, (1, 1, 3)), "GB-2004"),
    ("NEW-VIEW with forged wishes", lambda w: _new_view(w, (0, 1, 3)), "GB-2005"),
    # --- checkpoints and certificates
    ("CHECKPOINT with no block", lambda w: w.checkpoint(block=b"\x02x"), "GB-2004"),
    ("CHECKPOINT wrongly signed", lambda w: w.checkpoint(size=w.certificate.size + 9, root=D), "GB-2005"),
    (
        "CHECKPOINT of a replica that there is not",
        lambda w: w.checkpoint(cosignature=Cosignature(9, 1, SIGNATURE)),
        "GB-2004",
    ),
    ("CHECKPOINT replayed", lambda w: w.checkpoint(), None),
    (
        "CHECKPOINT of a size far ahead",
        lambda w: w.checkpoint(size=2**50, cosignature=w.cosignature(2**50, w.certificate.root)),
        None,
    ),
    ("certificate of size 0", lambda w: w.status(size=0), "GB-2004"),
    ("certificate of another size", lambda w: w.status(size=w.certificate.size + 1), "GB-2004"),
    ("certificate with a path too long", lambda w: w.status(path=(*w.certificate.path, D)), "GB-2004"),
    ("certificate with no block", lambda w: w.status(block=b""), "GB-2004"),
    ("certificate with a block longer than an entry", lambda w: w.status(block=w.long_block()), "GB-2004"),
    ("certificate short of a quorum", lambda w: w.status(cosignatures=_cosignatures(w)[1:]), "GB-2004"),
    (
        "certificate with one cosigner twice",
        lambda w: w.status(cosignatures=(_cosignatures(w)[0],) * 3),
        "GB-2004",
    ),
    (
        "certificate with a forged cosignature",
        lambda w: w.status(
            cosignatures=(
                *_cosignatures(w)[:2],
                replace(_cosignatures(w)[2], signature=flipped(_cosignatures(w)[2].signature)),
            )
        ),
        "GB-2005",
    ),
    (
        "STATUS that claims everything",
        lambda _: encode(Status(2**50, active=False, executed=2**50, stable=None)),
        None,
    ),
    # --- bodies and transfer
    ("BATCH of nothing", lambda _: encode(Batch(b"")), "GB-2006"),
    ("BATCH with broken frames", lambda _: encode(Batch(b"\x00\x00\x01\x00x")), "GB-2006"),
    ("BATCH of too many", lambda w: _batch(*[sealed(w.chain)] * 1_001), "GB-2006"),
    ("BATCH oversized", lambda _: encode(Batch(bytes(2 << 20))), "GB-2006"),
    ("BATCH with a malformed transaction", lambda w: _batch(sealed(w.chain), b"\xc1"), "GB-2006"),
    ("BATCH with a wrong signature", lambda w: _batch(sealed(w.chain, raw=bytes)[:-1] + b"\xff"), "GB-2006"),
    ("BATCH with another chain's", lambda w: _batch(sealed(w.chain, foreign=bytes(8))), "GB-2006"),
    ("BATCH with an expired transaction", lambda w: _batch(sealed(w.chain, expiry=1)), None),
    ("FETCH of a batch that nobody has", lambda _: encode(FetchBatch((D,))), None),
    ("FETCH of entries that are not there", lambda _: encode(FetchEntries(0, 2**50)), None),
    ("FETCH of entries from behind the end", lambda _: encode(FetchEntries(9, 3)), None),
    (
        "ENTRIES that nobody asked for",
        lambda w: encode(Entries(0, w.certificate.size, b"\x00\x01x", ())),
        None,
    ),
    ("HELLO after the handshake", lambda w: encode(Hello(1, w.chain.digest, 0, FAULTY, D)), None),
    ("HELLO proof after the handshake", lambda _: encode(HelloProof(SIGNATURE)), None),
]
