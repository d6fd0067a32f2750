"""Held bodies: quotas by origin, and forgetting."""

from collections.abc import Sequence

import pytest

from grootboek._core import TransactionBatch
from grootboek.node import bodies as bodies_module
from grootboek.node.bodies import Bodies
from grootboek.simulation.founding import found
from tests.node.cluster import signed

CHAIN = found(1, {})[0].chain


def batch(*numbers: int) -> TransactionBatch:
    return TransactionBatch(b"".join(signed(CHAIN, n).frame for n in numbers), CHAIN.digest)


ONE, TWO, THREE = batch(1), batch(2), batch(3)


def digests(batches: Sequence[TransactionBatch]) -> list[bytes]:
    return [item.digest for item in batches]


def test_a_body_is_held_once_and_belongs_to_its_first_origin() -> None:
    bodies = Bodies(10_000, 10)
    assert bodies.add(ONE, 1)
    assert not bodies.add(ONE, 2)
    assert (bodies.outstanding(1), bodies.outstanding(2), len(bodies)) == (1, 0, 1)
    assert ONE.digest in bodies
    assert bodies.get(ONE.digest) is ONE
    assert bodies.get(TWO.digest) is None


def test_the_quota_counts_what_waits() -> None:
    size = len(ONE.buffer)
    bodies = Bodies(2 * size, 3)
    bodies.add(ONE, 1)
    assert bodies.within_quota(1, size, 1)
    assert bodies.within_quota(1, size, 2)
    assert not bodies.within_quota(1, size, 3)
    assert not bodies.within_quota(1, size + 1, 1)
    assert bodies.within_quota(2, 2 * size, 3)
    bodies.executed([ONE.digest], 1)
    assert bodies.within_quota(1, 2 * size, 3)


def test_bodies_wait_in_their_order_until_they_are_executed() -> None:
    bodies = Bodies(10_000, 10)
    for item in (ONE, TWO, THREE):
        bodies.add(item, 1)
    bodies.executed([TWO.digest], 5)
    bodies.executed([TWO.digest, bytes(32)], 6)
    assert digests(bodies.waiting(1)) == digests([ONE, THREE])
    assert [body.batch.digest for body in bodies.needed(4)] == digests([ONE, TWO, THREE])
    assert [body.batch.digest for body in bodies.needed(5)] == digests([ONE, THREE])
    assert len(bodies.held()) == 3


def test_dropping_keeps_what_waits_and_what_is_named() -> None:
    bodies = Bodies(10_000, 10)
    for seq, item in enumerate((ONE, TWO, THREE), 1):
        bodies.add(item, 0)
        bodies.executed([item.digest], seq)
    waiting = batch(4)
    bodies.add(waiting, 0)
    assert bodies.drop(2, {TWO.digest}) == [ONE.digest]
    assert bodies.drop(2, {TWO.digest}) == []
    assert digests(bodies.all_of([TWO.digest, THREE.digest])) == digests([TWO, THREE])
    assert bodies.drop(9) == [TWO.digest, THREE.digest]
    assert [body.batch.digest for body in bodies.held()] == [waiting.digest]


def test_the_quota_counts_batches_however_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies_module, "ORIGIN_BATCHES", 2)
    bodies = Bodies(1 << 20, 1_000)
    bodies.add(ONE, 1)
    assert bodies.within_quota(1, 1, 1)
    bodies.add(TWO, 1)
    assert not bodies.within_quota(1, 1, 1)
    assert bodies.within_quota(2, 1, 1)
    bodies.executed([ONE.digest], 1)
    assert bodies.within_quota(1, 1, 1)
