"""Names of things: EPC URIs and GS1 Digital Link URIs in one canonical form.

``urn:epc:id:sgtin:4012345.011122.25`` and ``https://shop.example/01/04012345111224/21/25?x=1`` name one
thing. The canonical form is the GS1 Digital Link URI on ``https://id.gs1.org`` with the finest level of
identification only, as CBV 2.0 (section 8.9, event hash id) has it; the check digit makes the way from
EPC URI to Digital Link exact. Any other URI stands for itself.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

__all__ = ["GS1", "canonical", "check_digit", "prefixes", "site"]

GS1: Final = "https://id.gs1.org"

_EPC: Final = re.compile(r"urn:epc:(id|class|idpat):([a-z]+):(.+)", re.ASCII)
_CHARACTER: Final = r"[!%-?A-Z_a-z\"#]"
_ENCODED: Final = str.maketrans({character: f"%{ord(character):02X}" for character in '!"#%&()*+,/:<>? '})
_SEPARATORS: Final = frozenset("/:#.=?")
_PREFIX_DIGITS: Final = range(12, 3, -1)
"""GS1 company prefixes have 4 to 12 digits."""
_PREFIX_CUTS: Final = 24
"""How many leading parts of another URI may be looked up as registered prefixes."""


_RECENT: Final = 4_096
"""Names whose form is remembered: one command asks for that of a thing several times."""


def check_digit(digits: str) -> str:
    """The GS1 check digit that belongs behind ``digits`` (GS1 General Specifications 7.9.1)."""
    weighted = 3 * sum(map(int, digits[::-2])) + sum(map(int, digits[-2::-2]))
    return str(-weighted % 10)


@lru_cache(_RECENT)
def canonical(uri: str) -> str:
    """The one form of a name; what is none of GS1's stays as it is, without surrounding spaces."""
    uri = uri.strip()
    epc = _EPC.fullmatch(uri)
    if epc:
        build = _SCHEMES.get(epc[2])
        return (build and build(epc[3])) or uri
    link = _LINK.fullmatch(uri.partition("?")[0].partition("#")[0])
    return (link and _from_link(_ALIASES.get(link[1], link[1]), link[2])) or uri


def site(uri: str) -> str:
    """The location that a place is part of: a GLN without its extension, or the URI itself."""
    return canonical(uri).partition("/254/")[0]


def prefixes(name: str) -> Iterator[str]:
    """Under which registered prefixes a canonical name may fall, longest first."""
    digits = _company_digits(name)
    if digits is not None:
        yield from (digits[:length] for length in _PREFIX_DIGITS if length <= len(digits))
        return
    cuts = [place + 1 for place, character in enumerate(name) if character in _SEPARATORS]
    yield from (name[:cut] for cut in reversed(cuts[:_PREFIX_CUTS]))


def _company_digits(name: str) -> str | None:
    """The digits that start with the GS1 company prefix."""
    if not name.startswith(f"{GS1}/"):
        return None
    key, _, rest = name.removeprefix(f"{GS1}/").partition("/")
    leading = re.match(r"\d*", rest, re.ASCII)
    digits = leading[0] if leading else ""
    return digits[1:] if key in _INDICATED else digits


_INDICATED: Final = frozenset({"00", "01", "8003", "8006"})
"""Application identifiers whose value has one digit before the company prefix."""

# --- from Digital Link -----------------------------------------------------------------------------

_LENGTHS: Final = {
    "00": r"\d{18}",
    "01": r"\d{8}|\d{12,14}",
    "253": rf"\d{{13}}{_CHARACTER}{{0,17}}",
    "255": r"\d{13,25}",
    "401": rf"{_CHARACTER}{{1,90}}",
    "402": r"\d{17}",
    "414": r"\d{13}",
    "417": r"\d{13}",
    "8003": rf"\d{{14}}{_CHARACTER}{{0,16}}",
    "8004": rf"{_CHARACTER}{{1,90}}",
    "8006": r"\d{18}",
    "8010": rf"{_CHARACTER}{{1,90}}",
    "8017": r"\d{18}",
    "8018": r"\d{18}",
}
_KEYS: Final = {key: re.compile(form, re.ASCII) for key, form in _LENGTHS.items()}
_ALIASES: Final = {"gtin": "01", "sscc": "00"}
"""Convenience names of keys, from earlier releases of GS1 Digital Link."""
_LINK: Final = re.compile(
    rf"https?://[^/?#]+(?:/[^?#]*?)??/({'|'.join((*_KEYS, *_ALIASES))})/([^?#]+)", re.ASCII
)
"""The first key in the path begins what is the name; what stands before it is the resolver's."""
_QUALIFIERS: Final = {
    "01": ("21", "10", "235"),
    "414": ("254",),
    "8006": ("21", "10"),
    "8010": ("8011",),
}
"""Key qualifiers that are kept, the finest first; only one of them stays."""


def _from_link(key: str, rest: str) -> str | None:
    """The canonical form of a Digital Link path; None where it is none."""
    value, *more = rest.rstrip("/").split("/")
    form = _KEYS.get(key)
    if form is None or not form.fullmatch(unquote(value)) or len(more) % 2:
        return None
    pairs = dict(zip(more[::2], more[1::2], strict=True))
    qualifier = next((name for name in _QUALIFIERS.get(key, ()) if name in pairs), None)
    padded = value.zfill(14) if key == "01" else value
    if qualifier is None or (qualifier == "254" and pairs[qualifier] == "0"):
        return _link(key, unquote(padded))
    return _link(key, unquote(padded), qualifier, unquote(pairs[qualifier]))


def _link(key: str, value: str, qualifier: str = "", detail: str = "") -> str:
    tail = f"/{qualifier}/{_encode(detail)}" if qualifier else ""
    return f"{GS1}/{key}/{_encode(value)}{tail}"


def _encode(text: str) -> str:
    return text.translate(_ENCODED)


# --- from EPC URIs (GS1 EPC Tag Data Standard, section 6.3) -------------------------------------------


def _parts(text: str, widths: int, count: int) -> list[str] | None:
    """The dotted parts, where the first two are digits of ``widths`` together; the last may have dots."""
    parts = text.split(".", count - 1)
    digits = "".join(parts[:2])
    good = len(parts) == count and digits.isascii() and digits.isdigit() and len(digits) == widths
    return parts if good and all(parts[2:]) else None


def _trade(text: str) -> tuple[str, str] | None:
    """GTIN-14 and serial, lot or ``*``: the first digit of the item reference is the indicator."""
    parts = _parts(text, 13, 3)
    if parts is None or not parts[1]:
        return None
    company, item, serial = parts
    digits = item[0] + company + item[1:]
    return digits + check_digit(digits), unquote(serial)


def _sgtin(text: str) -> str | None:
    trade = _trade(text)
    if trade is None:
        return None
    return _link("01", trade[0]) if trade[1] == "*" else _link("01", trade[0], "21", trade[1])


def _lgtin(text: str) -> str | None:
    trade = _trade(text)
    if trade is None:
        return None
    return _link("01", trade[0]) if trade[1] == "*" else _link("01", trade[0], "10", trade[1])


def _upui(text: str) -> str | None:
    trade = _trade(text)
    return trade and _link("01", trade[0], "235", trade[1])


def _sscc(text: str) -> str | None:
    parts = _parts(text, 17, 2)
    if parts is None or not parts[1]:
        return None
    digits = parts[1][0] + parts[0] + parts[1][1:]
    return _link("00", digits + check_digit(digits))


def _sgln(text: str) -> str | None:
    parts = _parts(text, 12, 3)
    if parts is None:
        return None
    digits = parts[0] + parts[1]
    gln, extension = digits + check_digit(digits), unquote(parts[2])
    return _link("414", gln) if extension == "0" else _link("414", gln, "254", extension)


def _checked(key: str, widths: int, lead: str = "") -> Callable[[str], str | None]:
    """Keys of digits alone, with a check digit behind."""

    def build(text: str) -> str | None:
        parts = _parts(text, widths, 2)
        if parts is None:
            return None
        digits = lead + parts[0] + parts[1]
        return _link(key, digits + check_digit(digits))

    return build


def _numbered(key: str, lead: str = "") -> Callable[[str], str | None]:
    """Keys of twelve digits and a check digit, with a serial number behind."""

    def build(text: str) -> str | None:
        parts = _parts(text, 12, 3)
        if parts is None:
            pattern = _parts(text, 12, 2) or [""]
            digits = "".join(pattern)
            return _link(key, lead + digits + check_digit(digits)) if digits else None
        if parts[2] == "*":
            return build(f"{parts[0]}.{parts[1]}")
        digits = parts[0] + parts[1]
        return _link(key, lead + digits + check_digit(digits) + unquote(parts[2]))

    return build


def _free(key: str) -> Callable[[str], str | None]:
    """Keys of a company prefix and a free reference."""

    def build(text: str) -> str | None:
        company, _, reference = text.partition(".")
        good = company.isascii() and company.isdigit() and bool(reference)
        return _link(key, company + unquote(reference)) if good else None

    return build


def _cpi(text: str) -> str | None:
    company, _, rest = text.partition(".")
    part, _, serial = rest.partition(".")
    if not (company.isascii() and company.isdigit() and part):
        return None
    value = company + unquote(part)
    return _link("8010", value, "8011", serial) if serial not in {"", "*"} else _link("8010", value)


def _itip(text: str) -> str | None:
    parts = text.split(".", 4)
    digits = "".join(parts[:2])
    if len(parts) != 5 or not ("".join(parts[:4]).isascii() and "".join(parts[:4]).isdigit()):  # noqa: PLR2004  # company, item, piece, total, serial
        return None
    if len(digits) != 13 or not parts[1]:  # noqa: PLR2004  # a GTIN-14 without its check digit
        return None
    trade = parts[1][0] + parts[0] + parts[1][1:]
    value = trade + check_digit(trade) + parts[2] + parts[3]
    return _link("8006", value) if parts[4] == "*" else _link("8006", value, "21", unquote(parts[4]))


_SCHEMES: Final[dict[str, Callable[[str], str | None]]] = {
    "sgtin": _sgtin,
    "lgtin": _lgtin,
    "upui": _upui,
    "sscc": _sscc,
    "sgln": _sgln,
    "pgln": _checked("417", 12),
    "gsrn": _checked("8018", 17),
    "gsrnp": _checked("8017", 17),
    "gsin": _checked("402", 16),
    "grai": _numbered("8003", "0"),
    "gdti": _numbered("253"),
    "sgcn": _numbered("255"),
    "giai": _free("8004"),
    "ginc": _free("401"),
    "cpi": _cpi,
    "itip": _itip,
}
