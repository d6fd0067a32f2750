"""Rows of the snapshot transfer, and of SUSPECT and EVIDENCE. ``fetching``: the victim waits for offers."""

from msgspec.structs import replace

from grootboek.evidence import pair
from grootboek.transfer import Chunk, FetchChunk, FetchSnapshot, Manifest, Offer
from grootboek.wire import Evidence, Suspect, encode
from tests.hostile.cells import BAD_FRAME, Cell, Row, stretched
from tests.hostile.faulty import FAULTY, OTHER_CHAIN, SIGNATURE, D, Faulty, flipped
from tests.hostile.frames import FAR, UNSIGNED, sent, stretch

# --- SUSPECT -------------------------------------------------------------------------------------

SUSPECT = Row[Faulty](
    Suspect,
    lambda _: encode(Suspect(0)),
    {
        "oversize": Cell(lambda _: [encode((24, 2**53)), encode((24, -1))], (BAD_FRAME, BAD_FRAME)),
        "wrong epoch": Cell(sent(lambda _: Suspect(4)), instead="HELLO binds it to the epoch: a later round"),
        "wrong chain": Cell(sent(lambda _: Suspect(7)), instead="HELLO binds it to the chain: other views"),
        "wrong sender": Cell(
            sent(lambda _: Suspect(0), 2), instead="the connection says who suspects: one suspicion twice"
        ),
        "duplicate": Cell(sent(lambda _: Suspect(0), 30)),
        "reordered": Cell(lambda _: [encode(Suspect(view)) for view in (2, 0, 1)]),
        "stale view": Cell(sent(lambda _: Suspect(1)), world="led"),
        "future view": Cell(sent(lambda _: Suspect(FAR))),
        "bad signature": Cell(
            lambda _: [encode((24, 0, SIGNATURE))], (BAD_FRAME,), instead=UNSIGNED + "one behind it"
        ),
        "non-canonical": stretch(lambda _: Suspect(0)),
    },
)


# --- EVIDENCE ------------------------------------------------------------------------------------


def swapped(f: Faulty) -> Evidence:
    true = f.evidence()
    return replace(true, first=true.second, second=true.first)


def forged(f: Faulty) -> Evidence:
    true = f.evidence()
    return replace(true, first=replace(true.first, signature=flipped(true.first.signature)))


def innocent(f: Faulty) -> Evidence:
    """Two true statements of one replica, in different roles."""
    one, other = f.evidence(), f.evidence(ahead=1)
    return pair(0, FAULTY, one.first, other.second)


EVIDENCE = Row[Faulty](
    Evidence,
    lambda f: encode(f.evidence()),
    {
        "oversize": Cell(
            sent(lambda f: replace(f.evidence(), second=replace(f.evidence().second, payload=bytes(4_097)))),
            (BAD_FRAME,),
        ),
        "wrong epoch": Cell(
            lambda f: [encode(f.evidence(epoch=1)), encode(replace(f.evidence(epoch=1), epoch=0))]
        ),
        "wrong chain": Cell(sent(lambda f: f.evidence(chain=OTHER_CHAIN))),
        "wrong sender": Cell(
            lambda f: [encode(replace(f.evidence(), replica=accused)) for accused in (0, 3, 4, 9)]
        ),
        "duplicate": Cell(sent(lambda f: f.evidence(), 3)),
        "reordered": Cell(sent(swapped)),
        "stale view": Cell(sent(innocent), instead="it may be of any view: two votes that do not contradict"),
        "future view": Cell(
            sent(lambda f: replace(f.evidence(), epoch=FAR)), instead="it may be of any view: a far epoch"
        ),
        "bad signature": Cell(sent(forged)),
        "non-canonical": stretch(lambda f: f.evidence()),
    },
)

# --- FETCH-SNAPSHOT and FETCH-CHUNK --------------------------------------------------------------

NO_VIEW = "it has no view: "


def held(f: Faulty) -> FetchSnapshot:
    return FetchSnapshot(f.certificate.size)


FETCH_SNAPSHOT = Row[Faulty](
    FetchSnapshot,
    lambda f: encode(held(f)),
    {
        "oversize": Cell(lambda _: [encode((20, 2**53)), encode((20, -1))], (BAD_FRAME, BAD_FRAME)),
        "wrong epoch": Cell(
            sent(lambda f: FetchSnapshot(f.certificate.size + 1)),
            instead="HELLO binds it to the epoch: of a log that is one entry longer",
        ),
        "wrong chain": Cell(
            sent(lambda _: FetchSnapshot(2)), instead="HELLO binds it to the chain: where no block ends"
        ),
        "wrong sender": Cell(sent(held), instead="the connection says who asks: nobody else gets the answer"),
        "duplicate": Cell(sent(held, 3)),
        "reordered": Cell(lambda f: [encode(FetchChunk(1, 0)), encode(held(f))]),
        "stale view": Cell(sent(lambda _: FetchSnapshot(0)), instead=NO_VIEW + "of the empty log"),
        "future view": Cell(sent(lambda _: FetchSnapshot(FAR)), instead=NO_VIEW + "of a log far ahead"),
        "bad signature": Cell(
            lambda f: [encode((20, f.certificate.size, SIGNATURE))],
            (BAD_FRAME,),
            instead=UNSIGNED + "one behind it",
        ),
        "non-canonical": stretch(held),
    },
)

FETCH_CHUNK = Row[Faulty](
    FetchChunk,
    lambda _: encode(FetchChunk(1, 0)),
    {
        "oversize": Cell(
            lambda _: [encode((22, 1, 2**53)), encode((22, 0, 0)), encode((22, 1, -1))], (BAD_FRAME,) * 3
        ),
        "wrong epoch": Cell(
            sent(lambda _: FetchChunk(2, 0)), instead="HELLO binds it to the epoch: of another height"
        ),
        "wrong chain": Cell(
            sent(lambda _: FetchChunk(3, 7)), instead="HELLO binds it to the chain: of no snapshot"
        ),
        "wrong sender": Cell(
            sent(lambda _: FetchChunk(1, 0)), instead="the connection says who asks: nobody else is answered"
        ),
        "duplicate": Cell(sent(lambda _: FetchChunk(1, 0), 3)),
        "reordered": Cell(lambda _: [encode(FetchChunk(1, index)) for index in (2, 0, 1)]),
        "stale view": Cell(sent(lambda _: FetchChunk(1, 1)), instead=NO_VIEW + "behind the last chunk"),
        "future view": Cell(sent(lambda _: FetchChunk(FAR, FAR)), instead=NO_VIEW + "of a height far ahead"),
        "bad signature": Cell(
            lambda _: [encode((22, 1, 0, SIGNATURE))],
            (BAD_FRAME,),
            instead=UNSIGNED + "one behind it",
        ),
        "non-canonical": stretch(lambda _: FetchChunk(1, 0)),
    },
)

# --- OFFER ---------------------------------------------------------------------------------------


def changed(f: Faulty, **changes: object) -> Offer:
    """Its offer, something of the manifest changed."""
    offer = f.offer()
    ((manifest, proof), *rest) = offer.snapshots
    other: Manifest = replace(manifest, **changes)
    return replace(offer, snapshots=((other, proof), *rest))


OFFER = Row[Faulty](
    Offer,
    lambda _: encode(Offer(3, ((Manifest(1, 3, D, 5, (D,)), (D,)),))),
    {
        "oversize": Cell(sent(lambda f: changed(f, chunks=(D,) * 60_000, pairs=2**52)), world="fetching"),
        "wrong epoch": Cell(
            sent(lambda f: replace(f.offer(), size=f.certificate.size - 1)),
            world="fetching",
            instead="the certificate names the epoch: for another log than was asked",
        ),
        "wrong chain": Cell(sent(lambda f: changed(f, root=D)), world="fetching"),
        "wrong sender": Cell(
            sent(lambda f: Offer(f.certificate.size, ())), instead="any peer may offer: but nobody asked"
        ),
        "duplicate": Cell(sent(lambda f: f.offer(), 3), world="fetching"),
        "reordered": Cell(lambda f: [encode(Chunk(1, 0, b"early")), encode(f.offer())], world="fetching"),
        "stale view": Cell(
            sent(lambda f: changed(f, height=1, size=1)),
            world="fetching",
            instead=NO_VIEW + "an old one",
        ),
        "future view": Cell(
            sent(lambda f: changed(f, height=FAR, size=FAR)),
            world="fetching",
            instead=NO_VIEW + "a snapshot far ahead",
        ),
        "bad signature": Cell(
            sent(lambda f: changed(f, chunks=(D,))),
            world="fetching",
            instead=UNSIGNED + "chunks of its own invention, which nobody else offers",
        ),
        "non-canonical": Cell(lambda f: [stretched(encode(f.offer()))], (BAD_FRAME,), world="fetching"),
    },
)

# --- CHUNK ---------------------------------------------------------------------------------------

CHUNK = Row[Faulty](
    Chunk,
    lambda _: encode(Chunk(1, 0, b"pairs")),
    {
        "oversize": Cell(sent(lambda f: replace(f.chunk(), body=bytes(3 << 20))), world="chosen"),
        "wrong epoch": Cell(
            sent(lambda f: replace(f.chunk(), height=f.chunk().height + 1)),
            world="chosen",
            instead="the manifest names the block: of another height",
        ),
        "wrong chain": Cell(sent(lambda f: replace(f.chunk(), body=b"\x90")), world="chosen"),
        "wrong sender": Cell(
            sent(lambda _: Chunk(1, 0, b"\x90")), instead="any peer may answer: but here nobody asked"
        ),
        "duplicate": Cell(sent(lambda f: f.chunk(), 3), world="chosen"),
        "reordered": Cell(lambda f: [encode(replace(f.chunk(), index=1)), encode(f.chunk())], world="chosen"),
        "stale view": Cell(
            sent(lambda f: f.chunk()), world="fetching", instead=NO_VIEW + "before a snapshot was chosen"
        ),
        "future view": Cell(
            sent(lambda f: replace(f.chunk(), index=FAR)), world="chosen", instead=NO_VIEW + "behind the last"
        ),
        "bad signature": Cell(
            sent(lambda f: replace(f.chunk(), body=flipped(f.chunk().body))),
            world="chosen",
            instead="the manifest has its digest, it is not signed: one bit is flipped",
        ),
        "non-canonical": Cell(lambda f: [stretched(encode(f.chunk()))], (BAD_FRAME,), world="chosen"),
    },
)

SPOKEN: tuple[Row[Faulty], ...] = (SUSPECT, EVIDENCE)
TRANSFERS: tuple[Row[Faulty], ...] = (FETCH_SNAPSHOT, OFFER, FETCH_CHUNK, CHUNK)
