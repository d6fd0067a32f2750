"""CSV tables: named columns in any order, as spreadsheets write them.

UTF-8 with or without a byte order mark; ``;`` or ``,``; quotes, CRLF, line breaks inside quotes; names
of columns in any case; extra columns are ignored. A row is known by its number as a spreadsheet shows
it: the header is row 1.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final, TextIO

from msgspec import Struct

from grootboek.errors import ImportFileError
from grootboek.modules.importing.model import (
    REASON_COLUMN,
    RULE_COLUMN,
    Options,
    Problem,
    Refusal,
    Row,
    Source,
)
from grootboek.modules.money import AMOUNT_LIMIT, exponent

__all__ = [
    "BadField",
    "Column",
    "Record",
    "export",
    "looks_like",
    "parse_amount",
    "parse_date",
    "parse_decimal",
    "read",
    "records",
]

DELIMITERS: Final = (";", ",")
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
COLUMNS_MAX: Final = 1_000
_DECIMAL: Final = re.compile(r"[+-]?(\d{1,24}(\.\d{0,12})?|\.\d{1,12})", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class BadField(Exception):
    """A field breaks a rule: its row is refused, the import goes on."""

    def __init__(self, rule: str, message: str) -> None:
        self.problem = Problem(rule, message)
        super().__init__(f"{rule}: {message}")


class _Broken(Struct, frozen=True):
    """A row that cannot be read."""

    problem: Problem
    fields: list[str]
    """What there is of it: its fields, or its text as one of them."""


class Column(Struct, frozen=True):
    """One of our columns."""

    name: str
    doc: str
    """What it holds, its form and its unit."""
    required: bool = True
    """Whether the header must have it."""


class Record(Struct, frozen=True):
    """One row of a table."""

    locator: str
    values: dict[str, str]
    """By our column name, in Unicode form NFC without surrounding spaces; empty where the file has no
    such column.
    """

    def text(self, name: str) -> str:
        """The value; raises BadField("value-missing") where it is empty."""
        if not self.values[name]:
            raise BadField("value-missing", f"{name} is empty")
        return self.values[name]

    def date(self, name: str) -> date:
        """The value as a date, YYYY-MM-DD; raises BadField."""
        return parse_date(self.text(name), name)

    def amount(self, name: str, currency: str) -> int:
        """The value in minor units; raises BadField."""
        return parse_amount(self.text(name), currency, name)


def parse_date(text: str, name: str) -> date:
    """A calendar date in the form YYYY-MM-DD (ISO 8601); raises BadField("date-form")."""
    wrong = BadField("date-form", f"{name} is no date of the form YYYY-MM-DD")
    if not _DATE.fullmatch(text):
        raise wrong
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise wrong from None


def parse_decimal(text: str, scale: int, name: str, *, rule: str = "decimals") -> int:
    """A decimal number times 10**scale, exactly.

    Raises BadField("number-form") where it is no plain decimal number, BadField(rule) where it has
    more decimals than ``scale`` that are not zero, BadField("number-range") where it is too large.
    """
    if not _DECIMAL.fullmatch(text):
        raise BadField("number-form", f"{name} is no plain decimal number")
    whole, _, decimals = text.lstrip("+-").partition(".")
    if decimals[scale:].strip("0"):
        raise BadField(rule, f"{name} has more than {scale} decimals")
    number = int((whole or "0") + decimals[:scale].ljust(scale, "0"))
    if number >= AMOUNT_LIMIT:
        raise BadField("number-range", f"{name} is too large")
    return -number if text.startswith("-") else number


def parse_amount(text: str, currency: str, name: str) -> int:
    """An amount of money in minor units of ``currency``; raises BadField.

    A single comma stands for the decimal point where two decimals or fewer follow it.
    """
    if re.fullmatch(r"[+-]?\d+,\d{1,2}", text, re.ASCII):
        text = text.replace(",", ".")
    return parse_decimal(text, exponent(currency), name)


def looks_like(source: Source, columns: Sequence[Column], options: Options) -> bool:
    """Whether the first line of the file is a header with most of the required columns.

    Most, not all: ``records`` then names the column that is missing.
    """
    required = _wanted([column for column in columns if column.required], options)
    line = _first_line(source)
    found = max(len(required.intersection(_names(_split(line, delimiter)))) for delimiter in DELIMITERS)
    return 2 * found > len(required)


def records(source: Source, columns: Sequence[Column], options: Options) -> Iterator[Record | Refusal]:
    """Every row of the table that is not blank; a refusal where a row is not well formed.

    Raises ImportFileError where the header lacks a required column, names one twice, or ``--map`` names
    what is not there.
    """
    with _open(source) as file:
        rows = _rows(file, _delimiter(source, columns, options))
        number, header = next(rows, (1, []))
        if isinstance(header, _Broken):
            raise ImportFileError(f"the header: {header.problem.message}", where=str(source.path))
        places = _places(source, columns, options, header)
        for number, fields in rows:
            if isinstance(fields, _Broken):
                yield Refusal(f"row {number}", (fields.problem,))
            elif any(map(str.strip, fields)):
                yield _record(f"row {number}", fields, len(header), places)


def read(
    source: Source, columns: Sequence[Column], options: Options, build: Callable[[Record], Row]
) -> Iterator[Row | Refusal]:
    """``build`` every row of the table; a row for which it raises BadField is refused.

    Raises as ``records``.
    """
    for record in records(source, columns, options):
        if isinstance(record, Refusal):
            yield record
            continue
        try:
            yield build(record)
        except BadField as bad:
            yield Refusal(record.locator, (bad.problem,))


def export(
    source: Source,
    options: Options,
    refused: Mapping[str, tuple[Problem, ...]],
    columns: Sequence[Column] = (),
) -> str:
    """The header and the refused rows as they stand in the file, with rule and reason at the end.

    Fields that the header has no name for follow behind those; a row that is not well-formed CSV is the
    text of its first field; bytes that are no UTF-8 are taken for Windows-1252. Empty where no row was
    refused but the file as a whole.
    """
    if not any(refused):
        return ""
    out = io.StringIO()
    with _open(source) as file:
        delimiter = _delimiter(source, columns, options)
        writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
        rows = _rows(file, delimiter)
        _, header = next(rows, (1, []))
        names = header if isinstance(header, list) else []
        keep = [i for i, name in enumerate(_names(names)) if name not in {RULE_COLUMN, REASON_COLUMN}]
        writer.writerow([*(names[i] for i in keep), RULE_COLUMN, REASON_COLUMN])
        for number, fields in rows:
            problems = refused.get(f"row {number}")
            if problems is not None:
                found = fields.fields if isinstance(fields, _Broken) else fields
                kept = [found[i] if i < len(found) else "" for i in keep]
                rules = " ".join(problem.rule for problem in problems)
                reasons = " | ".join(problem.message for problem in problems)
                writer.writerow([*kept, rules, reasons, *found[len(names) :]])
    return re.sub("[\ud800-\udfff]", _windows, out.getvalue())


# --- inside -------------------------------------------------------------------------------------


def _open(source: Source) -> TextIO:
    """Bytes that are no UTF-8 become surrogates, so that one bad row does not hide the others."""
    if source.head.startswith(_UTF_16):
        raise ImportFileError("the file is UTF-16: save it as CSV UTF-8", where=str(source.path))
    try:
        return source.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
    except OSError as error:
        raise ImportFileError(error.strerror or str(error), where=str(source.path)) from error


def _rows(file: TextIO, delimiter: str) -> Iterator[tuple[int, list[str] | _Broken]]:
    lines: list[str] = []
    reader = csv.reader(_noted(file, lines), delimiter=delimiter, strict=True)
    number = 0
    while True:
        number += 1
        first = reader.line_num + 1
        lines.clear()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem = Problem("csv-form", f"{error} (lines {first} to {reader.line_num} of the file)")
            yield number, _Broken(problem, ["".join(lines)])
            continue
        problem_ = _unreadable(fields)
        yield number, _Broken(problem_, fields) if problem_ else fields


def _noted(file: TextIO, lines: list[str]) -> Iterator[str]:
    for line in file:
        lines.append(line)
        yield line


def _windows(surrogate: re.Match[str]) -> str:
    """The byte behind a surrogate, as Windows-1252: what spreadsheets write that do not write UTF-8."""
    return bytes([ord(surrogate[0]) & 0xFF]).decode("cp1252", "replace")


def _unreadable(fields: list[str]) -> Problem | None:
    text = "".join(fields)
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return Problem("encoding", "the row is not UTF-8 (save the file as CSV UTF-8)")
    if "\0" in text:
        return Problem("encoding", "the row holds a NUL character")
    if len(fields) > COLUMNS_MAX:
        return Problem("csv-form", f"the row has more than {COLUMNS_MAX} fields")
    return None


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _name(text: str) -> str:
    """A column's name as it is compared: in lower case, a space or hyphen as an underscore."""
    return re.sub(r"[\s-]+", "_", unicodedata.normalize("NFC", text).strip().lower())


def _names(header: Sequence[str]) -> list[str]:
    return [_name(name) for name in header]


def _first_line(source: Source) -> str:
    text = source.head.decode("utf-8-sig", "surrogateescape")
    return text.splitlines()[0] if text else ""


def _wanted(columns: Sequence[Column], options: Options) -> set[str]:
    """The names that our columns have in the header."""
    return {_name(options.columns.get(column.name, column.name)) for column in columns}


def _delimiter(source: Source, columns: Sequence[Column], options: Options) -> str:
    """The one that was told, else the one under which most of the wanted names, or names, are there."""
    if options.delimiter is not None:
        if options.delimiter not in DELIMITERS:
            raise ImportFileError("--delimiter is neither ; nor ,", where=str(source.path))
        return options.delimiter
    line, wanted = _first_line(source), _wanted(columns, options)

    def score(delimiter: str) -> tuple[int, int]:
        names = _names(_split(line, delimiter))
        return len(wanted.intersection(names)), len(names)

    return max(DELIMITERS, key=score)


def _places(
    source: Source, columns: Sequence[Column], options: Options, header: Sequence[str]
) -> dict[str, int | None]:
    """Where each of our columns stands."""
    known = {column.name for column in columns}
    for ours in options.columns:
        if ours not in known:
            raise ImportFileError(
                f"--map names the column {ours!r}; there are {', '.join(sorted(known))}",
                where=str(source.path),
            )
    if len(header) == 1 and re.search(r"[\t|]", header[0]):
        raise ImportFileError(
            "the header's columns are separated neither by ; nor by ,", where=str(source.path)
        )
    names = _names(header)
    return {column.name: _place(source, column, options, names) for column in columns}


def _place(source: Source, column: Column, options: Options, names: list[str]) -> int | None:
    theirs = _name(options.columns.get(column.name, column.name))
    count = names.count(theirs)
    if count > 1:
        raise ImportFileError(f"the header names {theirs!r} twice", where=str(source.path))
    if count == 0 and (column.required or column.name in options.columns):
        raise ImportFileError(
            f"the header has no column {theirs!r} (--map {column.name}=THEIRS names another)",
            where=str(source.path),
        )
    return names.index(theirs) if count else None


def _values(fields: list[str], places: dict[str, int | None]) -> dict[str, str]:
    found = {name: fields[place] for name, place in places.items() if place is not None}
    return {name: unicodedata.normalize("NFC", found.get(name, "")).strip() for name in places}


def _record(locator: str, fields: list[str], width: int, places: dict[str, int | None]) -> Record | Refusal:
    if any(map(str.strip, fields[width:])) or len(fields) < width:
        message = f"the row has {len(fields)} fields, the header {width}"
        return Refusal(locator, (Problem("field-count", message),))
    return Record(locator, _values(fields, places))
