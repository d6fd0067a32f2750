"""Calendar days as modules know them: text of the form YYYY-MM-DD, without clock or time zone."""

from functools import lru_cache
from typing import Annotated, Final

from msgspec import Meta

from grootboek.ledger.module import Rejected

__all__ = ["DAY_MS", "Day", "day_number", "month"]

DAY_MS: Final = 86_400_000

Day = Annotated[str, Meta(pattern=r"^[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$(?!\n)")]
"""ISO 8601; days compare as their texts do, for which each must have one spelling."""

_MONTHS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


_RECENT: Final = 4_096
"""Days whose number is remembered: a command asks for the same few again and again."""


@lru_cache(_RECENT)
def day_number(day: Day) -> int:
    """Days since 1970-01-01 in the Gregorian calendar; raises Rejected("no-such-day")."""
    year, place, rest = int(day[:4]), int(day[5:7]) - 1, int(day[8:])
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if rest > _MONTHS[place] + (leap and place == 1):
        raise Rejected("no-such-day", f"{day} is not in the calendar")
    before = year - 1
    years = 365 * before + before // 4 - before // 100 + before // 400
    return years + sum(_MONTHS[:place]) + (leap and place > 1) + rest - _EPOCH


def month(day: Day) -> str:
    """``YYYY-MM``."""
    return day[:7]


_EPOCH: Final = 719_163
"""Days from 0001-01-01 up to and including 1970-01-01."""
