"""``grootboek import``: files of records through a module's importer, onto the ledger."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from grootboek.cli.exits import Exit
from grootboek.cli.fields import pairs
from grootboek.cli.keyring import Keyring
from grootboek.cli.modules import find_module
from grootboek.cli.options import Json, Ledger
from grootboek.cli.output import Outcome, Step, progress, table, talk
from grootboek.client import AsyncClient, Result, transactions
from grootboek.client.client import now_ms
from grootboek.errors import ConfigError
from grootboek.ledger.module import Module
from grootboek.modules.importing import (
    FileReport,
    Options,
    Prepared,
    Report,
    Staging,
    export,
    report,
    stage,
    submit,
)
from grootboek.modules.vault import Vault
from grootboek.types import Genesis

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["bring_by", "import_files", "send_staged", "value_of"]

SHOWN = 20
"""How many refused rows a person is shown; all are in ``--json`` and ``--refused``."""

Maps = Annotated[tuple[str, ...], Parameter(name="--map", negative=(), help="OURS=THEIRS: a column's name.")]
Settings = Annotated[tuple[str, ...], Parameter(negative=(), help="NAME=VALUE for one importer.")]
Keys = Annotated[
    tuple[Path, ...],
    Parameter(negative=(), help="Key files, or folders of them: each role signs with its own key."),
]


async def import_files(
    module: Annotated[str, Parameter(help="The module's name: tax, welfare, supply_chain...")],
    files: Annotated[tuple[Path, ...], Parameter(help="Files, or folders of files.")],
    /,
    *,
    keys: Keys = (),
    work: Annotated[
        Path | None,
        Parameter(help="Folder of vault and staging (default: imports, beside the genesis file)."),
    ] = None,
    form: Annotated[
        str | None, Parameter(name="--format", help="The file format (default: by content).")
    ] = None,
    columns: Maps = (),
    delimiter: Annotated[str | None, Parameter(help="; or , (default: by header).")] = None,
    setting: Settings = (),
    refused: Annotated[Path | None, Parameter(help="Folder for the refused rows, as CSV.")] = None,
    dry_run: Annotated[bool, Parameter(negative=(), help="Read, check and report; submit nothing.")] = False,
    ledger: Ledger | None = None,
    json: Json = False,
) -> Outcome:
    """Import files of records; running it again doubles nothing.

    Exit code 0 where every row is on the ledger, 3 where rows were refused (reported with rule and row).
    """
    kind = find_module(module)
    if not kind.importers:
        raise ConfigError(f"the module {module} has no importer: use `grootboek submit`", where="MODULE")
    if refused is not None:
        refused.mkdir(parents=True, exist_ok=True)
    ledger = (ledger or Ledger()).resolved()
    genesis = ledger.load_genesis()
    options = Options(
        format=form,
        columns=pairs(columns, "--map"),
        delimiter=delimiter,
        settings=pairs(setting, "--setting"),
    )
    folder = work or (ledger.genesis or Path()).parent / "imports"
    with (
        Vault.at(folder) as vault,
        Staging(folder, genesis.chain, kind, limits=genesis.limits) as staging,
        progress(f"importing into {module}") as step,
    ):
        staged = stage(
            kind,
            files,
            vault=vault,
            staging=staging,
            options=options,
            keep=not dry_run,
            progress=lambda at: step(at.rows, 0),
        )
        if not dry_run:
            paths = keys or ((ledger.key,) if ledger.key else ())
            keyring = Keyring.open(genesis, paths, ledger.passphrase_file)
            async with ledger.client() as client:
                await send_staged(genesis, staging, keyring, bring_by(client), step)
            staged = report(staged, staging)
    if refused is not None:
        _export(staged, kind, options, refused)
    return Outcome(value_of(staged), lambda: _view(staged), Exit.REFUSED if staged.refused else Exit.OK)


async def send_staged(
    genesis: Genesis,
    staging: Staging,
    keyring: Keyring,
    bring: Callable[[transactions.Prepared], Awaitable[Result]],
    step: Step,
) -> None:
    """Submit what is staged until each command has its outcome.

    ``bring`` takes a signed transaction to its result; ``step`` is told how many commands have one.
    """
    settled = 0

    def sign(one: Prepared) -> bytes:
        return transactions.prepare(
            genesis.chain,
            (keyring.key_for(one.role),),
            one.commands,
            expiry=now_ms() + genesis.limits.validity_ms // 2,
            nonce=one.nonce,
            limits=genesis.limits,
        ).frame

    async def send(frame: bytes) -> Sequence[str] | None:
        result = await bring(transactions.from_frame(genesis.chain, frame))
        return result.outcomes or None

    def count(outcomes: int) -> None:
        nonlocal settled
        settled += outcomes
        step(settled, 0)

    await submit(staging, sign, send, progress=count)


def bring_by(client: AsyncClient) -> Callable[[transactions.Prepared], Awaitable[Result]]:
    """Send one transaction through ``client`` until its outcome is proven."""

    async def bring(prepared: transactions.Prepared) -> Result:
        (result,) = await client.send_prepared([prepared])
        return result

    return bring


def value_of(staged: Report) -> dict[str, object]:
    """The report for ``--json``."""
    return {
        "accepted": staged.accepted,
        "known": staged.known,
        "applied": staged.applied,
        "pending": staged.pending,
        "warned": staged.warned,
        "refused": staged.refused,
        "reasons": staged.reasons,
        "files": staged.files,
    }


def _view(staged: Report) -> "RenderableType":
    from rich.console import Group

    rows = [
        (file.path, file.format, file.accepted, file.known, file.applied, len(file.warned), _refused(file))
        for file in staged.files
    ]
    headings = ("file", "format", "accepted", "known", "applied", "warned", "refused")
    problems = [
        (Path(file.path).name, row.locator, row.problems[0].rule, row.problems[0].message)
        for file in staged.files
        for row in (*file.refused, *file.rejected)
    ]
    views: list[RenderableType] = [table(headings, rows)]
    if problems:
        views.append(table(("refused in", "row", "rule", "why"), problems[:SHOWN]))
    if len(problems) > SHOWN:
        views.append(f"... and {len(problems) - SHOWN:,} more: --json or --refused DIR has all")
    return Group(*views)


def _refused(file: FileReport) -> int:
    return len(file.refused) + len(file.rejected)


def _export(staged: Report, module: type[Module], options: Options, folder: Path) -> None:
    for name, text in export(staged, module, options):
        (folder / name).write_text(text, encoding="utf-8", newline="")
        talk(f"refused rows written to {folder / name}")
