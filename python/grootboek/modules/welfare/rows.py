"""What the welfare module keeps in its state."""

from typing import Literal

from msgspec import Struct

from grootboek.ledger.module import Table
from grootboek.modules.budget import Budget
from grootboek.modules.commitments import Commitment
from grootboek.modules.welfare.periods import Kind

__all__ = [
    "AccountRow",
    "AppropriationRow",
    "EnrolmentRow",
    "EntitlementRow",
    "ExclusionRow",
    "PaymentRow",
    "SchemeRow",
    "TotalsRow",
    "accounts",
    "appropriations",
    "budget",
    "enrolments",
    "entitlements",
    "exclusions",
    "payments",
    "schemes",
    "totals",
]


class SchemeRow(Struct, frozen=True, array_like=True):
    """A scheme."""

    scheme: str
    currency: str
    periods: Kind
    rule: bytes
    first: str | None
    last: str | None
    exclusions: tuple[str, ...]
    cooling_off_ms: int
    appropriated: bool = False
    """Whether it has an appropriation that is no opening balance."""


class TotalsRow(Struct, frozen=True, array_like=True):
    """What a scheme's amounts come to since it was opened, in minor units."""

    enrolments: int = 0
    granted: int = 0
    instructed: int = 0
    settled: int = 0
    """Confirmed by the provider, those included that came back later."""
    returned: int = 0
    """Came back after they were confirmed."""
    refused: int = 0
    """Came back without having been confirmed."""


class AppropriationRow(Struct, frozen=True, array_like=True):
    """One appropriation."""

    scheme: str
    amount: int
    reference: str
    opening: bool
    time: int


class EnrolmentRow(Struct, frozen=True, array_like=True):
    """A person is in a scheme from one period to another, both included."""

    scheme: str
    beneficiary: bytes
    first: str
    last: str
    person: Commitment | None
    name: Commitment | None
    registrar: bytes
    """The party that enrolled the person."""


class ExclusionRow(Struct, frozen=True, array_like=True):
    """A person of an exclusion set is in one of its schemes."""

    set: str
    tag: bytes
    scheme: str
    first: str
    last: str


class AccountRow(Struct, frozen=True, array_like=True):
    """One account of a beneficiary, the n-th that was linked."""

    scheme: str
    beneficiary: bytes
    number: int
    account: Commitment
    linked_by: bytes
    linked_at: int
    """Agreed time, milliseconds since 1970."""
    approved_by: bytes | None = None
    payable_from: int | None = None
    """Agreed time; None while it is a proposal."""


class EntitlementRow(Struct, frozen=True, array_like=True):
    """What a person is to get for a period and component."""

    scheme: str
    beneficiary: bytes
    period: str
    component: str
    amount: int
    status: Literal["open", "instructed", "paid"]
    attempts: int
    """How many payments were instructed."""
    officer: bytes
    """The party that decided."""
    time: int


class PaymentRow(Struct, frozen=True, array_like=True):
    """One payment of an entitlement."""

    scheme: str
    beneficiary: bytes
    period: str
    component: str
    attempt: int
    batch: str
    amount: int
    account: Commitment
    releaser: bytes
    time: int
    """When it was instructed."""
    status: Literal["instructed", "ok", "returned"] = "instructed"
    value_date: str | None = None
    reason: str = ""


schemes = Table("scheme", SchemeRow)
totals = Table("totals", TotalsRow)
appropriations = Table("appropriation", AppropriationRow)
enrolments = Table("enrolment", EnrolmentRow)
exclusions = Table("exclusion", ExclusionRow)
accounts = Table("account", AccountRow)
entitlements = Table("entitlement", EntitlementRow)
payments = Table("payment", PaymentRow)
budget = Budget()
