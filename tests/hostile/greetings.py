"""Rows of the handshake: what replica 1 sends to replica 0 when it connects."""

from collections.abc import Callable

from msgspec.structs import replace

from grootboek._core import SigningKey
from grootboek.network.handshake import ACCEPTED, DIALLED, Handshake, Roll
from grootboek.types import Chain
from grootboek.wire import Hello, HelloProof, encode
from tests.hostile.cells import BAD_FRAME, BAD_HELLO, TOO_LARGE, Cell, Row, stretched
from tests.hostile.faulty import flipped
from tests.network.sites import Site

SITE = Site(3)
ROLL = Roll(SITE.genesis.chain, SITE.genesis.founding)


class Meeting:
    """One connection; ``acceptor`` is the replica that is attacked."""

    def __init__(self, fill: int = 0) -> None:
        self.acceptor = self.side(0, 1, ACCEPTED, fill=fill)

    def side(
        self, me: int, peer: int, role: int, *, voting: int | None = None, roll: Roll = ROLL, fill: int = 0
    ) -> Handshake:
        """``voting``: whose voting key is used, if not its own."""
        key = SigningKey(SITE.keys[me if voting is None else voting].voting)
        return Handshake(
            roll, me=me, peer=peer, role=role, voting=key, nonce=bytes([me, role, fill]) + bytes(29)
        )

    def dialler(self, *, role: int = DIALLED, voting: int | None = None, roll: Roll = ROLL) -> Handshake:
        return self.side(1, 0, role, voting=voting, roll=roll)

    def proven(self, dialler: Handshake, *, seen: Hello | None = None, **differs: object) -> list[bytes]:
        """Both frames of ``dialler``, its HELLO looking as the acceptor wants it."""
        theirs = seen or self.acceptor.hello
        proof = dialler.receive(replace(theirs, **{k: getattr(dialler.hello, k) for k in ("chain", "epoch")}))
        assert proof is not None
        return [
            encode(replace(dialler.hello, **{"chain": ROLL.chain.digest, "epoch": 0, **differs})),
            encode(proof),
        ]


def hello(**changes: object) -> Callable[[Meeting], list[bytes]]:
    return lambda m: [encode(replace(m.dialler().hello, **changes))]


def good(m: Meeting) -> list[bytes]:
    return m.proven(m.dialler())


def earlier(m: Meeting) -> list[bytes]:
    """Both frames of a connection that was made before."""
    return m.proven(m.dialler(), seen=Meeting(fill=9).acceptor.hello)


def other_roll(*, chain: bool) -> Roll:
    other = Chain("other.invalid/ledger", bytes(32))
    founding = SITE.genesis.founding
    return Roll(other, founding) if chain else Roll(SITE.genesis.chain, replace(founding, number=1))


HELLO = Row[Meeting](
    Hello,
    lambda m: encode(m.dialler().hello),
    {
        "oversize": Cell(lambda m: [encode(m.dialler().hello) + bytes(1_024)], (TOO_LARGE,)),
        "wrong epoch": Cell(lambda m: m.proven(m.dialler(), epoch=1), (BAD_HELLO,)),
        "wrong chain": Cell(hello(chain=bytes(32)), (BAD_HELLO,)),
        "wrong sender": Cell(hello(replica=2), (BAD_HELLO,)),
        "duplicate": Cell(lambda m: good(m)[:1] * 2, (BAD_HELLO,)),
        "reordered": Cell(lambda m: good(m)[::-1], (BAD_HELLO,)),
        "stale view": Cell(
            earlier, (BAD_HELLO,), instead="it has no view: both frames of an earlier connection"
        ),
        "future view": Cell(hello(version=2), (BAD_HELLO,), instead="it has no view: a later version"),
        "bad signature": Cell(
            lambda m: [encode(replace(m.dialler().hello, nonce=m.acceptor.hello.nonce))],
            (BAD_HELLO,),
            instead="its signature is the HELLO proof: the receiver's own nonce",
        ),
        "non-canonical": Cell(lambda m: [stretched(encode(m.dialler().hello))], (BAD_FRAME,)),
    },
)

HELLO_PROOF = Row[Meeting](
    HelloProof,
    lambda m: good(m)[1],
    {
        "oversize": Cell(lambda m: [good(m)[0], good(m)[1] + bytes(1_024)], (TOO_LARGE,)),
        "wrong epoch": Cell(lambda m: m.proven(m.dialler(roll=other_roll(chain=False))), (BAD_HELLO,)),
        "wrong chain": Cell(lambda m: m.proven(m.dialler(roll=other_roll(chain=True))), (BAD_HELLO,)),
        "wrong sender": Cell(lambda m: m.proven(m.dialler(voting=2)), (BAD_HELLO,)),
        "duplicate": Cell(lambda m: [good(m)[0], encode(HelloProof(bytes(64))), good(m)[1]], (BAD_HELLO,)),
        "reordered": Cell(lambda m: good(m)[1:], (BAD_HELLO,)),
        "stale view": Cell(
            lambda m: [good(m)[0], earlier(m)[1]],
            (BAD_HELLO,),
            instead="it has no view: the proof of an earlier connection",
        ),
        "future view": Cell(
            lambda m: m.proven(m.dialler(role=ACCEPTED)),
            (BAD_HELLO,),
            instead="it has no view: the proof of the other role",
        ),
        "bad signature": Cell(
            lambda m: [good(m)[0], good(m)[1][:-1] + flipped(good(m)[1][-1:])], (BAD_HELLO,)
        ),
        "non-canonical": Cell(lambda m: [good(m)[0], stretched(good(m)[1])], (BAD_FRAME,)),
    },
)

GREETINGS: tuple[Row[Meeting], ...] = (HELLO, HELLO_PROOF)
