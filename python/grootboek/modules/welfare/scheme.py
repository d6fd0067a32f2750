"""Schemes and their appropriations: W1."""

from typing import Final

from msgspec import structs

from grootboek.ledger.module import Context, Rejected, View
from grootboek.modules.welfare.periods import Period, days, kind
from grootboek.modules.welfare.rows import (
    AppropriationRow,
    SchemeRow,
    TotalsRow,
    appropriations,
    budget,
    schemes,
    totals,
)
from grootboek.modules.welfare.terms import Appropriate, OpenScheme

__all__ = ["COOLING_OFF_MS", "appropriate", "check_period", "count", "open_scheme", "require"]

COOLING_OFF_MS: Final = 7 * 86_400_000
"""How long a changed account cools off unless its scheme says otherwise."""

_NO_RULE: Final = bytes(32)


def require(state: View, scheme: str) -> SchemeRow:
    """The scheme; raises Rejected("scheme-unknown")."""
    return schemes.require(state, "scheme-unknown", scheme)


def open_scheme(state: View, cmd: OpenScheme) -> None:
    """Open it, or compare what the command says with what is there."""
    known = schemes.get(state, cmd.scheme)
    if known is not None:
        said = {name: getattr(cmd, name) for name in cmd.__struct_fields__}
        if any(value is not None and value != getattr(known, name) for name, value in said.items()):
            raise Rejected("scheme-exists", "it has other particulars")
        return
    row = SchemeRow(
        scheme=cmd.scheme,
        currency=cmd.currency,
        periods=cmd.periods or "month",
        rule=cmd.rule or _NO_RULE,
        first=cmd.first,
        last=cmd.last,
        exclusions=cmd.exclusions or (),
        cooling_off_ms=COOLING_OFF_MS if cmd.cooling_off_ms is None else cmd.cooling_off_ms,
    )
    _check(row)
    schemes.put(state, row, cmd.scheme)


def appropriate(ctx: Context, state: View, cmd: Appropriate) -> None:
    """Add to the scheme's line. An opening balance counts only while no budget act was recorded."""
    scheme = require(state, cmd.scheme)
    row = AppropriationRow(cmd.scheme, cmd.amount, cmd.reference, cmd.opening, ctx.time)
    known = appropriations.get(state, cmd.scheme, cmd.reference)
    if known is not None:
        if structs.replace(known, time=ctx.time) != row:
            raise Rejected("appropriation-exists")
        return
    if cmd.opening and scheme.appropriated:
        return
    appropriations.put(state, row, cmd.scheme, cmd.reference)
    budget.grant(state, (cmd.scheme,), cmd.amount)
    if not cmd.opening:
        schemes.put(state, structs.replace(scheme, appropriated=True), cmd.scheme)


def check_period(scheme: SchemeRow, period: Period) -> None:
    """Raise Rejected where the scheme does not pay for the period."""
    if kind(period) != scheme.periods:
        raise Rejected("period-kind", f"{scheme.scheme} is paid by the {scheme.periods}")
    before = scheme.first is not None and days(period)[0] < days(scheme.first)[0]
    after = scheme.last is not None and days(period)[1] > days(scheme.last)[1]
    if before or after:
        raise Rejected("period-outside", f"{scheme.scheme} runs from {scheme.first} to {scheme.last}")


def count(state: View, scheme: str, **more: int) -> None:
    """Add to the scheme's totals."""
    row = totals.get(state, scheme) or TotalsRow()
    raised = {name: getattr(row, name) + amount for name, amount in more.items()}
    totals.put(state, structs.replace(row, **raised), scheme)


def _check(row: SchemeRow) -> None:
    ends = [period for period in (row.first, row.last) if period is not None]
    if any(kind(period) != row.periods for period in ends):
        raise Rejected("period-kind", f"the scheme is paid by the {row.periods}")
    starts = [days(period)[0] for period in ends]
    if starts != sorted(starts):
        raise Rejected("period-order")
    if list(row.exclusions) != sorted(set(row.exclusions)):
        raise Rejected("exclusion-missing", "exclusion sets must be sorted, each once")
