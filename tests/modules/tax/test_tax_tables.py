"""Invoices and rates from CSV."""

from pathlib import Path

import pytest

from grootboek.modules.importing import Options, Refusal, Row, Source
from grootboek.modules.tax.importing.tables import InvoiceTableImporter, RateTableImporter
from grootboek.modules.tax.terms import Line, RegisterTaxpayer, ReportInvoice, SetRate
from grootboek.modules.vault import Vault
from grootboek.wire import encode

HEADER = (
    "number;issue_date;currency;seller_vat;buyer_vat;buyer_name;category;rate;taxable;tax;"
    "total_net;total_tax;total_gross;type;preceding;description;prepaid;rounding;payable;tax_point_date"
)
FIRST = "1;2026-01-05;EUR;NL001B01;DE002;;S;21;100;21;150;25,50;175,50;;;bricks;;;;"
SECOND = "1;2026-01-05;EUR;NL001B01;DE002;;S;9;50;4.5;150;25,50;175,50;;;books;;;;"
SINGLE = "2;2026-01-05;EUR;NL001B01;;De heer J. Jansen;E;;80;0;80;0;80;;;lessons;;;;"


def read(folder: Path, *rows: str, header: str = HEADER, vault: Vault | None = None) -> list[Row | Refusal]:
    path = folder / "t.csv"
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    store = vault or Vault(":memory:", bytes(32))
    return list(InvoiceTableImporter().rows(Source(path), store, Options()))


def only(rows: list[Row | Refusal]) -> ReportInvoice:
    (row,) = rows
    assert isinstance(row, Row), row
    command = row.steps[-1].command
    assert isinstance(command, ReportInvoice)
    return command


def test_rows_of_one_invoice_become_one_command(tmp_path: Path) -> None:
    rows = read(tmp_path, FIRST, SECOND, SINGLE)
    assert [row.locators for row in rows if isinstance(row, Row)] == [("row 2", "row 3"), ("row 4",)]
    made = only(rows[:1])
    assert made.lines == (Line(10_000, "S", 210_000), Line(5_000, "S", 90_000))
    assert (made.totals.gross, made.totals.payable) == (17_550, 17_550)
    assert (made.country, made.type, made.tax_point) == ("NL", 380, "2026-01-05")


def test_a_buyer_without_vat_number_is_not_registered(tmp_path: Path) -> None:
    (row,) = read(tmp_path, SINGLE)
    assert isinstance(row, Row)
    assert [type(step.command) for step in row.steps] == [RegisterTaxpayer, ReportInvoice]
    assert b"Jansen" not in b"".join(encode(step.command) for step in row.steps)


def test_optional_columns(tmp_path: Path) -> None:
    row = "C1;2026-02-01;EUR;NL001B01;DE002;;S;21 %;100;21;100;21;121;381;1;x;20;-0,01;100,99;2026-01-31"
    made = only(read(tmp_path, row))
    assert (made.type, made.preceding) == (381, ("1",))
    assert (made.totals.prepaid, made.totals.rounding, made.totals.payable) == (2_000, -1, 10_099)
    assert made.tax_point == "2026-01-31"


def test_the_digest_does_not_depend_on_the_form_of_the_table(tmp_path: Path) -> None:
    vault = Vault(":memory:", bytes(32))
    first = only(read(tmp_path, FIRST, SECOND, vault=vault))
    commas = [line.replace(",", ".").replace(";", ",") for line in (HEADER, FIRST, SECOND)]
    moved = [f"extra,{line}" for line in commas]
    again = only(read(tmp_path, *moved[1:], header=moved[0], vault=vault))
    assert again.document != first.document  # 25,50 is written as 25.50
    same = [f"extra;{line}" for line in (HEADER, FIRST, SECOND)]
    assert only(read(tmp_path, *same[1:], header=same[0], vault=vault)) == first


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        (SINGLE.replace("80;0;80;0;80", "80;0;80;0;81"), "BR-CO-15"),
        (SINGLE.replace("80;0;80;0;80", "80;1;80;1;81"), "BR-E-09"),
        (SINGLE.replace("EUR", "euro"), "BR-CL-04"),
        (SINGLE.replace(";E;", ";X;"), "BR-CL-18"),
        (SINGLE.replace("NL001B01", ""), "BR-CO-26"),
        (SINGLE.replace("NL001B01", "001"), "BR-09"),
        (SINGLE.replace("De heer J. Jansen", ""), "BR-07"),
        (SINGLE.replace("2026-01-05", "5 januari"), "date-form"),
        (SINGLE.replace("2;2026", ";2026"), "value-missing"),
        (SINGLE.replace("80;;;lessons", "80;38a;;lessons"), "BR-CL-01"),
        (SINGLE.replace(";E;;", ";E;5;"), "BR-CO-17"),
        (SINGLE.replace(";E;;", ";E;0.00001;"), "decimals"),
    ],
)
def test_bad_rows(tmp_path: Path, row: str, rule: str) -> None:
    bad, good = read(tmp_path, row, FIRST.replace("1;", "9;", 1).replace("150;25,50;175,50", "100;21;121"))
    assert isinstance(bad, Refusal)
    assert bad.problems[0].rule == rule
    assert isinstance(good, Row)


def test_rows_of_a_bad_invoice_are_refused_together(tmp_path: Path) -> None:
    rows = read(tmp_path, FIRST, SECOND.replace("4.5", "5.5"))
    assert [(row.locator, type(row)) for row in rows] == [("row 2", Refusal), ("row 3", Refusal)]
    differ = read(tmp_path, FIRST, SECOND.replace("175,50", "175,49"))
    assert [row.problems[0].rule for row in differ if isinstance(row, Refusal)] == ["totals-differ"] * 2


def test_rates(tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_text(
        "country,category,rate,valid_from,valid_until\nNL,S,21,2012-10-01,\nNL,S,6.5,1990-01-01,2018-12-31\n"
        "N,S,1,1990-01-01,\nNL,Q,1,1990-01-01,\nNL,S,1,1990,\n"
    )
    rows = list(RateTableImporter().rows(Source(path), Vault(":memory:", bytes(32)), Options()))
    commands = [row.steps[0].command for row in rows if isinstance(row, Row)]
    assert commands == [
        SetRate("NL", "S", 210_000, "2012-10-01"),
        SetRate("NL", "S", 65_000, "1990-01-01", "2018-12-31"),
    ]
    refused = [row.problems[0].rule for row in rows if isinstance(row, Refusal)]
    assert refused == ["country-form", "BR-CL-18", "date-form"]
