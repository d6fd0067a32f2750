"""Enrolments and accounts: W2 and W6."""

from msgspec import structs

from grootboek.ledger.module import Context, Rejected, View
from grootboek.modules.welfare import scheme as schemes_
from grootboek.modules.welfare.periods import days, overlap
from grootboek.modules.welfare.rows import (
    AccountRow,
    EnrolmentRow,
    ExclusionRow,
    SchemeRow,
    accounts,
    enrolments,
    exclusions,
)
from grootboek.modules.welfare.terms import ApproveAccount, Enrol, LinkAccount

__all__ = ["approve", "enrol", "link", "payable", "require_enrolled"]


def enrol(state: View, cmd: Enrol, *, registrar: bytes) -> None:
    """Enrol, unless an enrolment covers the periods already (W2)."""
    scheme = schemes_.require(state, cmd.scheme)
    _check_range(scheme, cmd)
    for row in enrolments.every(state, cmd.scheme, cmd.beneficiary):
        if _covers(row, cmd.first, cmd.last):
            return
        if overlap(row.first, row.last, cmd.first, cmd.last):
            raise Rejected("enrolled", f"from {row.first} to {row.last}")
    _exclude(state, scheme, cmd)
    row = EnrolmentRow(cmd.scheme, cmd.beneficiary, cmd.first, cmd.last, cmd.person, cmd.name, registrar)
    enrolments.put(state, row, cmd.scheme, cmd.beneficiary, cmd.first)
    schemes_.count(state, cmd.scheme, enrolments=1)


def require_enrolled(state: View, scheme: str, beneficiary: bytes, period: str) -> None:
    """Raise Rejected unless an enrolment covers the period."""
    rows = enrolments.every(state, scheme, beneficiary)
    if not any(_covers(row, period, period) for row in rows):
        raise Rejected("not-enrolled")


def link(ctx: Context, state: View, cmd: LinkAccount, *, registrar: bytes) -> None:
    """The first account is payable now; another one waits for its approval (W6)."""
    schemes_.require(state, cmd.scheme)
    if next(enrolments.scan(state, cmd.scheme, cmd.beneficiary, limit=1), None) is None:
        raise Rejected("not-enrolled")
    rows = list(accounts.every(state, cmd.scheme, cmd.beneficiary))
    if rows and rows[-1].account == cmd.account:
        return
    row = AccountRow(
        scheme=cmd.scheme,
        beneficiary=cmd.beneficiary,
        number=len(rows),
        account=cmd.account,
        linked_by=registrar,
        linked_at=ctx.time,
        payable_from=None if rows else ctx.time,
    )
    _put(state, row)


def approve(ctx: Context, state: View, cmd: ApproveAccount, *, approver: bytes) -> None:
    """Make the last proposal payable when it has cooled off (W6)."""
    scheme = schemes_.require(state, cmd.scheme)
    rows = list(accounts.every(state, cmd.scheme, cmd.beneficiary))
    if not rows or rows[-1].account != cmd.account:
        raise Rejected("account-unknown")
    last = rows[-1]
    if last.payable_from is not None:
        return
    if last.linked_by == approver:
        raise Rejected("same-party", "the registrar that proposed the account cannot approve it")
    # Payments of this very millisecond may have gone to the earlier account.
    start = max(ctx.time + 1, last.linked_at + scheme.cooling_off_ms)
    _put(state, structs.replace(last, approved_by=approver, payable_from=start))


def payable(state: View, scheme: str, beneficiary: bytes, time: int) -> AccountRow | None:
    """The account that payments go to at a time: the last one that was payable by then."""
    found = None
    for row in accounts.every(state, scheme, beneficiary):
        if row.payable_from is not None and row.payable_from <= time:
            found = row
    return found


def _check_range(scheme: SchemeRow, cmd: Enrol) -> None:
    schemes_.check_period(scheme, cmd.first)
    schemes_.check_period(scheme, cmd.last)
    if days(cmd.last)[0] < days(cmd.first)[0]:
        raise Rejected("period-order")


def _exclude(state: View, scheme: SchemeRow, cmd: Enrol) -> None:
    """One scheme of a set at a time. Rows of one person in one set are few."""
    if tuple(entry.set for entry in cmd.exclusions) != scheme.exclusions:
        raise Rejected("exclusion-missing", f"the scheme has {', '.join(scheme.exclusions) or 'none'}")
    for entry in cmd.exclusions:
        for row in exclusions.every(state, entry.set, entry.tag):
            if overlap(row.first, row.last, cmd.first, cmd.last):
                raise Rejected("excluded", f"by {row.scheme} from {row.first} to {row.last}")
        row = ExclusionRow(entry.set, entry.tag, cmd.scheme, cmd.first, cmd.last)
        exclusions.put(state, row, entry.set, entry.tag, cmd.scheme, cmd.first)


def _covers(row: EnrolmentRow, first: str, last: str) -> bool:
    return days(row.first)[0] <= days(first)[0] and days(last)[1] <= days(row.last)[1]


def _put(state: View, row: AccountRow) -> None:
    accounts.put(state, row, row.scheme, row.beneficiary, row.number)
