"""``grootboek bench budget``: where the CPU time of a transaction goes."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from grootboek.cli.bench_options import figures
from grootboek.cli.exits import Exit
from grootboek.cli.options import Json
from grootboek.cli.output import Outcome, table, talk

if TYPE_CHECKING:
    from rich.console import RenderableType

    from grootboek.bench.budget import Budget

__all__ = ["budget"]

BESIDE_SECONDS = 8.0
"""Of the cluster that a budget is compared with."""


def budget(
    *,
    replicas: Annotated[int, Parameter(help="Replicas, all in this process.")] = 4,
    batch: Annotated[int, Parameter(help="Transactions in a round: under way at once.")] = 4_000,
    request: Annotated[int, Parameter(help="Transactions in one request.")] = 250,
    rounds: Annotated[int, Parameter(help="Measured rounds.")] = 4,
    beside: Annotated[bool, Parameter(name="--cluster", help="Run a cluster, too, and compare.")] = False,
    json: Json = False,
) -> Outcome:
    """Account for the CPU time of one transaction, stage by stage, summed over the replicas.

    Exit code 1, and the cluster's own report, where its transactions failed.
    """
    from grootboek.bench.budget import measure
    from grootboek.bench.cluster import run
    from grootboek.bench.setting import Setting
    from grootboek.node import logs

    logs.configure(level="warning")
    talk(f"measuring {replicas} replicas without a network, the API and a link")
    found = measure(replicas, batch, request, rounds)
    if not beside:
        return Outcome(found, lambda: _account(found))
    measured = run(Setting.of("anchor", replicas=replicas, window=batch, seconds=BESIDE_SECONDS), talk)
    if measured.errors or not measured.fsync:
        return Outcome(measured, lambda: figures(measured), Exit.FAILED)
    compared = found.beside(measured.cpu_us_per_tx)
    return Outcome(compared, lambda: _account(compared))


def _account(found: "Budget") -> "RenderableType":
    rows: list[tuple[str, object, object, object]] = [
        (one.stage, one.us_per_tx, one.times, one.total_us_per_tx) for one in found.stages
    ]
    rows.append(("sum", None, None, found.sum_us_per_tx))
    if found.cluster_us_per_tx is not None:
        rows.append(("not accounted", None, None, found.not_accounted_us_per_tx))
        rows.append(("measured in a cluster", None, None, found.cluster_us_per_tx))
    return table(("stage", "us once", "times", "us per transaction"), rows)
