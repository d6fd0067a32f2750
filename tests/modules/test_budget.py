"""The budget primitive: consumed + reserved <= granted, and a key is used once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grootboek.ledger.module import Rejected
from grootboek.modules.budget import Budget, LineRow
from tests.modules.memory_view import MemoryView

LINE = ("housing",)


def reason_of(action: object, *args: object) -> str:
    with pytest.raises(Rejected) as caught:
        action(*args)  # type: ignore[operator]  # a bound method of Budget
    return caught.value.reason


def funded(amount: int) -> tuple[Budget, MemoryView]:
    budget, state = Budget(), MemoryView()
    budget.grant(state, LINE, amount)
    return budget, state


def test_a_use_goes_from_reserved_to_consumed_and_back() -> None:
    budget, state = funded(100)
    budget.reserve(state, LINE, ("a",), 60)
    assert budget.line(state, LINE) == LineRow(100, 60, 0)
    budget.consume(state, ("a",))
    assert budget.line(state, LINE) == LineRow(100, 0, 60)
    budget.reopen(state, ("a",))
    assert budget.line(state, LINE) == LineRow(100, 60, 0)
    budget.release(state, ("a",))
    assert (budget.line(state, LINE), budget.use(state, ("a",))) == (LineRow(100, 0, 0), None)
    budget.reserve(state, LINE, ("a",), 100)
    assert budget.holds(state)


def test_a_key_is_reserved_once() -> None:
    budget, state = funded(100)
    budget.reserve(state, LINE, ("a",), 10)
    assert reason_of(budget.reserve, state, LINE, ("a",), 10) == "key-reserved"
    budget.consume(state, ("a",))
    assert reason_of(budget.reserve, state, LINE, ("a",), 10) == "key-consumed"
    assert reason_of(budget.consume, state, ("a",)) == "key-not-reserved"
    assert reason_of(budget.release, state, ("a",)) == "key-not-reserved"
    assert reason_of(budget.reopen, state, ("b",)) == "key-not-consumed"


def test_a_line_gives_no_more_than_was_granted() -> None:
    budget, state = funded(100)
    assert reason_of(budget.reserve, state, LINE, ("a",), 101) == "budget-short"
    assert reason_of(budget.reserve, state, ("other",), ("a",), 1) == "budget-short"
    assert reason_of(budget.reserve, state, LINE, ("a",), 0) == "amount-range"
    budget.reserve(state, LINE, ("a",), 100)
    assert reason_of(budget.grant, state, LINE, -1) == "budget-short"
    assert reason_of(budget.grant, state, LINE, 2**53) == "amount-range"


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["grant", "reserve", "consume", "reopen", "release"]),
        st.sampled_from(["x", "y"]),
        st.sampled_from(["a", "b", "c"]),
        st.integers(-20, 60),
    ),
    max_size=40,
)


@given(STEPS)
def test_whatever_happens_the_sums_hold(steps: list[tuple[str, str, str, int]]) -> None:
    budget, state = Budget(), MemoryView()
    for verb, line, key, amount in steps:
        before = dict(state.rows)
        try:
            if verb == "grant":
                budget.grant(state, (line,), amount)
            elif verb == "reserve":
                budget.reserve(state, (line,), (key,), amount)
            else:
                getattr(budget, verb)(state, (key,))
        except Rejected:
            state.rows = before
        assert budget.holds(state)


def test_a_wrong_row_is_noticed() -> None:
    budget, state = funded(100)
    budget.reserve(state, LINE, ("a",), 60)
    taken = MemoryView()
    taken.rows = {key: value for key, value in state.rows.items() if b"use" not in key}
    assert not budget.holds(taken)
