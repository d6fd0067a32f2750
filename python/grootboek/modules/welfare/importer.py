"""Benefit lists and schemes from CSV tables."""

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Final, Literal

import msgspec
from msgspec import Struct

from grootboek._core import digest
from grootboek.ledger.module import Module
from grootboek.modules.importing import (
    BadField,
    Column,
    Importer,
    Options,
    Problem,
    Record,
    Refusal,
    Row,
    Source,
    Step,
    tables,
)
from grootboek.modules.vault import Vault
from grootboek.modules.welfare import import_fields as fields
from grootboek.modules.welfare.module import (
    ADMINISTRATOR,
    OFFICER,
    PROVIDER,
    REGISTRAR,
    TREASURY,
    Welfare,
)
from grootboek.modules.welfare.periods import Kind, kind
from grootboek.modules.welfare.terms import (
    Appropriate,
    BulkDisburse,
    Component,
    DisburseLine,
    Enrol,
    Exclusion,
    GrantEntitlement,
    LinkAccount,
    OpenScheme,
    SchemeId,
    Settle,
)
from grootboek.wire import encode

__all__ = ["BENEFIT_COLUMNS", "SCHEME_COLUMNS", "BenefitListImporter", "SchemeTableImporter"]

BENEFIT_COLUMNS: Final = (
    Column("scheme", "the scheme's short name; or `--setting scheme=NAME` for the whole file"),
    Column("person", "the person's number in your register; stays in the vault"),
    Column("name", "the person's name; stays in the vault", required=False),
    Column("iban", "payee account; stays in the vault"),
    Column("period", "2026-01, 2026-Q1, 2026-W05 or 2026"),
    Column("component", "part of the benefit: base (where empty), child-1...", required=False),
    Column("amount", "above zero, decimal comma or point"),
    Column("currency", "ISO 4217; EUR where empty", required=False),
    Column("enrolled_from", "first period of the enrolment; else the row's period", required=False),
    Column("enrolled_until", "last period of the enrolment; else the row's period", required=False),
    Column("exclusions", "the scheme's exclusion sets, separated by spaces", required=False),
    Column("attempt", "1 (where empty); 2 pays again after a return, and so on", required=False),
    Column("status", "empty, ok or returned: what became of the payment", required=False),
    Column("value_date", "day of the settlement or return, YYYY-MM-DD", required=False),
    Column("reason", "why it was returned, an ISO 20022 code such as AC04", required=False),
)
"""One row for each payment."""

SCHEME_COLUMNS: Final = (
    Column("scheme", "the scheme's short name"),
    Column("currency", "ISO 4217; EUR where empty", required=False),
    Column("periods", "year, quarter, month or week"),
    Column("rule", "SHA-256 of the rules, hex", required=False),
    Column("first", "first period that can be paid", required=False),
    Column("last", "last period that can be paid", required=False),
    Column("exclusions", "exclusion sets, separated by spaces", required=False),
    Column("cooling_off_days", "before a changed account is paid; 7 where empty", required=False),
    Column("appropriation", "amount made available; empty for none"),
    Column("reference", "of the appropriation, such as the budget act", required=False),
)
"""One row for each scheme or further appropriation."""

_STATUS: Final[dict[str, Literal["ok", "returned"] | None]] = {
    "": None,
    "instructed": None,
    "ok": "ok",
    "settled": "ok",
    "paid": "ok",
    "returned": "returned",
}
_SWITCH: Final = ("yes", "no")
_KINDS: Final[dict[str, Kind]] = {"year": "year", "quarter": "quarter", "month": "month", "week": "week"}
_OPENING: Final = b"grootboek/1 opening balance\n"
_DAY_MS: Final = 86_400_000


class Benefit(Struct, frozen=True, kw_only=True):
    """One row of a list. Personal data: never leaves for the ledger."""

    scheme: str
    currency: str
    person: str
    name: str
    iban: str
    first: str
    last: str
    exclusions: tuple[str, ...]
    period: str
    component: str
    amount: int
    attempt: int
    status: Literal["ok", "returned"] | None
    value_date: str
    reason: str

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """What may stand in a list once (W5)."""
        return (self.scheme, self.person, self.period, self.component, self.attempt)


class BenefitListImporter(Importer):
    """Reads benefit lists: the columns are ``BENEFIT_COLUMNS``."""

    module: ClassVar[type[Module]] = Welfare
    settings: ClassVar[Mapping[str, Sequence[str] | None]] = {
        "scheme": None,
        "currency": None,
        "open": _SWITCH,
        "appropriate": _SWITCH,
    }

    def recognises(self, source: Source, options: Options) -> bool:
        """Any table: which column is which, ``--map`` may have to say."""
        del options
        line = source.head.decode("utf-8-sig", "replace").lstrip().partition("\n")[0]
        return not line.startswith(("{", "[", "<")) and any(mark in line for mark in ";,\t|")

    def rows(self, source: Source, vault: Vault, options: Options) -> Iterator[Row | Refusal]:
        """Enrol, link, grant, instruct, settle: one row has all steps of its payment.

        Settings: ``scheme`` and ``currency`` stand in for the columns; ``open=no`` and
        ``appropriate=no`` leave schemes and their opening balances to others.
        """
        seen: set[tuple[str, str, str, str, int]] = set()

        def build(record: Record) -> Row:
            benefit = _benefit(record, options)
            if benefit.key in seen:
                raise BadField("W5", "person, period and component stand in the list before")
            seen.add(benefit.key)
            return Row(record.locator, tuple(_steps(benefit, vault, options)))

        return tables.read(source, _columns(options), options, build)

    def export(self, source: Source, options: Options, refused: Mapping[str, tuple[Problem, ...]]) -> str:
        """The refused rows as they stand in the file, with their reasons."""
        return tables.export(source, options, refused, _columns(options))


class SchemeTableImporter(Importer):
    """Reads schemes and appropriations: the columns are ``SCHEME_COLUMNS``."""

    module: ClassVar[type[Module]] = Welfare

    def recognises(self, source: Source, options: Options) -> bool:
        """By the names in the header, unless they are those of a benefit list with more columns."""
        benefits = tables.looks_like(source, _columns(options), options)
        return not benefits and tables.looks_like(source, SCHEME_COLUMNS, options)

    def rows(self, source: Source, vault: Vault, options: Options) -> Iterator[Row | Refusal]:
        """One scheme or appropriation a row."""
        del vault
        return tables.read(source, SCHEME_COLUMNS, options, _scheme_row)

    def export(self, source: Source, options: Options, refused: Mapping[str, tuple[Problem, ...]]) -> str:
        """The refused rows as they stand in the file, with their reasons."""
        return tables.export(source, options, refused, SCHEME_COLUMNS)


def _columns(options: Options) -> Sequence[Column]:
    """A scheme that was set for the whole file needs no column."""
    given = {"scheme"} & set(options.settings)
    return [
        msgspec.structs.replace(column, required=column.required and column.name not in given)
        for column in BENEFIT_COLUMNS
    ]


def _benefit(record: Record, options: Options) -> Benefit:
    """The row, checked field by field; raises BadField. Touches no vault."""
    values = record.values
    currency = fields.currency(values["currency"] or options.settings.get("currency", "EUR"))
    period = fields.period(record.text("period"))
    status = _status(values["status"])
    if status and not values["value_date"]:
        raise BadField("value-missing", "value_date is empty, but the payment has a status")
    return Benefit(
        scheme=fields.code(values["scheme"] or options.settings.get("scheme", ""), SchemeId, "scheme"),
        currency=currency,
        person=record.text("person"),
        name=values["name"],
        iban=fields.iban(record.text("iban")),
        first=fields.period(values["enrolled_from"] or period, "enrolled_from"),
        last=fields.period(values["enrolled_until"] or period, "enrolled_until"),
        exclusions=_sets(values["exclusions"]),
        period=period,
        component=fields.code(values["component"] or "base", Component, "component"),
        amount=fields.money(record.text("amount"), currency, "amount"),
        attempt=_attempt(values["attempt"]),
        status=status,
        value_date=fields.day(values["value_date"], "value_date") if status else "",
        reason=fields.code(values["reason"], SchemeId, "reason")[:35] if values["reason"] else "",
    )


def _steps(row: Benefit, vault: Vault, options: Options) -> Iterator[Step]:
    """Everything that the payment needs on the ledger, from scheme to settlement.

    Nothing of the file itself: a row that stands in another list too has the same steps there.
    """
    person = vault.pseudonym(f"welfare/{row.scheme}", "person", row.person)
    account = vault.put(person, "iban", row.iban)
    if options.settings.get("open") != "no":
        scheme = OpenScheme(row.scheme, row.currency, kind(row.period), exclusions=row.exclusions or None)
        yield Step(scheme, ADMINISTRATOR, wave=1)
    if options.settings.get("appropriate") != "no" and row.attempt == 1:
        yield Step(_opening(row, person), TREASURY, wave=2)
    yield Step(_enrolment(row, person, vault), REGISTRAR, wave=2)
    yield Step(LinkAccount(row.scheme, person, account), REGISTRAR, wave=3)
    key = (person, row.period, row.component)
    if row.attempt == 1:
        yield Step(GrantEntitlement(row.scheme, *key, row.amount), OFFICER, wave=4)
    # One payment a command: its outcome and its receipt are then its own, and show no other person's.
    line = DisburseLine(*key, row.amount, account, row.attempt)
    yield Step(BulkDisburse(row.scheme, row.period, (line,)), TREASURY, wave=5)
    if row.status is not None:
        outcome = Settle(row.scheme, *key, row.attempt, row.status, row.value_date, row.reason)
        yield Step(outcome, PROVIDER, wave=6)


def _opening(row: Benefit, person: bytes) -> Appropriate:
    """The amount of this very payment, once. The reference names it by what is on the ledger anyway."""
    key = encode((person, row.period, row.component, row.amount))
    return Appropriate(row.scheme, row.amount, digest(_OPENING + key).hex(), opening=True)


def _enrolment(row: Benefit, person: bytes, vault: Vault) -> Enrol:
    tags = tuple(
        Exclusion(name, vault.pseudonym(f"welfare/exclusion/{name}", "person", row.person))
        for name in row.exclusions
    )
    return Enrol(
        row.scheme,
        person,
        row.first,
        row.last,
        exclusions=tags,
        person=vault.put_once(person, "person", row.person),
        name=vault.put(person, "name", row.name) if row.name else None,
    )


def _status(text: str) -> Literal["ok", "returned"] | None:
    if text.lower() not in _STATUS:
        raise BadField("status-form", "status is none of ok, returned, instructed")
    return _STATUS[text.lower()]


def _attempt(text: str) -> int:
    attempt = tables.parse_decimal(text or "1", 0, "attempt")
    if not 1 <= attempt < 1_000:  # noqa: PLR2004  # nobody is paid a thousand times
        raise BadField("number-range", "attempt is no small number above zero")
    return attempt


def _sets(text: str) -> tuple[str, ...]:
    return tuple(sorted({fields.code(name, SchemeId, "exclusions") for name in text.split()}))


def _scheme_row(record: Record) -> Row:
    values = record.values
    currency = fields.currency(values["currency"] or "EUR")
    scheme = fields.code(record.text("scheme"), SchemeId, "scheme")
    step = OpenScheme(
        scheme,
        currency,
        _periods(record.text("periods")),
        rule=_rule(values["rule"]),
        first=fields.period(values["first"], "first") if values["first"] else None,
        last=fields.period(values["last"], "last") if values["last"] else None,
        exclusions=_sets(values["exclusions"]),
        cooling_off_ms=_cooling_off(values["cooling_off_days"]),
    )
    steps = [Step(step, ADMINISTRATOR)]
    if values["appropriation"]:
        amount = fields.money(values["appropriation"], currency, "appropriation")
        steps.append(Step(Appropriate(scheme, amount, _reference(record)), TREASURY, wave=1))
    return Row(record.locator, tuple(steps))


def _reference(record: Record) -> str:
    text = record.text("reference")
    if len(text) > 64:  # noqa: PLR2004  # as a Reference
        raise BadField("value-range", "reference is longer than 64 characters")
    return text


def _periods(text: str) -> Kind:
    if text.lower() not in _KINDS:
        raise BadField("period-form", "periods is none of year, quarter, month, week")
    return _KINDS[text.lower()]


def _rule(text: str) -> bytes | None:
    try:
        rule = bytes.fromhex(text)
    except ValueError:
        rule = b"-"
    if len(rule) not in {0, 32}:
        raise BadField("digest-form", "rule is no SHA-256 in hex")
    return rule or None


def _cooling_off(text: str) -> int | None:
    days = tables.parse_decimal(text, 0, "cooling_off_days") if text else None
    if days is not None and not 0 <= days <= 366:  # noqa: PLR2004  # a year
        raise BadField("number-range", "cooling_off_days is above a year")
    return None if days is None else days * _DAY_MS
