"""Calendar days without a clock."""

import re
from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grootboek.ledger.module import Rejected
from grootboek.modules.days import Day, day_number, month

EPOCH = date(1970, 1, 1).toordinal()
days = st.dates(date(1000, 1, 1), date(2999, 12, 31))


@given(days, days)
def test_days_count_and_compare_as_the_calendar_does(first: date, second: date) -> None:
    assert day_number(first.isoformat()) == first.toordinal() - EPOCH
    assert (first.isoformat() < second.isoformat()) == (first < second)
    assert month(first.isoformat()) == f"{first.year}-{first.month:02}"


@pytest.mark.parametrize("day", ["2026-02-29", "1900-02-29", "2026-04-31", "2000-02-30"])
def test_days_that_never_were(day: str) -> None:
    with pytest.raises(Rejected, match="no-such-day"):
        day_number(day)


@pytest.mark.parametrize(
    "day", ["2026-13-01", "2026-1-1", "0999-01-01", "2026-01-32", "2026-01-01T00:00", ""]
)
def test_texts_that_are_no_days(day: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=re.escape("regex")):
        msgspec.convert(day, Day)
