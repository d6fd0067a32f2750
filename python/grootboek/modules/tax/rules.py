"""The arithmetic of EN 16931 in integer minor units (T2), one rule a line, named as the standard does.

The ledger refuses what these rules name, importers report it beforehand. Where the validation artefacts
published with the standard (ConnectingEurope/eInvoicing-EN16931) leave a slack of less than one unit of
the currency (tax of a rate: BR-CO-17; taxable amount of a rated category: BR-S-08, BR-AF-08, BR-AG-08),
so do these: an invoice that they call valid is valid here. ``inexact`` names what used the slack.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Protocol

from grootboek.modules.money import exponent
from grootboek.modules.tax.codes import CATEGORIES, CREDIT_TYPES, INVOICE_TYPES, RATE_ONE, percent
from grootboek.modules.tax.terms import Adjustment, Breakdown, Line, ReportInvoice, Totals

__all__ = ["Totalled", "broken", "broken_totals", "direction", "inexact"]

Finding = tuple[str, str]
"""A rule's id and what is wrong, for a person."""


class Totalled(Protocol):
    """What has a currency, a VAT breakdown and totals."""

    @property
    def currency(self) -> str:
        """BT-5."""

    @property
    def breakdown(self) -> tuple[Breakdown, ...]:
        """BG-23."""

    @property
    def totals(self) -> Totals:
        """BG-22."""


def direction(type_code: int) -> int:
    """1 where the amounts are charged to the buyer, -1 where they are given back."""
    return -1 if type_code in CREDIT_TYPES else 1


def broken(invoice: ReportInvoice) -> Iterator[Finding]:
    """The rules that the invoice breaks, the most telling first."""
    if invoice.type not in INVOICE_TYPES and invoice.type not in CREDIT_TYPES:
        yield "BR-CL-01", f"{invoice.type} is no invoice type code (BT-3)"
    yield from _sums(invoice)
    yield from broken_totals(invoice)
    yield from _rates(invoice)
    yield from _groups(invoice)


def broken_totals(invoice: Totalled) -> Iterator[Finding]:
    """The rules between totals and VAT breakdown."""
    totals = invoice.totals
    yield from _equal("BR-CO-13", "BT-109", totals.net, totals.lines - totals.allowances + totals.charges)
    yield from _equal("BR-CO-14", "BT-110", totals.tax, sum(group.tax for group in invoice.breakdown))
    yield from _equal("BR-CO-15", "BT-112", totals.gross, totals.net + totals.tax)
    yield from _equal("BR-CO-16", "BT-115", totals.payable, totals.gross - totals.prepaid + totals.rounding)
    for group in invoice.breakdown:
        yield from _tax(group, 10 ** exponent(invoice.currency))


def inexact(invoice: ReportInvoice) -> Iterator[Finding]:
    """Amounts that are not exact but within the slack of the published validation artefacts."""
    for group in invoice.breakdown:
        exact = _rounded(group.taxable * group.rate)
        if group.tax != exact:
            yield "BR-CO-17", f"BT-117 is {group.tax}, the rate {percent(group.rate)} % gives {exact}"
        expected = _taxable(invoice)[group.category, group.rate]
        if group.taxable != expected:
            yield f"BR-{CATEGORIES[group.category].rules}-08", f"BT-116 is {group.taxable}, not {expected}"


def _equal(rule: str, term: str, found: int, expected: int) -> Iterator[Finding]:
    if found != expected:
        yield rule, f"{term} is {found}, not {expected} minor units"


def _sums(invoice: ReportInvoice) -> Iterator[Finding]:
    totals = invoice.totals
    yield from _equal("BR-CO-10", "BT-106", totals.lines, sum(line.net for line in invoice.lines))
    allowances, charges = _amount(invoice.allowances), _amount(invoice.charges)
    yield from _equal("BR-CO-11", "BT-107", totals.allowances, allowances)
    yield from _equal("BR-CO-12", "BT-108", totals.charges, charges)


def _amount(adjustments: Iterable[Adjustment]) -> int:
    return sum(adjustment.amount for adjustment in adjustments)


def _tax(group: Breakdown, unit: int) -> Iterator[Finding]:
    category = CATEGORIES[group.category]
    if not category.rated:
        if group.tax != 0:
            yield f"BR-{category.rules}-09", f"category {group.category} has tax {group.tax} (BT-117), not 0"
    elif abs(group.tax * RATE_ONE - group.taxable * group.rate) >= unit * RATE_ONE:
        exact = _rounded(group.taxable * group.rate)
        message = f"BT-117 is {group.tax}, the rate {percent(group.rate)} % gives {exact} minor units"
        yield "BR-CO-17", message


def _rates(invoice: ReportInvoice) -> Iterator[Finding]:
    parts: tuple[tuple[str, Iterable[Line | Adjustment | Breakdown]], ...] = (
        ("05", invoice.lines),
        ("06", invoice.allowances),
        ("07", invoice.charges),
        ("05", invoice.breakdown),
    )
    for suffix, items in parts:
        for item in items:
            category = CATEGORIES[item.category]
            if (item.rate != 0 and not category.rated) or (item.rate == 0 and category.positive):
                message = f"category {item.category} with a rate of {percent(item.rate)} %"
                yield f"BR-{category.rules}-{suffix}", message
                return


def _groups(invoice: ReportInvoice) -> Iterator[Finding]:
    """Each category and rate that is used has its group in the breakdown, and the sums agree."""
    used = _taxable(invoice)
    groups = Counter((group.category, group.rate) for group in invoice.breakdown)
    for category, rate in sorted(used.keys() ^ groups.keys()):
        where = "the lines" if (category, rate) in groups else "the VAT breakdown"
        rule = f"BR-{CATEGORIES[category].rules}-01"
        yield rule, f"category {category} at {percent(rate)} % is missing from {where}"
    for group in invoice.breakdown:
        rated = CATEGORIES[group.category].rated
        slack = 10 ** exponent(invoice.currency) if rated else 1
        expected = used.get((group.category, group.rate), 0)
        if abs(group.taxable - expected) >= slack:
            rule = f"BR-{CATEGORIES[group.category].rules}-08"
            yield rule, f"BT-116 is {group.taxable}, not {expected} minor units"
    if any(category == "O" for category, _ in groups) and len(groups) > 1:
        yield "BR-O-11", "category O stands beside other categories"


def _taxable(invoice: ReportInvoice) -> Counter[tuple[str, int]]:
    """What the lines, allowances and charges come to by category and rate."""
    sums: Counter[tuple[str, int]] = Counter()
    for line in invoice.lines:
        sums[line.category, line.rate] += line.net
    for allowance in invoice.allowances:
        sums[allowance.category, allowance.rate] -= allowance.amount
    for charge in invoice.charges:
        sums[charge.category, charge.rate] += charge.amount
    return sums


def _rounded(scaled: int) -> int:
    """``scaled`` / RATE_ONE, halves away from zero."""
    size = (abs(scaled) * 2 + RATE_ONE) // (2 * RATE_ONE)
    return size if scaled >= 0 else -size
