"""Benefit lists as people write them: generous in what is read, strict in what is recorded."""

import hashlib
from pathlib import Path

import pytest

from grootboek.errors import ConfigError, ImportFileError
from grootboek.modules.importing import BadField, Options, Report, Staging, stage
from grootboek.modules.vault import Vault
from grootboek.modules.welfare import Welfare
from grootboek.modules.welfare import import_fields as fields
from grootboek.modules.welfare.terms import Component
from tests.modules.driver import CHAIN, Driver
from tests.modules.memory_view import Host

HEADER = "scheme,person,name,iban,period,component,amount,currency,status,value_date,reason,attempt"
OTHER = "NL20INGB0001234567"
GOOD = "rent,T1,Anna,NL91ABNA0417164300,2026-01,base,100.00,EUR,,,,"


async def load(
    folder: Path, *texts: str | bytes, options: Options | None = None, driver: Driver | None = None
) -> Report:
    """Import each text as a file; ``folder`` keeps vault and staging."""
    paths = []
    for number, text in enumerate(texts):
        path = folder / f"list-{number}.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        paths.append(path)
    work = folder / "work"
    driver = driver or Driver(Host(Welfare()))
    with Vault.at(work) as vault, Staging(work, CHAIN, Welfare) as staging:
        result = await driver.submit(
            stage(Welfare, paths, vault=vault, staging=staging, options=options), staging
        )
    assert driver.host.broken() == []
    return result


def rules(result: Report) -> list[str]:
    return [row.problems[0].rule for file in result.files for row in (*file.refused, *file.rejected)]


@pytest.mark.parametrize(
    "text",
    [
        "scheme,person,iban,period,amount\nrent,T1,NL91ABNA0417164300,2026-01,100.00\n",
        "Amount;Period;IBAN;Person;Scheme;Other\r\n100,00;2026-01;NL91 ABNA 0417 1643 00;T1;rent;x\r\n",
        "\ufeffSCHEME;PERSON;IBAN;PERIOD;AMOUNT\nrent;T1;nl91abna0417164300;01-2026;€ 100\n",
        'scheme,person,iban,period,amount\nrent,T1,NL91ABNA0417164300,202601,"1,234.50"\n',
        "scheme,person,iban,period,amount,Value Date,Status\nx,T,NL91ABNA0417164300,2026,1,31-01-2026,Paid\n",
    ],
)
async def test_lists_that_are_read(tmp_path: Path, text: str) -> None:
    result = await load(tmp_path, text)
    assert (result.applied, rules(result)) == (1, [])


async def test_columns_may_have_other_names(tmp_path: Path) -> None:
    text = "Regeling;BSN;Rekening;Periode;Bedrag in EUR\n"
    text += "Bijzondere bijstand;T1;NL91ABNA0417164300;2026-01;10,5\n"
    names = {"scheme": "regeling", "person": "BSN", "iban": "Rekening", "period": "Periode"}
    options = Options(columns=names | {"amount": "Bedrag in EUR"})
    driver = Driver(Host(Welfare()))
    result = await load(tmp_path, text, options=options, driver=driver)
    assert (result.applied, rules(result)) == (1, [])
    assert driver.host.ask("scheme", scheme="Bijzondere-bijstand").reserved == 1_050


async def test_settings_stand_in_for_columns(tmp_path: Path) -> None:
    text = "person,iban,period,amount\nT1,NL91ABNA0417164300,2026-01,100\n"
    result = await load(tmp_path, text)
    assert rules(result) == ["GB-3001"]
    options = Options(settings={"scheme": "rent", "currency": "JPY"})
    driver = Driver(Host(Welfare()))
    assert (await load(tmp_path, text, options=options, driver=driver)).applied == 1
    assert driver.host.ask("scheme", scheme="rent").reserved == 100


BAD_ROWS = [
    ("iban-check", GOOD.replace("NL91", "NL92")),
    ("iban-check", GOOD.replace("NL91ABNA0417164300", "NL99ABNA0417100039")),
    ("iban-form", GOOD.replace("NL91ABNA0417164300", "417164300")),
    ("amount-form", GOOD.replace("100.00", "1.234")),
    ("amount-form", GOOD.replace("100.00", "1 23")),
    ("amount-range", GOOD.replace("100.00", "-100.00")),
    ("amount-range", GOOD.replace("100.00", "0")),
    ("decimals", GOOD.replace("100.00", "100.0001")),
    ("number-range", GOOD.replace("100.00", "9" * 20)),
    ("period-form", GOOD.replace("2026-01", "2026-13")),
    ("currency-form", GOOD.replace("EUR", "E")),
    ("code-form", GOOD.replace("rent", "---")),
    ("status-form", GOOD.replace("EUR,", "EUR,maybe")),
    ("value-missing", GOOD.replace("EUR,", "EUR,ok")),
    ("value-missing", GOOD.replace("T1", "")),
    ("date-form", GOOD.replace("EUR,,", "EUR,ok,01/02/2026")),
    ("date-form", GOOD.replace("EUR,,", "EUR,ok,0026-01-02")),
    ("period-form", GOOD.replace("2026-01", "2025-W53")),
    ("number-range", GOOD + "0"),
    ("field-count", GOOD + ",,,x"),
    ("encoding", GOOD.replace("Anna", "Ann\0a")),
]


async def test_rows_that_are_refused(tmp_path: Path) -> None:
    bad = "\n".join(row for _, row in BAD_ROWS)
    result = await load(tmp_path, f"{HEADER}\n{bad}\n{GOOD.replace('T1', 'T2')}\n")
    assert (rules(result), result.applied) == ([rule for rule, _ in BAD_ROWS], 1)


async def test_a_list_names_a_payment_once(tmp_path: Path) -> None:
    result = await load(tmp_path, f"{HEADER}\n{GOOD}\n{GOOD.replace('100', '90')}\n")
    assert (rules(result), result.applied) == (["W5"], 1)


async def test_a_list_in_another_encoding(tmp_path: Path) -> None:
    row = GOOD.replace("Anna", "Zoë").encode("latin-1")
    result = await load(tmp_path, HEADER.encode() + b"\n" + row + b"\n" + GOOD.encode() + b"\n")
    assert (rules(result), result.applied) == (["encoding"], 1)


async def test_importing_again_doubles_nothing(tmp_path: Path) -> None:
    driver = Driver(Host(Welfare()))
    text = f"{HEADER}\n{GOOD}\n"
    first = await load(tmp_path, text, driver=driver)
    rows = dict(driver.host.state.rows)
    again = await load(tmp_path, text, driver=driver)
    assert (first.accepted, again.accepted, again.known, again.applied) == (1, 0, 1, 1)
    assert driver.host.state.rows == rows


async def test_the_same_payment_in_another_list_is_not_paid_twice(tmp_path: Path) -> None:
    driver = Driver(Host(Welfare()))
    await load(tmp_path, f"{HEADER}\n{GOOD}\n", driver=driver)
    again = await load(tmp_path, f"{HEADER}\n{GOOD.replace('100.00', '99.00')}\n", driver=driver)
    assert rules(again) == ["entitlement-exists"]
    again = await load(tmp_path, f"{HEADER}\n{GOOD.replace('Anna', 'Anne')}\n", driver=driver)
    assert (again.applied, rules(again)) == (1, [])
    again = await load(tmp_path, f"{HEADER}\n{GOOD.replace('NL91ABNA0417164300', OTHER)}\n", driver=driver)
    assert rules(again) == ["already-instructed"]
    assert driver.host.ask("scheme", scheme="rent").reserved == 10_000


async def test_a_returned_payment_is_paid_again(tmp_path: Path) -> None:
    driver = Driver(Host(Welfare()))
    back = GOOD.replace("EUR,,,", "EUR,returned,2026-01-25,AC04")
    assert (await load(tmp_path, f"{HEADER}\n{back}\n", driver=driver)).applied == 1
    second = GOOD.replace("EUR,,,", "EUR,ok,2026-02-02,") + "2"
    assert (await load(tmp_path, f"{HEADER}\n{second}\n", driver=driver)).applied == 1
    status = driver.host.ask("scheme", scheme="rent")
    assert (status.paid, status.reserved, status.totals.refused) == (10_000, 0, 10_000)


async def test_lists_bring_their_opening_balance(tmp_path: Path) -> None:
    driver = Driver(Host(Welfare()))
    later = GOOD.replace("2026-01", "2026-02").replace("100.00", "250.00")
    result = await load(tmp_path, f"{HEADER}\n{GOOD}\n", f"{HEADER}\n{later}\n", driver=driver)
    assert result.applied == 2
    assert driver.host.ask("scheme", scheme="rent").appropriated == 35_000


async def test_a_corrected_list_doubles_neither_payments_nor_money(tmp_path: Path) -> None:
    driver = Driver(Host(Welfare()))
    bad = GOOD.replace("T1", "T2").replace("NL91", "NL92")
    first = await load(tmp_path, f"{HEADER}\n{GOOD}\n{bad}\n", driver=driver)
    whole = f"{HEADER}\n{GOOD}\n{bad.replace('NL92', 'NL91')}\n"
    again = await load(tmp_path, whole, driver=driver)
    assert (first.applied, again.accepted, again.known, again.applied, rules(again)) == (1, 1, 1, 2, [])
    status = driver.host.ask("scheme", scheme="rent")
    assert (status.appropriated, status.reserved) == (20_000, 20_000)


async def test_a_refused_row_is_taken_when_the_ledger_is_ready_for_it(tmp_path: Path) -> None:
    driver = Driver(Host(Welfare()))
    text, later = f"{HEADER}\n{GOOD}\n", Options(settings={"open": "no"})
    assert rules(await load(tmp_path, text, options=later, driver=driver)) == ["scheme-unknown"]
    scheme = "scheme;periods;appropriation;reference\nrent;month;500,00;act\n"
    result = await load(tmp_path, scheme, text, options=later, driver=driver)
    assert (result.applied, rules(result)) == (2, [])


async def test_nothing_on_the_ledger_tells_which_list_it_came_from(tmp_path: Path) -> None:
    driver = Driver(Host(Welfare()))
    text = f"{HEADER}\n{GOOD}\n"
    await load(tmp_path, text, driver=driver)
    sent, list_digest = b"".join(driver.sent), hashlib.sha256(text.encode())
    assert list_digest.digest()[:8] not in sent
    assert list_digest.hexdigest()[:16].encode() not in sent


async def test_a_benefit_list_may_have_columns_of_a_scheme_table(tmp_path: Path) -> None:
    text = f"{HEADER},appropriation,periods\n{GOOD},art. 3,x\n"
    assert (await load(tmp_path, text)).files[0].format == "benefits"


@pytest.mark.parametrize("settings", [{"schema": "rent"}, {"open": "maybe"}])
async def test_settings_that_are_none(tmp_path: Path, settings: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"no setting 'schema'; there are|open=maybe is not"):
        await load(tmp_path, f"{HEADER}\n{GOOD}\n", options=Options(settings=settings))


async def test_opening_is_left_to_others(tmp_path: Path) -> None:
    text = f"{HEADER}\n{GOOD}\n"
    options = Options(settings={"open": "no", "appropriate": "no"})
    assert rules(await load(tmp_path, text, options=options)) == ["scheme-unknown"]


async def test_a_budget_act_ends_opening_balances(tmp_path: Path) -> None:
    scheme = "scheme;periods;appropriation;reference\nrent;month;50,00;act\n"
    result = await load(tmp_path, scheme, f"{HEADER}\n{GOOD}\n")
    assert (result.applied, rules(result)) == (1, ["budget-short"])


BAD_SCHEMES = [
    ("period-form", "rent;fortnight;;;;"),
    ("period-form", "rent;month;;;;Spring"),
    ("digest-form", "rent;month;;;12ab;"),
    ("value-missing", "rent;month;10;;;"),
    ("value-missing", ";month;;;;"),
    ("value-range", f"rent;month;10;{'r' * 65};;"),
]


async def test_schemes_that_are_refused(tmp_path: Path) -> None:
    bad = "\n".join(row for _, row in BAD_SCHEMES)
    result = await load(tmp_path, f"scheme;periods;appropriation;reference;rule;first\n{bad}\n")
    assert rules(result) == [rule for rule, _ in BAD_SCHEMES]


@pytest.mark.parametrize(
    ("text", "cents"),
    [
        ("1234,5", 123_450),
        ("1234.50", 123_450),
        ("1.234,50", 123_450),
        ("1,234.50", 123_450),
        ("1 234,50", 123_450),
        ("1\u00a0234,50", 123_450),
        ("1'234.50", 123_450),
        ("1.234.567", 123_456_700),
        ("€ 1.234,50", 123_450),
        ("EUR 12", 1_200),
        ("12 EUR", 1_200),
        ("12,", None),
        ("1.23.4", None),
        ("1,234", None),
        ("1.234.5", None),
        ("1,2345,00", None),
        ("12..5", None),
        ("-5", None),
        ("5-", None),
        ("+-5", None),
        ("12€50", None),
        ("12,50 €", 1_250),
        ("+5", 500),
        ("\u0661", None),
    ],
)
def test_amounts(text: str, cents: int | None) -> None:
    if cents is None:
        with pytest.raises(BadField):
            fields.money(text, "EUR", "amount")
    else:
        assert fields.money(text, "EUR", "amount") == cents


def test_amounts_of_other_currencies() -> None:
    assert fields.money("1.234", "KWD", "amount") == 1_234
    assert fields.money("1,234,567", "JPY", "amount") == 1_234_567
    with pytest.raises(BadField):
        fields.money("€ 12", "USD", "amount")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-01", "2026-01"),
        ("202601", "2026-01"),
        ("01-2026", "2026-01"),
        ("01/2026", "2026-01"),
        ("2026Q3", "2026-Q3"),
        ("2026-w5", "2026-W05"),
        ("2026 W12", "2026-W12"),
        ("2026", "2026"),
        ("2026-00", None),
        ("2026-Q5", None),
        ("2026-W54", None),
        ("202\u0666-01", None),
        ("January 2026", None),
        ("2026-01-01", None),
    ],
)
def test_periods(text: str, found: str | None) -> None:
    if found is None:
        with pytest.raises(BadField):
            fields.period(text)
    else:
        assert fields.period(text) == found


def test_days_and_codes() -> None:
    assert {fields.day(text, "day") for text in ("2026-01-31", "20260131", "31-01-2026", "31.01.2026")} == {
        "2026-01-31"
    }
    assert fields.code("Kind & Co: één", Component, "component") == "Kind-Co-een"
    with pytest.raises(BadField):
        fields.code("x" * 40, Component, "component")


async def test_a_file_of_another_kind(tmp_path: Path) -> None:
    result = await load(tmp_path, '{"a": [1, 2]}', "<xml/>", "one column\n1\n", "scheme\tiban\n1\t2\n")
    assert rules(result) == ["GB-3001"] * 4
    assert "separated neither by ; nor by ," in result.files[3].refused[0].problems[0].message


def test_a_missing_file(tmp_path: Path) -> None:
    vault, missing = Vault(":memory:", bytes(32)), pytest.raises(ImportFileError)
    with vault, Staging(tmp_path, CHAIN, Welfare) as staging, missing:
        stage(Welfare, [tmp_path / "none.csv"], vault=vault, staging=staging)
