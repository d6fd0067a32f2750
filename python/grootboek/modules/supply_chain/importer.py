"""EPCIS 2.0 JSON-LD documents, and prefixes from CSV tables."""

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar, Final

from msgspec import structs

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
from grootboek.modules.supply_chain.identifiers import canonical
from grootboek.modules.supply_chain.import_document import events
from grootboek.modules.supply_chain.import_event import Draft, parts, read
from grootboek.modules.supply_chain.module import REGISTRAR, REPORTER, SupplyChain
from grootboek.modules.supply_chain.rules import names
from grootboek.modules.supply_chain.terms import Event, RegisterPrefix
from grootboek.modules.vault import Vault

__all__ = ["PREFIX_COLUMNS", "EpcisImporter", "PrefixTableImporter"]

PREFIX_COLUMNS: Final = (
    Column("prefix", "a GS1 company prefix of 4 to 12 digits, or a URI that ends with a separator"),
    Column("owner", "id of the party that owns it, 32 hex digits; empty: every reporter", required=False),
)

_UNREADABLE: Final = re.compile(r"urn:epc:(id|class|idpat):", re.ASCII)


class EpcisImporter(Importer):
    """Reads EPCIS 2.0 in JSON-LD: documents, query results, lists of events, bare events."""

    module: ClassVar[type[Module]] = SupplyChain
    sequential: ClassVar[bool] = True

    def recognises(self, source: Source, options: Options) -> bool:
        """By the first character: JSON."""
        del options
        return source.head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in {b"{", b"["}

    def rows(self, source: Source, vault: Vault, options: Options) -> Iterator[Row | Refusal]:
        """Refusals first, then the events by the time when they happened, whatever their order."""
        del options
        good: list[tuple[str, Draft]] = []
        for found in events(source):
            try:
                draft = read(found)
                parts(draft.command)
            except BadField as bad:
                yield Refusal(found.locator, (bad.problem,))
            else:
                good.append((found.locator, draft))
        good.sort(key=lambda pair: pair[1].command.eventTime)
        for locator, draft in good:
            command = _committed(draft, vault)
            steps = tuple(Step(part, REPORTER, wave=1) for part in parts(command))
            yield Row(locator, steps, tuple(_warnings(draft)))


class PrefixTableImporter(Importer):
    """Reads who owns which prefix from CSV: the columns are ``PREFIX_COLUMNS``."""

    module: ClassVar[type[Module]] = SupplyChain

    def recognises(self, source: Source, options: Options) -> bool:
        """By the names in the header."""
        return tables.looks_like(source, PREFIX_COLUMNS, options)

    def rows(self, source: Source, vault: Vault, options: Options) -> Iterator[Row | Refusal]:
        """One prefix a row."""
        del vault
        return tables.read(source, PREFIX_COLUMNS, options, _prefix_row)

    def export(self, source: Source, options: Options, refused: Mapping[str, tuple[Problem, ...]]) -> str:
        """The refused rows as they stand in the file, with their reasons."""
        return tables.export(source, options, refused)


def _committed(draft: Draft, vault: Vault) -> Event:
    """The command, with commitments in the place of what may hold anything."""
    command = draft.command
    if not draft.private:
        return command
    subject = vault.pseudonym("supply_chain", "event", command.eventID)
    made = {name: vault.put(subject, name, text) for name, text in draft.private.items()}
    own = made.pop("errorDeclaration", None)
    if own is not None and command.errorDeclaration is not None:
        declaration = structs.replace(command.errorDeclaration, extensions=own)
        command = structs.replace(command, errorDeclaration=declaration)
    return structs.replace(command, **made)


def _warnings(draft: Draft) -> Iterator[Problem]:
    command = draft.command
    if any(_UNREADABLE.match(name) and canonical(name) == name for name in names(command)):
        yield Problem("epc-form", "an EPC is none that the Tag Data Standard can read: it is taken as it is")
    if not draft.own_id and "extensions" in draft.private:
        yield Problem(
            "eventID",
            "the eventID is a hash of all fields, the user's own too: give the event an eventID of its own"
            " where these are personal data",
        )


def _prefix_row(record: Record) -> Row:
    owner = record.values["owner"]
    if owner and not re.fullmatch("[0-9a-f]{32}", owner.lower(), re.ASCII):
        raise BadField("owner", "owner is no party's id of 32 hex digits")
    prefix = record.text("prefix")
    digits = re.fullmatch(r"\d{4,12}", prefix, re.ASCII)
    if not digits and not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:\S*[/:#.=?]", prefix, re.ASCII):
        raise BadField("prefix-form", "prefix is neither 4 to 12 digits nor a URI that ends with a separator")
    return Row(
        record.locator, (Step(RegisterPrefix(prefix, bytes.fromhex(owner) if owner else None), REGISTRAR),)
    )
