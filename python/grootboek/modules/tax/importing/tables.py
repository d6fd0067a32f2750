"""Invoices and rates as CSV tables."""

import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Final

import msgspec

from grootboek.ledger.module import Module
from grootboek.modules.importing import (
    BadField,
    Column,
    Importer,
    Options,
    Problem,
    Record,
    Refusal,
    Row,
    Source,
    Step,
    tables,
)
from grootboek.modules.tax import Tax
from grootboek.modules.tax.codes import CATEGORIES
from grootboek.modules.tax.importing.documents import SETTINGS, Document, PartyData, rows, vat_country
from grootboek.modules.tax.module import AUTHORITY
from grootboek.modules.tax.terms import Breakdown, Line, SetRate, Totals
from grootboek.modules.vault import Vault

__all__ = ["INVOICE_COLUMNS", "RATE_COLUMNS", "InvoiceTableImporter", "RateTableImporter"]

_PERCENT_DECIMALS: Final = 4

INVOICE_COLUMNS: Final = (
    Column("seller_vat", "BT-31, the seller's VAT number"),
    Column("seller_name", "BT-27", required=False),
    Column("seller_country", "BT-40; else the prefix of the VAT number", required=False),
    Column("buyer_vat", "BT-48, the buyer's VAT number; empty where it has none", required=False),
    Column("buyer_name", "BT-44; needed where there is no VAT number", required=False),
    Column("buyer_country", "BT-55; else the prefix of the VAT number", required=False),
    Column("number", "BT-1, invoice number"),
    Column("issue_date", "BT-2, YYYY-MM-DD"),
    Column("type", "BT-3: 380 (where empty), 381, 384, 389...", required=False),
    Column("currency", "BT-5, ISO 4217"),
    Column("tax_point_date", "BT-7; else the issue date", required=False),
    Column("preceding", "BT-25, the number of the invoice that is corrected", required=False),
    Column("description", "text of the lines of this rate", required=False),
    Column("category", "BT-118: S, Z, E, AE, K, G, O, L, M"),
    Column("rate", "BT-119, percent; empty for 0", required=False),
    Column("taxable", "BT-116"),
    Column("tax", "BT-117"),
    Column("total_net", "BT-109"),
    Column("total_tax", "BT-110"),
    Column("total_gross", "BT-112"),
    Column("prepaid", "BT-113; empty for 0", required=False),
    Column("rounding", "BT-114; empty for 0", required=False),
    Column("payable", "BT-115; else total_gross - prepaid + rounding", required=False),
)
"""One row for each category and rate of an invoice; rows of one invoice stand together."""

RATE_COLUMNS: Final = (
    Column("country", "ISO 3166-1 alpha-2"),
    Column("category", "UNCL 5305: S, L, M..."),
    Column("rate", "percent"),
    Column("valid_from", "first day, YYYY-MM-DD"),
    Column("valid_until", "last day; empty while no end is known", required=False),
)


class InvoiceTableImporter(Importer):
    """Reads invoices from CSV: the columns are ``INVOICE_COLUMNS``."""

    module: ClassVar[type[Module]] = Tax
    settings = SETTINGS

    def recognises(self, source: Source, options: Options) -> bool:
        """By the names in the header."""
        return tables.looks_like(source, INVOICE_COLUMNS, options)

    def rows(self, source: Source, vault: Vault, options: Options) -> Iterator[Row | Refusal]:
        """A row of the table is accepted when its whole invoice is."""
        groups = itertools.groupby(tables.records(source, INVOICE_COLUMNS, options), key=_invoice_of)
        for invoice, group in groups:
            if invoice is None:
                yield from (refusal for refusal in group if isinstance(refusal, Refusal))
            else:
                records = [record for record in group if isinstance(record, Record)]
                yield from _invoice(records, vault, options)

    def export(self, source: Source, options: Options, refused: Mapping[str, tuple[Problem, ...]]) -> str:
        """The refused rows as they stand in the file, with their reasons."""
        return tables.export(source, options, refused)


class RateTableImporter(Importer):
    """Reads VAT rates from CSV: the columns are ``RATE_COLUMNS``."""

    module: ClassVar[type[Module]] = Tax

    def recognises(self, source: Source, options: Options) -> bool:
        """By the names in the header."""
        return tables.looks_like(source, RATE_COLUMNS, options)

    def rows(self, source: Source, vault: Vault, options: Options) -> Iterator[Row | Refusal]:
        """One rate a row."""
        del vault
        return tables.read(source, RATE_COLUMNS, options, _rate_row)

    def export(self, source: Source, options: Options, refused: Mapping[str, tuple[Problem, ...]]) -> str:
        """The refused rows as they stand in the file, with their reasons."""
        return tables.export(source, options, refused)


def _invoice_of(record: Record | Refusal) -> tuple[str, str] | None:
    """What rows of one invoice have in common; None for a row that is no record."""
    return None if isinstance(record, Refusal) else (record.values["seller_vat"], record.values["number"])


def _invoice(records: Sequence[Record], vault: Vault, options: Options) -> Iterator[Row | Refusal]:
    locators = [record.locator for record in records]
    try:
        document = _document(records)
    except BadField as bad:
        yield from (Refusal(locator, (bad.problem,)) for locator in locators)
        return
    yield from rows(document, locators, vault, options)


def _document(records: Sequence[Record]) -> Document:
    head = records[0]
    currency = head.text("currency")
    if not re.fullmatch("[A-Z]{3}", currency):
        raise BadField("BR-CL-04", "currency is no ISO 4217 code")
    groups = tuple(_group(record, currency) for record in records)
    seller = _party(head, "seller")
    issued = head.date("issue_date").isoformat()
    return Document(
        seller=seller,
        buyer=_party(head, "buyer"),
        number=head.text("number"),
        issued=issued,
        type=_type(head.values["type"]),
        currency=currency,
        country=vat_country(seller.vat_number) or seller.country,
        tax_point=head.date("tax_point_date").isoformat() if head.values["tax_point_date"] else issued,
        lines=tuple(Line(group.taxable, group.category, group.rate) for group in groups),
        texts=tuple(record.values["description"] for record in records),
        breakdown=groups,
        totals=_totals(records, groups, currency),
        preceding=(head.values["preceding"],) if head.values["preceding"] else (),
        digest=_digest(records),
    )


def _type(text: str) -> int:
    if not re.fullmatch("[0-9]{0,3}", text):
        raise BadField("BR-CL-01", "type is no code of UNTDID 1001")
    return int(text or "380")


def _group(record: Record, currency: str) -> Breakdown:
    category = record.text("category")
    if category not in CATEGORIES:
        raise BadField("BR-CL-18", f"category is none of {', '.join(CATEGORIES)}")
    taxable, tax = record.amount("taxable", currency), record.amount("tax", currency)
    return Breakdown(taxable, tax, category, _rate(record))


def _rate(record: Record) -> int:
    """Percent in the file, parts per million on the ledger."""
    text = record.values["rate"].removesuffix("%").strip().replace(",", ".") or "0"
    return tables.parse_decimal(text, _PERCENT_DECIMALS, "rate")


def _totals(records: Sequence[Record], groups: Sequence[Breakdown], currency: str) -> Totals:
    """The totals stand in every row of the invoice and must agree."""
    head = records[0]
    names = ("total_net", "total_tax", "total_gross", "prepaid", "rounding", "payable")
    if any(record.values[name] != head.values[name] for record in records for name in names):
        raise BadField("totals-differ", "the totals differ between the rows of the invoice")
    prepaid, rounding = (
        head.amount(name, currency) if head.values[name] else 0 for name in ("prepaid", "rounding")
    )
    gross = head.amount("total_gross", currency)
    payable = head.amount("payable", currency) if head.values["payable"] else gross - prepaid + rounding
    return Totals(
        lines=sum(group.taxable for group in groups),
        net=head.amount("total_net", currency),
        tax=head.amount("total_tax", currency),
        gross=gross,
        prepaid=prepaid,
        rounding=rounding,
        payable=payable,
    )


def _party(record: Record, who: str) -> PartyData:
    vat_number = re.sub(r"[\s.-]", "", record.values[f"{who}_vat"]).upper()
    name = record.values[f"{who}_name"]
    country = record.values[f"{who}_country"] or vat_country(vat_number) or ""
    if who == "seller" and not vat_number:
        raise BadField("BR-CO-26", "seller_vat is empty")
    if not vat_number and not name:
        raise BadField("BR-07", "buyer_vat and buyer_name are empty")
    if (vat_number or country) and not re.fullmatch("[A-Z0-9]{2}", country):
        raise BadField("BR-09" if who == "seller" else "BR-11", f"{who}_country is no ISO 3166-1 code")
    identity = ("vat", vat_number) if vat_number else ("name", name, country)
    return PartyData(identity=identity, country=country, vat_number=vat_number, name=name)


def _digest(records: Sequence[Record]) -> str:
    """SHA-256 of the invoice's rows, whatever the order of columns and the delimiter."""
    values = [sorted(record.values.items()) for record in records]
    return hashlib.sha256(msgspec.json.encode(values)).hexdigest()


def _rate_row(record: Record) -> Row:
    country, category = record.text("country"), record.text("category")
    if not re.fullmatch("[A-Z0-9]{2}", country):
        raise BadField("country-form", "country is no ISO 3166-1 code")
    if category not in CATEGORIES:
        raise BadField("BR-CL-18", f"category is none of {', '.join(CATEGORIES)}")
    until = record.date("valid_until").isoformat() if record.values["valid_until"] else None
    step = SetRate(country, category, _rate(record), record.date("valid_from").isoformat(), until)
    return Row(record.locator, (Step(step, AUTHORITY),))
