"""What waits is told in time, and what has ended costs little memory."""

from hypothesis import given
from hypothesis import strategies as st

from grootboek.node.expiries import SLACK, Expiries


def identity(number: int) -> bytes:
    return number.to_bytes(32, "big")


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 3)), max_size=60))
def test_all_that_is_due_comes_once(steps: list[tuple[int, int]]) -> None:
    expiries, waiting, time = Expiries(), dict[bytes, int](), 0
    for number, (left, later) in enumerate(steps):
        waiting[identity(number)] = time + left
        expiries.add([identity(number)], [time + left], waiting)
        time += later
        due = expiries.due(time)
        assert len(due) == len(set(due))
        assert set(due) == {one for one, expiry in waiting.items() if expiry <= time}
        for one in due:
            del waiting[one]
    assert len(expiries) == len(waiting)


def test_what_has_ended_otherwise_is_forgotten() -> None:
    expiries, kept = Expiries(), identity(0)
    expiries.add([kept], [5], {kept})
    for turn in range(100):
        ids = [identity(1 + 100 * turn + i) for i in range(100)]
        expiries.add(ids, range(1_000 + turn, 1_100 + turn), {kept, *ids})
        assert len(expiries) <= 2 * 101 + SLACK
    assert expiries.due(5) == [kept]
