"""Encoding and decoding of what travels: votes, batches, transactions, certificates."""

import pytest

from benches.ledgers import CHAIN
from benches.measuring import Measure
from grootboek import wire
from grootboek._core import SigningKey

pytestmark = pytest.mark.benchmark(group="codec")

KEY = SigningKey(bytes(32))
VOTE = wire.encode(wire.Prepare(view=3, seq=1_000, digest=bytes(32)))
ENVELOPE = wire.encode(wire.Envelope(signed=wire.Signed(sender=1, payload=VOTE, signature=bytes(64))))


def test_encode_and_sign_a_vote(measure: Measure) -> None:
    def vote() -> bytes:
        payload = wire.encode(wire.Prepare(view=3, seq=1_000, digest=bytes(32)))
        signature = KEY.sign(wire.message_bytes(CHAIN, 0, 1, payload))
        return wire.encode(wire.Envelope(signed=wire.Signed(sender=1, payload=payload, signature=signature)))

    measure(vote)


def test_decode_a_vote_canonically(measure: Measure) -> None:
    def decode() -> object:
        frame = wire.decode(wire.frames, ENVELOPE)
        assert isinstance(frame, wire.Envelope)
        return wire.decode(wire.protocol_messages, frame.signed.payload)

    measure(decode)


def test_decode_a_batch_frame(measure: Measure, batch: bytes) -> None:
    frame = wire.encode(wire.Batch(body=batch))
    measure(lambda: wire.decode(wire.frames, frame))


def test_decode_a_transaction(measure: Measure, batch: bytes) -> None:
    raw = batch[4 : 4 + int.from_bytes(batch[:4], "big")]

    def decode() -> object:
        transaction = wire.decode(wire.transactions, raw)
        return wire.decode(wire.headers, transaction.header), wire.decode(
            wire.commands, transaction.commands[0]
        )

    measure(decode)


def test_decode_a_certificate(measure: Measure) -> None:
    block = wire.BLOCK_ENTRY + wire.encode(
        wire.BlockEntry(
            height=1,
            seq=1,
            time=1,
            epoch=0,
            transactions=1,
            records=1,
            duplicates=0,
            expired=0,
            state=bytes(32),
            modules=(("records", 1),),
        )
    )
    cosignatures = tuple(wire.Cosignature(replica=i, time=1, signature=bytes(64)) for i in range(3))
    raw = wire.encode(
        wire.Certificate(
            size=9, root=bytes(32), block=block, path=(bytes(32),) * 4, cosignatures=cosignatures
        )
    )
    measure(lambda: wire.block_of(wire.decode(wire.certificates, raw)))
