"""``grootboek bench``: what a ledger does on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from cyclopts import App, Parameter

from grootboek.cli.bench_budget import budget
from grootboek.cli.bench_more import catch_up, proofs, report, verify
from grootboek.cli.bench_options import (
    Ceiling,
    Connections,
    Keys,
    Rate,
    Replicas,
    Window,
    Work,
    figures,
    text_of,
)
from grootboek.cli.exits import Exit
from grootboek.cli.options import Json
from grootboek.cli.output import Outcome, table, talk, to_json
from grootboek.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from grootboek.bench.compare import Change
    from grootboek.bench.report import Report

__all__ = ["app"]

app = App(name="bench", help="Measure a ledger on this machine.")
for function in (budget, verify, catch_up, proofs, report):
    app.command(function)


@app.command
def cluster(
    *,
    workload: Work = "anchor",
    replicas: Replicas = 4,
    seconds: Annotated[float, Parameter(help="Measured time, after the warm-up.")] = 20.0,
    warm_up: Annotated[float, Parameter(help="Seconds that are not counted.")] = 3.0,
    window: Window = None,
    rate: Rate = 0.0,
    connections: Connections = 16,
    keys: Keys = 1_000,
    ceiling: Ceiling = None,
    kill: Annotated[
        Literal["backup", "primary"] | None, Parameter(help="Kill that replica while it is measured.")
    ] = None,
    at: Annotated[float, Parameter(help="When: so many seconds after the warm-up.")] = 5.0,
    runs: Annotated[int, Parameter(help="Runs, each on a new ledger; medians are reported.")] = 1,
    keep: Annotated[Path | None, Parameter(help="Leave the ledger in this new folder (one run).")] = None,
    save: Annotated[Path | None, Parameter(help="Write the report to this file, as JSON.")] = None,
    compare: Annotated[
        Path | None, Parameter(help="Show an earlier report beside this one; host and setting must be equal.")
    ] = None,
    json: Json = False,
) -> Outcome:
    """Found a network of daemons, load it from another process, and report medians.

    Exit code 1 where transactions failed or a replica did not sync for real.
    """
    from grootboek.bench.cluster import run
    from grootboek.bench.compare import changes, load_report, require_same
    from grootboek.bench.host import host
    from grootboek.bench.report import median_of
    from grootboek.bench.setting import Setting

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
        kill=kill,
        at=at,
    )
    if runs <= 0 or (keep is not None and runs > 1):
        raise ConfigError("there is at least one run, and only one where --keep is given", where="--runs")
    earlier = load_report(compare) if compare else None
    if earlier is not None:
        require_same(earlier, setting, host())  # before anything is measured
    reports = []
    for number in range(1, runs + 1):
        talk(f"run {number} of {runs}")
        reports.append(run(setting, talk, keep))
    now = median_of(reports) if runs > 1 else reports[0]
    if save is not None:
        save.write_text(to_json(now) + "\n", encoding="utf-8")
    code = Exit.OK if now.fsync and not now.errors else Exit.FAILED
    if earlier is None:
        return Outcome(now, lambda: figures(now), code)
    found = changes(earlier, now)
    value = msgspec.structs.asdict(now) | {"compared": found, "version_before": earlier.version}
    return Outcome(value, lambda: _beside(earlier, now, found), code)


def _beside(before: "Report", after: "Report", found: "Sequence[Change]") -> "RenderableType":
    rows = [
        (one.figure, text_of(one.before), text_of(one.after), _percent(one), "noise" if one.noise else "")
        for one in found
    ]
    rows += [
        (name, text_of(getattr(before, name)), text_of(getattr(after, name)), "", "")
        for name in ("version", "runs", "fsync", "errors", "view_changes")
    ]
    return table(("figure", "before", "now", "change", ""), rows)


def _percent(change: "Change") -> str:
    return "" if change.percent is None else f"{change.percent:+.1f} %"
