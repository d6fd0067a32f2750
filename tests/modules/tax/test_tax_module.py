"""The tax module's commands: T1, T2 (rates), T3, T8."""

import pytest
from msgspec import Struct
from msgspec.structs import replace

from grootboek.ledger.module import Signer
from grootboek.modules.tax.module import LIMITATION_DAYS
from grootboek.modules.tax.terms import (
    Accounting,
    Breakdown,
    ClaimInputTax,
    PayTax,
    RegisterTaxpayer,
    ReportInvoice,
    SetRate,
)
from tests.modules.memory_view import APPLIED, DAY_MS, Host
from tests.modules.tax.samples import (
    AUTHORITY_KEY,
    BUYER,
    DAY,
    NOBODY,
    OWN_KEY,
    PROVIDER_KEY,
    SELLER,
    STRANGER,
    TREASURY_KEY,
    invoice,
    report,
    world,
    zero,
)

CLAIM = ClaimInputTax(BUYER, SELLER, "1", "c1", 2_100)
PAYMENT = PayTax(SELLER, "EUR", 1_000, DAY, "p1")
REGISTER = RegisterTaxpayer(STRANGER, "DE", None, b"v" * 32)
RATE = SetRate("DE", "S", 190_000, DAY)


def owed(host: Host, taxpayer: bytes, currency: str = "EUR") -> int:
    return int(host.ask("balance", taxpayer=taxpayer, currency=currency).owed)


@pytest.mark.parametrize(
    ("cmd", "allowed"),
    [
        (REGISTER, [AUTHORITY_KEY]),
        (RATE, [AUTHORITY_KEY]),
        (invoice("2"), [PROVIDER_KEY, OWN_KEY]),
        (CLAIM, [PROVIDER_KEY]),
        (PAYMENT, [TREASURY_KEY]),
    ],
)
def test_only_the_right_roles_may_act(cmd: Struct, allowed: list[Signer]) -> None:
    for one in (AUTHORITY_KEY, PROVIDER_KEY, TREASURY_KEY, OWN_KEY, NOBODY):
        host = world()
        report(host, invoice())
        before = dict(host.state.rows)
        outcome = host.run(cmd, one)
        assert (outcome == APPLIED) == (one in allowed)
        if one not in allowed:
            assert outcome in {"role-missing", "not-authorised"}
            assert host.state.rows == before


# --- registration and rates ---


def test_registering_the_same_again_changes_nothing() -> None:
    host = world()
    assert host.run(REGISTER, AUTHORITY_KEY) == APPLIED
    before = dict(host.state.rows)
    assert host.run(REGISTER, AUTHORITY_KEY) == APPLIED
    assert host.state.rows == before
    assert host.run(replace(REGISTER, country="FR"), AUTHORITY_KEY) == "taxpayer-exists"
    assert host.ask("taxpayer", taxpayer=STRANGER).country == "DE"


@pytest.mark.parametrize(
    ("cmd", "reason"),
    [
        (SetRate("NL", "S", 1, DAY, "2026-02-28"), "rate-dates"),
        (SetRate("NL", "E", 1, DAY), "rate-category"),
        (SetRate("nl", "S", 1, DAY), "bad-command"),
        (SetRate("NL\n", "S", 1, DAY), "bad-command"),
        (SetRate("NL", "S\n", 1, DAY), "bad-command"),
        (SetRate("NL", "X", 1, DAY), "bad-command"),
        (SetRate("NL", "S", 1_000_001, DAY), "bad-command"),
    ],
)
def test_rates_that_make_no_sense_are_refused(cmd: SetRate, reason: str) -> None:
    assert world().run(cmd, AUTHORITY_KEY) == reason


def test_a_rate_ends_and_another_begins() -> None:
    host = world()
    end = "2026-02-28"
    assert host.run(SetRate("NL", "S", 210_000, "2019-01-01", end), AUTHORITY_KEY) == APPLIED
    assert report(host, invoice()) == "rate-not-valid"
    assert report(host, invoice(tax_point=end)) == APPLIED
    assert [row.rate for row in host.ask("rates", country="NL", day=DAY)] == [90_000]
    assert len(host.ask("rates", country="NL")) == 2


def test_a_country_without_rates_is_not_judged() -> None:
    host = world(rates=False)
    assert report(host, invoice()) == APPLIED
    assert host.ask("invoice", seller=SELLER, number="1").rates_checked is False


def test_a_category_without_tax_is_judged_by_its_one_rate() -> None:
    host = world()
    assert host.run(SetRate("NL", "E", 0, "2019-01-01"), AUTHORITY_KEY) == APPLIED
    made = invoice()
    rated_exemption = (*made.breakdown, Breakdown(0, 0, "E", 190_000))
    assert report(host, replace(made, breakdown=rated_exemption)) == APPLIED


def test_the_destination_s_rates_are_admitted() -> None:
    host = world()
    german = invoice(country="DE", destination="NL")
    assert report(host, german) == APPLIED
    assert host.ask("invoice", seller=SELLER, number="1").rates_checked is True


@pytest.mark.parametrize(
    ("cmd", "by"),
    [
        (SetRate("NL", "S", 1, "2026-02-30"), AUTHORITY_KEY),
        (SetRate("NL", "S", 1, DAY, "2026-04-31"), AUTHORITY_KEY),
        (invoice(issued="2026-02-29"), PROVIDER_KEY),
        (invoice(tax_point="2026-02-29"), PROVIDER_KEY),
        (replace(PAYMENT, paid="2026-02-29"), TREASURY_KEY),
    ],
)
def test_days_that_are_not_in_the_calendar_are_refused(cmd: Struct, by: Signer) -> None:
    assert world().run(cmd, by) == "no-such-day"


# --- T1 ---


def test_the_same_document_again_changes_nothing() -> None:
    host = world()
    assert report(host, invoice()) == APPLIED
    before = dict(host.state.rows)
    assert report(host, invoice()) == APPLIED
    assert host.state.rows == before


def test_another_document_under_the_number_is_refused() -> None:
    host = world()
    assert report(host, invoice()) == APPLIED
    assert report(host, invoice(document=b"o" * 32)) == "invoice-exists"
    assert report(host, invoice(net=5_000, document=b"o" * 32)) == "invoice-exists"
    assert report(host, replace(invoice(), seller=BUYER)) == APPLIED


def test_an_unknown_seller_is_refused() -> None:
    assert report(world(), replace(invoice(), seller=STRANGER)) == "taxpayer-unknown"


def test_the_buyer_s_party_reports_only_what_is_self_billed() -> None:
    host = world()
    mine = replace(invoice(), seller=BUYER, buyer=SELLER)
    assert report(host, mine, OWN_KEY) == "not-authorised"
    assert report(host, replace(mine, type=389), OWN_KEY) == APPLIED


# --- T2 ---


def test_broken_arithmetic_is_refused_with_the_rule_s_id() -> None:
    host = world()
    made = invoice()
    assert report(host, replace(made, totals=replace(made.totals, gross=1))) == "br-co-15"
    assert report(host, invoice(type=999)) == "br-cl-01"
    assert {"br-co-15", "br-cl-01"} <= set(host.module.reasons)


def test_every_reason_is_explained() -> None:
    reasons = world().module.reasons
    assert all(text and name == name.lower() for name, text in reasons.items())
    assert {"br-ic-08", "br-o-11", "br-ae-09"} <= set(reasons)


# --- T3 ---


def with_invoice(*made: ReportInvoice) -> Host:
    host = world()
    for one in made or (invoice(),):
        assert report(host, one) == APPLIED
    return host


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        (CLAIM, APPLIED),
        (replace(CLAIM, amount=2_101), "claim-exceeds-tax"),
        (replace(CLAIM, amount=1_051, share=500_000), "claim-exceeds-tax"),
        (replace(CLAIM, amount=1_050, share=500_000), APPLIED),
        (replace(CLAIM, number="2"), "invoice-unknown"),
        (replace(CLAIM, claimant=SELLER), "not-the-buyer"),
        (replace(CLAIM, claimant=STRANGER), "taxpayer-unknown"),
        (replace(CLAIM, amount=0), "bad-command"),
        (replace(CLAIM, amount=-5), "bad-command"),
    ],
)
def test_claims(claim: ClaimInputTax, reason: str) -> None:
    host = with_invoice()
    assert host.run(claim, PROVIDER_KEY) == reason
    assert host.broken() == []


def test_tax_is_claimed_once() -> None:
    host = with_invoice()
    half = replace(CLAIM, amount=1_050)
    assert host.run(half, PROVIDER_KEY) == APPLIED
    assert host.run(half, PROVIDER_KEY) == "claim-exists"
    assert host.run(replace(half, reference="c2"), PROVIDER_KEY) == APPLIED
    assert host.run(replace(half, reference="c3", amount=1), PROVIDER_KEY) == "claim-exceeds-tax"
    assert [claim.amount for claim in host.ask("claims", seller=SELLER, number="1")] == [1_050, 1_050]
    assert owed(host, BUYER) == -2_100


def test_nothing_is_claimed_after_the_limitation_period() -> None:
    host = with_invoice()
    host.time += LIMITATION_DAYS * DAY_MS
    assert host.run(replace(CLAIM, amount=1), PROVIDER_KEY) == APPLIED
    host.time += DAY_MS
    assert host.run(replace(CLAIM, reference="c2", amount=1), PROVIDER_KEY) == "claim-too-late"


def test_a_credited_invoice_gives_nothing_to_claim() -> None:
    part = invoice("C1", net=4_000, type=381, preceding=("1",))
    rest = invoice("C2", net=6_000, type=381, preceding=("1",))
    host = with_invoice(invoice(), part)
    assert host.run(CLAIM, PROVIDER_KEY) == "claim-exceeds-tax"
    assert report(host, rest) == APPLIED
    assert host.run(replace(CLAIM, amount=1), PROVIDER_KEY) == "invoice-cancelled"
    assert host.run(replace(CLAIM, number="C1", amount=1), PROVIDER_KEY) == "invoice-cancelled"
    assert owed(host, SELLER) == 0
    assert host.broken() == []


def test_a_credit_is_spread_over_the_invoices_it_names() -> None:
    credit = invoice("C1", net=15_000, type=381, preceding=("1", "unknown", "2"))
    host = with_invoice(invoice("1"), invoice("2"), credit)
    credited = [host.ask("invoice", seller=SELLER, number=number).credited for number in ("1", "2")]
    assert credited == [2_100, 1_050]


def test_a_second_credit_takes_what_the_first_left() -> None:
    first = invoice("C1", net=8_000, type=381, preceding=("1", "2"))
    second = replace(first, number="C2", document=b"2" * 32)
    host = with_invoice(invoice("1"), invoice("2"), first, second)
    credited = [host.ask("invoice", seller=SELLER, number=number).credited for number in ("1", "2")]
    assert credited == [2_100, 1_260]


def test_a_credit_that_is_reported_first_counts_as_much() -> None:
    credit = invoice("C1", net=15_000, type=381, preceding=("1", "2"))
    host = with_invoice(credit, invoice("1"), invoice("2"))
    credited = [host.ask("invoice", seller=SELLER, number=number).credited for number in ("1", "2", "C1")]
    assert credited == [2_100, 1_050, 3_150]
    assert host.run(CLAIM, PROVIDER_KEY) == "invoice-cancelled"
    assert host.run(replace(CLAIM, number="2", amount=1_051), PROVIDER_KEY) == "claim-exceeds-tax"
    assert host.run(replace(CLAIM, number="2", amount=1_050), PROVIDER_KEY) == APPLIED
    assert host.broken() == []


def test_a_credit_waits_only_for_what_is_left_of_it() -> None:
    credit = invoice("C1", net=12_000, type=381, preceding=("later", "1"))
    host = with_invoice(invoice("1"), credit, invoice("later"), invoice("C2", net=1, type=381))
    credited = [host.ask("invoice", seller=SELLER, number=number).credited for number in ("1", "later")]
    assert credited == [2_100, 420]
    assert host.broken() == []


def test_a_credit_in_another_currency_leaves_the_invoice_as_it_is() -> None:
    host = with_invoice(invoice("1"), invoice("C1", type=381, currency="USD", preceding=("1",)))
    assert host.ask("invoice", seller=SELLER, number="1").credited == 0


def test_an_invoice_without_tax_gives_nothing_to_claim() -> None:
    host = with_invoice(zero("AE"))
    assert host.run(replace(CLAIM, amount=1), PROVIDER_KEY) == "invoice-cancelled"


# --- T8 ---


def test_the_account_is_output_minus_input_minus_payments() -> None:
    host = with_invoice()
    assert owed(host, SELLER) == 2_100
    assert host.run(PAYMENT, TREASURY_KEY) == APPLIED
    assert owed(host, SELLER) == 1_100
    assert host.run(PAYMENT, TREASURY_KEY) == "payment-exists"
    assert host.run(replace(PAYMENT, reference="p2", amount=2_000), TREASURY_KEY) == APPLIED
    assert owed(host, SELLER) == -900
    assert host.run(replace(PAYMENT, taxpayer=STRANGER), TREASURY_KEY) == "taxpayer-unknown"
    assert host.broken() == []


def test_tax_is_owed_in_the_currency_of_the_accounts() -> None:
    dollars = invoice("D", currency="USD", accounting=Accounting("EUR", 1_932))
    host = with_invoice(dollars)
    assert (owed(host, SELLER, "USD"), owed(host, SELLER, "EUR")) == (0, 1_932)
    claim = replace(CLAIM, number="D", amount=1_932)
    assert host.run(claim, PROVIDER_KEY) == APPLIED
    assert owed(host, BUYER, "EUR") == -1_932


def test_an_invoice_does_not_pay_its_seller_through_the_currency_of_the_accounts() -> None:
    host = world()
    made = invoice(accounting=Accounting("SEK", -1_000_000))
    assert report(host, made) == "peppol-en16931-r055"
    assert report(host, replace(made, accounting=Accounting("EUR", 1))) == "peppol-en16931-r005"
    assert host.ask("balance", taxpayer=SELLER, currency="SEK").owed == 0


def test_a_negative_invoice_gives_tax_back() -> None:
    host = with_invoice(invoice("1"), invoice("N", net=-10_000, type=384))
    assert owed(host, SELLER) == 0
    assert host.broken() == []


def test_totals_of_a_month() -> None:
    host = with_invoice(invoice("1"), invoice("2"), invoice("C", net=1_000, type=381, preceding=("1",)))
    host.run(replace(CLAIM, number="2"), PROVIDER_KEY)
    row = host.ask("totals", country="NL", month="2026-03", currency="EUR")
    assert (row.invoices, row.output, row.input) == (3, 3_990, 2_100)
    assert host.ask("totals", country="NL", month="2026-04", currency="EUR").invoices == 0


def test_a_changed_balance_or_row_is_noticed() -> None:
    for table, invariant in ((b"book", "T8"), (b"period", "T8-periods"), (b"claim", "T3")):
        host = with_invoice()
        assert host.run(CLAIM, PROVIDER_KEY) == APPLIED
        assert host.broken() == []
        for key in [key for key in host.state.rows if key.startswith(table)]:
            del host.state.rows[key]
        assert invariant in host.broken()
