"""Benefit periods: a year, quarter, month or ISO week, and the days that they cover."""

from typing import Annotated, Final, Literal

from msgspec import Meta

from grootboek.ledger.module import Rejected
from grootboek.modules.days import day_number

__all__ = ["Kind", "Period", "days", "kind", "overlap"]

Period = Annotated[
    str,
    Meta(pattern=r"^[12][0-9]{3}(-(0[1-9]|1[0-2])|-Q[1-4]|-W(0[1-9]|[1-4][0-9]|5[0-3]))?$(?!\n)"),
]
"""``2026``, ``2026-Q1``, ``2026-01`` or ``2026-W05`` (ISO 8601; quarters by custom).

One spelling for each period, because W5 counts by it: other digits than ASCII and a line break at the
end, which ``$`` alone lets pass, are refused here, and a week that the year does not have by ``days``.
"""

Kind = Literal["year", "quarter", "month", "week"]

_KINDS: Final[dict[str, Kind]] = {"": "year", "Q": "quarter", "W": "week"}


def kind(period: Period) -> Kind:
    """Which kind of period it is."""
    return _KINDS.get(period[5:6], "month")


def days(period: Period) -> tuple[int, int]:
    """First and last day, from 1970-01-01; raises Rejected("no-such-day") for a week that is none."""
    year, rest = int(period[:4]), period[5:]
    match kind(period):
        case "year":
            return _months(year, 1, 12)
        case "quarter":
            return _months(year, 3 * int(rest[1:]) - 2, 3)
        case "month":
            return _months(year, int(rest), 1)
        case "week":
            monday = _first_monday(year) + 7 * (int(rest[1:]) - 1)
            if monday >= _first_monday(year + 1):
                raise Rejected("no-such-day", f"{year} has 52 weeks")
            return monday, monday + 6


def overlap(first: Period, last: Period, other_first: Period, other_last: Period) -> bool:
    """Whether two ranges of periods, both ends included, share a day."""
    return days(first)[0] <= days(other_last)[1] and days(other_first)[0] <= days(last)[1]


def _months(year: int, month: int, count: int) -> tuple[int, int]:
    past = 12 * year + month - 1 + count
    return _day(year, month), _day(past // 12, past % 12 + 1) - 1


def _day(year: int, month: int) -> int:
    """Days from 1970-01-01 to the first of a month."""
    return day_number(f"{year:04}-{month:02}-01")


def _first_monday(year: int) -> int:
    """The Monday of ISO week 1: the week that holds 4 January."""
    fourth = _day(year, 1) + 3
    return fourth - (fourth + 3) % 7
