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

__all__ = ["Totalled", "broken", "broken_totals", "direction", "inexact", "key"]

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


def key(part: Line | Adjustment | Breakdown) -> tuple[str, int]:
    """What is summed up together: a category and rate; the rate counts only where tax is charged."""
    return part.category, part.rate if CATEGORIES[part.category].rated else 0


def broken(invoice: ReportInvoice) -> Iterator[Finding]:
    """The rules that the invoice breaks, the most telling first."""
    if invoice.type not in INVOICE_TYPES and invoice.type not in CREDIT_TYPES:
        yield "BR-CL-01", f"{invoice.type} is no invoice type code (BT-3)"
    yield from _sums(invoice)
    yield from broken_totals(invoice)
    yield from _accounting(invoice)
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
    used = _taxable(invoice)
    for group in invoice.breakdown:
        exact = _rounded(group.taxable * group.rate)
        if group.tax != exact:
            yield "BR-CO-17", f"BT-117 is {group.tax}, the rate {percent(group.rate)} % gives {exact}"
        expected = used[key(group)]
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
    exact = group.taxable * group.rate
    # The artefacts compare with the product rounded to hundredths of the unit, whatever the currency.
    rounded = _rounded(exact * 100, unit * RATE_ONE) * unit * RATE_ONE
    if group.tax != 0 and not category.rated:
        yield f"BR-{category.rules}-09", f"category {group.category} has tax {group.tax} (BT-117), not 0"
    elif abs(group.tax * RATE_ONE * 100 - rounded) >= 100 * unit * RATE_ONE:
        given = f"the rate {percent(group.rate)} % gives {_rounded(exact)} minor units"
        yield "BR-CO-17", f"BT-117 is {group.tax}, {given}"


def _accounting(invoice: ReportInvoice) -> Iterator[Finding]:
    """BT-111 is what is owed, so it must be BT-110 in another currency: rules of Peppol BIS Billing 3."""
    accounting, tax = invoice.accounting, invoice.totals.tax
    if accounting is None:
        return
    if accounting.currency == invoice.currency:
        yield "PEPPOL-EN16931-R005", f"BT-6 is {accounting.currency}, the currency of the invoice"
    if accounting.tax * tax < 0 or (tax == 0 and accounting.tax != 0):
        message = f"BT-111 is {accounting.tax} where BT-110 is {tax} minor units: their signs differ"
        yield "PEPPOL-EN16931-R055", message


def _rates(invoice: ReportInvoice) -> Iterator[Finding]:
    parts: tuple[tuple[str, Iterable[Line | Adjustment]], ...] = (
        ("05", invoice.lines),
        ("06", invoice.allowances),
        ("07", invoice.charges),
    )
    for suffix, items in parts:
        for item in items:
            category = CATEGORIES[item.category]
            if (item.rate != 0 and not category.rated) or (item.rate == 0 and category.positive):
                message = f"category {item.category} with a rate of {percent(item.rate)} %"
                yield f"BR-{category.rules}-{suffix}", message
                return


def _groups(invoice: ReportInvoice) -> Iterator[Finding]:
    """Each category and rate that is used has its one group in the breakdown, and the sums agree."""
    used = _taxable(invoice)
    yield from _categories(invoice, {category for category, _ in used})
    stated: dict[tuple[str, int], list[int]] = {}
    for group in invoice.breakdown:
        stated.setdefault(key(group), []).append(group.taxable)
    for code, rate in sorted(used.keys() | stated.keys()):
        category = CATEGORIES[code]
        slack = 10 ** exponent(invoice.currency) if category.rated else 1
        found, expected = stated.get((code, rate), []), used[code, rate]
        unused = category.positive and (code, rate) not in used
        if unused or len(found) > 1 or abs(sum(found) - expected) >= slack:
            where = f"{code} at {percent(rate)} %" if category.rated else code
            amounts = " and ".join(map(str, found)) or "missing"
            message = f"BT-116 of category {where} is {amounts}, not {expected} minor units"
            yield f"BR-{category.rules}-08", message


def _categories(invoice: ReportInvoice, used: set[str]) -> Iterator[Finding]:
    """A category is used and broken down, or neither; without a rate it has exactly one group."""
    groups = Counter(group.category for group in invoice.breakdown)
    for code in sorted(used | groups.keys()):
        category = CATEGORIES[code]
        if not groups[code]:
            yield f"BR-{category.rules}-01", f"category {code} is missing from the VAT breakdown"
        elif category.rated and code not in used:
            yield f"BR-{category.rules}-01", f"category {code} is missing from the lines"
        elif groups[code] > 1 and not category.rated:
            message = f"category {code} has {groups[code]} groups in the VAT breakdown, not one"
            yield f"BR-{category.rules}-01", message
    if groups["O"] and len(groups) > 1:
        yield "BR-O-11", "category O stands beside other categories"


def _taxable(invoice: ReportInvoice) -> Counter[tuple[str, int]]:
    """What the lines, allowances and charges come to by category and rate."""
    sums: Counter[tuple[str, int]] = Counter()
    for line in invoice.lines:
        sums[key(line)] += line.net
    for allowance in invoice.allowances:
        sums[key(allowance)] -= allowance.amount
    for charge in invoice.charges:
        sums[key(charge)] += charge.amount
    return sums


def _rounded(scaled: int, one: int = RATE_ONE) -> int:
    """``scaled`` / ``one``, halves away from zero."""
    size = (abs(scaled) * 2 + one) // (2 * one)
    return size if scaled >= 0 else -size
