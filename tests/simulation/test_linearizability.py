"""The checker of histories: by hand, against a search of all orders, and against a real register."""

import random
from collections.abc import Sequence
from functools import cache
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from grootboek.simulation.linearizability import Anomaly, Operation, check

SAMPLES = 4_000


def write(
    value: int | None, invoked: int, returned: int | None, *, client: int = 1, key: str = "x"
) -> Operation:
    return Operation(client, key, "write", value, invoked, returned)


def read(
    value: int | None, invoked: int, returned: int | None, *, client: int = 2, key: str = "x"
) -> Operation:
    return Operation(client, key, "read", value, invoked, returned)


@cache
def explained(operations: tuple[Operation, ...], value: int | None = None) -> bool:
    """Whether some order explains operations on one key that holds ``value``: every order is tried.

    What is next was invoked before anything returned that is left.
    """
    ends = [operation.returned for operation in operations if operation.returned is not None]
    if not ends:
        return True
    return any(
        explained(operations[:i] + operations[i + 1 :], operation.value)
        for i, operation in enumerate(operations)
        if operation.invoked <= min(ends) and (operation.kind == "write" or operation.value == value)
    )


GOOD = {
    "nothing": [],
    "read before any write": [read(None, 0, 1), write(1, 2, 3), read(1, 4, 5)],
    "a concurrent read sees either": [write(1, 0, 9), read(None, 1, 2), read(1, 3, 4)],
    "at one instant any order will do": [write(1, 0, 2), read(None, 2, 3)],
    "an unknown write is seen late": [write(1, 0, None), read(None, 5, 6), read(1, 8, 9)],
    "an unknown write is never seen": [write(1, 0, None), write(2, 1, 2), read(2, 3, 4)],
    "an unknown write comes over a later one": [write(1, 0, None), write(2, 1, 2), read(1, 3, 4)],
    "an unknown read tells nothing": [write(1, 0, 1), read(7, 2, None)],
    "writes are seen in another order than they returned": [
        write(1, 0, 4),
        write(2, 1, 3),
        read(2, 5, 6),
    ],
    "keys are registers apart": [write(1, 0, 1, key="a"), read(None, 2, 3, key="b")],
}

BAD = {
    "a stale read": [write(1, 0, 1), write(2, 2, 3), read(1, 4, 5)],
    "nothing after a write": [write(1, 0, 1), read(None, 2, 3)],
    "a lost update": [write(1, 0, 1), write(2, 2, 3), read(2, 4, 5), read(1, 6, 7)],
    "a read from the future": [read(1, 0, 1), write(1, 2, 3)],
    "what nobody wrote": [write(1, 0, 1), read(7, 2, 3)],
    "an unknown write is seen and then unseen": [write(1, 0, None), read(1, 2, 3), read(None, 4, 5)],
    "an unknown write is undone": [write(2, 0, 1), write(1, 0, None), read(1, 2, 3), read(2, 4, 5)],
    "two clients see two writes in two orders": [
        write(1, 0, 9),
        write(2, 0, 9),
        read(1, 1, 2, client=3),
        read(2, 3, 4, client=3),
        read(2, 1, 2, client=4),
        read(1, 3, 4, client=4),
    ],
    "a value returns after another": [
        write(1, 0, 20),
        write(2, 0, 20),
        read(1, 1, 2),
        read(2, 3, 4),
        read(1, 5, 6),
    ],
}


@pytest.mark.parametrize("name", GOOD)
def test_what_an_order_explains(name: str) -> None:
    assert check(GOOD[name]) is None
    keys = {operation.key for operation in GOOD[name]}
    assert all(explained(tuple(o for o in GOOD[name] if o.key == key)) for key in keys)


@pytest.mark.parametrize("name", BAD)
def test_what_no_order_explains(name: str) -> None:
    found = check([*BAD[name], write(1, 0, 1, key="other")])
    assert found is not None
    assert found.key == "x"
    assert set(found.operations) <= set(BAD[name])
    assert not explained(found.operations)


def test_it_may_take_six_operations() -> None:
    history = BAD["two clients see two writes in two orders"]
    found = check(history)
    assert found is not None
    assert set(found.operations) == set(history)


def test_an_anomaly_is_told_in_words() -> None:
    others = [read(2, 4 + i, 5 + i) for i in range(0, 40, 2)]
    found = check([write(1, 0, 1), write(2, 2, 3), *others, read(1, 44, 45), write(3, 46, None)])
    assert str(found) == (
        "x: each of two values was there before the other\n"
        "  client 1 wrote 1 from 0 to 1\n"
        "  client 1 wrote 2 from 2 to 3\n"
        "  client 2 read 1 from 44 to 45"
    )
    assert str(write(3, 46, None)) == "client 1 wrote 3 from 46 to ?"


@pytest.mark.parametrize("second", [write(1, 4, 5), write(None, 4, 5)])
def test_writes_that_cannot_be_told_apart_are_an_error(second: Operation) -> None:
    with pytest.raises(ValueError, match="a value of its own"):
        check([write(1, 0, 1), second])


def drawn(rng: random.Random) -> tuple[Operation, ...]:
    """A few operations that overlap at random, mostly of known outcome."""
    made = []
    for value in range(1, rng.randrange(2, 8)):
        kind: Literal["write", "read"] = rng.choice(("write", "read"))
        begin = rng.randrange(20)
        end = None if rng.random() < 0.15 else begin + rng.randrange(8)
        seen = value if kind == "write" else rng.choice((None, 1, 2, 3, 4, 5))
        made.append(Operation(value, "x", kind, seen, begin, end))
    return tuple(made)


def judged(history: tuple[Operation, ...]) -> Anomaly | None:
    """What ``check`` says, after a comparison with the search."""
    found = check(history)
    assert (found is None) is explained(history), history
    return found


def test_the_search_of_all_orders_agrees() -> None:
    rng = random.Random(1)
    found = [judged(drawn(rng)) for _ in range(SAMPLES)]
    bad = [anomaly for anomaly in found if anomaly is not None]
    assert SAMPLES // 5 < len(bad) < SAMPLES * 4 // 5
    assert {anomaly.reason for anomaly in bad} == {
        "read what nobody wrote",
        "read before it was written",
        "each of two values was there before the other",
    }
    for anomaly in bad:
        assert not explained(anomaly.operations)
        for operation in anomaly.operations:
            if operation.kind == "read":
                assert explained(tuple(other for other in anomaly.operations if other is not operation))


def happened(points: Sequence[tuple[int, bool, bool, int, int]]) -> list[Operation]:
    """What clients of a real register of each key saw: each operation took effect at its point."""
    values: dict[str, int] = {}
    history = []
    for i, (key, writes, known, before, after) in enumerate(points):
        name, at = f"key-{key}", 10 * i
        if writes:
            values[name] = i
        history.append(
            Operation(
                client=i,
                key=name,
                kind="write" if writes else "read",
                value=values.get(name),
                invoked=at - before,
                returned=at + after if known else None,
            )
        )
    return history


POINTS = st.tuples(
    st.integers(0, 2), st.booleans(), st.sampled_from([True] * 4 + [False]), *[st.integers(0, 80)] * 2
)


@given(st.lists(POINTS, max_size=80), st.randoms(use_true_random=False))
def test_the_histories_of_a_register_are_accepted(
    points: list[tuple[int, bool, bool, int, int]], rng: random.Random
) -> None:
    history = happened(points)
    rng.shuffle(history)
    assert check(history) is None


@given(st.lists(POINTS, min_size=2, max_size=40), st.data())
def test_no_read_of_a_sequential_history_can_be_changed(
    points: list[tuple[int, bool, bool, int, int]], data: st.DataObject
) -> None:
    kinds = [True, *(writes for _, writes, *_ in points), False]
    history = happened([(0, writes, True, 0, 0) for writes in kinds])
    at = data.draw(st.sampled_from([i for i, operation in enumerate(history) if operation.kind == "read"]))
    values = [None, -1, *(operation.value for operation in history if operation.kind == "write")]
    other = data.draw(st.sampled_from([value for value in values if value != history[at].value]))
    history[at] = replace(history[at], value=other)
    assert check(history) is not None


def test_many_writes_of_unknown_outcome_need_no_search() -> None:
    """Each may have happened at any time, and half of them are seen, in an order of the readers' own."""
    unknown = [write(i, 0, None) for i in range(1, 5_001)]
    order = random.Random(2).sample(range(1, 5_001), 2_500)
    seen = [read(value, 10 * i, 10 * i + 5) for i, value in enumerate(order, 1)]
    assert check([*unknown, *seen]) is None
    found = check([*unknown, *seen, read(order[0], 40_000, 40_001)])
    assert found is not None
