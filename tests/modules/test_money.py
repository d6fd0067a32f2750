"""The money book."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grootboek.ledger.module import Rejected
from grootboek.modules.money import AMOUNT_LIMIT, Book, Posting, exponent
from tests.modules.memory_view import MemoryView

names = st.sampled_from(["a", "b", "c", "reserve"])
moves = st.lists(
    st.tuples(st.sampled_from(["EUR", "JPY"]), names, names, st.integers(-500, 500)), max_size=40
)


@given(moves)
def test_every_currency_sums_to_zero_and_reserves_stay_solvent(
    transfers: list[tuple[str, str, str, int]],
) -> None:
    state, book = MemoryView(), Book()
    reasons: set[str] = set()
    for currency in ("EUR", "JPY"):
        book.open(state, currency, ("reserve",), no_overdraft=True)
    for currency, source, target, amount in transfers:
        before = dict(state.rows)
        try:
            book.transfer(state, currency, (source,), (target,), amount)
        except Rejected as refusal:
            reasons.add(refusal.reason)
            state.rows = before
        assert book.holds(state)
        assert book.balance(state, currency, ("reserve",)) >= 0
    assert reasons <= {"overdraft"}


def test_postings_that_do_not_balance_are_refused() -> None:
    state, book = MemoryView(), Book()
    with pytest.raises(Rejected, match="unbalanced"):
        book.post(state, "EUR", Posting(("a",), 5), Posting(("b",), -4))
    assert state.rows == {}


def test_currencies_and_books_do_not_mix() -> None:
    state, book, other = MemoryView(), Book(), Book("other")
    book.transfer(state, "EUR", ("a",), ("b",), 7)
    assert book.balance(state, "EUR", ("b",)) == 7
    assert book.balance(state, "USD", ("b",)) == 0
    assert other.balance(state, "EUR", ("b",)) == 0


def test_opening_again_keeps_balance_and_rule() -> None:
    state, book = MemoryView(), Book()
    book.open(state, "EUR", ("r",), no_overdraft=True)
    book.transfer(state, "EUR", ("source",), ("r",), 3)
    book.open(state, "EUR", ("r",))
    assert book.balance(state, "EUR", ("r",)) == 3
    with pytest.raises(Rejected, match="overdraft"):
        book.transfer(state, "EUR", ("r",), ("source",), 4)


def test_balances_stay_within_what_json_holds() -> None:
    state, book = MemoryView(), Book()
    book.transfer(state, "EUR", ("a",), ("b",), AMOUNT_LIMIT - 1)
    with pytest.raises(Rejected, match="amount-range"):
        book.transfer(state, "EUR", ("a",), ("b",), 1)


def test_a_broken_book_is_noticed() -> None:
    state, book = MemoryView(), Book()
    book.transfer(state, "EUR", ("a",), ("b",), 7)
    state.rows.popitem()
    assert not book.holds(state)


@pytest.mark.parametrize(
    ("currency", "decimals"), [("EUR", 2), ("JPY", 0), ("XAF", 0), ("KWD", 3), ("CLF", 4)]
)
def test_minor_units(currency: str, decimals: int) -> None:
    assert exponent(currency) == decimals
