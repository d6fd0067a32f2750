"""Rows of the signed messages, which arrive in an Envelope. ``led``: view 2 is open, led by the liar."""

from collections.abc import Callable

from grootboek.wire import (
    Commit,
    Envelope,
    NewView,
    Prepare,
    Prepared,
    PrePrepare,
    ProtocolMessage,
    Signed,
    ViewChange,
    decode,
    encode,
    protocol_messages,
)
from tests.hostile.cells import BAD_FRAME, BAD_MESSAGE, BAD_MESSAGE_SIGNATURE, Cell, Row, stretched
from tests.hostile.faulty import FAULTY, OTHER_CHAIN, SIGNATURE, D, Faulty, flipped, relabelled

FAR = 2**50
Make = Callable[[Faulty], list[bytes]]
Build = Callable[[Faulty], ProtocolMessage]


def envelope(signed: Signed) -> bytes:
    return encode(Envelope(signed))


def said(faulty: Faulty, kind: type[PrePrepare | NewView], view: int) -> bytes:
    """The last message of that kind and view that a correct replica broadcast: anybody may repeat it."""
    for _, _, frame in reversed(faulty.cluster.sent):
        if isinstance(frame, Envelope):
            message = decode(protocol_messages, frame.signed.payload)
            if isinstance(message, kind) and message.view == view:
                return encode(frame)
    raise AssertionError(f"no {kind.__name__} was sent in view {view}")


def forged(build: Build, *, world: str = "plain") -> dict[str, Cell[Faulty]]:
    """The abuses that are the same for all signed messages."""

    def cell(make: Make, *codes: str) -> Cell[Faulty]:
        return Cell(make, codes, world)

    def bad_signature(f: Faulty) -> list[bytes]:
        signed = f.sign(build(f))
        return [envelope(Signed(FAULTY, signed.payload, flipped(signed.signature)))]

    def non_canonical(f: Faulty) -> list[bytes]:
        payload = encode(build(f))
        inner = Signed(FAULTY, stretched(payload), SIGNATURE)
        return [stretched(envelope(f.sign(build(f)))), envelope(inner)]

    return {
        "wrong epoch": cell(lambda f: [envelope(f.sign(build(f), epoch=1))], BAD_MESSAGE_SIGNATURE),
        "wrong chain": cell(lambda f: [envelope(f.sign(build(f), chain=OTHER_CHAIN))], BAD_MESSAGE_SIGNATURE),
        "bad signature": cell(bad_signature, BAD_MESSAGE_SIGNATURE),
        "non-canonical": cell(non_canonical, BAD_FRAME, BAD_MESSAGE),
    }


def plain(*messages: Build) -> Make:
    return lambda f: [envelope(f.sign(build(f))) for build in messages]


# --- PRE-PREPARE ---------------------------------------------------------------------------------


def proposal(f: Faulty) -> PrePrepare:
    return PrePrepare(2, f.next, f.now, (D,))


PRE_PREPARE = Row[Faulty](
    PrePrepare,
    lambda f: envelope(f.sign(proposal(f))),
    forged(proposal, world="led")
    | {
        "oversize": Cell(
            plain(lambda f: PrePrepare(2, f.next, f.now, tuple(bytes([i]) * 32 for i in range(17)))),
            world="led",
        ),
        "wrong sender": Cell(plain(lambda f: PrePrepare(0, f.next, f.now, (D,))), (BAD_MESSAGE,)),
        "duplicate": Cell(plain(proposal, proposal), world="led"),
        "reordered": Cell(plain(lambda f: PrePrepare(2, f.next + 1, f.now, (D,)), proposal), world="led"),
        "stale view": Cell(lambda f: [said(f, PrePrepare, 0)], world="led"),
        "future view": Cell(plain(lambda f: PrePrepare(FAR + 2, f.next, f.now, (D,)))),
    },
)


# --- PREPARE and COMMIT --------------------------------------------------------------------------


def vote(kind: type[Prepare] | type[Commit]) -> Row[Faulty]:
    """The same rules hold for both."""

    def at(view: int, ahead: int = 0, digest: bytes = D) -> Build:
        return lambda f: kind(view, f.next + ahead, digest)

    def long_digest(f: Faulty) -> list[bytes]:
        tag = kind.__struct_config__.tag
        return [envelope(Signed(FAULTY, encode((tag, 0, f.next, bytes(33))), SIGNATURE))]

    return Row(
        kind,
        lambda f: envelope(f.sign(at(0)(f))),
        forged(at(0))
        | {
            "oversize": Cell(long_digest, (BAD_MESSAGE,)),
            "wrong sender": Cell(
                lambda f: [envelope(relabelled(f.sign(at(0)(f)), 3))], (BAD_MESSAGE_SIGNATURE,)
            ),
            "duplicate": Cell(plain(at(0), at(0), at(0))),
            "reordered": Cell(plain(at(0, 3), at(0, 1), at(0, 60), at(0, -1), at(0))),
            "stale view": Cell(plain(at(0), at(1)), world="led"),
            "future view": Cell(plain(at(FAR), at(FAR + 1), at(FAR, 2), at(1))),
        },
    )


# --- VIEW-CHANGE ---------------------------------------------------------------------------------


def wish(view: int) -> Build:
    return lambda f: ViewChange(view, f.certificate, ())


def many(f: Faulty) -> ViewChange:
    """One certificate more than a window has numbers."""
    window = f.cluster.genesis.limits.window
    certificates: list[Prepared] = [f.prepared(0, f.next + i, D) for i in range(window + 1)]
    return ViewChange(3, f.certificate, tuple(certificates))


VIEW_CHANGE = Row[Faulty](
    ViewChange,
    lambda f: envelope(f.sign(wish(1)(f))),
    forged(wish(1))
    | {
        "oversize": Cell(plain(many), (BAD_MESSAGE,)),
        "wrong sender": Cell(
            lambda f: [envelope(relabelled(f.sign(wish(1)(f)), 3))], (BAD_MESSAGE_SIGNATURE,)
        ),
        "duplicate": Cell(plain(wish(1), wish(1), wish(1))),
        "reordered": Cell(plain(wish(7), wish(5), wish(6), wish(1))),
        "stale view": Cell(plain(wish(0), wish(1), wish(2)), world="led"),
        "future view": Cell(plain(wish(FAR), wish(FAR + 1))),
    },
)


# --- NEW-VIEW ------------------------------------------------------------------------------------


def opening(f: Faulty) -> NewView:
    """Of view 6, whose primary the liar is, with wishes that nobody has uttered."""
    return NewView(6, f.wishes(6), ())


def surplus(f: Faulty) -> NewView:
    window = f.cluster.genesis.limits.window
    return NewView(6, f.wishes(6), (f.sign(PrePrepare(6, f.next, 0, ())),) * (window + 1))


def invented(f: Faulty) -> NewView:
    """The liar's own wish under three names."""
    own = f.sign(wish(FAR + 2)(f))
    return NewView(FAR + 2, tuple(relabelled(own, i) for i in (0, 2, 3)), ())


def changed(f: Faulty) -> NewView:
    """O holds what V does not force."""
    return NewView(6, f.wishes(6), (f.sign(PrePrepare(6, f.next, f.now, (D,))),))


NEW_VIEW = Row[Faulty](
    NewView,
    lambda f: envelope(f.sign(opening(f))),
    forged(opening)
    | {
        "oversize": Cell(plain(surplus), (BAD_MESSAGE,)),
        "wrong sender": Cell(plain(lambda f: NewView(5, f.wishes(5), ())), (BAD_MESSAGE,)),
        "duplicate": Cell(lambda f: [said(f, NewView, 2)] * 2, world="led"),
        "reordered": Cell(
            plain(lambda f: NewView(6, f.wishes(6)[::-1], ()), changed), (BAD_MESSAGE,), world="led"
        ),
        "stale view": Cell(lambda f: [said(f, NewView, 1)] * 2, world="led"),
        "future view": Cell(plain(invented), (BAD_MESSAGE_SIGNATURE,)),
    },
)

VOTES: tuple[Row[Faulty], ...] = (PRE_PREPARE, vote(Prepare), vote(Commit), VIEW_CHANGE, NEW_VIEW)
