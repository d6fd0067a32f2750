"""A transaction takes effect once, within its validity, or never."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grootboek import proofs
from grootboek._core import State
from grootboek.ledger.keys import TRANSACTION
from tests.ledger.world import START, Add, Put, World, batch, make_genesis, number_of

VALIDITY = 600_000
TIME = START + 5_000


@pytest.mark.parametrize(
    ("expiry", "code"),
    [
        (TIME - 1, "GB-1006"),
        (TIME, "GB-1006"),
        (TIME + 1, None),
        (TIME + VALIDITY, None),
        (TIME + VALIDITY + 1, "GB-1007"),
    ],
)
def test_the_edges_of_validity(expiry: int, code: str | None) -> None:
    world = World()
    block = world.execute(world.transaction(Add("n", 1), expiry=expiry), time=TIME)
    _, result = block.results[0]
    assert (result.code if isinstance(result, proofs.Refused) else None) == code
    assert (block.entry.transactions, block.entry.expired) == ((1, 0) if code is None else (0, 1))
    assert number_of(world.ledger, "n") == (code is None)


def test_validity_is_judged_by_agreed_time_which_never_goes_back() -> None:
    world = World()
    world.execute(world.transaction(Add("n", 1)), time=TIME)
    block = world.execute(world.transaction(Add("n", 1), expiry=TIME), time=TIME - 4_000)
    assert block.entry.time == TIME
    assert block.entry.expired == 1


def test_a_block_of_nothing_but_skipped_transactions_is_still_a_block() -> None:
    world = World()
    block = world.execute(world.transaction(Add("n", 1), expiry=1))
    assert (block.size, block.entry.height, world.ledger.height) == (1, 1, 1)


def test_a_duplicate_leaves_only_a_count() -> None:
    world = World()
    frame = world.transaction(Add("n", 1))
    first = world.execute(frame, frame)
    again = world.execute(frame)
    identity, final = first.results[0]
    assert first.results[1] == again.results[0] == (identity, None)
    assert (first.entry.duplicates, again.entry.duplicates, again.size) == (1, 1, first.size + 1)
    assert world.ledger.finals([identity]) == [final]
    assert number_of(world.ledger, "n") == 1


def test_duplicates_over_the_batches_of_one_value() -> None:
    world = World()
    frame = world.transaction(Add("n", 1))
    block = world.ledger.execute(1, TIME, [batch(frame), batch(frame, world.transaction(Add("n", 1)))])
    assert (block.entry.transactions, block.entry.duplicates) == (2, 1)
    assert len(block.results) == 3


def test_a_duplicate_after_its_expiry_counts_as_expired_and_keeps_its_result() -> None:
    world = World()
    frame = world.transaction(Add("n", 1), expiry=TIME)
    world.execute(frame, time=TIME - 1)
    block = world.execute(frame, time=TIME)
    assert block.results[0][1] is None
    assert (block.entry.duplicates, block.entry.expired) == (0, 1)


def test_a_row_that_an_undone_leap_has_left_makes_no_duplicate() -> None:
    """The rows of a leap are durable at once, its state with the next flush: a crash may come between."""
    world = World()
    one = batch(world.transaction(Add("n", 1)))
    ledger = world.ledger
    ledger._store.index_put([(TRANSACTION + one.ids[0], bytes(8))])
    assert ledger.locate(one.ids[0]) is None
    assert ledger.execute(1, TIME, [one]).entry.duplicates == 0
    assert ledger.execute(2, TIME, [one]).entry.duplicates == 1
    assert number_of(ledger, "n") == 1


def test_a_duplicate_is_known_after_recovery() -> None:
    world = World()
    frame = world.transaction(Add("n", 1))
    world.execute(frame)
    world.save()
    ledger = world.open(state=State())
    assert ledger.execute(2, TIME, [batch(frame)]).entry.duplicates == 1


def test_sequence_numbers_only_rise() -> None:
    world = World()
    world.ledger.execute(7, TIME, [batch(world.transaction(Put("a", b"")))])
    with pytest.raises(ValueError, match="not above 7"):
        world.ledger.execute(7, TIME, [batch(world.transaction(Put("a", b"")))])
    assert world.ledger.execute(9, TIME, [batch(world.transaction(Put("a", b"")))]).entry.height == 2


@given(st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(-3, 3)), max_size=8), max_size=5))
def test_against_a_model(blocks: list[list[tuple[int, int]]]) -> None:
    """Transactions differ by nonce and expiry; a transaction counts where its first valid copy is."""
    world = World(make_genesis(validity_ms=2_000))
    seen: set[tuple[int, int]] = set()
    for number, chosen in enumerate(blocks):
        now = START + 1_000 * (number + 1)
        frames = [one(world, nonce, START + 3_000 + 1_000 * e) for nonce, e in chosen]
        block = world.execute(*frames, time=now)
        valid = [(n, e) for n, e in chosen if now < START + 3_000 + 1_000 * e <= now + 2_000]
        fresh = set(valid) - seen
        seen |= fresh
        entry = block.entry
        assert entry.expired == len(chosen) - len(valid)
        assert entry.transactions == len(fresh)
        assert entry.duplicates == len(valid) - len(fresh)
        assert number_of(world.ledger, "n") == len(seen)


def one(world: World, nonce: int, expiry: int) -> bytes:
    world.nonce = nonce
    return world.transaction(Add("n", 1), expiry=expiry)
