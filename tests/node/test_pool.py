"""The pool is bounded, fair, exact about time, and never parses anything twice."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from grootboek._core import Pool, SigningKey, TransactionBatch, command_root
from grootboek.wire import Command, Header, Transaction, encode

CHAIN = bytes(range(32))
KEYS = [SigningKey(bytes([i]) * 32).public for i in range(20)]


def framed(sender: int, nonce: int, expiry: int = 1_000_000, size: int = 10) -> bytes:
    """A transaction with everything right but its signature, which the pool does not look at."""
    commands = (encode(Command("records", "Anchor", 1, bytes(size), bytes(16))),)
    header = Header(CHAIN[:8], (KEYS[sender],), nonce, expiry, True, 1, command_root(commands))  # noqa: FBT003  # a row
    transaction = encode(Transaction(encode(header), (bytes(64),), commands))
    return len(transaction).to_bytes(4, "big") + transaction


def batch(*transactions: bytes) -> TransactionBatch:
    parsed = TransactionBatch(b"".join(transactions), CHAIN, check_signatures=False)
    assert not any(parsed.verdicts)
    return parsed


def of(sender: int, count: int, first: int = 0, expiry: int = 1_000_000) -> TransactionBatch:
    return batch(*(framed(sender, first + i, expiry) for i in range(count)))


def pool_for(transactions: int = 20_000, size: int = 32 << 20) -> Pool:
    return Pool(CHAIN, transactions, size)


def add(pool: Pool, incoming: TransactionBatch) -> list[tuple[int, str]]:
    return pool.add(incoming, range(len(incoming)))


def drain(pool: Pool, count: int = 1_000, size: int = 1 << 20) -> list[TransactionBatch]:
    taken = []
    while (one := pool.take(count, size)) is not None:
        taken.append(one)
    return taken


def test_what_goes_in_comes_out_once() -> None:
    pool = pool_for()
    whole = of(0, 10)
    assert add(pool, whole) == []
    assert (len(pool), pool.size) == (10, len(whole.buffer))
    assert all(identity in pool for identity in whole.ids)
    (taken,) = drain(pool)
    assert (taken.buffer, taken.ids, taken.digest) == (whole.buffer, whole.ids, whole.digest)
    assert (len(pool), pool.size) == (0, 0)
    assert pool.take(10, 10) is None


def test_a_known_transaction_counts_as_taken_and_is_not_held_twice() -> None:
    pool = pool_for()
    add(pool, of(0, 3))
    assert add(pool, of(0, 5)) == []
    assert add(pool, batch(framed(1, 7), framed(1, 7))) == []
    assert len(pool) == 6
    ids = [identity for taken in drain(pool, 2) for identity in taken.ids]
    assert len(ids) == len(set(ids)) == 6


def test_a_batch_takes_one_transaction_of_each_sender_in_turn() -> None:
    pool = pool_for()
    add(pool, of(0, 100))
    add(pool, of(1, 2))
    add(pool, of(2, 1))
    first = pool.take(6, 1 << 20)
    assert first is not None
    assert Counter(first.senders) == {KEYS[0]: 3, KEYS[1]: 2, KEYS[2]: 1}
    add(pool, of(3, 5))
    second = pool.take(4, 1 << 20)
    assert second is not None
    assert Counter(second.senders) == {KEYS[0]: 2, KEYS[3]: 2}


def test_one_sender_keeps_its_order() -> None:
    pool = pool_for()
    whole = of(0, 20)
    add(pool, whole)
    assert [identity for taken in drain(pool, 3) for identity in taken.ids] == whole.ids


def test_a_batch_is_bounded_by_bytes_and_the_next_one_goes_on_where_it_ended() -> None:
    pool = pool_for()
    size = len(framed(0, 0))
    add(pool, of(0, 3))
    add(pool, of(1, 3))
    sizes = [len(taken.buffer) for taken in drain(pool, 100, 2 * size + 1)]
    assert sizes == [2 * size] * 3


def test_a_transaction_above_the_batch_limit_does_not_wait_for_ever() -> None:
    pool = pool_for()
    large = framed(0, 1, size=5_000)
    add(pool, batch(framed(0, 0), large, framed(0, 2)))
    assert [len(taken) for taken in drain(pool, 100, 1_000)] == [1, 1, 1]


def test_a_full_pool_refuses_with_a_reason() -> None:
    pool = pool_for(8)
    for sender in range(4):
        add(pool, of(sender, 8))
    assert len(pool) == 8
    refused = add(pool, of(4, 3))
    assert [index for index, _ in refused] == [0, 1, 2]
    assert {reason for _, reason in refused} == {"the pool is full"}


def test_a_sender_may_hold_as_much_as_is_free() -> None:
    pool = pool_for(100)
    refused = add(pool, of(0, 100))
    assert len(pool) == 50
    assert [index for index, _ in refused] == list(range(50, 100))
    assert "share" in refused[0][1]
    add(pool, of(1, 100))
    assert len(pool) == 75
    for sender in range(2, 6):
        add(pool, of(sender, 100))
    assert add(pool, of(6, 1)) == []


def test_a_sender_may_hold_as_many_bytes_as_are_free() -> None:
    size = len(framed(0, 0))
    pool = pool_for(size=10 * size)
    refused = add(pool, of(0, 10))
    assert len(refused) == 5
    assert "bytes" in refused[0][1]
    assert pool.size == 5 * size
    assert add(pool, of(1, 1)) == []


def test_a_refused_transaction_may_come_again() -> None:
    pool = pool_for(2)
    whole = of(0, 2)
    ((index, _),) = add(pool, whole)
    drain(pool)
    assert add(pool, whole.select([index])) == []
    assert len(pool) == 1


def test_expiry_is_exact_and_reported_once() -> None:
    pool = pool_for()
    whole = batch(framed(0, 0, 1_000), framed(1, 1, 1_001), framed(2, 2, 5_000))
    add(pool, whole)
    assert pool.expire(999) == []
    first, second, third = whole.ids
    assert pool.expire(1_000) == [first]
    assert pool.expire(1_001) == [second]
    assert pool.expire(4_999) == []
    pool.remove([third])
    assert pool.expire(10_000) == []
    assert (len(pool), pool.size) == (0, 0)


def test_a_transaction_with_a_past_expiry_leaves_at_the_next_time() -> None:
    pool = pool_for()
    pool.expire(50_000)
    late = of(0, 1, expiry=40_000)
    add(pool, late)
    assert pool.expire(50_001) == late.ids


def test_removed_transactions_are_in_no_batch() -> None:
    pool = pool_for()
    whole = of(0, 6)
    add(pool, whole)
    pool.remove([*whole.ids[1:5], bytes(32)])
    (taken,) = drain(pool)
    assert taken.ids == [whole.ids[0], whole.ids[5]]


def test_what_is_not_admissible_is_no_business_of_the_pool() -> None:
    pool = pool_for()
    bad = TransactionBatch(framed(0, 1) + b"\0\0\0\1x", CHAIN, check_signatures=False)
    assert pool.add(bad, [0]) == []
    for index in (1, 2):
        with pytest.raises(ValueError, match="admissible"):
            pool.add(bad, [index])
    assert len(pool) == 1


@given(st.lists(st.integers(0, 9), min_size=1, max_size=120), st.integers(1, 30))
def test_while_all_wait_none_is_ahead_by_more_than_one(senders: list[int], count: int) -> None:
    pool = pool_for()
    add(pool, batch(*(framed(sender, nonce) for nonce, sender in enumerate(senders))))
    left = Counter(KEYS[sender] for sender in senders)
    served: Counter[bytes] = Counter()
    for taken in drain(pool, count):
        served.update(taken.senders)
        left.subtract(taken.senders)
        waiting = [served[key] for key in left if left[key] > 0]
        assert not waiting or max(served.values()) - min(waiting) <= 1


class PoolMachine(RuleBasedStateMachine):
    """The pool against a plain dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = Pool(CHAIN, 12, 4_000)
        self.waiting: dict[bytes, tuple[bytes, int, int]] = {}
        self.time = 0
        self.nonce = 0

    @rule(
        rows=st.lists(
            st.tuples(st.integers(0, 4), st.integers(0, 40), st.integers(1, 5_000)), min_size=1, max_size=8
        )
    )
    def add(self, rows: list[tuple[int, int, int]]) -> None:
        frames = []
        for sender, size, expiry in rows:
            self.nonce += 1
            frames.append(framed(sender, self.nonce, self.time + expiry, size))
        incoming = batch(*frames)
        refused = {index for index, _ in add(self.pool, incoming)}
        for i, identity in enumerate(incoming.ids):
            if i not in refused:
                self.waiting[identity] = (incoming.senders[i], incoming.expiries[i], len(frames[i]))

    @rule(count=st.integers(1, 6), size=st.integers(1, 2_000))
    def take(self, count: int, size: int) -> None:
        taken = self.pool.take(count, size)
        assert (taken is None) == (not self.waiting)
        if taken is not None:
            assert len(taken) <= count
            assert len(taken.buffer) <= size or len(taken) == 1
            for identity in taken.ids:
                del self.waiting[identity]

    @precondition(lambda self: bool(self.waiting))
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        gone = data.draw(st.lists(st.sampled_from(sorted(self.waiting)), unique=True))
        self.pool.remove(gone)
        for identity in gone:
            del self.waiting[identity]

    @rule(step=st.integers(0, 2_000))
    def expire(self, step: int) -> None:
        self.time += step
        expected = {identity for identity, row in self.waiting.items() if row[1] <= self.time}
        assert set(self.pool.expire(self.time)) == expected
        for identity in expected:
            del self.waiting[identity]

    @invariant()
    def counts_agree(self) -> None:
        assert len(self.pool) == len(self.waiting) <= 12
        assert self.pool.size == sum(row[2] for row in self.waiting.values()) <= 4_000
        assert all(identity in self.pool for identity in self.waiting)


TestPoolMachine = PoolMachine.TestCase
