"""From an invoice document, whatever its format, to the commands that report it.

This is where personal data parts from the rest: parties become random ids, names, addresses, VAT
numbers and line texts become commitments, and only the vault of the importing organisation keeps what
they stand for. Nothing of a refused document is kept.

Who a party is, the vault knows by its VAT number, else by the next best identifier of the document. An
organisation that is told the ids which the tax authority gave binds them first (``Vault.bind``).
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from grootboek.modules.commitments import commit_all
from grootboek.modules.days import Day
from grootboek.modules.importing import Options, Problem, Refusal, Row, Step
from grootboek.modules.tax import rules
from grootboek.modules.tax.codes import CREDIT_TYPES
from grootboek.modules.tax.module import AUTHORITY, PROVIDER
from grootboek.modules.tax.terms import (
    Accounting,
    Adjustment,
    Breakdown,
    Line,
    RegisterTaxpayer,
    ReportInvoice,
    Totals,
)
from grootboek.modules.vault import Vault

__all__ = ["SCHEME", "SETTINGS", "Document", "PartyData", "rows", "vat_country"]

SCHEME: Final = "tax"
"""The vault's scheme of taxpayer ids."""

SETTINGS: Final[Mapping[str, Sequence[str] | None]] = {"register": ("yes", "no")}
"""What importers of invoices may be told: whether they register the parties that they meet."""

LINES_MAX: Final = 500
"""Invoices with more lines are reported with their lines merged by category and rate."""
ADJUSTMENTS_MAX: Final = 100
"""The same for allowances and for charges."""

_PROBLEMS_MAX: Final = 10
_Part = TypeVar("_Part", Line, Adjustment)
_NOBODY: Final = bytes(16)
_NOTHING: Final = bytes(32)
_PREFIXES: Final = {"EL": "GR", "XI": "GB"}
"""VAT number prefixes that are no country codes."""


class PartyData(Struct, frozen=True, kw_only=True):
    """Seller or buyer as the document names it. Personal data: never leaves for the ledger."""

    identity: tuple[str, ...]
    """What it is known by, kind first: ``("vat", "NL123456789B01")``."""
    country: str
    """Where it is registered; empty where that is not known."""
    vat_number: str = ""
    name: str = ""
    address: str = ""


class Document(Struct, frozen=True, kw_only=True):
    """An invoice or credit note, as far as it is reported."""

    seller: PartyData
    buyer: PartyData
    number: str
    issued: Day
    type: int
    currency: str
    country: str
    destination: str | None = None
    tax_point: Day
    lines: tuple[Line, ...]
    texts: tuple[str, ...]
    """The lines' texts, in order."""
    allowances: tuple[Adjustment, ...] = ()
    charges: tuple[Adjustment, ...] = ()
    breakdown: tuple[Breakdown, ...]
    totals: Totals
    accounting: Accounting | None = None
    preceding: tuple[str, ...] = ()
    digest: str
    """SHA-256 of the original, hex."""


def rows(
    document: Document, locators: Sequence[str], vault: Vault, options: Options
) -> Iterator[Row | Refusal]:
    """What becomes of a document that stands at these places: its steps, or why it is refused."""
    draft = _draft(document)
    problems = _valid(draft) or tuple(Problem(*finding) for finding in rules.broken(draft))
    if problems:
        yield from (Refusal(locator, problems[:_PROBLEMS_MAX]) for locator in locators)
        return
    steps = tuple(_steps(document, draft, vault, options))
    warnings = tuple(_warnings(draft))
    yield Row(locators[0], steps, warnings, tuple(locators[1:]))


def vat_country(vat_number: str) -> str | None:
    """The country of a VAT number, by its prefix; None where it has none."""
    prefix = vat_number[:2].upper()
    return _PREFIXES.get(prefix, prefix) if re.fullmatch("[A-Z]{2}", prefix) else None


def _draft(document: Document) -> ReportInvoice:
    """The report without ids and commitments: enough for the rules."""
    names = set(ReportInvoice.__struct_fields__) & set(Document.__struct_fields__)
    shared = {name: getattr(document, name) for name in names - {"seller", "buyer", "texts"}}
    shared["lines"] = _merged(document.lines, LINES_MAX)
    shared |= {name: _merged(shared[name], ADJUSTMENTS_MAX) for name in ("allowances", "charges")}
    return ReportInvoice(seller=_NOBODY, buyer=_NOBODY, document=_NOTHING, **shared)


def _valid(draft: ReportInvoice) -> tuple[Problem, ...]:
    """What the command's types refuse: too long, too many, too large."""
    try:
        msgspec.convert(msgspec.to_builtins(draft), ReportInvoice)
    except msgspec.ValidationError as error:
        return (Problem("value-range", str(error)),)
    return ()


def _merged(parts: tuple[_Part, ...], most: int) -> tuple[_Part, ...]:
    """At most one part for each category and rate where there are more than ``most``."""
    if len(parts) <= most:
        return parts
    sums: Counter[tuple[str, int]] = Counter()
    for part in parts:
        amount, category, rate = msgspec.structs.astuple(part)
        sums[category, rate] += amount
    kind = type(parts[0])
    return tuple(kind(amount, category, rate) for (category, rate), amount in sums.items())


def _steps(document: Document, draft: ReportInvoice, vault: Vault, options: Options) -> Iterator[Step]:
    seller, buyer = (vault.pseudonym(SCHEME, *p.identity) for p in (document.seller, document.buyer))
    if options.settings.get("register") != "no":
        yield Step(_registration(seller, document.seller, vault), AUTHORITY)
        if document.buyer.vat_number:
            yield Step(_registration(buyer, document.buyer, vault), AUTHORITY)
    report = msgspec.structs.replace(
        draft,
        seller=seller,
        buyer=buyer,
        document=vault.put(seller, f"document {document.number}", document.digest),
        texts=_texts(document, seller, vault),
    )
    yield Step(report, PROVIDER, wave=2 if document.preceding else 1)


def _registration(taxpayer: bytes, party: PartyData, vault: Vault) -> RegisterTaxpayer:
    """The same for every document of the party: what the vault was told first."""
    fields = {"country": party.country, "vat_number": party.vat_number}
    fields |= {"name": party.name, "address": party.address}
    kept = {name: vault.put_once(taxpayer, name, value) for name, value in fields.items()}
    return RegisterTaxpayer(
        taxpayer,
        vault.get(taxpayer, "country") or party.country,
        vat_number=kept["vat_number"],
        name=kept["name"],
        address=kept["address"],
    )


def _texts(document: Document, seller: bytes, vault: Vault) -> bytes | None:
    """One commitment for all line texts; each opens by itself."""
    if not any(document.texts):
        return None
    name = f"line {document.number}"
    return commit_all([vault.put(seller, f"{name} {i}", text) for i, text in enumerate(document.texts, 1)])


def _warnings(report: ReportInvoice) -> Iterator[Problem]:
    if report.type in CREDIT_TYPES and not report.preceding:
        message = "the credit note names no earlier invoice: what can be claimed on it stays as it is"
        yield Problem("BT-25", message)
    yield from (Problem(rule, f"{text}: within the tolerance") for rule, text in rules.inexact(report))
