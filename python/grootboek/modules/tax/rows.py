"""What the tax module keeps in its state."""

from msgspec import Struct

from grootboek.ledger.module import Table
from grootboek.modules.commitments import Commitment
from grootboek.modules.days import Day
from grootboek.modules.money import Book
from grootboek.modules.tax.terms import Breakdown, TaxpayerId, Totals

__all__ = [
    "INPUT",
    "OUTPUT",
    "TREASURY",
    "AwaitedRow",
    "ClaimRow",
    "InvoiceRow",
    "PaymentRow",
    "PeriodRow",
    "RateRow",
    "TaxpayerRow",
    "awaited",
    "book",
    "claims",
    "invoices",
    "payments",
    "periods",
    "rates",
    "taxpayers",
]


class TaxpayerRow(Struct, frozen=True, array_like=True):
    """A registered taxpayer."""

    taxpayer: TaxpayerId
    country: str
    party: bytes | None
    vat_number: Commitment | None
    name: Commitment | None
    address: Commitment | None


class RateRow(Struct, frozen=True, array_like=True):
    """One rate and the days on which it is valid, both inclusive."""

    country: str
    category: str
    rate: int
    valid_from: Day
    valid_until: Day | None


class InvoiceRow(Struct, frozen=True, array_like=True, kw_only=True):
    """A reported invoice; its lines are in the log only."""

    seller: TaxpayerId
    number: str
    issued: Day
    type: int
    currency: str
    buyer: TaxpayerId
    country: str
    tax_point: Day
    breakdown: tuple[Breakdown, ...]
    totals: Totals
    preceding: tuple[str, ...]
    document: Commitment
    texts: Commitment | None
    tax_currency: str
    """The currency in which the tax is owed: BT-6, else BT-5."""
    tax: int
    """The output tax it charges to the seller, signed: BT-111, else BT-110; below zero for a credit."""
    rates_checked: bool
    """False where the authority has set no rate of that country and category, so none was compared."""
    credited: int = 0
    """Tax that credit notes took back; of a credit note, what it took back from invoices so far."""
    claimed: int = 0
    """Input tax that the buyer claimed."""


class AwaitedRow(Struct, frozen=True, array_like=True):
    """An invoice that a credit note names and that is not reported yet."""

    seller: TaxpayerId
    number: str
    credit: str
    """The credit note's number."""


class ClaimRow(Struct, frozen=True, array_like=True):
    """One claim of input tax."""

    claimant: TaxpayerId
    seller: TaxpayerId
    number: str
    reference: str
    currency: str
    amount: int
    share: int
    time: int
    """Agreed time of the claim, milliseconds since 1970."""


class PaymentRow(Struct, frozen=True, array_like=True):
    """One payment of a taxpayer."""

    taxpayer: TaxpayerId
    currency: str
    amount: int
    paid: Day
    reference: str


class PeriodRow(Struct, frozen=True, array_like=True):
    """What the invoices with a tax point in one month come to, by country and currency of the tax."""

    country: str
    month: str
    """``YYYY-MM`` of the tax point."""
    currency: str
    invoices: int = 0
    output: int = 0
    """Output tax reported."""
    input: int = 0
    """Input tax claimed against these invoices."""


taxpayers = Table("taxpayer", TaxpayerRow)
rates = Table("rate", RateRow)
invoices = Table("invoice", InvoiceRow)
awaited = Table("awaited", AwaitedRow)
claims = Table("claim", ClaimRow)
payments = Table("payment", PaymentRow)
periods = Table("period", PeriodRow)
book = Book()

OUTPUT = ("output",)
INPUT = ("input",)
TREASURY = ("treasury",)
