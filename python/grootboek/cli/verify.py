"""``grootboek verify``: the offline audit of a data directory."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from grootboek.cli.options import Json, Ledger
from grootboek.cli.output import Outcome, progress, table
from grootboek.disk import Disk, RealDisk
from grootboek.errors import ConfigError, Damaged, GrootboekError, Locked

__all__ = ["verify"]


def verify(
    folder: Annotated[Path, Parameter(name="DIR", help="A replica's data directory, or a copy of one.")],
    /,
    *,
    genesis: Annotated[
        Path | None,
        Parameter(env_var="GROOTBOEK_GENESIS", help="The genesis file (default: genesis.json beside DIR)."),
    ] = None,
    guard: Annotated[
        Path | None, Parameter(help="The folder of the replica's guard, where it is not DIR.")
    ] = None,
    json: Json = False,
) -> Outcome:
    """Audit everything in a data directory: nothing in it is believed, all is computed again.

    Every entry, signature, proof, root and outcome, by executing the log from the genesis file on; the
    synced journal; the kept certificate and snapshots; the invariants of the modules. Exit code 4,
    naming the place, where one byte is not what it must be.
    """
    from grootboek import garbage
    from grootboek.ledger import Registry, audit
    from grootboek.node import journal
    from grootboek.node.journalled import Held, cosigned_in, durable_in, opened_in

    if not folder.is_dir():
        raise ConfigError("there is no such folder", where=str(folder))
    garbage.settle()
    founding = Ledger(genesis=genesis or folder.parent / "genesis.json").load_genesis()
    with _unused(folder), progress("auditing entries") as step:
        disk = RealDisk(folder)
        beside = RealDisk(guard) if guard else disk
        promises = journal.check(disk, beside)
        if promises.damage:
            raise promises.damage[0]
        if not beside.size(journal.MARKER):
            raise _without_journal(folder, disk)
        promised = Held.of(journal.records(disk, beside)).records
        report = audit(
            founding,
            disk,
            Registry.discover(),
            step,
            cosigned=cosigned_in(promised),
            durable=durable_in(promised),
            opened=opened_in(promised),
        )
    value = msgspec.structs.asdict(report) | {
        "origin": founding.chain.origin,
        "journal_groups": promises.groups,
        "journal_records": promises.records,
        "journal_tail_bytes": promises.tail_bytes,
    }
    torn = report.tail_bytes + promises.tail_bytes
    rows = [
        ("height", f"{report.height:,}"),
        ("log entries", f"{report.size:,}, of which {report.certified_size:,} under a quorum's certificate"),
        ("log root", report.root.hex()),
        ("state root", report.state.hex()),
        ("executed again", f"{report.transactions:,} transactions, {report.records:,} records"),
        ("signatures", f"{report.signatures:,}"),
        ("snapshots", f"{len(report.snapshots)}"),
        ("module invariants", ", ".join(report.invariants) or "none"),
        ("journal", f"{promises.records:,} records in {promises.groups:,} groups"),
    ]
    if torn:
        rows.append(("torn by a crash", f"{torn:,} bytes that nobody relies on; the next start cuts them"))
    return Outcome(value, lambda: table(("audited, and right", founding.chain.origin), rows))


def _without_journal(folder: Path, disk: Disk) -> GrootboekError:
    """A replica that has run has a journal, be it empty."""
    if disk.names("log"):
        return Damaged("the journal is gone: nothing tells what this replica has promised", where="journal")
    return ConfigError("no replica has run here: it holds neither a journal nor a log", where=str(folder))


@contextlib.contextmanager
def _unused(folder: Path) -> Iterator[None]:
    """Keep a replica from starting here meanwhile; raises Locked where one runs."""
    path = folder / "lock"
    if not path.exists():
        yield
        return
    lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise Locked(
            "a replica runs here: stop it, or audit a snapshot of its disk", where=str(folder)
        ) from error
    finally:
        os.close(lock)
