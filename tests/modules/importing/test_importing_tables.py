"""CSV as the world writes it."""

import csv
import io
import re
from datetime import date
from pathlib import Path
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grootboek.errors import ImportFileError
from grootboek.modules.importing import (
    BadField,
    Column,
    Options,
    Problem,
    Record,
    Refusal,
    Source,
    tables,
)

COLUMNS = (Column("name", "a name"), Column("sum", "an amount"), Column("extra", "", required=False))


def write(folder: Path, content: str | bytes) -> Source:
    path = folder / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Source(path)


def values(folder: Path, content: str | bytes, options: Options | None = None) -> list[tuple[str, ...]]:
    rows = tables.records(write(folder, content), COLUMNS, options or Options())
    return [tuple(row.values.values()) for row in rows if isinstance(row, Record)]


@pytest.mark.parametrize(
    "content",
    [
        "name,sum\nAnn,1\nBob,2\n",
        "name;sum\nAnn;1\nBob;2\n",
        "\ufeffname;sum\r\nAnn;1\r\nBob;2\r\n",
        "\ufeffname,sum\nAnn,1\nBob,2",
        "sum,other,name\n1,x,Ann\n2,y,Bob\n",
        " Name , SUM \n Ann , 1 \nBob,2\n",
        '"name";"sum"\n"Ann";"1"\n"Bob";"2"\n',
        "name,sum\n\nAnn,1\n,\nBob,2\n\n",
        "name,sum,\nAnn,1,\nBob,2,\n",
        "name,sum\r\nAnn,1,, \r\n \r\n , \r\nBob,2\r\n\r\n",
    ],
)
def test_forms_of_the_same_table(tmp_path: Path, content: str) -> None:
    assert values(tmp_path, content) == [("Ann", "1", ""), ("Bob", "2", "")]


def test_quotes_delimiters_and_line_breaks_inside(tmp_path: Path) -> None:
    content = 'name,sum\n"A ""B"", C\r\nD",1\nE;F,2\n'
    assert values(tmp_path, content) == [('A "B", C\r\nD', "1", ""), ("E;F", "2", "")]


def test_rows_have_the_numbers_that_a_spreadsheet_shows(tmp_path: Path) -> None:
    content = 'name,sum\n"two\nlines",1\n\nB,2\n'
    rows = tables.records(write(tmp_path, content), COLUMNS, Options())
    assert [row.locator for row in rows] == ["row 2", "row 4"]


def test_columns_are_mapped(tmp_path: Path) -> None:
    options = Options(columns={"name": "Naam", "extra": "Soort"})
    content = "naam;bedrag;sum;soort\nAnn;x;1;k\n"
    assert values(tmp_path, content, options) == [("Ann", "1", "k")]


def test_text_is_one_whether_composed_or_not(tmp_path: Path) -> None:
    content = normalize("NFD", "Naäm;Sum\nZoë;1\n")
    assert values(tmp_path, content, Options(columns={"name": "Naäm"})) == [("Zoë", "1", "")]


def test_the_delimiter_may_be_told(tmp_path: Path) -> None:
    content = "name;sum\nAnn;1\n"
    assert values(tmp_path, content, Options(delimiter=";")) == [("Ann", "1", "")]
    with pytest.raises(ImportFileError, match="no column 'name'"):
        values(tmp_path, content, Options(delimiter=","))
    with pytest.raises(ImportFileError, match="neither ; nor ,"):
        values(tmp_path, content, Options(delimiter="tab"))


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        ("name\nAnn\n", {}, "no column 'sum' (--map sum=THEIRS names another)"),
        ("name,sum,Name\n", {}, "names 'name' twice"),
        ("name,sum\n", {"extra": "nowhere"}, "no column 'nowhere'"),
        ("name,sum\n", {"wrong": "name"}, "'wrong'; there are extra, name, sum"),
        ('"name,sum\n', {}, "the header: unexpected end of data (lines 1 to 1 of the file)"),
        (b"na\xefme,sum\n", {}, "the header: the row is not UTF-8 (save the file as CSV UTF-8)"),
        ("name,sum".encode("utf-16"), {}, "the file is UTF-16: save it as CSV UTF-8"),
        ("name\tsum\n", {}, "the header's columns are separated neither by ; nor by ,"),
        ("", {}, "no column 'name'"),
    ],
)
def test_headers_that_cannot_be_used(
    tmp_path: Path, content: str | bytes, columns: dict[str, str], message: str
) -> None:
    with pytest.raises(ImportFileError, match=re.escape(message)) as caught:
        values(tmp_path, content, Options(columns=columns))
    assert caught.value.where.endswith("t.csv")


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (b"Ann", "field-count"),
        (b"Ann,1,2", "field-count"),
        (b"A\xffnn,1", "encoding"),
        (b"A\0nn,1", "encoding"),
        (b'"Ann"x,1', "csv-form"),
        (b"Ann,1" + b"," * 1_001, "csv-form"),
        (b"A" * 200_000 + b",1", "csv-form"),
    ],
)
def test_a_bad_row_does_not_hide_the_others(tmp_path: Path, line: bytes, rule: str) -> None:
    rows = list(tables.records(write(tmp_path, b"name,sum\n" + line + b"\nBob,2\n"), COLUMNS, Options()))
    bad, good = rows[0], rows[-1]
    assert isinstance(bad, Refusal)
    assert (bad.locator, bad.problems[0].rule) == ("row 2", rule)
    assert isinstance(good, Record)
    assert good.values["name"] == "Bob"


def test_an_open_quote_at_the_end_is_one_bad_row(tmp_path: Path) -> None:
    rows = list(tables.records(write(tmp_path, 'name,sum\nAnn,1\n"Bob,2\nC,3\n'), COLUMNS, Options()))
    assert [type(row) for row in rows] == [Record, Refusal]
    assert isinstance(rows[1], Refusal)
    assert rows[1].problems[0].message.endswith("(lines 3 to 4 of the file)")


@pytest.mark.parametrize(
    ("line", "exported"),
    [
        (b"Ann,1,2", "Ann,1,r,why,2"),
        (b"Ann", "Ann,,r,why"),
        ("Zoë,1".encode("cp1252"), "Zoë,1,r,why"),
        (b"A\0nn,1", "A\0nn,1,r,why"),
        (b'"Ann"x,1', '"""Ann""x,1\n",,r,why'),
    ],
)
def test_nothing_of_a_refused_row_is_lost(tmp_path: Path, line: bytes, exported: str) -> None:
    source = write(tmp_path, b"name,sum\n" + line + b"\nBob,2\n")
    text = tables.export(source, Options(), {"row 2": (Problem("r", "why"),)}, COLUMNS)
    assert text == f"name,sum,refused_rule,refused_reason\r\n{exported}\r\n"


def test_a_list_is_exported_by_the_delimiter_that_it_was_read_by(tmp_path: Path) -> None:
    source = write(tmp_path, "name;sum;a,b,c,d\nAnn;1;x\n")
    text = tables.export(source, Options(), {"row 2": (Problem("r", "why"),)}, COLUMNS)
    assert text.splitlines()[1] == "Ann;1;x;r;why"


@given(st.lists(st.tuples(st.text(), st.text()), max_size=8), st.sampled_from(";,"))
def test_what_python_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], delimiter: str
) -> None:
    usable = [row for row in rows if _readable("".join(row))]
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerows([("name", "sum"), *usable])
    content = out.getvalue().encode()
    found = values(tmp_path_factory.mktemp("t"), content)
    assert found == [tuple(normalize("NFC", text).strip() for text in (*row, "")) for row in usable]


def _readable(text: str) -> bool:
    return (
        bool(text.strip())
        and "\0" not in text
        and not any("\ud800" <= character <= "\udfff" for character in text)
    )


def test_the_format_is_told_by_the_header(tmp_path: Path) -> None:
    def looks(content: str | bytes, **names: str) -> bool:
        return tables.looks_like(write(tmp_path, content), COLUMNS, Options(columns=names))

    assert looks("\ufeffsum;x;NAME\n")
    assert looks("bedrag;x;naam\n", name="Naam", sum="Bedrag")
    assert not looks("name,total\n")
    assert not looks(b"\xff\xfe\0")
    assert not looks("")


# --- fields ---


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12", "EUR", 1200),
        ("12.5", "EUR", 1250),
        ("12,50", "EUR", 1250),
        ("-0.01", "EUR", -1),
        ("+3.10", "EUR", 310),
        (".5", "EUR", 50),
        ("7.", "EUR", 700),
        ("12.5000", "EUR", 1250),
        ("1234", "JPY", 1234),
        ("1.234", "KWD", 1234),
        ("00012", "EUR", 1200),
    ],
)
def test_amounts(text: str, currency: str, minor: int) -> None:
    assert tables.parse_amount(text, currency, "sum") == minor


@pytest.mark.parametrize(
    ("text", "currency", "rule"),
    [
        ("", "EUR", "number-form"),
        ("abc", "EUR", "number-form"),
        ("1,234.00", "EUR", "number-form"),
        ("1.234,00", "EUR", "number-form"),
        ("1e5", "EUR", "number-form"),
        ("Infinity", "EUR", "number-form"),
        ("٣", "EUR", "number-form"),
        ("- 5", "EUR", "number-form"),
        ("1,234", "EUR", "number-form"),
        ("9" * 25, "EUR", "number-form"),
        ("0.005", "EUR", "decimals"),
        ("1.5", "JPY", "decimals"),
        ("90071992547409.92", "EUR", "number-range"),
    ],
)
def test_amounts_that_are_none(text: str, currency: str, rule: str) -> None:
    with pytest.raises(BadField) as caught:
        tables.parse_amount(text, currency, "sum")
    assert caught.value.problem.rule == rule


@given(st.integers(-(2**53) + 1, 2**53 - 1), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_amounts_survive_writing(minor: int, currency: str) -> None:
    scale = {"EUR": 2, "JPY": 0, "KWD": 3}[currency]
    whole, rest = divmod(abs(minor), 10**scale)
    text = f"{'-' if minor < 0 else ''}{whole}" + (f".{rest:0{scale}}" if scale else "")
    assert tables.parse_amount(text, currency, "sum") == minor


def test_dates() -> None:
    assert tables.parse_date("2024-02-29", "d") == date(2024, 2, 29)
    for text in ("2023-02-29", "20240229", "2024-2-9", "29-02-2024", "", "2024-02-29T00:00"):
        with pytest.raises(BadField) as caught:
            tables.parse_date(text, "d")
        assert caught.value.problem.rule == "date-form"


def test_an_empty_value_is_missed(tmp_path: Path) -> None:
    (row,) = tables.records(write(tmp_path, "name,sum\nAnn,\n"), COLUMNS, Options())
    assert isinstance(row, Record)
    with pytest.raises(BadField, match="value-missing"):
        row.amount("sum", "EUR")
    with pytest.raises(BadField, match="value-missing"):
        row.date("extra")
