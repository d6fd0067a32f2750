"""``grootboek bench cluster``: what a network of daemons does on this machine."""

from typing import TYPE_CHECKING, Annotated

import msgspec
from cyclopts import App, Parameter

from grootboek.cli.exits import Exit
from grootboek.cli.options import Json
from grootboek.cli.output import Outcome, table, talk
from grootboek.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from grootboek.bench.budget import Budget
    from grootboek.bench.report import Report

__all__ = ["app"]

app = App(name="bench", help="Measure a cluster on this machine.")

MIN_CONNECTIONS = 16
BESIDE_SECONDS = 8.0
"""Of the cluster that a budget is compared with."""


@app.command
def cluster(
    *,
    replicas: Annotated[int, Parameter(help="Daemons.")] = 4,
    seconds: Annotated[float, Parameter(help="Measured time, after the warm-up.")] = 20.0,
    warm_up: Annotated[float, Parameter(help="Seconds that are not counted.")] = 3.0,
    window: Annotated[int, Parameter(help="Closed loop: transactions under way at any time.")] = 4_000,
    rate: Annotated[
        float, Parameter(help="Open loop instead: single transactions a second, each at its own time.")
    ] = 0.0,
    connections: Annotated[int, Parameter(help="Connections of the client, over all replicas.")] = 16,
    keys: Annotated[int, Parameter(help="Different signing keys.")] = 1_000,
    ceiling: Annotated[
        int, Parameter(help="Transactions a second that are signed before the clock starts.")
    ] = 12_000,
    runs: Annotated[int, Parameter(help="Runs, each on a new ledger; medians are reported.")] = 1,
    json: Json = False,
) -> Outcome:
    """Found a network of daemons, load it from another process, and report medians.

    Exit code 1 where transactions failed or a replica did not sync for real.
    """
    from grootboek.bench.cluster import Setting, run
    from grootboek.bench.report import median_of

    counts = (replicas, seconds, window, keys, runs, ceiling)
    if connections < MIN_CONNECTIONS or min(counts) <= 0 or min(rate, warm_up) < 0:
        raise ConfigError(
            f"counts must be positive, and connections at least {MIN_CONNECTIONS}", where="flags"
        )
    setting = Setting(
        replicas=replicas,
        seconds=seconds,
        warm_up=warm_up,
        window=0 if rate else max(window, connections),
        rate=rate,
        connections=connections,
        keys=keys,
        ceiling=ceiling,
    )
    reports = []
    for number in range(1, runs + 1):
        talk(f"run {number} of {runs}")
        reports.append(run(setting, talk))
    report = median_of(reports) if runs > 1 else reports[0]
    code = Exit.OK if report.fsync and not report.errors else Exit.FAILED
    return Outcome(report, lambda: _view(report), code)


def _view(report: "Report") -> "RenderableType":
    facts = report.host
    rows = [
        (name, _text(value))
        for name, value in msgspec.structs.asdict(report).items()
        if name not in {"host", "backend"}
    ]
    rows += [
        ("backend", report.backend),
        ("machine", f"{facts.cpu}, {facts.cores} cores, {facts.memory_mb} MB"),
    ]
    return table(("figure", "value"), rows)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value or "none")


@app.command
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
    from grootboek.bench.report import Report
    from grootboek.node import logs

    logs.configure(level="warning")
    talk(f"measuring {replicas} replicas without a network, the API and a link")
    found = measure(replicas, batch, request, rounds)
    if not beside:
        return Outcome(found, lambda: _account(found))
    measured = cluster(replicas=replicas, window=batch, seconds=BESIDE_SECONDS)
    if not isinstance(measured.value, Report) or measured.exit is not Exit.OK:
        return measured
    compared = found.beside(measured.value.cpu_us_per_tx)
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
