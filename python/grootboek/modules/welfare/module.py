"""The welfare module: invariants W1, W2, W5 and W6."""

from collections.abc import Iterator
from typing import ClassVar, Final

from msgspec import Struct

from grootboek.ledger.module import Context, Module, View, command, query
from grootboek.modules.welfare import enrolment, invariants, payment, scheme
from grootboek.modules.welfare.periods import Period
from grootboek.modules.welfare.rows import (
    AccountRow,
    EnrolmentRow,
    EntitlementRow,
    PaymentRow,
    SchemeRow,
    TotalsRow,
    accounts,
    budget,
    enrolments,
    entitlements,
    payments,
    schemes,
    totals,
)
from grootboek.modules.welfare.terms import (
    Appropriate,
    ApproveAccount,
    BeneficiaryId,
    BulkDisburse,
    Component,
    Enrol,
    GrantEntitlement,
    LinkAccount,
    OpenScheme,
    SchemeId,
    Settle,
)

__all__ = ["ADMINISTRATOR", "APPROVER", "OFFICER", "PROVIDER", "REGISTRAR", "TREASURY", "Welfare"]

ADMINISTRATOR: Final = "welfare.administrator"
TREASURY: Final = "welfare.treasury"
REGISTRAR: Final = "welfare.registrar"
APPROVER: Final = "welfare.approver"
OFFICER: Final = "welfare.officer"
PROVIDER: Final = "welfare.provider"


class SchemeKey(Struct, frozen=True, forbid_unknown_fields=True):
    """Names a scheme."""

    scheme: SchemeId


class BeneficiaryKey(Struct, frozen=True, forbid_unknown_fields=True):
    """Names a beneficiary of a scheme."""

    scheme: SchemeId
    beneficiary: BeneficiaryId


class EntitlementKey(Struct, frozen=True, forbid_unknown_fields=True):
    """Names an entitlement."""

    scheme: SchemeId
    beneficiary: BeneficiaryId
    period: Period
    component: Component


class SchemeStatus(Struct, frozen=True):
    """A scheme and its money. ``reserved + paid`` never exceeds ``appropriated`` (W1)."""

    scheme: SchemeRow
    appropriated: int
    reserved: int
    """Granted and not paid: decided, on its way, or come back."""
    paid: int
    """Settled less returned."""
    free: int
    totals: TotalsRow


class Welfare(Module):
    """Benefits: schemes, enrolments, entitlements, payments."""

    name: ClassVar[str] = "welfare"
    version: ClassVar[int] = 1
    roles: ClassVar[dict[str, str]] = {
        ADMINISTRATOR: "opens schemes",
        TREASURY: "appropriates money and releases payments",
        REGISTRAR: "enrols persons and links their accounts",
        APPROVER: "approves changed accounts, as another party than the registrar",
        OFFICER: "decides entitlements, as another party than the one that releases their payment",
        PROVIDER: "reports which payments were settled or returned",
    }
    reasons: ClassVar[dict[str, str]] = {
        "role-missing": "no signer holds the role that the command needs",
        "scheme-unknown": "the scheme is not open",
        "scheme-exists": "the scheme is open with other particulars",
        "period-order": "the last period is before the first",
        "period-kind": "the scheme is paid for another kind of period",
        "period-outside": "the period is outside the scheme's first and last",
        "appropriation-exists": "W1: this reference appropriated another amount to the scheme before",
        "budget-short": "W1: the scheme's appropriations do not cover the amount",
        "enrolled": "W2: another enrolment of the person overlaps with these periods",
        "excluded": "W2: the person is in another scheme of an exclusion set in these periods",
        "exclusion-missing": "W2: the enrolment must name each exclusion set of the scheme, in its order",
        "not-enrolled": "W2: no enrolment of the beneficiary covers the period",
        "account-unknown": "W6: this is not the account that was proposed last",
        "account-not-payable": "W6: the account is not the beneficiary's, not approved, or cooling off",
        "same-party": "W6, W7: a second, different party is needed: registrar and approver of an account, "
        "officer and treasury of a payment must not be one",
        "entitlement-exists": "W5: the beneficiary has an entitlement for this period and component",
        "entitlement-unknown": "W5: nothing was granted for this period and component",
        "amount-differs": "W5: a payment is for the whole amount of its entitlement",
        "attempt-differs": "W5: the payment's number is not one more than the payments that were returned",
        "already-instructed": "W5: a payment for the entitlement is on its way",
        "already-paid": "W5: the entitlement was paid",
        "payment-unknown": "W5: there is no such payment",
        "payment-returned": "W5: the payment was returned before",
        "no-such-day": "a date or a week is not in the calendar",
        "amount-range": "an amount is too large",
    }
    importers: ClassVar[dict[str, str]] = {
        "schemes": "grootboek.modules.welfare.importer:SchemeTableImporter",
        "benefits": "grootboek.modules.welfare.importer:BenefitListImporter",
    }

    # --- commands ---------------------------------------------------------------------------------

    @command
    def open_scheme(self, ctx: Context, state: View, cmd: OpenScheme) -> None:
        """Open a scheme."""
        ctx.require(ADMINISTRATOR)
        scheme.open_scheme(state, cmd)

    @command
    def appropriate(self, ctx: Context, state: View, cmd: Appropriate) -> None:
        """Make money available to a scheme (W1)."""
        ctx.require(TREASURY)
        scheme.appropriate(ctx, state, cmd)

    @command
    def enrol(self, ctx: Context, state: View, cmd: Enrol) -> None:
        """Enrol a person (W2)."""
        enrolment.enrol(state, cmd, registrar=ctx.require(REGISTRAR))

    @command
    def link_account(self, ctx: Context, state: View, cmd: LinkAccount) -> None:
        """Link the first account, or propose another (W6)."""
        enrolment.link(ctx, state, cmd, registrar=ctx.require(REGISTRAR))

    @command
    def approve_account(self, ctx: Context, state: View, cmd: ApproveAccount) -> None:
        """Approve the proposed account (W6)."""
        enrolment.approve(ctx, state, cmd, approver=ctx.require(APPROVER))

    @command
    def grant_entitlement(self, ctx: Context, state: View, cmd: GrantEntitlement) -> None:
        """Decide an amount and reserve it (W1, W5)."""
        payment.grant(ctx, state, cmd, officer=ctx.require(OFFICER))

    @command
    def bulk_disburse(self, ctx: Context, state: View, cmd: BulkDisburse) -> None:
        """Instruct payments, all or none (W5, W6)."""
        releaser = ctx.require(TREASURY)
        for line in cmd.lines:
            payment.instruct(ctx, state, cmd, line, releaser=releaser)

    @command
    def settle(self, ctx: Context, state: View, cmd: Settle) -> None:
        """Record what became of a payment (W1, W5)."""
        ctx.require(PROVIDER)
        payment.settle(state, cmd)

    # --- queries ----------------------------------------------------------------------------------

    @query
    def scheme(self, state: View, args: SchemeKey) -> SchemeStatus | None:
        """A scheme with its totals."""
        row = schemes.get(state, args.scheme)
        if row is None:
            return None
        line = budget.line(state, (args.scheme,))
        sums = totals.get(state, args.scheme) or TotalsRow()
        return SchemeStatus(row, line.granted, line.reserved, line.consumed, line.free, sums)

    @query
    def enrolments(self, state: View, args: BeneficiaryKey) -> list[EnrolmentRow]:
        """A beneficiary's enrolments."""
        return list(enrolments.every(state, args.scheme, args.beneficiary))

    @query
    def accounts(self, state: View, args: BeneficiaryKey) -> list[AccountRow]:
        """Every account that was linked to a beneficiary, in order."""
        return list(accounts.every(state, args.scheme, args.beneficiary))

    @query
    def entitlement(self, state: View, args: EntitlementKey) -> EntitlementRow | None:
        """An entitlement and where its payment stands."""
        return entitlements.get(state, args.scheme, args.beneficiary, args.period, args.component)

    @query
    def entitlements(self, state: View, args: BeneficiaryKey) -> list[EntitlementRow]:
        """A beneficiary's entitlements, by period and component."""
        return list(entitlements.every(state, args.scheme, args.beneficiary))

    @query
    def payments(self, state: View, args: EntitlementKey) -> list[PaymentRow]:
        """The payments of an entitlement: more than one where the earlier ones were returned."""
        return list(payments.every(state, args.scheme, args.beneficiary, args.period, args.component))

    def invariants(self, state: View) -> Iterator[tuple[str, bool]]:
        """W1, W2, W5 and W6, from the rows alone."""
        return invariants.check(state)
