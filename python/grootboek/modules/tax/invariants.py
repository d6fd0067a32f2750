"""T1, T2, T3 and T8, recomputed from the rows of the state."""

from collections import Counter
from collections.abc import Iterator

from grootboek.ledger.module import View
from grootboek.modules.days import month
from grootboek.modules.tax import rules
from grootboek.modules.tax.codes import RATE_ONE
from grootboek.modules.tax.rows import InvoiceRow, book, claims, invoices, payments, periods

__all__ = ["check"]


def check(state: View) -> Iterator[tuple[str, bool]]:
    """Each invariant's id and whether it holds."""
    reported = list(invoices.every(state))
    yield "T1", all(invoices.get(state, row.seller, row.number) == row for row in reported)
    yield "T2", not any(True for row in reported for _ in rules.broken_totals(row))
    yield "T3", _credits_hold(reported) and all(_claims_hold(state, row) for row in reported)
    yield "T8", book.holds(state) and _accounts_hold(state, reported)
    yield "T8-periods", _periods_hold(state, reported)


def _claims_hold(state: View, row: InvoiceRow) -> bool:
    """Claims are the buyer's own, never above the tax, and what the invoice counts."""
    made = list(claims.every(state, row.seller, row.number))
    within = row.claimed <= max(0, row.tax) and all(
        claim.claimant == row.buyer and claim.amount * RATE_ONE <= row.tax * claim.share for claim in made
    )
    return within and row.claimed == sum(claim.amount for claim in made)


def _credits_hold(reported: list[InvoiceRow]) -> bool:
    """What credit notes took back is missing from invoices of their seller, never more than the tax."""
    sums: Counter[tuple[bytes, str]] = Counter()
    for row in reported:
        sums[row.seller, row.tax_currency] += row.credited if row.tax > 0 else -row.credited
    return not any(sums.values()) and all(0 <= row.credited <= abs(row.tax) for row in reported)


def _accounts_hold(state: View, reported: list[InvoiceRow]) -> bool:
    """Each account is output - input - payments."""
    owed: Counter[tuple[str, bytes]] = Counter()
    for row in reported:
        owed[row.tax_currency, row.seller] += row.tax
    for claim in claims.every(state):
        owed[claim.currency, claim.claimant] -= claim.amount
    for payment in payments.every(state):
        owed[payment.currency, payment.taxpayer] -= payment.amount
    return all(
        book.balance(state, currency, ("taxpayer", taxpayer)) == amount
        for (currency, taxpayer), amount in owed.items()
    )


def _periods_hold(state: View, reported: list[InvoiceRow]) -> bool:
    sums: dict[tuple[str, str, str], tuple[int, int, int]] = {}
    for row in reported:
        key = (row.country, month(row.tax_point), row.tax_currency)
        count, output, claimed = sums.get(key, (0, 0, 0))
        sums[key] = (count + 1, output + row.tax, claimed + row.claimed)
    kept = {
        (row.country, row.month, row.currency): (row.invoices, row.output, row.input)
        for row in periods.every(state)
    }
    return kept == sums
