"""Batches of peers: all of it admissible and within the limits, or nothing."""

import pytest

from grootboek.errors import BadBatch
from grootboek.node.judging import judge_batch, judge_request
from grootboek.simulation.founding import found
from grootboek.types import Limits
from tests.node.cluster import signed

GENESIS, _ = found(4, {}, limits=Limits(batch_transactions=3, batch_bytes=2_000, transaction_bytes=5_000))
FRAMES = [signed(GENESIS.chain, number).frame for number in range(4)]


def test_a_good_batch_is_parsed() -> None:
    assert len(judge_batch(b"".join(FRAMES[:3]), GENESIS)) == 3


def test_one_large_transaction_may_exceed_the_batch_limit() -> None:
    frame = signed(GENESIS.chain, 9, commands=30).frame
    assert len(frame) > GENESIS.limits.batch_bytes
    assert len(judge_batch(frame, GENESIS)) == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "0 transactions"),
        (b"".join(FRAMES), "4 transactions"),
        (bytes(7_001), "7001 bytes"),
        (b"\x00\x00\x00\x05ab", ""),
        (FRAMES[0] + b"\x00\x00\x00\x01\xc1", "transaction 1: GB-1001"),
        (FRAMES[0][:-1] + bytes([FRAMES[0][-1] ^ 1]), "transaction 0: GB-10"),
    ],
)
def test_a_bad_batch_is_refused_with_its_reason(body: bytes, reason: str) -> None:
    with pytest.raises(BadBatch) as caught:
        judge_batch(body, GENESIS)
    assert reason in str(caught.value)


def test_a_request_keeps_good_beside_bad() -> None:
    batch = judge_request(FRAMES[0] + b"\x00\x00\x00\x01\xc1" + FRAMES[1], GENESIS)
    assert batch.verdicts == b"\x00\x01\x00"
