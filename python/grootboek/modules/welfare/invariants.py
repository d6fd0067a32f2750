"""W1, W2, W5 and W6, recomputed from the rows of the state."""

import itertools
from collections.abc import Iterable, Iterator

from grootboek.ledger.module import View
from grootboek.modules.welfare import enrolment
from grootboek.modules.welfare.periods import overlap
from grootboek.modules.welfare.rows import (
    AccountRow,
    EnrolmentRow,
    EntitlementRow,
    ExclusionRow,
    accounts,
    appropriations,
    budget,
    enrolments,
    entitlements,
    exclusions,
    payments,
    schemes,
)

__all__ = ["check"]


def check(state: View) -> Iterator[tuple[str, bool]]:
    """Each invariant's id and whether it holds."""
    yield "W1", budget.holds(state) and all(_covered(state, row.scheme) for row in schemes.every(state))
    yield "W2", _apart(enrolments.every(state)) and _apart(exclusions.every(state))
    yield "W5", all(_paid_once(state, row) for row in entitlements.every(state))
    yield (
        "W6",
        _accounts_hold(state)
        and all(
            _account_at(state, row.scheme, row.beneficiary, row.time) == row.account
            for row in payments.every(state)
        ),
    )


def _covered(state: View, scheme: str) -> bool:
    """What was granted and is not paid, and what was paid, are within the appropriations."""
    line = budget.line(state, (scheme,))
    due = list(entitlements.every(state, scheme))
    return (
        line.granted == sum(row.amount for row in appropriations.every(state, scheme))
        and line.reserved == sum(row.amount for row in due if row.status != "paid")
        and line.consumed == sum(row.amount for row in payments.every(state, scheme) if row.status == "ok")
        and line.reserved + line.consumed <= line.granted
    )


def _paid_once(state: View, row: EntitlementRow) -> bool:
    """Attempts are 1, 2, 3...; all but the last were returned, and the last agrees with the status."""
    made = list(payments.every(state, row.scheme, row.beneficiary, row.period, row.component))
    numbered = [payment.attempt for payment in made] == list(range(1, row.attempts + 1))
    status = {"open": "returned", "instructed": "instructed", "paid": "ok"}[row.status]
    last = made[-1].status == status if made else row.status == "open"
    same = all(payment.amount == row.amount for payment in made)
    return numbered and last and same and all(payment.status == "returned" for payment in made[:-1])


def _account_at(state: View, scheme: str, beneficiary: bytes, time: int) -> bytes | None:
    found = enrolment.payable(state, scheme, beneficiary, time)
    return None if found is None else found.account


def _accounts_hold(state: View) -> bool:
    """Each changed account was approved by another party and cooled off."""
    return all(_approved(state, row) for row in accounts.every(state) if row.number > 0)


def _approved(state: View, row: AccountRow) -> bool:
    if row.payable_from is None:
        return row.approved_by is None
    scheme = schemes.get(state, row.scheme)
    cooled = scheme is not None and row.payable_from >= row.linked_at + scheme.cooling_off_ms
    return cooled and row.approved_by not in {None, row.linked_by}


_Range = EnrolmentRow | ExclusionRow


def _whose(row: _Range) -> tuple[str, bytes]:
    return (row.scheme, row.beneficiary) if isinstance(row, EnrolmentRow) else (row.set, row.tag)


def _apart(rows: Iterable[_Range]) -> bool:
    """Rows of one person, in a scheme or in an exclusion set, share no day."""
    groups = [list(group) for _, group in itertools.groupby(rows, _whose)]
    return not any(
        overlap(one.first, one.last, other.first, other.last)
        for group in groups
        for one, other in itertools.combinations(group, 2)
    )
