"""A small world for tests of the tax module."""

from typing import Any

from msgspec.structs import replace

from grootboek.ledger.module import Signer
from grootboek.modules.days import DAY_MS, day_number
from grootboek.modules.tax import Tax
from grootboek.modules.tax.module import AUTHORITY, PROVIDER, TAXPAYER, TREASURER
from grootboek.modules.tax.terms import Breakdown, Line, RegisterTaxpayer, ReportInvoice, SetRate, Totals
from tests.modules.memory_view import APPLIED, Host, signer

SELLER, BUYER, STRANGER = b"s" * 16, b"b" * 16, b"x" * 16
PARTY = b"P" * 16
AUTHORITY_KEY = signer(b"A" * 16, AUTHORITY)
PROVIDER_KEY = signer(b"V" * 16, PROVIDER)
TREASURY_KEY = signer(b"T" * 16, TREASURER)
OWN_KEY = signer(PARTY, TAXPAYER)
NOBODY = signer(None, key=b"n" * 32)

DAY = "2026-03-01"
TIME = day_number(DAY) * DAY_MS
NORMAL, REDUCED = 210_000, 90_000


def world(*, rates: bool = True) -> Host:
    """Seller and buyer are registered; 21 % and 9 % are valid in NL."""
    host = Host(Tax(), time=TIME)
    assert host.run(RegisterTaxpayer(SELLER, "NL", PARTY), AUTHORITY_KEY) == APPLIED
    assert host.run(RegisterTaxpayer(BUYER, "NL"), AUTHORITY_KEY) == APPLIED
    for rate in (NORMAL, REDUCED) if rates else ():
        assert host.run(SetRate("NL", "S", rate, "2019-01-01"), AUTHORITY_KEY) == APPLIED
    return host


def invoice(number: str = "1", net: int = 10_000, **changes: Any) -> ReportInvoice:
    """100.00 at 21 %, unless ``net`` says otherwise."""
    tax = (net * NORMAL + 500_000) // 1_000_000
    made = ReportInvoice(
        seller=SELLER,
        number=number,
        issued=DAY,
        type=380,
        currency="EUR",
        buyer=BUYER,
        country="NL",
        tax_point=DAY,
        lines=(Line(net, "S", NORMAL),),
        breakdown=(Breakdown(net, tax, "S", NORMAL),),
        totals=Totals(lines=net, net=net, tax=tax, gross=net + tax, payable=net + tax),
        document=number.encode().ljust(32, b"d")[:32],
    )
    return replace(made, **changes)


def zero(category: str, number: str = "1", net: int = 10_000) -> ReportInvoice:
    """An invoice of a category without tax."""
    return invoice(
        number,
        lines=(Line(net, category, 0),),
        breakdown=(Breakdown(net, 0, category, 0),),
        totals=Totals(lines=net, net=net, tax=0, gross=net, payable=net),
    )


def report(host: Host, made: ReportInvoice, by: Signer = PROVIDER_KEY) -> str:
    return host.run(made, by)
