"""Fields of benefit lists: generous in what is read, strict in what comes out."""

import re
import unicodedata
from contextlib import suppress
from functools import lru_cache
from typing import Final

import msgspec

from grootboek.ledger.module import Rejected
from grootboek.modules.days import Day
from grootboek.modules.importing import BadField, tables
from grootboek.modules.money import exponent
from grootboek.modules.welfare.periods import Period, days

__all__ = ["code", "currency", "day", "iban", "money", "period"]

_IBAN: Final = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", re.ASCII)
_PLAIN: Final = re.compile(r"(\d+)(?:[.,](\d+))?", re.ASCII)
_GROUPED: Final = re.compile(
    r"(\d{1,3}(?:(?P<group>[ .,'])\d{3})(?:(?P=group)\d{3})*)(?:(?!(?P=group))[.,](\d+))?"
)
_SPACES: Final = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2019": "'"})
_THOUSAND: Final = 3
_PERIOD_FORMS: Final = (
    (re.compile(r"(\d{4})[-/.]?(\d{2})", re.ASCII), r"\1-\2"),
    (re.compile(r"(\d{2})[-/.](\d{4})", re.ASCII), r"\2-\1"),
    (re.compile(r"(\d{4})[- ]?([QW])(\d{1,2})", re.ASCII), r"\1-\2\3"),
    (re.compile(r"(\d{4})", re.ASCII), r"\1"),
)
_DAY_FORMS: Final = (
    (re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII), r"\1-\2-\3"),
    (re.compile(r"(\d{2})[-.](\d{2})[-.](\d{4})", re.ASCII), r"\3-\2-\1"),
)


def iban(text: str) -> str:
    """An IBAN without spaces, checked by ISO 7064 MOD 97-10 (ISO 13616).

    Raises BadField("iban-form") or BadField("iban-check").
    """
    found = re.sub(r"[\s-]", "", text).upper().removeprefix("IBAN")
    if not _IBAN.fullmatch(found):
        raise BadField("iban-form", "iban is no international bank account number")
    turned = found[4:] + found[:4]
    number = int("".join(str(int(character, 36)) for character in turned))
    if number % 97 != 1 or not "02" <= found[2:4] <= "98":
        raise BadField("iban-check", "the check digits of iban are wrong")
    return found


def money(text: str, code: str, name: str) -> int:
    """An amount above zero in minor units of the currency.

    ``1234,5``, ``1234.50``, ``1.234,50``, ``1,234.50``, ``1 234,50``, ``1'234.50``, each also with the
    currency's code or the euro sign before or behind. ``1.234`` could be either and is refused.

    Raises BadField("amount-form"), BadField("decimals") or BadField("amount-range").
    """
    bare = text.translate(_SPACES).strip()
    for mark in (code, "€") if code == "EUR" else (code,):
        bare = bare.removeprefix(mark).removesuffix(mark).strip()
    negative = bare.startswith("-") or bare.endswith("-")
    bare = bare.removeprefix("-") if bare.startswith("-") else bare.removeprefix("+").removesuffix("-")
    whole, decimals = _split(bare.strip(), code, name)
    amount = tables.parse_decimal(f"{whole}.{decimals}", exponent(code), name)
    if negative or amount == 0:
        raise BadField("amount-range", f"{name} must be above zero")
    return amount


def currency(text: str) -> str:
    """An ISO 4217 code; raises BadField("currency-form")."""
    if not re.fullmatch("[A-Z]{3}", text.upper(), re.ASCII):
        raise BadField("currency-form", "currency is no ISO 4217 code")
    return text.upper()


def period(text: str, name: str = "period") -> str:
    """``2026-01`` (also ``202601``, ``01-2026``), ``2026-Q1``, ``2026-W05`` or ``2026``; raises BadField."""
    found = _period(text)
    if found is None:
        raise BadField("period-form", f"{name} is no period like 2026-01, 2026-Q1, 2026-W05 or 2026")
    return found


@lru_cache
def _period(text: str) -> str | None:
    for form, shape in _PERIOD_FORMS:
        match = form.fullmatch(text.upper())
        if match:
            found = re.sub(r"W(\d)$", r"W0\1", match.expand(shape))
            with suppress(msgspec.ValidationError, Rejected):
                days(msgspec.convert(found, Period))
                return found
    return None


def day(text: str, name: str) -> str:
    """A date as YYYY-MM-DD, from that form, YYYYMMDD, DD-MM-YYYY or DD.MM.YYYY.

    Raises BadField("date-form"), also for DD/MM/YYYY, which some read as MM/DD/YYYY.
    """
    for form, shape in _DAY_FORMS:
        match = form.fullmatch(text)
        text = match.expand(shape) if match else text
    found = tables.parse_date(text, name).isoformat()
    try:
        return msgspec.convert(found, Day)
    except msgspec.ValidationError as error:
        raise BadField("date-form", f"{name} is in no year from 1000 to 2999") from error


def code(text: str, kind: type[str], name: str) -> str:
    """A name as a code: accents dropped, other characters than ``A-Z a-z 0-9 . _ -`` become ``-``.

    Raises BadField("code-form") where nothing is left, or it is longer than ``kind`` allows.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    found = re.sub("[^A-Za-z0-9._-]+", "-", plain).strip("-._")
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        raise BadField("code-form", f"{name} is no short name of letters and digits") from error


def _split(text: str, code: str, name: str) -> tuple[str, str]:
    """Whole part and decimals."""
    plain = _PLAIN.fullmatch(text)
    if plain:
        whole, decimals = plain[1], plain[2] or ""
        if len(decimals) == _THOUSAND > exponent(code):
            raise BadField("amount-form", f"{name} {_AMBIGUOUS}")
        return whole, decimals
    grouped = _GROUPED.fullmatch(text)
    if grouped is None:
        raise BadField("amount-form", f"{name} is no amount")
    return re.sub(r"\D", "", grouped[1]), grouped[3] or ""


_AMBIGUOUS: Final = "has three digits behind a single point or comma: decimals, or thousands?"
