"""Periods against the calendar of the standard library."""

import itertools
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from grootboek.modules.welfare.periods import days, kind, overlap

EPOCH = date(1970, 1, 1)
YEARS = st.integers(1970, 2200)


def ends(period: str) -> tuple[date, date]:
    first, last = days(period)
    return EPOCH + timedelta(first), EPOCH + timedelta(last)


@given(YEARS, st.integers(1, 12))
def test_months(year: int, month: int) -> None:
    first, last = ends(f"{year}-{month:02}")
    assert first == date(year, month, 1)
    assert (last.month, (last + timedelta(1)).day) == (month, 1)


@given(YEARS, st.integers(1, 52))
def test_weeks(year: int, week: int) -> None:
    assert ends(f"{year}-W{week:02}") == (
        date.fromisocalendar(year, week, 1),
        date.fromisocalendar(year, week, 7),
    )


@given(YEARS)
def test_quarters_and_years(year: int) -> None:
    assert ends(f"{year}") == (date(year, 1, 1), date(year, 12, 31))
    quarters = [ends(f"{year}-Q{number}") for number in range(1, 5)]
    assert quarters[0][0] == date(year, 1, 1)
    assert quarters[-1][1] == date(year, 12, 31)
    assert all(a[1] + timedelta(1) == b[0] for a, b in itertools.pairwise(quarters))


def test_kinds_and_overlap() -> None:
    assert [kind(period) for period in ("2026", "2026-Q1", "2026-01", "2026-W01")] == [
        "year",
        "quarter",
        "month",
        "week",
    ]
    assert overlap("2026-01", "2026-03", "2026-03", "2026-05")
    assert not overlap("2026-01", "2026-02", "2026-03", "2026-05")
    assert overlap("2026-W01", "2026-W01", "2025-12", "2025-12")
