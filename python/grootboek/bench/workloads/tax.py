"""``tax``: taxpayers file invoices and deduct input tax, the treasury confirms payments."""

from collections.abc import Iterator, Sequence
from typing import Final

from grootboek.bench.workloads.workload import (
    REGISTRAR,
    Draft,
    Office,
    Roles,
    Workload,
    encoded,
    known_id,
    offices,
    packed,
    registered,
    today,
)
from grootboek.modules.tax import Tax
from grootboek.modules.tax.codes import RATE_ONE
from grootboek.modules.tax.module import AUTHORITY, TAXPAYER, TREASURER
from grootboek.modules.tax.terms import (
    Breakdown,
    ClaimInputTax,
    Line,
    PayTax,
    RegisterTaxpayer,
    ReportInvoice,
    SetRate,
    Totals,
)

__all__ = ["COUNTRY", "TaxWorkload", "payment"]

COUNTRY: Final = "NL"
CURRENCY: Final = "EUR"
RATE: Final = 210_000
SALE: Final = 10_000
"""Net amount of an everyday invoice, in cents."""
LARGE_SALE: Final = 10**12
"""Of the invoices that all claims are made on: a cent at a time never uses up their tax."""
_MIX: Final = 4


class TaxWorkload(Workload):
    """Of four transactions two are invoices, one is a claim and one a payment.

    Each taxpayer is a party with a key, and has sold the next one something large before the clock starts:
    that is what the buyer claims input tax of.
    """

    name = "tax"
    modules = ("parties", "tax")

    def __init__(self, keys: int) -> None:
        treasuries = max(1, keys // 10)
        self._treasuries = offices("tax treasury", treasuries)
        self._taxpayers = offices("taxpayer", max(2, keys - treasuries))
        self._today = today()

    def prepare(self, roles: Roles, _count: int) -> Iterator[Sequence[Draft]]:
        """Parties; then taxpayers and the rate; then the large sales."""
        registrar, authority = roles[REGISTRAR], roles[AUTHORITY]
        yield [
            *registered(registrar, self._treasuries, TREASURER),
            *registered(registrar, self._taxpayers, TAXPAYER),
        ]
        rate = SetRate(COUNTRY, "S", RATE, "2019-01-01")
        known = (RegisterTaxpayer(one.party, COUNTRY, one.party) for one in self._taxpayers)
        yield packed(authority, (encoded(Tax, one) for one in (rate, *known)))
        yield [
            Draft(seller.key, (encoded(Tax, self._invoice(place, "large", LARGE_SALE)),))
            for place, seller in enumerate(self._taxpayers)
        ]

    def transactions(self, count: int) -> Iterator[Draft]:
        """See Workload."""
        for number in range(count):
            turn, kind = divmod(number, _MIX)
            if kind == 0:
                yield self._claim(turn)
            elif kind == 1:
                yield payment(self._treasuries, self._taxpayers, turn, self._today)
            else:
                yield self._sale(number)

    def _sale(self, number: int) -> Draft:
        place = number % len(self._taxpayers)
        return Draft(self._taxpayers[place].key, (encoded(Tax, self._invoice(place, f"{number:08}", SALE)),))

    def _claim(self, turn: int) -> Draft:
        place = turn % len(self._taxpayers)
        claimant = self._buyer(place)
        command = ClaimInputTax(
            claimant.party, self._taxpayers[place].party, "large", reference=f"{turn:08}", amount=1
        )
        return Draft(claimant.key, (encoded(Tax, command),))

    def _buyer(self, place: int) -> Office:
        return self._taxpayers[(place + 1) % len(self._taxpayers)]

    def _invoice(self, place: int, number: str, net: int) -> ReportInvoice:
        tax = net * RATE // RATE_ONE
        return ReportInvoice(
            seller=self._taxpayers[place].party,
            number=number,
            issued=self._today,
            type=380,
            currency=CURRENCY,
            buyer=self._buyer(place).party,
            country=COUNTRY,
            tax_point=self._today,
            lines=(Line(net, "S", RATE),),
            breakdown=(Breakdown(net, tax, "S", RATE),),
            totals=Totals(lines=net, net=net, tax=tax, gross=net + tax, payable=net + tax),
            document=2 * known_id(f"document {number}", place),
        )


def payment(treasuries: Sequence[Office], taxpayers: Sequence[Office], turn: int, day: str) -> Draft:
    """A treasury's confirmation that a taxpayer paid a cent: the ``turn``-th one."""
    taxpayer = taxpayers[turn % len(taxpayers)].party
    command = PayTax(taxpayer, CURRENCY, amount=1, paid=day, reference=f"{turn:08}")
    return Draft(treasuries[turn % len(treasuries)].key, (encoded(Tax, command),))
