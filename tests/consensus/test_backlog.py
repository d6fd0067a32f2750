"""The queue of batches that wait for a proposal."""

from hypothesis import given
from hypothesis import strategies as st

from grootboek._core import digest
from grootboek.consensus.backlog import Backlog


def batch(origin: int, number: int) -> bytes:
    return digest(b"%d/%d" % (origin, number))


def filled(counts: list[int]) -> Backlog:
    backlog = Backlog()
    for origin, count in enumerate(counts):
        for number in range(count):
            backlog.add(batch(origin, number), origin)
    return backlog


def test_origins_are_served_in_turn_and_each_in_its_order() -> None:
    backlog = filled([3, 1, 2])
    chosen = backlog.next(5)
    assert chosen == (batch(0, 0), batch(1, 0), batch(2, 0), batch(0, 1), batch(2, 1))
    assert backlog.next(5) == chosen
    assert len(backlog) == 6
    assert backlog.heads() == {origin: batch(origin, 0) for origin in range(3)}


def test_the_turn_goes_on_where_it_ended() -> None:
    backlog = filled([9, 9, 9])
    for digest_ in backlog.next(2):
        backlog.remove(digest_)
    assert backlog.next(2) == (batch(2, 0), batch(0, 1))


@given(st.lists(st.integers(0, 40), min_size=1, max_size=9), st.integers(1, 16))
def test_what_goes_in_comes_out_once_and_a_flood_delays_only_its_own(counts: list[int], block: int) -> None:
    """With k origins, the first batch of each is in one of the next ceil(k / block) proposals."""
    backlog = filled(counts)
    served: list[bytes] = []
    while len(backlog):
        firsts = set(backlog.heads().values())
        rounds = -(-len(firsts) // block)
        for _ in range(rounds):
            chosen = backlog.next(block)
            for digest_ in chosen:
                assert digest_ in backlog.origins
                backlog.remove(digest_)
            served += chosen
        assert firsts <= set(served)
    assert sorted(served) == sorted(batch(o, i) for o, count in enumerate(counts) for i in range(count))
    assert not backlog.heads()
