"""Rows of the frames that carry no Signed message. ``behind``: the victim lacks blocks and has asked."""

from collections.abc import Callable

from msgspec.structs import replace

from grootboek.wire import (
    BLOCK_ENTRY,
    Batch,
    Certificate,
    Checkpoint,
    Cosignature,
    Entries,
    FetchBatch,
    FetchEntries,
    Status,
    batch_digest,
    block_of,
    encode,
)
from tests.hostile.cells import (
    BAD_BATCH,
    BAD_FRAME,
    BAD_MESSAGE,
    BAD_MESSAGE_SIGNATURE,
    Cell,
    Row,
    stretched,
)
from tests.hostile.faulty import FAULTY, LOGGED, OTHER_CHAIN, D, Faulty, flipped

FAR = 2**50
Make = Callable[[Faulty], list[bytes]]


def sent(build: Callable[[Faulty], object], times: int = 1) -> Make:
    return lambda f: [encode(build(f))] * times


def stretch(build: Callable[[Faulty], object]) -> Cell[Faulty]:
    return Cell(lambda f: [stretched(encode(build(f)))], (BAD_FRAME,))


def other_epoch(f: Faulty) -> bytes:
    return BLOCK_ENTRY + encode(replace(block_of(f.certificate), epoch=1))


def long_block(f: Faulty) -> bytes:
    """A block entry that no log can hold."""
    modules = tuple((f"m{i:060}", 1) for i in range(1_200))
    return BLOCK_ENTRY + encode(replace(block_of(f.certificate), modules=modules))


# --- CHECKPOINT ----------------------------------------------------------------------------------


def ahead(f: Faulty, size: int = 9, root: bytes = D) -> Checkpoint:
    return f.checkpoint(f.certificate.size + size, root)


def cosigned(f: Faulty, **changes: object) -> Checkpoint:
    message = ahead(f)
    return replace(message, cosignature=replace(message.cosignature, **changes))


CHECKPOINT = Row[Faulty](
    Checkpoint,
    lambda f: encode(ahead(f)),
    {
        "oversize": Cell(sent(lambda f: replace(ahead(f), block=long_block(f)))),
        "wrong epoch": Cell(sent(lambda f: replace(ahead(f), block=other_epoch(f)))),
        "wrong chain": Cell(
            sent(
                lambda f: replace(
                    ahead(f), cosignature=f.cosign(f.certificate.size + 9, D, chain=OTHER_CHAIN)
                )
            ),
            (BAD_MESSAGE_SIGNATURE,),
        ),
        "wrong sender": Cell(sent(lambda f: cosigned(f, replica=3)), (BAD_MESSAGE_SIGNATURE,)),
        "duplicate": Cell(sent(ahead, 3)),
        "reordered": Cell(lambda f: [encode(ahead(f, size)) for size in (30, 10, 20)]),
        "stale view": Cell(
            sent(lambda f: f.checkpoint(1, D)),
            instead="a checkpoint is of a size, not of a view: one below the stable one, with another root",
        ),
        "future view": Cell(
            sent(lambda f: f.checkpoint(FAR, D)), instead="a checkpoint is of a size: one far ahead"
        ),
        "bad signature": Cell(
            sent(lambda f: cosigned(f, signature=flipped(ahead(f).cosignature.signature))),
            (BAD_MESSAGE_SIGNATURE,),
        ),
        "non-canonical": stretch(ahead),
    },
)


# --- STATUS --------------------------------------------------------------------------------------


def status(f: Faulty, **changes: object) -> Status:
    """With a certificate of which something was changed."""
    stable: Certificate = replace(f.certificate, **changes)
    return Status(0, True, block_of(f.certificate).seq, stable)  # noqa: FBT003  # fields by place


def cosignatures(f: Faulty, **changes: object) -> tuple[Cosignature, ...]:
    """The certificate's, something of the first one changed."""
    first, *rest = f.certificate.cosignatures
    return replace(first, **changes), *rest


def of_other_chain(f: Faulty) -> Status:
    size, root = f.certificate.size, f.certificate.root
    signers = [c.replica for c in f.certificate.cosignatures]
    made = [f.cosign(size, root, epoch_key=i, chain=OTHER_CHAIN) for i in signers]
    return status(f, cosignatures=tuple(replace(c, replica=i) for c, i in zip(made, signers, strict=True)))


def claims(view: int, executed: int, *, active: bool = True) -> Callable[[Faulty], Status]:
    return lambda f: Status(view, active, executed, f.certificate)


STATUS = Row[Faulty](
    Status,
    lambda f: encode(status(f)),
    {
        "oversize": Cell(sent(lambda f: status(f, block=long_block(f))), (BAD_MESSAGE,)),
        "wrong epoch": Cell(sent(lambda f: status(f, block=other_epoch(f))), (BAD_MESSAGE,)),
        "wrong chain": Cell(sent(of_other_chain), (BAD_MESSAGE_SIGNATURE,)),
        "wrong sender": Cell(
            sent(
                lambda f: status(
                    f,
                    cosignatures=cosignatures(f, signature=f.certificate.cosignatures[1].signature),
                )
            ),
            (BAD_MESSAGE_SIGNATURE,),
        ),
        "duplicate": Cell(sent(status, 3)),
        "reordered": Cell(lambda f: [encode(claims(0, n)(f)) for n in (FAR, 0, 1)]),
        "stale view": Cell(sent(claims(0, 0, active=False)), world="led"),
        "future view": Cell(sent(claims(FAR, FAR, active=False))),
        "bad signature": Cell(
            sent(
                lambda f: status(
                    f,
                    cosignatures=cosignatures(f, signature=flipped(f.certificate.cosignatures[0].signature)),
                )
            ),
            (BAD_MESSAGE_SIGNATURE,),
        ),
        "non-canonical": stretch(status),
    },
)


# --- BATCH ---------------------------------------------------------------------------------------


def batch(f: Faulty) -> Batch:
    return Batch(f.body(1_000))


def logged(f: Faulty) -> Batch:
    return Batch(f.cluster.prepared(LOGGED).frame)


def foreign(f: Faulty) -> Batch:
    """The good transaction of this chain with the other chain's id in its place."""
    return Batch(f.body(1_000).replace(f.chain.id, OTHER_CHAIN.id))


BATCH = Row[Faulty](
    Batch,
    lambda f: encode(batch(f)),
    {
        "oversize": Cell(sent(lambda f: Batch(f.body(1_000) * 5_000)), (BAD_BATCH,)),
        "wrong epoch": Cell(
            sent(lambda f: Batch(f.body(1_000, expiry=1))),
            instead="a transaction belongs to a chain, not to an epoch: one that has expired",
        ),
        "wrong chain": Cell(sent(foreign), (BAD_BATCH,)),
        "wrong sender": Cell(
            lambda f: [encode(frame) for _, _, frame in f.cluster.sent if isinstance(frame, Batch)][:1],
            instead="the connection says who sends it: replica 0's batch, from another one",
        ),
        "duplicate": Cell(sent(batch, 3)),
        "reordered": Cell(lambda f: [encode(Batch(f.body(n))) for n in (1_002, 1_000, 1_001)]),
        "stale view": Cell(sent(logged), instead="a batch has no view: one that was ordered long ago"),
        "future view": Cell(
            sent(lambda f: Batch(f.body(1_000, expiry=FAR))),
            instead="a batch has no view: one that expires in a far future",
        ),
        "bad signature": Cell(sent(lambda f: Batch(tampered(f.body(1_000)))), (BAD_BATCH,)),
        "non-canonical": stretch(batch),
    },
)


def tampered(frame: bytes) -> bytes:
    """A bit of the signature changed: it stands right behind the header, in 64 bytes of binary."""
    at = frame.index(b"\x91\xc4\x40") + 3
    return frame[:at] + flipped(frame[at : at + 64]) + frame[at + 64 :]


# --- FETCH-BATCH and FETCH-ENTRIES ---------------------------------------------------------------


def held(f: Faulty) -> FetchBatch:
    return FetchBatch((batch_digest(f.chain, f.cluster.prepared(LOGGED).frame),))


UNSIGNED = "the connection authenticates it, it carries no signature: "
FETCH_BATCH = Row[Faulty](
    FetchBatch,
    lambda f: encode(held(f)),
    {
        "oversize": Cell(lambda _: [encode((9, (D,) * 65)), encode((9, ()))], (BAD_FRAME, BAD_FRAME)),
        "wrong epoch": Cell(
            sent(lambda _: FetchBatch((D,))), instead="HELLO binds it to the epoch: a digest of nothing"
        ),
        "wrong chain": Cell(
            sent(lambda f: FetchBatch((batch_digest(OTHER_CHAIN, f.body(1_000)),))),
            instead="HELLO binds it to the chain: the digest of another chain's batch",
        ),
        "wrong sender": Cell(sent(held), instead="the connection says who asks: nobody else gets the answer"),
        "duplicate": Cell(sent(held, 3)),
        "reordered": Cell(
            lambda f: [
                encode(FetchBatch((batch_digest(f.chain, f.body(1_000)),))),
                encode(batch(f)),
            ]
        ),
        "stale view": Cell(
            sent(lambda f: FetchBatch(held(f).digests * 64)), instead="it has no view: one digest 64 times"
        ),
        "future view": Cell(
            sent(lambda f: FetchBatch((batch_digest(f.chain, f.body(9_999)),))),
            instead="it has no view: a batch that does not exist yet",
        ),
        "bad signature": Cell(
            sent(lambda f: FetchBatch((flipped(held(f).digests[0]),))),
            instead=UNSIGNED + "a digest with a bit flipped",
        ),
        "non-canonical": stretch(held),
    },
)


def fetch(start: int, size: int) -> Make:
    return lambda _: [encode(FetchEntries(start, size))]


FETCH_ENTRIES = Row[Faulty](
    FetchEntries,
    lambda f: encode(FetchEntries(0, f.certificate.size)),
    {
        "oversize": Cell(lambda _: [encode((10, 0, 2**53)), encode((10, -1, 3))], (BAD_FRAME, BAD_FRAME)),
        "wrong epoch": Cell(
            fetch(2, FAR), instead="HELLO binds it to the epoch: up to a size of another log"
        ),
        "wrong chain": Cell(fetch(FAR, FAR + 1), instead="HELLO binds it to the chain: of another log"),
        "wrong sender": Cell(
            sent(lambda f: FetchEntries(0, f.certificate.size)),
            instead="the connection says who asks: nobody else gets the answer",
        ),
        "duplicate": Cell(sent(lambda f: FetchEntries(0, f.certificate.size), 3)),
        "reordered": Cell(fetch(3, 1), instead="one message alone: from behind its end"),
        "stale view": Cell(fetch(0, 1), instead="it has no view: the oldest entry"),
        "future view": Cell(fetch(0, FAR), instead="it has no view: beyond the end of the log"),
        "bad signature": Cell(fetch(1, 2), instead=UNSIGNED + "a size at which no block ends"),
        "non-canonical": stretch(lambda f: FetchEntries(0, f.certificate.size)),
    },
)


# --- ENTRIES -------------------------------------------------------------------------------------


def entries(f: Faulty) -> Entries:
    """The answer that the victim waits for."""
    ledger = f.cluster.engine(FAULTY).ledger
    start = f.cluster.engine(1).ledger.fetched
    body, end = ledger.entries(start, f.certificate.size, 1 << 20)
    assert end == f.certificate.size
    return Entries(start, f.certificate.size, body, ())


def whole(f: Faulty) -> Entries:
    """The log from its beginning."""
    body, _ = f.cluster.engine(FAULTY).ledger.entries(0, f.certificate.size, 1 << 20)
    return Entries(0, f.certificate.size, body, ())


def cut(f: Faulty) -> Entries:
    """The first entry alone, with its proof: the beginning of an answer."""
    answer = entries(f)
    first = answer.body[: 2 + int.from_bytes(answer.body[:2], "big")]
    proof = f.cluster.engine(FAULTY).ledger.consistency(answer.start + 1, answer.size)
    return Entries(answer.start, answer.size, first, tuple(proof))


def other_log(f: Faulty) -> Entries:
    answer = entries(f)
    return replace(answer, body=flipped(answer.body, 8 * len(answer.body) - 1))


def bad_proof(f: Faulty) -> Entries:
    start = cut(f)
    return replace(start, proof=(flipped(start.proof[0]), *start.proof[1:]))


ENTRIES = Row[Faulty](
    Entries,
    lambda f: encode(entries(f)),
    {
        "oversize": Cell(
            sent(lambda f: replace(entries(f), body=entries(f).body + bytes(3 << 20))), world="behind"
        ),
        "wrong epoch": Cell(
            sent(lambda f: replace(entries(f), size=f.certificate.size - 1)),
            world="behind",
            instead="the certificate names the epoch: for another size than was asked",
        ),
        "wrong chain": Cell(sent(other_log), world="behind"),
        "wrong sender": Cell(
            sent(whole), instead="any peer may answer, if it is proven: but here nobody asked"
        ),
        "duplicate": Cell(sent(cut, 3), world="behind"),
        "reordered": Cell(
            lambda f: [encode(replace(entries(f), start=entries(f).start + 1)), encode(cut(f))],
            world="behind",
        ),
        "stale view": Cell(
            sent(lambda f: replace(entries(f), start=0)),
            world="behind",
            instead="it has no view: an answer to an earlier question",
        ),
        "future view": Cell(
            sent(lambda f: replace(entries(f), start=FAR, size=FAR + 1)),
            world="behind",
            instead="it has no view: from beyond what the victim has",
        ),
        "bad signature": Cell(
            sent(bad_proof), world="behind", instead="the certificate is signed, not the entries: a bad proof"
        ),
        "non-canonical": Cell(lambda f: [stretched(encode(entries(f)))], (BAD_FRAME,), world="behind"),
    },
)

FRAMES: tuple[Row[Faulty], ...] = (CHECKPOINT, STATUS, BATCH, FETCH_BATCH, FETCH_ENTRIES, ENTRIES)
