"""Times of EPCIS documents: xsd:dateTimeStamp to milliseconds since 1970, and back."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from grootboek.modules.importing import BadField

__all__ = ["millis", "stamp"]

_STAMP: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2})(?:[.,](\d+))?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLI: Final = timedelta(milliseconds=1)
_LIMIT: Final = 2**53


def millis(text: object, field: str) -> int:
    """A time with offset; a fourth decimal of 5 or more rounds up (CBV 2.0).

    Raises BadField(field) where it is none, lacks its offset, or lies before 1970.
    """
    match = _STAMP.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise BadField(
            field, f"{field} is no date and time with an offset, like 2026-01-31T12:00:00.000+01:00"
        )
    digits = (match[2] or "").ljust(4, "0")
    try:
        whole = datetime.fromisoformat(match[1].upper().replace(" ", "T") + match[3].upper())
        found = (whole - _EPOCH) // _MILLI + int(digits[:3]) + (digits[3] >= "5")
    except (ValueError, OverflowError):
        raise BadField(field, f"{field} is no time of the calendar") from None
    if not 0 <= found < _LIMIT:
        raise BadField(field, f"{field} lies before 1970")
    return found


def stamp(time: int) -> str:
    """Milliseconds since 1970 as ``2026-01-31T11:00:00.000Z``."""
    return (_EPOCH + time * _MILLI).isoformat(timespec="milliseconds").replace("+00:00", "Z")
