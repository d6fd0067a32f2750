"""The commands of the tax module, with the business terms of EN 16931-1 (``BT-``, ``BG-``).

Amounts are integers in minor units of their currency; rates are parts per million; sellers and buyers
are random taxpayer ids; names, addresses, VAT numbers and texts are salted commitments.
"""

from typing import Annotated

from msgspec import Meta, Struct

from grootboek.modules.commitments import Commitment
from grootboek.modules.days import Day
from grootboek.modules.money import AMOUNT_LIMIT, Amount, Currency
from grootboek.modules.tax.codes import RATE_ONE

__all__ = [
    "Accounting",
    "Adjustment",
    "Breakdown",
    "CategoryCode",
    "ClaimInputTax",
    "Country",
    "InvoiceNumber",
    "Line",
    "PartyId",
    "PayTax",
    "Rate",
    "Reference",
    "RegisterTaxpayer",
    "ReportInvoice",
    "SetRate",
    "TaxpayerId",
    "Totals",
]

TaxpayerId = Annotated[bytes, Meta(min_length=16, max_length=16)]
"""A random pseudonym; whose it is, the vaults of the tax authority and of the parties know."""

PartyId = Annotated[bytes, Meta(min_length=16, max_length=16)]
"""The id of a party of the ledger."""

Country = Annotated[str, Meta(pattern=r"^[A-Z0-9]{2}$(?!\n)")]
"""ISO 3166-1 alpha-2, and what EN 16931 adds to it (``1A`` Kosovo, ``XI`` Northern Ireland)."""

CategoryCode = Annotated[str, Meta(pattern=r"^(S|Z|E|AE|K|G|O|L|M|B)$(?!\n)")]
"""UNCL 5305, the subset of EN 16931 (``codes.CATEGORIES``)."""

Rate = Annotated[int, Meta(ge=0, le=RATE_ONE)]
"""Parts per million: 21 % is 210,000."""

InvoiceNumber = Annotated[str, Meta(min_length=1, max_length=120)]
Reference = Annotated[str, Meta(min_length=1, max_length=64)]
Positive = Annotated[int, Meta(gt=0, lt=AMOUNT_LIMIT)]
TypeCode = Annotated[int, Meta(ge=1, le=999)]


class RegisterTaxpayer(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The authority makes a taxpayer known. The same again changes nothing."""

    taxpayer: TaxpayerId
    country: Country
    """Where the taxpayer is registered (BT-40, or the prefix of BT-31)."""
    party: PartyId | None = None
    """The party that acts for the taxpayer without a service provider."""
    vat_number: Commitment | None = None
    """To BT-31, BT-48 or BT-63."""
    name: Commitment | None = None
    """To BT-27 or BT-44."""
    address: Commitment | None = None
    """To the postal address, BG-5 or BG-8."""


class SetRate(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The authority sets a rate of a country, or (same country, category, rate, start) ends it."""

    country: Country
    category: CategoryCode
    rate: Rate
    valid_from: Day
    valid_until: Day | None = None
    """The last day; None while no end is known."""


class Line(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Invoice line, BG-25. Lines of one category and rate may be merged where there are many."""

    net: Amount
    """BT-131, line net amount."""
    category: CategoryCode
    """BT-151."""
    rate: Rate
    """BT-152; 0 where there is none."""


class Adjustment(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Allowance (BG-20) or charge (BG-21) on document level."""

    amount: Amount
    """BT-92 or BT-99."""
    category: CategoryCode
    """BT-95 or BT-102."""
    rate: Rate
    """BT-96 or BT-103; 0 where there is none."""


class Breakdown(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """VAT breakdown of one category and rate, BG-23."""

    taxable: Amount
    """BT-116."""
    tax: Amount
    """BT-117."""
    category: CategoryCode
    """BT-118."""
    rate: Rate
    """BT-119; 0 where there is none."""


class Totals(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True):
    """Document totals, BG-22. What the document leaves out is 0."""

    lines: Amount
    """BT-106, sum of line net amounts."""
    allowances: Amount = 0
    """BT-107."""
    charges: Amount = 0
    """BT-108."""
    net: Amount
    """BT-109, total without VAT."""
    tax: Amount
    """BT-110, total VAT amount."""
    gross: Amount
    """BT-112, total with VAT."""
    prepaid: Amount = 0
    """BT-113."""
    rounding: Amount = 0
    """BT-114."""
    payable: Amount
    """BT-115."""


class Accounting(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """VAT in the currency of the seller's accounts, where that is not the invoice's."""

    currency: Currency
    """BT-6."""
    tax: Amount
    """BT-111."""


class ReportInvoice(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True):
    """An invoice or credit note is reported, once for each seller and number (T1, T2)."""

    seller: TaxpayerId
    """BT-31: whose output tax it is (the tax representative's principal, if there is one)."""
    number: InvoiceNumber
    """BT-1."""
    issued: Day
    """BT-2."""
    type: TypeCode
    """BT-3 (UNTDID 1001): 380 invoice, 381 credit note, 384 corrected invoice, 389 self-billed..."""
    currency: Currency
    """BT-5."""
    buyer: TaxpayerId
    """BT-48, or the pseudonym of a buyer without VAT number."""
    country: Country
    """Whose VAT is charged: the prefix of BT-31 or BT-63, else BT-40."""
    destination: Country | None = None
    """BT-80: where goods are delivered to; its rates are admitted too (distance sales)."""
    tax_point: Day
    """BT-7, or the date that BT-8 names, else BT-2."""
    lines: Annotated[tuple[Line, ...], Meta(min_length=1, max_length=1_000)]
    allowances: Annotated[tuple[Adjustment, ...], Meta(max_length=200)] = ()
    charges: Annotated[tuple[Adjustment, ...], Meta(max_length=200)] = ()
    breakdown: Annotated[tuple[Breakdown, ...], Meta(min_length=1, max_length=100)]
    totals: Totals
    accounting: Accounting | None = None
    preceding: Annotated[tuple[InvoiceNumber, ...], Meta(max_length=100)] = ()
    """BT-25: the seller's earlier invoices that this one corrects or credits."""
    document: Commitment
    """To the SHA-256 (hex) of the original document."""
    texts: Commitment | None = None
    """``commit_all`` of one commitment for each line's text."""


class ClaimInputTax(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The buyer deducts VAT of an invoice (T3)."""

    claimant: TaxpayerId
    seller: TaxpayerId
    number: InvoiceNumber
    reference: Reference
    """The claimant's own, once for each invoice."""
    amount: Positive
    share: Rate = RATE_ONE
    """The deductible share of the invoice's VAT, parts per million."""


class PayTax(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The treasury confirms that a taxpayer paid."""

    taxpayer: TaxpayerId
    currency: Currency
    amount: Positive
    paid: Day
    """Value date."""
    reference: Reference
    """The treasury's, once for each taxpayer."""
