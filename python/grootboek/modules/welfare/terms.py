"""The commands of the welfare module.

Amounts are integers in minor units of the scheme's currency. A beneficiary is a random 16-byte
pseudonym, one for each person and scheme; names, personal numbers and account numbers are salted
commitments, opened by the vault of the organisation that has them.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from grootboek.modules.commitments import Commitment
from grootboek.modules.days import Day
from grootboek.modules.money import AMOUNT_LIMIT, Currency
from grootboek.modules.welfare.periods import Kind, Period
from grootboek.types import Millis
from grootboek.wire import Digest

__all__ = [
    "LINES_MAX",
    "Appropriate",
    "ApproveAccount",
    "BeneficiaryId",
    "BulkDisburse",
    "Component",
    "DisburseLine",
    "Enrol",
    "Exclusion",
    "GrantEntitlement",
    "LinkAccount",
    "OpenScheme",
    "Reference",
    "SchemeId",
    "Settle",
]

LINES_MAX = 250
"""How many payments one BulkDisburse may instruct: about 25 of the 48 KiB that a command may have."""

SchemeId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\n)")]
BeneficiaryId = Annotated[bytes, Meta(min_length=16, max_length=16)]
"""A random pseudonym for one person in one scheme."""
Component = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$(?!\n)")]
"""A part of a benefit that is decided and paid by itself: ``base``, ``child-1``, ``rent``."""
Reference = Annotated[str, Meta(min_length=1, max_length=64)]
Positive = Annotated[int, Meta(gt=0, lt=AMOUNT_LIMIT)]
Attempt = Annotated[int, Meta(ge=1, lt=2**31)]
SetName = SchemeId


class OpenScheme(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The administrator opens a scheme. The same again changes nothing; a field that is None says
    nothing: it takes its default in a new scheme and is not compared with one that is there.
    """

    scheme: SchemeId
    currency: Currency
    periods: Kind | None = None
    """What it is paid for; default month."""
    rule: Digest | None = None
    """SHA-256 of the rules by which amounts are decided; default 32 zero bytes."""
    first: Period | None = None
    """The first period that can be paid; default no limit."""
    last: Period | None = None
    """The last one; default no limit."""
    exclusions: Annotated[tuple[SetName, ...], Meta(max_length=16)] | None = None
    """Sets of schemes of which a person may be in only one at a time (W2), sorted; default none."""
    cooling_off_ms: Millis | None = None
    """How long after its proposal a changed account becomes payable (W6); default 7 days."""


class Appropriate(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The treasury makes money available to a scheme (W1), once for each reference."""

    scheme: SchemeId
    amount: Positive
    reference: Reference
    """The budget act or the decision."""
    opening: bool = False
    """An opening balance for payments that were decided elsewhere and are imported: it has no effect
    once the scheme has an appropriation that is none.
    """


class Exclusion(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A person in an exclusion set."""

    set: SetName
    tag: Annotated[bytes, Meta(min_length=16, max_length=16)]
    """A random pseudonym for one person in one set; the registrar's vault knows whose."""


class Enrol(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The registrar enrols a person, and answers for it that the pseudonym is the person's only one in
    the scheme (W2). Where an enrolment covers these periods already, nothing changes.
    """

    scheme: SchemeId
    beneficiary: BeneficiaryId
    first: Period
    last: Period
    """Included."""
    exclusions: Annotated[tuple[Exclusion, ...], Meta(max_length=16)] = ()
    """One for each exclusion set of the scheme, in the same order."""
    person: Commitment | None = None
    """To the personal number."""
    name: Commitment | None = None


class LinkAccount(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The registrar links a payee account to a beneficiary (W6).

    The first one is payable at once. Another one is a proposal: it needs ApproveAccount and the
    scheme's cooling-off time; payments go to the earlier one until then.
    """

    scheme: SchemeId
    beneficiary: BeneficiaryId
    account: Commitment
    """To the IBAN."""


class ApproveAccount(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A second party approves the account that was proposed last (W6)."""

    scheme: SchemeId
    beneficiary: BeneficiaryId
    account: Commitment


class GrantEntitlement(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An officer decides an amount for a period and component, once (W5), and reserves it (W1)."""

    scheme: SchemeId
    beneficiary: BeneficiaryId
    period: Period
    component: Component
    amount: Positive


class DisburseLine(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One payment of a batch: all of an entitlement, to the beneficiary's account."""

    beneficiary: BeneficiaryId
    period: Period
    component: Component
    amount: Positive
    account: Commitment
    attempt: Attempt = 1
    """One more than the number of its payments that were returned: a list sent twice pays once."""


class BulkDisburse(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The treasury instructs payments: all lines or none (W5, W6). A batch may have many commands."""

    scheme: SchemeId
    batch: Reference
    lines: Annotated[tuple[DisburseLine, ...], Meta(min_length=1, max_length=LINES_MAX)]


class Settle(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The payment provider says what became of a payment. ``returned`` re-opens its entitlement, also
    after ``ok``. The same again changes nothing.
    """

    scheme: SchemeId
    beneficiary: BeneficiaryId
    period: Period
    component: Component
    attempt: Attempt
    """Which payment of the entitlement: 1 for the first."""
    outcome: Literal["ok", "returned"]
    value_date: Day
    reason: Annotated[str, Meta(max_length=35)] = ""
    """Why it was returned, an ISO 20022 code: ``AC04`` for a closed account."""
