"""A tiny importer over the records module: one Anchor a row."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

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
from grootboek.modules.records import Anchor, Records
from grootboek.modules.vault import Vault

COLUMNS = (Column("key", "the key"), Column("text", "the document"), Column("note", "", required=False))


class LineImporter(Importer):
    """Anchors the hash of ``text`` under ``key``; the text itself goes into the vault."""

    module: ClassVar[type[Module]] = Records

    def recognises(self, source: Source, options: Options) -> bool:
        return tables.looks_like(source, COLUMNS, options)

    def rows(self, source: Source, vault: Vault, options: Options) -> Iterator[Row | Refusal]:
        def build(record: Record) -> Row:
            if record.values["note"] == "bad":
                raise BadField("note-bad", "the note says so")
            vault.put(b"p" * 16, record.text("key"), record.text("text"))
            digest = hashlib.sha256(record.text("text").encode()).digest()
            warnings = (Problem("note", "has a note"),) if record.values["note"] else ()
            role, wave = ("b", 1) if record.values["note"] == "late" else ("a", 0)
            return Row(record.locator, (Step(Anchor(record.text("key"), digest), role, wave),), warnings)

        return tables.read(source, COLUMNS, options, build)

    def export(self, source: Source, options: Options, refused: Mapping[str, tuple[Problem, ...]]) -> str:
        return tables.export(source, options, refused)


class SequentialImporter(LineImporter):
    """The same, one transaction after the other."""

    sequential: ClassVar[bool] = True


class Lines(Records):
    """Records with an importer."""

    roles: ClassVar[dict[str, str]] = {"a": "", "b": ""}
    importers: ClassVar[dict[str, str]] = {"lines": f"{__name__}:LineImporter"}


class Sequence(Lines):
    """Records with a sequential importer."""

    importers: ClassVar[dict[str, str]] = {"lines": f"{__name__}:SequentialImporter"}


def table(folder: Path, *rows: str, name: str = "t.csv", header: str = "key,text,note") -> Path:
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8", newline="")
    return path
