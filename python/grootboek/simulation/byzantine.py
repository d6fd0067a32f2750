"""Byzantine strategies: what a replica that lies does to the frames that an honest one would send.

A liar runs the shipping engine, and holds its own keys: what it says is altered on the way out, for
each receiver in another way if it likes. Numbers are those of docs/simulation.md.
"""

import random
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from grootboek._core import digest
from grootboek.node.signers import Keys
from grootboek.notes import cosigned_bytes
from grootboek.transfer import Chunk, Manifest, Offer
from grootboek.types import Chain
from grootboek.wire import (
    Batch,
    Certificate,
    Checkpoint,
    Commit,
    Cosignature,
    Entries,
    Envelope,
    Frame,
    NewView,
    Prepare,
    PrePrepare,
    ProtocolMessage,
    Signed,
    Status,
    ViewChange,
    decode,
    encode,
    message_bytes,
    protocol_messages,
    value_digest,
)

__all__ = ["SLOW", "STRATEGIES", "Liar", "Lies", "Seat", "Strategy"]

Seat = tuple[int, int, Keys]
"""A replica's epoch, its index in it, and its keys of it."""

REMEMBERED = 200
"""How many frames a replaying liar keeps."""
SLOW_US = 900_000
"""A little less than the others' patience with a primary."""
FAR = 1_000
"""How far ahead a storm of VIEW-CHANGEs reaches."""


class Liar:
    """One lying replica: its seat in each epoch, its randomness, and what it remembers."""

    def __init__(
        self, chain: Chain, place: int, places: int, seat: Callable[[], Seat], rng: random.Random
    ) -> None:
        """At ``place`` of so many in the network; ``seat`` says what it is now."""
        self.rng = rng
        self.victims = frozenset(peer for peer in range(places) if peer % 2 != place % 2)
        """Half of the others, by their places: they are told one thing, the rest another."""
        self.censored = rng.choice([peer for peer in range(places) if peer != place])
        self.sample: list[Frame] = []
        """Some of all frames so far, each with the same chance: old ones, too, of epochs long closed."""
        self.told: dict[tuple[int, int], bytes] = {}
        """By view and sequence number: the other value that the victims were told."""
        self._chain = chain
        self._seat = seat
        self._frames = 0

    @property
    def me(self) -> int:
        """Its index in the epoch that it is in."""
        return self._seat()[1]

    def remember(self, frame: Frame) -> None:
        """A frame that it says, or hears."""
        self._frames += 1
        if len(self.sample) < REMEMBERED:
            self.sample.append(frame)
        elif (place := self.rng.randrange(self._frames)) < REMEMBERED:
            self.sample[place] = frame

    def sign(self, message: ProtocolMessage) -> Envelope:
        """Any message under the liar's own voting key."""
        payload = encode(message)
        epoch, me, keys = self._seat()
        signed = message_bytes(self._chain, epoch, me, payload)
        return Envelope(Signed(me, payload, keys.voting.sign(signed)))

    def digest(self, value: PrePrepare) -> bytes:
        """The value digest of a proposal."""
        return value_digest(self._chain, self._seat()[0], value.seq, value.time, value.batches)

    def cosign(self, size: int, root: bytes, time: int) -> Cosignature:
        """Any checkpoint under its cosigning key."""
        _, me, keys = self._seat()
        signed = cosigned_bytes(self._chain.origin, size, root, time)
        return Cosignature(me, time, keys.cosigning.sign(signed))


Strategy = Callable[[Liar, int, Frame], Iterable[Frame]]
"""The frames that go to a receiver in place of an honest one."""


def own(liar: Liar, frame: Frame) -> ProtocolMessage | None:
    """The protocol message that the liar itself has signed, if the frame is one."""
    if isinstance(frame, Envelope) and frame.signed.sender == liar.me:
        message: ProtocolMessage = decode(protocol_messages, frame.signed.payload)
        return message
    return None


def equivocate(liar: Liar, to: int, frame: Frame) -> Iterable[Frame]:
    """Another PRE-PREPARE for half of the others, and the COMMIT that goes with it."""
    message = own(liar, frame)
    if to in liar.victims and isinstance(message, PrePrepare) and message.batches:
        other = replace(message, time=message.time + 1)
        liar.told[other.view, other.seq] = liar.digest(other)
        return (liar.sign(other),)
    if to in liar.victims and isinstance(message, Commit) and (message.view, message.seq) in liar.told:
        return (liar.sign(replace(message, digest=liar.told[message.view, message.seq])),)
    return (frame,)


def starve(liar: Liar, to: int, frame: Frame) -> Iterable[Frame]:
    """No PRE-PREPARE for one of the others."""
    return () if isinstance(own(liar, frame), PrePrepare) and to == liar.censored else (frame,)


def withhold(liar: Liar, to: int, frame: Frame) -> Iterable[Frame]:
    """No body of a batch for half of the others, asked for or not."""
    return () if isinstance(frame, Batch) and to in liar.victims else (frame,)


def be_silent(liar: Liar, _to: int, frame: Frame) -> Iterable[Frame]:
    """Never propose."""
    return () if isinstance(own(liar, frame), PrePrepare) else (frame,)


def censor(liar: Liar, _to: int, frame: Frame) -> Iterable[Frame]:
    """Propose all batches but every third one."""
    message = own(liar, frame)
    if isinstance(message, PrePrepare) and message.batches:
        kept = tuple(batch for batch in message.batches if batch[0] % 3)
        return (liar.sign(replace(message, batches=kept)),) if kept else ()
    return (frame,)


def reorder(liar: Liar, _to: int, frame: Frame) -> Iterable[Frame]:
    """Propose the batches in another order."""
    message = own(liar, frame)
    if isinstance(message, PrePrepare) and len(message.batches) > 1:
        return (liar.sign(replace(message, batches=message.batches[::-1])),)
    return (frame,)


def vote_twice(liar: Liar, _to: int, frame: Frame) -> Iterable[Frame]:
    """Each vote, and one that contradicts it."""
    message = own(liar, frame)
    if isinstance(message, Prepare | Commit):
        return (frame, liar.sign(replace(message, digest=digest(message.digest))))
    return (frame,)


def vote_for_half(liar: Liar, to: int, frame: Frame) -> Iterable[Frame]:
    """Votes for half of the others only."""
    return () if isinstance(own(liar, frame), Prepare | Commit) and to in liar.victims else (frame,)


def forget_prepared(liar: Liar, _to: int, frame: Frame) -> Iterable[Frame]:
    """VIEW-CHANGEs without the prepared certificates."""
    message = own(liar, frame)
    return (liar.sign(replace(message, prepared=())),) if isinstance(message, ViewChange) else (frame,)


def forge_certificate(liar: Liar, _to: int, frame: Frame) -> Iterable[Frame]:
    """Stable checkpoints of another root, or of its own cosignature q times."""
    message = own(liar, frame)
    if isinstance(frame, Status) and frame.stable is not None:
        return (replace(frame, stable=_forged(liar, frame.stable)),)
    if isinstance(message, ViewChange) and message.stable is not None:
        return (liar.sign(replace(message, stable=_forged(liar, message.stable))),)
    return (frame,)


def _forged(liar: Liar, certificate: Certificate) -> Certificate:
    if liar.rng.randrange(2):
        return replace(certificate, root=digest(certificate.root))
    mine = liar.cosign(certificate.size, certificate.root, certificate.cosignatures[0].time)
    forged = tuple(replace(mine, replica=one.replica) for one in certificate.cosignatures)
    return replace(certificate, cosignatures=forged)


def open_wrongly(liar: Liar, _to: int, frame: Frame) -> Iterable[Frame]:
    """NEW-VIEWs with another O, the same for all: without its last value, or with NULL in its place."""
    message = own(liar, frame)
    if isinstance(message, NewView) and message.pre_prepares:
        *rest, last = message.pre_prepares
        value = decode(protocol_messages, last.payload)
        if isinstance(value, PrePrepare) and last.signature[0] % 2:
            rest.append(liar.sign(PrePrepare(value.view, value.seq, 0, ())).signed)
        return (liar.sign(replace(message, pre_prepares=tuple(rest))),)
    return (frame,)


def storm(liar: Liar, _to: int, frame: Frame) -> Iterable[Frame]:
    """A VIEW-CHANGE for some far view now and then."""
    if isinstance(own(liar, frame), Prepare | Commit) and not liar.rng.randrange(10):
        return (frame, liar.sign(ViewChange(liar.rng.randrange(1, FAR), None, ())))
    return (frame,)


def cosign_wrongly(liar: Liar, to: int, frame: Frame) -> Iterable[Frame]:
    """Another root for half of the others."""
    if isinstance(frame, Checkpoint) and to in liar.victims:
        root = digest(frame.root)
        cosignature = liar.cosign(frame.size, root, frame.cosignature.time)
        return (replace(frame, root=root, cosignature=cosignature),)
    return (frame,)


def poison(liar: Liar, _to: int, frame: Frame) -> Iterable[Frame]:
    """State transfer with a changed byte, of nothing, without end, or not at all; snapshots of its own."""
    if isinstance(frame, Entries | Chunk):
        body = bytearray(frame.body)
        if body:
            body[liar.rng.randrange(len(body))] ^= 1
        wrong = (bytes(body), b"", frame.body * 20)
        choice = liar.rng.randrange(4)
        return (replace(frame, body=wrong[choice]),) if choice < len(wrong) else ()
    if isinstance(frame, Offer):
        return (replace(frame, snapshots=tuple((_invented(one), proof) for one, proof in frame.snapshots)),)
    return (frame,)


def _invented(manifest: Manifest) -> Manifest:
    """A snapshot that the liar alone has, and would serve for ever."""
    return replace(manifest, chunks=manifest.chunks + tuple(map(digest, manifest.chunks)))


def replay(liar: Liar, _to: int, frame: Frame) -> Iterable[Frame]:
    """Each frame, and an old one, its own or another's."""
    old = liar.rng.choice(liar.sample) if liar.sample and not liar.rng.randrange(4) else None
    liar.remember(frame)
    return (frame,) if old is None else (frame, old)


def abuse(liar: Liar, _to: int, frame: Frame) -> Iterable[Frame]:
    """Signatures and encodings that are not accepted, beside some that are."""
    if not isinstance(frame, Envelope) or liar.rng.randrange(3):
        return (frame,)
    signed = frame.signed
    wrong = (
        replace(signed, signature=bytes(64)),
        replace(signed, signature=signed.signature[::-1]),
        replace(signed, payload=signed.payload + b"\x00"),
        replace(signed, sender=signed.sender + FAR),
        replace(signed, payload=b"\xdc\x00" + signed.payload[:1] + signed.payload[1:]),
    )
    return (Envelope(liar.rng.choice(wrong)),)


STRATEGIES: dict[str, Strategy] = {
    "1 equivocating PRE-PREPARE": equivocate,
    "2 selective PRE-PREPARE": starve,
    "3 withheld body": withhold,
    "4 silent primary": be_silent,
    "6 censoring": censor,
    "7 reordering": reorder,
    "8 double votes": vote_twice,
    "9 votes for half": vote_for_half,
    "10 VIEW-CHANGE without certificates": forget_prepared,
    "11 forged certificate": forge_certificate,
    "12 invalid NEW-VIEW": open_wrongly,
    "13 view-change storm": storm,
    "14 wrong CHECKPOINT": cosign_wrongly,
    "15 poisoned transfer": poison,
    "16 replay": replay,
    "18 signature abuse": abuse,
}
"""By number and name."""
SLOW = "5 slow primary"
"""The strategy that alters nothing: its PRE-PREPAREs are only late."""


class Lies:
    """What a liar makes of an honest frame, by one strategy: frames, each with its delay in microseconds."""

    def __init__(self, liar: Liar, name: str) -> None:
        """``name``: a key of STRATEGIES, or SLOW."""
        self.name = name
        self._liar = liar
        self._strategy = STRATEGIES.get(name)

    def __call__(self, to: int, frame: Frame) -> Iterable[tuple[int, Frame]]:
        """See the class."""
        if self._strategy is None:
            return [(SLOW_US if isinstance(own(self._liar, frame), PrePrepare) else 0, frame)]
        return [(0, one) for one in self._strategy(self._liar, to, frame)]

    def hear(self, frame: Frame) -> None:
        """A frame that the liar receives."""
        if self._strategy is replay:
            self._liar.remember(frame)
