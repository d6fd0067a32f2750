"""``grootboek bench verify | catch-up | proofs | report``: beside the cluster."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from grootboek.cli.bench_options import Ceiling, Connections, Keys, Rate, Replicas, Window, Work, figures
from grootboek.cli.exits import Exit
from grootboek.cli.options import Json
from grootboek.cli.output import Outcome, table, talk
from grootboek.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from grootboek.bench.proofs import ProofReport

__all__ = ["catch_up", "proofs", "report", "verify"]


def verify(
    folder: Annotated[
        Path | None,
        Parameter(name="DIR", help="A ledger that `bench cluster --keep` left (default: a new one is made)."),
    ] = None,
    /,
    *,
    workload: Work = "anchor",
    seconds: Annotated[float, Parameter(help="How long a new ledger is loaded.")] = 10.0,
    json: Json = False,
) -> Outcome:
    """Audit a replica's data directory as `grootboek verify` does: every entry, signature and outcome.

    Exit code 1 where it does not verify.
    """
    from grootboek.bench.audit import audit
    from grootboek.bench.cluster import run
    from grootboek.bench.setting import Setting

    if folder is not None:
        report = audit(folder / "replica-0")
        return Outcome(report, lambda: figures(report))
    setting = Setting.of(workload, seconds=seconds)
    with tempfile.TemporaryDirectory(prefix="grootboek-bench-") as name:
        run(setting, talk, Path(name))
        talk("auditing")
        report = audit(Path(name) / "replica-0")
    return Outcome(report, lambda: figures(report))


def catch_up(
    *,
    workload: Work = "anchor",
    replicas: Replicas = 4,
    away: Annotated[float, Parameter(help="Seconds that the replica is away.")] = 10.0,
    seconds: Annotated[float, Parameter(help="Seconds of load in all; it has the rest to catch up.")] = 40.0,
    warm_up: Annotated[float, Parameter(help="Seconds of load before.")] = 3.0,
    wipe: Annotated[
        bool, Parameter(negative=(), help="It comes back with its keys and settings alone.")
    ] = False,
    window: Window = None,
    rate: Rate = 0.0,
    connections: Connections = 16,
    keys: Keys = 1_000,
    ceiling: Ceiling = None,
    json: Json = False,
) -> Outcome:
    """Take a replica away under load, start it again, and measure how fast it follows while the others order.

    Exit code 1 where it did not catch up in time.
    """
    from grootboek.bench.catchup import catch_up as measure
    from grootboek.bench.setting import Setting
    from grootboek.types import Quorum

    if not 0 <= away < seconds or Quorum.of(replicas).faults == 0:
        raise ConfigError("must be shorter than --seconds, of a ledger that can spare one", where="--away")
    setting = Setting.of(
        workload,
        replicas=replicas,
        seconds=seconds,
        warm_up=warm_up,
        window=window,
        rate=rate,
        connections=connections,
        keys=keys,
        ceiling=ceiling,
    )
    report = measure(setting, away, talk, wiped=wipe)
    return Outcome(report, lambda: figures(report), Exit.OK if report.caught_up else Exit.FAILED)


def proofs(
    *,
    transactions: Annotated[
        int, Parameter(help="Of the ledger in memory that they are made from.")
    ] = 100_000,
    count: Annotated[int, Parameter(help="Proofs of each kind.")] = 5_000,
    json: Json = False,
) -> Outcome:
    """Make proofs from a ledger in memory, and verify them with the genesis file: CPU time and bytes.

    Receipts, inclusion and consistency paths of the log, and proofs of the state, present and absent.
    """
    from grootboek.bench.proofs import measure_proofs

    if not 0 < count <= transactions:
        raise ConfigError("needs 0 < count <= transactions", where="--count")
    report = measure_proofs(transactions, count)
    return Outcome(report, lambda: _proof_table(report))


def report(
    runs: Annotated[
        list[Path], Parameter(name="RUN.json", help="Reports of `bench cluster --save`; may be several.")
    ],
    /,
    *,
    output: Annotated[Path, Parameter(help="The page to write.")],
    peers: Annotated[
        Path | None, Parameter(help="Figures of other systems: see docs/performance.md.")
    ] = None,
    budget: Annotated[Path | None, Parameter(help="What parts of a transaction may cost: the same.")] = None,
    json: Json = False,
) -> Outcome:
    """Make one page of HTML with curves: throughput against latency, scaling, a budget, others beside ours.

    It works offline and holds no script.
    """
    from grootboek.bench.beside import load_budget, load_peers
    from grootboek.bench.compare import load_report
    from grootboek.bench.page import page

    data = page(
        [load_report(path) for path in runs],
        load_peers(peers) if peers else (),
        load_budget(budget) if budget else None,
    )
    output.write_bytes(data)
    value = {"page": str(output), "runs": len(runs), "bytes": len(data)}
    return Outcome(value, lambda: f"{output}: {len(runs)} runs")


def _proof_table(report: "ProofReport") -> "RenderableType":
    headings = ("proof", "made a second", "verified a second", "bytes", "at most")
    rows = [
        (
            row.kind,
            round(row.made_per_s),
            round(row.verified_per_s),
            round(row.bytes_mean),
            row.bytes_max,
        )
        for row in report.rows
    ]
    title = f"{report.proofs:,} of each, from {report.transactions:,} transactions, on {report.host.cpu}"
    return table(headings, rows, title)
