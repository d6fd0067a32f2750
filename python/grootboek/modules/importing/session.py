"""One run of an import: read and stage files, submit what is pending, report."""

import asyncio
import importlib
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from grootboek.errors import ConfigError, ImportFileError
from grootboek.ledger.module import Module
from grootboek.modules.importing.model import Importer, Options, Problem, Refusal, Row, Source
from grootboek.modules.importing.staging import TRANSACTION_COMMANDS, Prepared, Staging, TooLarge
from grootboek.modules.vault import Vault
from grootboek.wire import APPLIED

__all__ = [
    "FileReport",
    "Progress",
    "Report",
    "RowReport",
    "export",
    "importers",
    "report",
    "stage",
    "submit",
]

ROWS_A_BATCH: Final = 500
"""How many rows become durable together."""
REFUSED_MAX: Final = 100_000
"""A file with more refused rows is not read further: it is of another kind than its header says."""


class Progress(Struct, frozen=True):
    """Told after every batch of rows."""

    file: str
    """The path of the file that was read last."""
    file_number: int
    files: int
    rows: int
    """Rows of all files read so far."""


class RowReport(Struct, frozen=True):
    """One row that has something to say."""

    locator: str
    problems: tuple[Problem, ...]


class FileReport(Struct):
    """What became of one file's rows. Every row is accepted, refused or known."""

    path: str
    format: str = ""
    accepted: int = 0
    """Rows that were staged."""
    known: int = 0
    """Rows that were staged before, from this file or another: they are not doubled."""
    warned: list[RowReport] = []
    """Accepted or known rows with something to look at."""
    refused: list[RowReport] = []
    """Rows that break a rule which needs no ledger. A file that cannot be read is one such row."""
    applied: int = 0
    """Staged rows that are on the ledger."""
    pending: int = 0
    """Staged rows without an outcome as yet."""
    rejected: list[RowReport] = []
    """Staged rows that the ledger refused; the rule is the module's rejection reason."""


class Report(Struct, frozen=True):
    """What became of all files."""

    files: tuple[FileReport, ...]

    @property
    def accepted(self) -> int:
        """Rows that were staged now."""
        return sum(file.accepted for file in self.files)

    @property
    def known(self) -> int:
        """Rows that were staged before."""
        return sum(file.known for file in self.files)

    @property
    def warned(self) -> int:
        """Rows with a warning."""
        return sum(len(file.warned) for file in self.files)

    @property
    def applied(self) -> int:
        """Rows on the ledger."""
        return sum(file.applied for file in self.files)

    @property
    def pending(self) -> int:
        """Rows without an outcome as yet."""
        return sum(file.pending for file in self.files)

    @property
    def refused(self) -> int:
        """Rows that no one will find on the ledger: refused here or by a module."""
        return sum(len(file.refused) + len(file.rejected) for file in self.files)

    @property
    def reasons(self) -> dict[str, int]:
        """How many rows each rule refused, here or on the ledger; by rule."""
        rows = (row for file in self.files for row in (*file.refused, *file.rejected))
        return dict(sorted(Counter(row.problems[0].rule for row in rows).items()))


def importers(module: type[Module]) -> dict[str, Importer]:
    """The importers of a module by format; none is loaded before it is asked for here."""
    return {name: _load(path) for name, path in module.importers.items()}


def stage(
    module: type[Module],
    files: Sequence[Path],
    *,
    vault: Vault,
    staging: Staging,
    options: Options | None = None,
    commands: int = TRANSACTION_COMMANDS,
    keep: bool = True,
    progress: Callable[[Progress], None] | None = None,
) -> Report:
    """Read the files (folders: every file inside, by name) and stage their rows.

    A file that cannot be read at all is reported as one refused row with its error's code (GB-3001);
    a path that does not exist raises ImportFileError before anything is staged. Vault and staging are
    durable when this returns; nothing was sent. ``commands``: how many a transaction takes. Without
    ``keep`` (a dry run) both are as before, and the report only says what would be staged. Raises
    ConfigError for options that are none, StorageError, MissingExtra.
    """
    with nullcontext() if keep else _undone(vault, staging):
        return _stage(module, files, _Context(vault, staging, options or Options()), commands, progress)


async def submit(
    staging: Staging,
    sign: Callable[[Prepared], bytes],
    send: Callable[[bytes], Awaitable[Sequence[str] | None]],
    *,
    in_flight: int = 16,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Submit all that is pending, wave by wave, up to ``in_flight`` transactions at once.

    ``sign`` makes a transaction from ``prepared.commands``, ``nonce`` and the key for ``prepared.role``
    (not atomic, with an expiry). ``send`` submits its bytes until it is final and gives the outcome of
    each command, or None where it expired without an entry; it is then signed anew. What ``sign`` or
    ``send`` raises ends the run; calling again goes on where it stopped. ``progress`` is told how many
    commands got their outcome.
    """
    while ready := staging.pending(in_flight):
        for prepared in ready:
            if prepared.signed is None:
                staging.keep(prepared, sign(prepared))
        ready = staging.pending(in_flight)
        results = await asyncio.gather(
            *(_deliver(staging, send, one) for one in ready), return_exceptions=True
        )
        if progress is not None:
            progress(sum(result for result in results if isinstance(result, int)))
        for result in results:
            if isinstance(result, BaseException):
                raise result


def report(staged: Report, staging: Staging) -> Report:
    """The same report with the outcomes that the ledger gave since."""
    for file in staged.files:
        if file.format:
            _outcomes(file, Source(Path(file.path)), staging)
    return staged


def export(staged: Report, module: type[Module], options: Options | None = None) -> Iterator[tuple[str, str]]:
    """File name and CSV text of the refused and rejected rows of each file that has some."""
    known = importers(module)
    names: Counter[str] = Counter()
    for file in staged.files:
        rows = [*file.refused, *file.rejected]
        if rows and file.format:
            refused = {row.locator: row.problems for row in rows}
            path = Path(file.path)
            text = known[file.format].export(Source(path), options or Options(), refused)
            if text:
                names[path.stem] += 1
                number = f"-{names[path.stem]}" if names[path.stem] > 1 else ""
                yield f"{path.stem}{number}.refused.csv", text


# --- inside -------------------------------------------------------------------------------------


_Found = tuple[int, Row | Refusal]
"""A row, and which file it is from."""


class _Context(Struct, frozen=True):
    vault: Vault
    staging: Staging
    options: Options


def _stage(
    module: type[Module],
    files: Sequence[Path],
    context: _Context,
    commands: int,
    progress: Callable[[Progress], None] | None,
) -> Report:
    known = importers(module)
    _check_options(known, context.options)
    sources = [Source(path) for path in _expand(files)]
    reports = [FileReport(str(source.path)) for source in sources]
    rows = itertools.chain.from_iterable(
        _read(reports[i], i, source, known, context) for i, source in enumerate(sources)
    )
    done = 0
    while batch := _next_batch(rows, context.vault):
        with context.staging.batch():
            for i, row in batch:
                _stage_row(reports[i], sources[i], row, context.staging)
        done += len(batch)
        if progress is not None:
            last = batch[-1][0]
            progress(Progress(reports[last].path, last + 1, len(sources), done))
    used = {file.format for file in reports if file.format}
    context.staging.arrange(sequential=any(known[name].sequential for name in used), commands=commands)
    return report(Report(tuple(reports)), context.staging)


def _check_options(known: Mapping[str, Importer], options: Options) -> None:
    """Raises ConfigError for a format or a setting that no importer of the module knows."""
    if options.format is not None and options.format not in known:
        raise ConfigError(f"no format {options.format!r}; there are {', '.join(known)}", where="--format")
    allowed = {name: values for importer in known.values() for name, values in importer.settings.items()}
    for name, value in options.settings.items():
        if name not in allowed:
            there = f"there are {', '.join(sorted(allowed))}" if allowed else "there is none"
            raise ConfigError(f"no setting {name!r}; {there}", where="--setting")
        values = allowed[name]
        if values is not None and value not in values:
            raise ConfigError(f"{name}={value} is not one of {', '.join(values)}", where="--setting")


class _Undo(Exception):
    """Ends a dry run."""


@contextmanager
def _undone(vault: Vault, staging: Staging) -> Iterator[None]:
    """Undo in both what is done inside."""
    with suppress(_Undo), vault.batch(), staging.batch():
        yield
        raise _Undo


def _load(path: str) -> Importer:
    module, _, name = path.partition(":")
    loaded = getattr(importlib.import_module(module), name)()
    if not isinstance(loaded, Importer):
        raise TypeError(f"{path} is no Importer")
    return loaded


def _expand(files: Sequence[Path]) -> Iterator[Path]:
    for path in files:
        if path.is_dir():
            yield from sorted(child for child in path.iterdir() if child.is_file())
        else:
            yield path


def _choose(source: Source, known: Mapping[str, Importer], options: Options) -> str:
    """The format of the source; raises ImportFileError."""
    if source.size == 0:
        raise ImportFileError("the file is empty", where=str(source.path))
    if options.format is not None:
        return options.format
    for name, importer in known.items():
        if importer.recognises(source, options):
            return name
    raise ImportFileError(f"the content is none of {', '.join(known)}", where=str(source.path))


def _read(
    file: FileReport, number: int, source: Source, known: Mapping[str, Importer], context: _Context
) -> Iterator[_Found]:
    """The rows of one file; that it cannot be read (on) is a refused row too."""
    try:
        file.format = _choose(source, known, context.options)
        refused = 0
        for row in known[file.format].rows(source, context.vault, context.options):
            yield number, row
            refused += isinstance(row, Refusal)
            _check_refused(refused)
    except ImportFileError as error:
        yield number, Refusal("", (Problem(error.code, error.detail),))


def _next_batch(rows: Iterator[_Found], vault: Vault) -> list[_Found]:
    """The salts of a batch are durable in the vault before its commitments are staged."""
    with vault.batch():
        return list(itertools.islice(rows, ROWS_A_BATCH))


def _check_refused(refused: int) -> None:
    if refused > REFUSED_MAX:
        raise ImportFileError(f"more than {REFUSED_MAX} rows are refused: not read further")


def _stage_row(file: FileReport, source: Source, row: Row | Refusal, staging: Staging) -> None:
    if isinstance(row, Refusal):
        file.refused.append(RowReport(row.locator, row.problems))
        return
    try:
        added = staging.add(source, row)
    except TooLarge as error:
        problem = Problem("GB-1002", f"the command of {error.args[0]} bytes is larger than the ledger takes")
        file.refused.append(RowReport(row.locator, (problem,)))
        return
    if added:
        file.accepted += len(row.locators)
    else:
        file.known += len(row.locators)
    if row.warnings:
        file.warned.extend(RowReport(locator, row.warnings) for locator in row.locators)


async def _deliver(
    staging: Staging, send: Callable[[bytes], Awaitable[Sequence[str] | None]], prepared: Prepared
) -> int:
    """Submit one transaction and record its outcomes; how many there are."""
    signed = prepared.signed
    if signed is None:
        raise AssertionError("kept before it is sent")
    outcomes = await send(signed)
    if outcomes is None:
        staging.expired(prepared)
        return 0
    staging.settle(prepared, outcomes)
    return len(outcomes)


def _outcomes(file: FileReport, source: Source, staging: Staging) -> None:
    file.applied = file.pending = 0
    file.rejected = []
    for locator, outcome in staging.outcomes(source):
        if outcome is None:
            file.pending += 1
        elif outcome == APPLIED:
            file.applied += 1
        else:
            text = staging.reasons.get(outcome, "the ledger refused it")
            file.rejected.append(RowReport(locator, (Problem(outcome, text),)))
