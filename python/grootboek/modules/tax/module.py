"""The tax module: invariants T1, T2, T3 and T8 on the terms of EN 16931."""

from collections.abc import Iterator
from typing import ClassVar, Final

import msgspec
from msgspec import Struct

from grootboek.ledger.module import Context, Module, Rejected, View, command, query
from grootboek.modules.days import DAY_MS, Day, day_number, month
from grootboek.modules.money import Currency
from grootboek.modules.tax import invariants, rules
from grootboek.modules.tax.codes import CATEGORIES, RATE_ONE, SELF_BILLED_TYPES, percent
from grootboek.modules.tax.rows import (
    INPUT,
    OUTPUT,
    TREASURY,
    AwaitedRow,
    ClaimRow,
    InvoiceRow,
    PaymentRow,
    PeriodRow,
    RateRow,
    TaxpayerRow,
    awaited,
    book,
    claims,
    invoices,
    payments,
    periods,
    rates,
    taxpayers,
)
from grootboek.modules.tax.terms import (
    ClaimInputTax,
    Country,
    InvoiceNumber,
    PayTax,
    RegisterTaxpayer,
    ReportInvoice,
    SetRate,
    TaxpayerId,
)

__all__ = [
    "AUTHORITY",
    "LIMITATION_DAYS",
    "PROVIDER",
    "TAXPAYER",
    "TREASURER",
    "Tax",
]

AUTHORITY: Final = "tax.authority"
TAXPAYER: Final = "tax.taxpayer"
PROVIDER: Final = "tax.provider"
TREASURER: Final = "tax.treasury"

LIMITATION_DAYS: Final = 5 * 365 + 2
"""How long after the tax point input tax can be claimed: five years."""


class InvoiceKey(Struct, frozen=True, forbid_unknown_fields=True):
    """Names an invoice."""

    seller: TaxpayerId
    number: InvoiceNumber


class TaxpayerKey(Struct, frozen=True, forbid_unknown_fields=True):
    """Names a taxpayer."""

    taxpayer: TaxpayerId


class AccountKey(Struct, frozen=True, forbid_unknown_fields=True):
    """Names a taxpayer's account."""

    taxpayer: TaxpayerId
    currency: Currency


class RatesOf(Struct, frozen=True, forbid_unknown_fields=True):
    """Asks for rates: of a country, on a day if one is named."""

    country: Country
    day: Day | None = None


class PeriodKey(Struct, frozen=True, forbid_unknown_fields=True):
    """Names a month's totals."""

    country: Country
    month: str
    """``YYYY-MM``."""
    currency: Currency


class Balance(Struct, frozen=True):
    """What a taxpayer owes in one currency; below zero: what it is owed."""

    currency: str
    owed: int


class Tax(Module):
    """Value added tax: registration, rates, invoices, deduction, payment."""

    name: ClassVar[str] = "tax"
    version: ClassVar[int] = 1
    roles: ClassVar[dict[str, str]] = {
        AUTHORITY: "registers taxpayers and sets rates",
        TAXPAYER: "reports and claims for the taxpayers that its party is registered for",
        PROVIDER: "reports and claims on behalf of any taxpayer",
        TREASURER: "confirms payments",
    }
    reasons: ClassVar[dict[str, str]] = {
        "role-missing": "no signer holds the role that the command needs",
        "not-authorised": "no signer acts for this taxpayer",
        "taxpayer-unknown": "the taxpayer is not registered",
        "taxpayer-exists": "the taxpayer is registered with other particulars",
        "no-such-day": "a date is not in the calendar",
        "rate-dates": "T2: the rate would end before it begins",
        "rate-category": "T2: the category has no rates but zero",
        "rate-not-valid": "T2: the rate is not valid in that country at the tax point",
        "invoice-exists": "T1: the seller reported another document under this number",
        "invoice-unknown": "T3: the seller has not reported the invoice",
        "invoice-cancelled": "T3: credit notes took back all of the invoice's tax, or it is one itself",
        "not-the-buyer": "T3: only the buyer that the invoice names may claim",
        "claim-exists": "T3: this reference was used for a claim on the invoice before",
        "claim-exceeds-tax": "T3: the claims would exceed the deductible share of the invoice's tax",
        "claim-too-late": "T3: the limitation period of five years is over",
        "payment-exists": "T8: this reference was used for a payment of the taxpayer before",
        "unbalanced": "T8: postings do not sum to zero",
        "amount-range": "an amount or balance is too large",
        "br-cl-01": "T2: the document type is none of EN 16931",
        "br-co-10": "T2: BT-106 is not the sum of the lines' net amounts",
        "br-co-11": "T2: BT-107 is not the sum of the allowances",
        "br-co-12": "T2: BT-108 is not the sum of the charges",
        "br-co-13": "T2: BT-109 is not BT-106 - BT-107 + BT-108",
        "br-co-14": "T2: BT-110 is not the sum of the VAT breakdown",
        "br-co-15": "T2: BT-112 is not BT-109 + BT-110",
        "br-co-16": "T2: BT-115 is not BT-112 - BT-113 + BT-114",
        "br-co-17": "T2: a tax amount is not its taxable amount times the rate",
        "peppol-en16931-r005": "T2: the currency of the accounts (BT-6) is that of the invoice",
        "peppol-en16931-r055": "T2: the signs of BT-110 and BT-111 differ",
    } | {
        f"br-{category.rules.lower()}-{number}": f"T2: category {category.code} ({category.name}): {text}"
        for category in CATEGORIES.values()
        for number, text in (
            ("01", "it is used in only one of lines and VAT breakdown, or broken down more than once"),
            ("05", "a line's rate does not fit the category"),
            ("06", "an allowance's rate does not fit the category"),
            ("07", "a charge's rate does not fit the category"),
            ("08", "BT-116 is not what lines, allowances and charges come to"),
            ("09", "its tax must be zero"),
            ("11", "no other category may stand beside it"),
        )
    }
    importers: ClassVar[dict[str, str]] = {
        "ubl": "grootboek.modules.tax.importing.ubl:UblImporter",
        "csv": "grootboek.modules.tax.importing.tables:InvoiceTableImporter",
        "rates": "grootboek.modules.tax.importing.tables:RateTableImporter",
    }

    # --- commands ---------------------------------------------------------------------------------

    @command
    def register_taxpayer(self, ctx: Context, state: View, cmd: RegisterTaxpayer) -> None:
        """Make a taxpayer known. Registered with equal particulars, it stays as it is."""
        ctx.require(AUTHORITY)
        row = TaxpayerRow(cmd.taxpayer, cmd.country, cmd.party, cmd.vat_number, cmd.name, cmd.address)
        known = taxpayers.get(state, cmd.taxpayer)
        if known is None:
            taxpayers.put(state, row, cmd.taxpayer)
        elif known != row:
            raise Rejected("taxpayer-exists", "it has other particulars")

    @command
    def set_rate(self, ctx: Context, state: View, cmd: SetRate) -> None:
        """Set a rate from a day on, or end it; several rates of a category may be valid at once."""
        ctx.require(AUTHORITY)
        for day in (cmd.valid_from, cmd.valid_until or cmd.valid_from):
            day_number(day)
        if cmd.valid_until is not None and cmd.valid_until < cmd.valid_from:
            raise Rejected("rate-dates")
        if cmd.rate != 0 and not CATEGORIES[cmd.category].rated:
            raise Rejected("rate-category", f"category {cmd.category} is never taxed")
        row = RateRow(cmd.country, cmd.category, cmd.rate, cmd.valid_from, cmd.valid_until)
        rates.put(state, row, cmd.country, cmd.category, cmd.rate, cmd.valid_from)

    @command
    def report_invoice(self, ctx: Context, state: View, cmd: ReportInvoice) -> None:
        """Record an invoice and charge its tax to the seller (T1, T2, T8).

        The same document again changes nothing. A credit note takes tax back from the seller, and from
        what can still be claimed on the invoices that it names (BT-25).
        """
        actors = (cmd.seller, cmd.buyer) if cmd.type in SELF_BILLED_TYPES else (cmd.seller,)
        _require_actor(ctx, state, actors)
        taxpayers.require(state, "taxpayer-unknown", cmd.seller)
        known = invoices.get(state, cmd.seller, cmd.number)
        if known is not None and known.document == cmd.document:
            return
        if known is not None:
            raise Rejected("invoice-exists", f"{cmd.number} is another document")
        for day in (cmd.issued, cmd.tax_point):
            day_number(day)
        for rule, detail in rules.broken(cmd):
            raise Rejected(rule.lower(), detail)
        row = _invoice_row(cmd, rates_checked=_check_rates(state, cmd))
        invoices.put(state, row, cmd.seller, cmd.number)
        book.transfer(state, row.tax_currency, OUTPUT, ("taxpayer", cmd.seller), row.tax)
        _count(state, row, invoices=1, output=row.tax)
        if row.tax < 0:
            _credit(state, row)
        else:
            _await_credits(state, row)

    @command
    def claim_input_tax(self, ctx: Context, state: View, cmd: ClaimInputTax) -> None:
        """Deduct the VAT of a reported invoice from what its buyer owes (T3, T8)."""
        _require_actor(ctx, state, (cmd.claimant,))
        taxpayers.require(state, "taxpayer-unknown", cmd.claimant)
        invoice = invoices.require(state, "invoice-unknown", cmd.seller, cmd.number)
        _check_claim(ctx, invoice, cmd)
        if claims.get(state, cmd.seller, cmd.number, cmd.reference) is not None:
            raise Rejected("claim-exists")
        claim = ClaimRow(
            cmd.claimant,
            cmd.seller,
            cmd.number,
            cmd.reference,
            invoice.tax_currency,
            cmd.amount,
            cmd.share,
            ctx.time,
        )
        claims.put(state, claim, cmd.seller, cmd.number, cmd.reference)
        raised = msgspec.structs.replace(invoice, claimed=invoice.claimed + cmd.amount)
        invoices.put(state, raised, cmd.seller, cmd.number)
        book.transfer(state, invoice.tax_currency, ("taxpayer", cmd.claimant), INPUT, cmd.amount)
        _count(state, invoice, input=cmd.amount)

    @command
    def pay_tax(self, ctx: Context, state: View, cmd: PayTax) -> None:
        """Record a payment that the treasury received (T8)."""
        ctx.require(TREASURER)
        taxpayers.require(state, "taxpayer-unknown", cmd.taxpayer)
        day_number(cmd.paid)
        if payments.get(state, cmd.taxpayer, cmd.reference) is not None:
            raise Rejected("payment-exists")
        row = PaymentRow(cmd.taxpayer, cmd.currency, cmd.amount, cmd.paid, cmd.reference)
        payments.put(state, row, cmd.taxpayer, cmd.reference)
        book.transfer(state, cmd.currency, ("taxpayer", cmd.taxpayer), TREASURY, cmd.amount)

    # --- queries ----------------------------------------------------------------------------------

    @query
    def taxpayer(self, state: View, args: TaxpayerKey) -> TaxpayerRow | None:
        """A taxpayer's registration."""
        return taxpayers.get(state, args.taxpayer)

    @query
    def rates(self, state: View, args: RatesOf) -> list[RateRow]:
        """A country's rates, on one day if it is named."""
        found = rates.every(state, args.country)
        return [row for row in found if args.day is None or _valid(row, args.day)]

    @query
    def invoice(self, state: View, args: InvoiceKey) -> InvoiceRow | None:
        """An invoice by seller and number; with a proof of absence: the seller never reported it."""
        return invoices.get(state, args.seller, args.number)

    @query
    def claims(self, state: View, args: InvoiceKey) -> list[ClaimRow]:
        """The claims on an invoice."""
        return list(claims.every(state, args.seller, args.number))

    @query
    def balance(self, state: View, args: AccountKey) -> Balance:
        """What a taxpayer owes: output tax - input tax - payments."""
        return Balance(args.currency, book.balance(state, args.currency, ("taxpayer", args.taxpayer)))

    @query
    def totals(self, state: View, args: PeriodKey) -> PeriodRow:
        """What the invoices of a month come to."""
        found = periods.get(state, args.country, args.month, args.currency)
        return found or PeriodRow(args.country, args.month, args.currency)

    def invariants(self, state: View) -> Iterator[tuple[str, bool]]:
        """T1, T2, T3 and T8, from the rows alone."""
        return invariants.check(state)


def _require_actor(ctx: Context, state: View, actors: tuple[bytes, ...]) -> None:
    """A signer must be a provider, or the party of one of these taxpayers."""
    if any(signer.party is not None and PROVIDER in signer.roles for signer in ctx.signers):
        return
    rows = [taxpayers.get(state, actor) for actor in actors]
    parties = {row.party for row in rows if row is not None and row.party is not None}
    if not any(signer.party in parties and TAXPAYER in signer.roles for signer in ctx.signers):
        raise Rejected("not-authorised", f"needs {PROVIDER}, or {TAXPAYER} of the taxpayer's own party")


def _valid(row: RateRow, day: Day) -> bool:
    return row.valid_from <= day and (row.valid_until is None or day <= row.valid_until)


def _check_rates(state: View, cmd: ReportInvoice) -> bool:
    """Whether every rate could be compared; raises Rejected where one is not valid."""
    checked = [_check_rate(state, cmd, *rules.key(group)) for group in cmd.breakdown]
    return all(checked)


def _check_rate(state: View, cmd: ReportInvoice, category: str, rate: int) -> bool:
    """The rate must be valid at the tax point in the country or the destination.

    A country of which the authority set no rate in this category is none that it can judge: nothing
    is compared then, and the invoice says so (``rates_checked``).
    """
    countries = (cmd.country,) if cmd.destination is None else (cmd.country, cmd.destination)
    judged = False
    for country in countries:
        if any(_valid(row, cmd.tax_point) for row in rates.every(state, country, category, rate)):
            return True
        judged = judged or next(rates.scan(state, country, category, limit=1), None) is not None
    if judged:
        where = " or ".join(countries)
        raise Rejected("rate-not-valid", f"{category} {percent(rate)} % in {where} on {cmd.tax_point}")
    return False


def _invoice_row(cmd: ReportInvoice, *, rates_checked: bool) -> InvoiceRow:
    accounting = cmd.accounting
    tax = cmd.totals.tax if accounting is None else accounting.tax
    return InvoiceRow(
        seller=cmd.seller,
        number=cmd.number,
        issued=cmd.issued,
        type=cmd.type,
        currency=cmd.currency,
        buyer=cmd.buyer,
        country=cmd.country,
        tax_point=cmd.tax_point,
        breakdown=cmd.breakdown,
        totals=cmd.totals,
        preceding=cmd.preceding,
        document=cmd.document,
        texts=cmd.texts,
        tax_currency=cmd.currency if accounting is None else accounting.currency,
        tax=rules.direction(cmd.type) * tax,
        rates_checked=rates_checked,
    )


def _credit(state: View, credit: InvoiceRow) -> None:
    """Take the credited tax from the invoices that the credit names, in that order.

    What is not reported yet is awaited, so that the order of reports gives nobody more to claim.
    """
    for number in credit.preceding:
        row = invoices.get(state, credit.seller, number)
        if row is None:
            missing = AwaitedRow(credit.seller, number, credit.number)
            awaited.put(state, missing, credit.seller, number, credit.number)
        else:
            credit, _ = _take_back(state, credit, row)


def _await_credits(state: View, row: InvoiceRow) -> None:
    """Take from a new invoice what credit notes took back before it was reported."""
    for early in list(awaited.every(state, row.seller, row.number)):
        awaited.delete(state, row.seller, row.number, early.credit)
        credit = invoices.require(state, "invoice-unknown", row.seller, early.credit)
        _, row = _take_back(state, credit, row)


def _take_back(state: View, credit: InvoiceRow, row: InvoiceRow) -> tuple[InvoiceRow, InvoiceRow]:
    """Move what is left of the credit, as far as it goes, to the invoice; both as they are then."""
    part = max(0, min(-credit.tax - credit.credited, row.tax - row.credited))
    if part == 0 or row.tax_currency != credit.tax_currency:
        return credit, row
    credit, row = (msgspec.structs.replace(one, credited=one.credited + part) for one in (credit, row))
    for one in (credit, row):
        invoices.put(state, one, one.seller, one.number)
    return credit, row


def _check_claim(ctx: Context, invoice: InvoiceRow, cmd: ClaimInputTax) -> None:
    if invoice.buyer != cmd.claimant:
        raise Rejected("not-the-buyer")
    tax = invoice.tax - invoice.credited
    if tax <= 0:
        raise Rejected("invoice-cancelled")
    if (invoice.claimed + cmd.amount) * RATE_ONE > tax * cmd.share:
        raise Rejected("claim-exceeds-tax", f"{invoice.claimed} of {tax} minor units are claimed")
    if ctx.time // DAY_MS - day_number(invoice.tax_point) > LIMITATION_DAYS:
        raise Rejected("claim-too-late", f"the tax point is {invoice.tax_point}")


def _count(state: View, row: InvoiceRow, **more: int) -> None:
    """Add to the totals of the invoice's month."""
    key = (row.country, month(row.tax_point), row.tax_currency)
    known = periods.get(state, *key) or PeriodRow(*key)
    raised = {name: getattr(known, name) + amount for name, amount in more.items()}
    periods.put(state, msgspec.structs.replace(known, **raised), *key)
