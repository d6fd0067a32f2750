"""What an importer takes and gives: sources, rows, steps, refusals."""

import csv
import hashlib
import io
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final

from msgspec import Struct

from grootboek.errors import ImportFileError
from grootboek.ledger.module import Module
from grootboek.modules.vault import Vault

__all__ = ["FILE_BYTES", "Importer", "Options", "Problem", "Refusal", "Row", "Source", "Step"]

FILE_BYTES: Final = 256 << 20
"""The largest file that is imported."""

RULE_COLUMN: Final = "refused_rule"
REASON_COLUMN: Final = "refused_reason"
_HEAD_BYTES: Final = 4_096


class Problem(Struct, frozen=True, array_like=True):
    """Why a row is refused, or what to look at although it was accepted."""

    rule: str
    """A rule's id (``BR-CO-15``, ``T1``, ``column-missing``): stable, and what reports count by."""
    message: str
    """For a person. Holds no names, addresses, numbers of persons: it is kept and printed."""


class Step(Struct, frozen=True):
    """One command that a row needs on the ledger."""

    command: Struct
    """A command of the importer's module."""
    role: str
    """The role that the signer needs (``tax.provider``); steps of one role share transactions."""
    wave: int = 0
    """Steps of a wave are sent only when all steps of lower waves have their outcome."""


class Row(Struct, frozen=True):
    """One accepted row. Equal steps reach the ledger once, whatever rows they come from."""

    locator: str
    """Where in the file: ``row 17``, ``$.epcisBody.eventList[3]``, or empty for a whole document."""
    steps: tuple[Step, ...]
    warnings: tuple[Problem, ...] = ()
    also: tuple[str, ...] = ()
    """Further rows of the file that became part of these steps."""

    @property
    def locators(self) -> tuple[str, ...]:
        """Every place of the row in the file."""
        return self.locator, *self.also


class Refusal(Struct, frozen=True):
    """One row that breaks rules which can be checked without the ledger."""

    locator: str
    problems: tuple[Problem, ...]


class Options(Struct, frozen=True, kw_only=True):
    """What the user may tell an importer."""

    format: str | None = None
    """A key of ``Module.importers``; None finds the format from the content."""
    columns: Mapping[str, str] = {}
    """``--map OURS=THEIRS``: our column name -> the name in the file's header."""
    delimiter: str | None = None
    """``;`` or ``,``; None finds it from the header."""
    settings: Mapping[str, str] = {}
    """What only one importer knows; its documentation names them."""


class Source:
    """One file to import."""

    def __init__(self, path: Path) -> None:
        """Raises ImportFileError where the file is missing, unreadable or above FILE_BYTES."""
        self.path = path
        try:
            self.size = path.stat().st_size
            with path.open("rb") as file:
                self.head: bytes = file.read(_HEAD_BYTES)
        except OSError as error:
            raise ImportFileError(error.strerror or str(error), where=str(path)) from error
        if self.size > FILE_BYTES:
            raise ImportFileError(f"larger than {FILE_BYTES} bytes", where=str(path))

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return self.path.name

    def read(self) -> bytes:
        """The whole content; raises ImportFileError."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise ImportFileError(error.strerror or str(error), where=str(self.path)) from error

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the content, as ``sha256sum`` prints it."""
        try:
            with self.path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").digest()
        except OSError as error:
            raise ImportFileError(error.strerror or str(error), where=str(self.path)) from error


class Importer(ABC):
    """Reads one file format into commands of one module."""

    module: ClassVar[type[Module]]
    sequential: ClassVar[bool] = False
    """Whether each transaction must wait for the one before it, because rows build on one another."""
    settings: ClassVar[Mapping[str, Sequence[str] | None]] = {}
    """What ``--setting`` may set, with the values that are allowed; None for any value."""

    @abstractmethod
    def recognises(self, source: Source, options: Options) -> bool:
        """Whether the content (``source.head`` is mostly enough) looks like this format. Never raises.

        What it says yes to and cannot read after all, ``rows`` refuses with the reason.
        """

    @abstractmethod
    def rows(self, source: Source, vault: Vault, options: Options) -> Iterator[Row | Refusal]:
        """The rows of the file in order.

        Personal data goes into the vault, only commitments into commands. The same content gives the
        same steps again: random values come from the vault, which remembers them.
        Raises ImportFileError where the file as a whole cannot be read.
        """

    def export(self, source: Source, options: Options, refused: Mapping[str, tuple[Problem, ...]]) -> str:
        """The refused rows (by locator) as CSV text.

        Tables give the rows themselves, to be corrected and imported again (``tables.export``); other
        formats, as here, list file, locator, rule and reason.
        """
        del options
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(["file", "locator", RULE_COLUMN, REASON_COLUMN])
        for locator, problems in refused.items():
            writer.writerows([source.name, locator, problem.rule, problem.message] for problem in problems)
        return out.getvalue()
