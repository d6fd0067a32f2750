"""What was executed is always looked up again; what cannot have been, hardly ever."""

from hypothesis import given
from hypothesis import strategies as st

from grootboek._core import digest
from grootboek.ledger.recent import Recent
from tests.ledger.world import START, Add, World, batch

VALIDITY = 10

Step = tuple[int, int, int]
"""How much later the next block is, how many transactions it has, how long before their expiry."""
STEPS = st.lists(st.tuples(st.integers(0, 25), st.integers(0, 3), st.integers(1, VALIDITY)), max_size=30)


def identity(number: int) -> bytes:
    return digest(number.to_bytes(8, "big"))


@given(STEPS, st.integers(0, 30))
def test_what_is_valid_and_was_executed_is_a_candidate(steps: list[Step], watched_from: int) -> None:
    """Also what a process before this one executed: the first ``watched_from`` blocks."""
    time, executed = 100, list[tuple[bytes, int]]()
    recent = Recent(VALIDITY, -VALIDITY - 1)
    for number, (later, count, left) in enumerate(steps):
        time += later
        ids = [identity(len(executed) + i) for i in range(count)]
        executed += [(one, time + left) for one in ids]
        if number < watched_from:
            recent = Recent(VALIDITY, time)
        else:
            recent.add(time, ids)
        ids = [one for one, _ in executed]
        found = recent.candidates(ids, [expiry for _, expiry in executed])
        assert found == sorted(found)
        assert set(found) >= {i for i, (_, expiry) in enumerate(executed) if expiry > time}


@given(STEPS)
def test_a_stranger_is_none_once_a_validity_has_passed(steps: list[Step]) -> None:
    """Its id differs in the bits that a small filter looks at, so chance plays no part here."""
    time, number = 100, 0
    recent = Recent(VALIDITY, time)
    for later, count, _ in steps:
        time += later
        recent.add(time, [identity(number + i) for i in range(count)])
        number += count
        stranger = identity(1_000_000)
        if time > 100 + VALIDITY:
            assert not recent.candidates([stranger], [time + 1])


def test_what_is_no_id_is_no_candidate() -> None:
    recent = Recent(VALIDITY, -VALIDITY - 1)
    recent.add(5, [identity(1)])
    assert recent.candidates([b"", identity(1), b"short"], [0, 7, 0]) == [1]


def test_a_ledger_looks_up_what_it_may_have_executed_before_it_was_opened() -> None:
    world = World()
    frame = world.transaction(Add("n", 1), expiry=START + 600_000)
    world.execute(frame, time=START + 1_000)
    world.save()
    ledger = world.open(state=world.state)
    assert ledger._machine.recent.candidates([digest(b"another")], [START + 600_000]) == [0]
    assert ledger.known(batch(frame)) != [None]
    assert ledger.execute(2, START + 2_000, [batch(frame)]).entry.duplicates == 1


def test_known_tells_each_transaction_of_a_batch() -> None:
    world = World()
    first, second, third = (world.transaction(Add("n", 1)) for _ in range(3))
    block = world.execute(first, third)
    one, three = (result for _, result in block.results)
    assert world.ledger.known(batch(first, second, third)) == [one, None, three]
