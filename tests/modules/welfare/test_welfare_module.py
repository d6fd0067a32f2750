"""The welfare module command by command."""

import pytest
from msgspec import Struct, structs

from grootboek.modules.welfare import Welfare
from grootboek.modules.welfare.scheme import COOLING_OFF_MS
from grootboek.modules.welfare.terms import (
    LINES_MAX,
    Appropriate,
    ApproveAccount,
    BulkDisburse,
    DisburseLine,
    Enrol,
    Exclusion,
    LinkAccount,
    OpenScheme,
)
from grootboek.types import Limits
from grootboek.wire import encode
from tests.modules.memory_view import APPLIED, Host
from tests.modules.welfare.samples import ANNA, BEN, NEEDED, account, grant, pay, ready, run, settle, who


def entitlement(host: Host, period: str = "2026-01") -> str:
    row = host.ask("entitlement", scheme="rent", beneficiary=ANNA, period=period, component="base")
    return str(row.status)


def money(host: Host) -> tuple[int, int, int]:
    status = host.ask("scheme", scheme="rent")
    return status.reserved, status.paid, status.free


def test_from_appropriation_to_settlement() -> None:
    host = ready(appropriated=1_000)
    assert run(host, grant(600)) == APPLIED
    assert (entitlement(host), money(host)) == ("open", (600, 0, 400))
    assert run(host, pay(600)) == APPLIED
    assert (entitlement(host), money(host)) == ("instructed", (600, 0, 400))
    assert run(host, settle("ok")) == APPLIED
    assert (entitlement(host), money(host)) == ("paid", (0, 600, 400))
    assert host.broken() == []


def test_a_returned_payment_reopens_exactly_its_entitlement() -> None:
    host = ready()
    for period in ("2026-01", "2026-02"):
        assert run(host, grant(period=period)) == APPLIED
        assert run(host, pay(period=period)) == APPLIED
        assert run(host, settle("ok", period=period)) == APPLIED
    assert run(host, settle("returned")) == APPLIED
    assert (entitlement(host), entitlement(host, "2026-02")) == ("open", "paid")
    assert money(host)[:2] == (500, 500)
    assert run(host, pay()) == "attempt-differs"
    assert run(host, pay(attempt=2)) == APPLIED
    assert run(host, settle("ok")) == "payment-returned"
    assert run(host, settle("ok", attempt=2)) == APPLIED
    assert run(host, pay(attempt=3)) == "already-paid"
    payments = host.ask("payments", scheme="rent", beneficiary=ANNA, period="2026-01", component="base")
    assert [row.status for row in payments] == ["returned", "ok"]
    assert host.broken() == []


def test_settling_again_changes_nothing() -> None:
    host = ready()
    for cmd in (grant(), pay(), settle("returned")):
        assert run(host, cmd) == APPLIED
    rows = dict(host.state.rows)
    assert run(host, settle("returned")) == APPLIED
    assert host.state.rows == rows


def test_what_is_granted_is_covered() -> None:
    host = ready(appropriated=1_000)
    assert run(host, grant(1_001)) == "budget-short"
    assert run(host, grant(1_000)) == APPLIED
    assert run(host, grant(1, period="2026-02")) == "budget-short"
    assert run(host, Appropriate("rent", 1, "more")) == APPLIED
    assert run(host, grant(1, period="2026-02")) == APPLIED
    assert run(host, Appropriate("rent", 2, "more")) == "appropriation-exists"
    assert run(host, Appropriate("rent", 1, "more")) == APPLIED
    assert money(host) == (1_001, 0, 0)


def test_opening_balances_end_with_the_first_budget_act() -> None:
    host = Host(Welfare())
    run(host, OpenScheme("rent", "EUR"))
    assert run(host, Appropriate("rent", 10, "list 1", opening=True)) == APPLIED
    assert run(host, Appropriate("rent", 20, "list 2", opening=True)) == APPLIED
    assert run(host, Appropriate("rent", 100, "act")) == APPLIED
    assert run(host, Appropriate("rent", 40, "list 3", opening=True)) == APPLIED
    assert host.ask("scheme", scheme="rent").appropriated == 130
    assert host.broken() == []


def test_an_entitlement_is_granted_once() -> None:
    host = ready()
    assert run(host, grant()) == APPLIED
    assert run(host, grant()) == "entitlement-exists"
    assert run(host, grant(501)) == "entitlement-exists"
    assert run(host, pay()) == APPLIED
    assert run(host, pay()) == "already-instructed"


@pytest.mark.parametrize("period", ["2026-01\n", "202\u0666-01", "2026-0\u0661"])
def test_a_period_has_one_spelling(period: str) -> None:
    host = ready()
    assert run(host, grant()) == APPLIED
    assert run(host, grant(period=period)) == "bad-command"


def test_a_week_that_the_year_does_not_have_is_not_paid() -> None:
    host = Host(Welfare())
    assert run(host, OpenScheme("rent", "EUR", "week", first="2025-W53")) == "no-such-day"
    assert run(host, OpenScheme("rent", "EUR", "week")) == APPLIED
    assert run(host, Appropriate("rent", 1_000, "act")) == APPLIED
    assert run(host, Enrol("rent", ANNA, "2025-W01", "2025-W53")) == "no-such-day"
    assert run(host, Enrol("rent", ANNA, "2025-W01", "2026-W53")) == APPLIED
    assert run(host, grant(period="2026-W01")) == APPLIED
    assert run(host, grant(period="2025-W53")) == "no-such-day"
    assert run(host, grant(period="2026-W53")) == APPLIED


@pytest.mark.parametrize(
    "cmd",
    [OpenScheme("rent\n", "EUR"), OpenScheme("rent", "EUR\n"), structs.replace(grant(), component="b\n")],
)
def test_codes_do_not_end_in_a_line_break(cmd: Struct) -> None:
    assert run(Host(Welfare()), cmd) == "bad-command"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"amount": 499}, "amount-differs"),
        ({"attempt": 2}, "attempt-differs"),
        ({"to": "two"}, "account-not-payable"),
        ({"period": "2026-02"}, "entitlement-unknown"),
        ({"person": BEN}, "entitlement-unknown"),
    ],
)
def test_payments_that_are_refused(change: dict[str, object], reason: str) -> None:
    host = ready()
    run(host, grant())
    assert run(host, pay(**change)) == reason  # type: ignore[arg-type]  # fields of one line


def test_one_bad_line_refuses_the_command() -> None:
    host = ready()
    run(host, grant())
    good = pay().lines[0]
    bad = structs.replace(good, period="2026-02")
    assert run(host, BulkDisburse("rent", "batch", (good, bad))) == "entitlement-unknown"
    assert entitlement(host) == "open"


def test_a_full_command_fits_the_ledger() -> None:
    line = DisburseLine(ANNA, "2026-W05", "c" * 32, 2**52, account("one"), 2**30)
    cmd = BulkDisburse("s" * 64, "r" * 64, (line,) * LINES_MAX)
    assert len(encode(cmd)) < Limits().command_bytes - 1_000
    assert ready().run(BulkDisburse("rent", "b", (line,) * (LINES_MAX + 1)), who("treasury")) == "bad-command"


def test_enrolments_do_not_overlap() -> None:
    host = ready()
    assert run(host, Enrol("rent", ANNA, "2026-03", "2026-04")) == APPLIED  # covered: changes nothing
    assert len(host.ask("enrolments", scheme="rent", beneficiary=ANNA)) == 1
    assert run(host, Enrol("rent", ANNA, "2026-12", "2027-03")) == "enrolled"
    assert run(host, Enrol("rent", ANNA, "2027-01", "2027-03")) == APPLIED
    assert run(host, Enrol("rent", BEN, "2026-05", "2026-04")) == "period-order"
    assert run(host, grant(person=BEN)) == "not-enrolled"
    assert run(host, grant(period="2027-04")) == "not-enrolled"
    assert host.broken() == []


def test_schemes_that_exclude_each_other() -> None:
    host = Host(Welfare())
    for scheme in ("rent", "energy"):
        assert run(host, OpenScheme(scheme, "EUR", exclusions=("living",))) == APPLIED
    tag = (Exclusion("living", b"t" * 16),)
    assert run(host, Enrol("rent", ANNA, "2026-01", "2026-06")) == "exclusion-missing"
    assert run(host, Enrol("rent", ANNA, "2026-01", "2026-06", tag)) == APPLIED
    assert run(host, Enrol("energy", BEN, "2026-06", "2026-12", tag)) == "excluded"
    assert run(host, Enrol("energy", BEN, "2026-07", "2026-12", tag)) == APPLIED
    assert host.broken() == []


def test_a_changed_account_needs_approval_and_time() -> None:
    host = ready()
    for cmd in (grant(), LinkAccount("rent", ANNA, account("two"))):
        assert run(host, cmd) == APPLIED
    assert run(host, pay(to="two")) == "account-not-payable"
    approval = ApproveAccount("rent", ANNA, account("two"))
    assert host.run(approval, who("approver", who("registrar").party)) == "same-party"
    assert run(host, ApproveAccount("rent", ANNA, account("one"))) == "account-unknown"
    assert run(host, approval) == APPLIED
    assert run(host, approval) == APPLIED
    assert run(host, pay(to="two")) == "account-not-payable"
    host.time += COOLING_OFF_MS - 1
    assert run(host, pay(to="two")) == "account-not-payable"
    host.time += 1
    assert run(host, pay()) == "account-not-payable"
    assert run(host, pay(to="two")) == APPLIED
    assert host.broken() == []


def test_an_account_that_changes_in_the_same_block() -> None:
    host = Host(Welfare())
    run(host, OpenScheme("rent", "EUR", cooling_off_ms=0))
    run(host, Appropriate("rent", 1_000, "act"))
    run(host, Enrol("rent", ANNA, "2026-01", "2026-12"))
    for cmd in (LinkAccount("rent", ANNA, account("one")), grant(), pay()):
        assert run(host, cmd) == APPLIED
    assert run(host, LinkAccount("rent", ANNA, account("two"))) == APPLIED
    assert run(host, ApproveAccount("rent", ANNA, account("two"))) == APPLIED
    assert host.broken() == []


def test_who_decides_does_not_pay() -> None:
    host = ready()
    both = who("treasury").party
    assert host.run(grant(), who("officer", both)) == APPLIED
    assert run(host, pay()) == "same-party"
    assert host.run(pay(), who("treasury", b"another treasury")) == APPLIED


@pytest.mark.parametrize("name", NEEDED)
def test_each_command_needs_its_role(name: str) -> None:
    host = ready()
    samples: dict[str, Struct] = {
        "OpenScheme": OpenScheme("other", "EUR"),
        "Appropriate": Appropriate("rent", 1, "x"),
        "Enrol": Enrol("rent", BEN, "2026-01", "2026-01"),
        "LinkAccount": LinkAccount("rent", ANNA, account("two")),
        "ApproveAccount": ApproveAccount("rent", ANNA, account("one")),
        "GrantEntitlement": grant(),
        "BulkDisburse": pay(),
        "Settle": settle("ok"),
    }
    others = [role for role in NEEDED.values() if role != NEEDED[name]]
    assert {host.run(samples[name], who(role)) for role in others} == {"role-missing"}


@pytest.mark.parametrize(
    ("cmd", "outcome"),
    [
        (OpenScheme("rent", "EUR"), APPLIED),
        (OpenScheme("rent", "EUR", "month", exclusions=()), APPLIED),
        (OpenScheme("rent", "USD"), "scheme-exists"),
        (OpenScheme("rent", "EUR", "week"), "scheme-exists"),
        (OpenScheme("rent", "EUR", cooling_off_ms=0), "scheme-exists"),
        (OpenScheme("new", "EUR", "month", first="2026-W01"), "period-kind"),
        (OpenScheme("new", "EUR", "month", first="2026-02", last="2026-01"), "period-order"),
        (OpenScheme("new", "EUR", exclusions=("b", "a")), "exclusion-missing"),
        (OpenScheme("no spaces", "EUR"), "bad-command"),
        (Appropriate("none", 1, "x"), "scheme-unknown"),
        (Appropriate("rent", 0, "x"), "bad-command"),
        (Enrol("none", ANNA, "2026-01", "2026-01"), "scheme-unknown"),
        (Enrol("rent", BEN, "2026-W01", "2026-W02"), "period-kind"),
        (LinkAccount("rent", BEN, account("one")), "not-enrolled"),
        (grant(period="2026-13"), "bad-command"),
        (grant(period="2026"), "period-kind"),
        (settle("ok"), "payment-unknown"),
        (structs.replace(settle("ok"), value_date="2026-02-30"), "no-such-day"),
    ],
)
def test_outcomes(cmd: Struct, outcome: str) -> None:
    assert run(ready(), cmd) == outcome


def test_periods_outside_the_scheme() -> None:
    host = Host(Welfare())
    run(host, OpenScheme("rent", "EUR", first="2026-02", last="2026-04"))
    assert run(host, Enrol("rent", ANNA, "2026-01", "2026-03")) == "period-outside"
    assert run(host, Enrol("rent", ANNA, "2026-02", "2026-05")) == "period-outside"
    assert run(host, Enrol("rent", ANNA, "2026-02", "2026-04")) == APPLIED


def test_a_wrong_row_is_noticed() -> None:
    host = ready()
    for cmd in (grant(), pay(), settle("ok")):
        run(host, cmd)
    for prefix, ids in {b"payment\0": {"W1", "W5"}, b"account\0": {"W6"}, b"appropriation\0": {"W1"}}.items():
        rows = dict(host.state.rows)
        host.state.rows = {key: value for key, value in rows.items() if not key.startswith(prefix)}
        assert set(host.broken()) == ids
        host.state.rows = rows
