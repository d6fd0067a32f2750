"""Parties and commands for tests of the welfare module."""

from msgspec import Struct

from grootboek.ledger.module import Signer
from grootboek.modules.commitments import commit
from grootboek.modules.welfare import Welfare
from grootboek.modules.welfare.terms import (
    Appropriate,
    BulkDisburse,
    DisburseLine,
    Enrol,
    GrantEntitlement,
    LinkAccount,
    OpenScheme,
    Settle,
)
from tests.modules.memory_view import APPLIED, Host, signer

ROLES = {role.partition(".")[2]: role for role in Welfare.roles}
NEEDED = {
    "OpenScheme": "administrator",
    "Appropriate": "treasury",
    "Enrol": "registrar",
    "LinkAccount": "registrar",
    "ApproveAccount": "approver",
    "GrantEntitlement": "officer",
    "BulkDisburse": "treasury",
    "Settle": "provider",
}
ANNA, BEN = b"a" * 16, b"b" * 16


def who(role: str, party: bytes | None = None) -> Signer:
    return signer(party or role.encode().ljust(16, b"."), ROLES[role])


def account(name: str) -> bytes:
    return commit(name.encode().ljust(32, b"-"), "iban", name)


def run(host: Host, cmd: Struct) -> str:
    """The outcome, signed by the party whose role it is."""
    return host.run(cmd, who(NEEDED[type(cmd).__name__]))


def ready(*, appropriated: int = 100_000) -> Host:
    """A scheme with money, and Anna enrolled for 2026 with an account."""
    host = Host(Welfare())
    for cmd in (
        OpenScheme("rent", "EUR"),
        Appropriate("rent", appropriated, "act"),
        Enrol("rent", ANNA, "2026-01", "2026-12"),
        LinkAccount("rent", ANNA, account("one")),
    ):
        assert run(host, cmd) == APPLIED
    return host


def grant(amount: int = 500, *, person: bytes = ANNA, period: str = "2026-01") -> GrantEntitlement:
    return GrantEntitlement("rent", person, period, "base", amount)


def pay(
    amount: int = 500, *, period: str = "2026-01", attempt: int = 1, to: str = "one", person: bytes = ANNA
) -> BulkDisburse:
    return BulkDisburse(
        "rent", "batch", (DisburseLine(person, period, "base", amount, account(to), attempt),)
    )


def settle(outcome: str, *, attempt: int = 1, period: str = "2026-01", person: bytes = ANNA) -> Settle:
    kind = "ok" if outcome == "ok" else "returned"
    return Settle("rent", person, period, "base", attempt, kind, "2026-01-25")  # type: ignore[arg-type]  # one of the two literals
