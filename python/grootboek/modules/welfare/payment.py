"""Entitlements and their payments: W1, W5 and W6."""

from msgspec import structs

from grootboek.ledger.module import Context, Rejected, View
from grootboek.modules.days import day_number
from grootboek.modules.welfare import enrolment
from grootboek.modules.welfare import scheme as schemes_
from grootboek.modules.welfare.rows import EntitlementRow, PaymentRow, budget, entitlements, payments
from grootboek.modules.welfare.terms import BulkDisburse, DisburseLine, GrantEntitlement, Settle

__all__ = ["grant", "instruct", "settle"]

_Key = tuple[str, bytes, str, str]
"""Scheme, beneficiary, period, component: what is paid at most once (W5)."""


def grant(ctx: Context, state: View, cmd: GrantEntitlement, *, officer: bytes) -> None:
    """Decide once for each key, and reserve the amount."""
    scheme = schemes_.require(state, cmd.scheme)
    schemes_.check_period(scheme, cmd.period)
    key = (cmd.scheme, cmd.beneficiary, cmd.period, cmd.component)
    if entitlements.get(state, *key) is not None:
        raise Rejected("entitlement-exists")
    enrolment.require_enrolled(state, cmd.scheme, cmd.beneficiary, cmd.period)
    budget.reserve(state, (cmd.scheme,), key, cmd.amount)
    row = EntitlementRow(*key, amount=cmd.amount, status="open", attempts=0, officer=officer, time=ctx.time)
    entitlements.put(state, row, *key)
    schemes_.count(state, cmd.scheme, granted=cmd.amount)


def instruct(ctx: Context, state: View, cmd: BulkDisburse, line: DisburseLine, *, releaser: bytes) -> None:
    """Instruct the payment of an open entitlement, to the account that is payable now."""
    key = (cmd.scheme, line.beneficiary, line.period, line.component)
    due = entitlements.require(state, "entitlement-unknown", *key)
    if due.status != "open":
        raise Rejected(f"already-{due.status}")
    if line.attempt != due.attempts + 1:
        raise Rejected("attempt-differs", f"{due.attempts} payments were returned")
    if due.amount != line.amount:
        raise Rejected("amount-differs", f"{due.amount} was granted")
    if due.officer == releaser:
        raise Rejected("same-party", "the officer that decided cannot release the payment")
    account = enrolment.payable(state, cmd.scheme, line.beneficiary, ctx.time)
    if account is None or account.account != line.account:
        raise Rejected("account-not-payable")
    entitlements.put(state, structs.replace(due, status="instructed", attempts=line.attempt), *key)
    row = PaymentRow(
        *key,
        attempt=line.attempt,
        batch=cmd.batch,
        amount=due.amount,
        account=line.account,
        releaser=releaser,
        time=ctx.time,
    )
    payments.put(state, row, *key, line.attempt)
    schemes_.count(state, cmd.scheme, instructed=due.amount)


def settle(state: View, cmd: Settle) -> None:
    """Record the outcome; a returned payment re-opens its entitlement, and nothing else."""
    key = (cmd.scheme, cmd.beneficiary, cmd.period, cmd.component)
    day_number(cmd.value_date)
    row = payments.require(state, "payment-unknown", *key, cmd.attempt)
    if row.status == cmd.outcome:
        return
    if row.status == "returned":
        raise Rejected("payment-returned")
    settled = structs.replace(row, status=cmd.outcome, value_date=cmd.value_date, reason=cmd.reason)
    payments.put(state, settled, *key, cmd.attempt)
    if cmd.outcome == "ok":
        _paid(state, key, row.amount)
    else:
        _returned(state, key, row)


def _paid(state: View, key: _Key, amount: int) -> None:
    due = entitlements.require(state, "entitlement-unknown", *key)
    entitlements.put(state, structs.replace(due, status="paid"), *key)
    budget.consume(state, key)
    schemes_.count(state, key[0], settled=amount)


def _returned(state: View, key: _Key, row: PaymentRow) -> None:
    due = entitlements.require(state, "entitlement-unknown", *key)
    entitlements.put(state, structs.replace(due, status="open"), *key)
    if row.status == "ok":
        budget.reopen(state, key)
        schemes_.count(state, key[0], returned=row.amount)
    else:
        schemes_.count(state, key[0], refused=row.amount)
