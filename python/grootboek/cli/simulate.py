"""``grootboek simulate``: the shipping code on a simulated network that does its worst."""

import itertools
import logging
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from grootboek.cli.exits import Exit
from grootboek.cli.options import Json
from grootboek.cli.output import Outcome, table, talk
from grootboek.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from grootboek.simulation import Report
    from grootboek.simulation.campaign import Failure, Summary

__all__ = ["simulate"]

TELL_SECONDS = 5.0
SECONDS_IN_HOUR = 3_600
ENOUGH = 500
"""In so many seeds every kind of fault must have happened."""


def simulate(
    *,
    seeds: Annotated[int, Parameter(help="How many runs, each from a seed of its own.")] = 100,
    first: Annotated[int, Parameter(help="The first of these seeds.")] = 0,
    seed: Annotated[int | None, Parameter(help="Run this seed alone, and print what happened.")] = None,
    shrink: Annotated[bool, Parameter(help="With --seed: look for the smallest plan that fails.")] = False,
    hours: Annotated[float, Parameter(help="Go on for so long instead of a number of seeds.")] = 0.0,
    to: Annotated[Path | None, Parameter(help="With --hours: the file that the table is written to.")] = None,
    json: Json = False,
) -> Outcome:
    """Run the ledger under simulated faults and lies; a seed replays its run exactly.

    Exit code 1 where an invariant broke, where a seed had no crash, no partition, no view change or
    passed less than two windows, or where a kind of fault never happened in 500 seeds or more.
    """
    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if seed is not None:
        return _one(seed, shrunk=shrink)
    if seeds <= 0 or first < 0 or hours < 0:
        raise ConfigError("counts must be positive", where="flags")
    if not hours:
        return _many(range(first, first + seeds))
    outcome = _many(_until(hours, itertools.count(first)))
    _write(to or Path(f"simulation-{commit()[:12]}.txt"), outcome)
    return outcome


def commit() -> str:
    """The commit that is run, where this is a working copy; else the version."""
    import grootboek

    here = Path(grootboek.__file__).parent
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--match", ""]
    try:
        done = subprocess.run(  # noqa: S603  # a fixed command
            command, cwd=here, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return grootboek.__version__
    return done.stdout.strip()


def _write(path: Path, outcome: Outcome) -> None:
    """The same table as on the terminal."""
    from rich.console import Console

    with path.open("w") as file:
        Console(file=file, width=100).print(outcome.text())
    talk(f"written to {path}")


def _one(seed: int, *, shrunk: bool) -> Outcome:
    from grootboek.simulation.campaign import Failure, ended, simulation_of, smallest_plan

    run = simulation_of(seed, smallest_plan(seed) if shrunk else None)
    outcome = ended(run)
    failed = isinstance(outcome, Failure)
    value = {"seed": seed, "plan": run.plan, "trace": run.trace, "failure" if failed else "report": outcome}
    end = f"FAILED {outcome.what}" if isinstance(outcome, Failure) else str(outcome)
    code = Exit.FAILED if failed else Exit.OK
    return Outcome(value, lambda: "\n".join([str(run.plan), *run.trace, end]), code)


def _until(hours: float, seeds: Iterable[int]) -> Iterable[int]:
    end = time.monotonic() + hours * SECONDS_IN_HOUR
    return itertools.takewhile(lambda _: time.monotonic() < end, seeds)


def _many(seeds: Iterable[int]) -> Outcome:
    from grootboek.simulation.campaign import Failure as Failed
    from grootboek.simulation.campaign import campaign

    began = told = time.monotonic()
    count, code = 0, commit()  # asked before it can change

    def done(outcome: "Report | Failure") -> None:
        nonlocal told, count
        count += 1
        if isinstance(outcome, Failed):
            talk(f"seed {outcome.seed}: {outcome.what} (look at it: --seed {outcome.seed} --shrink)")
        if time.monotonic() > told + TELL_SECONDS:
            told = time.monotonic()
            talk(f"{count:,} seeds in {told - began:.0f} s")

    summary = campaign(seeds, done)
    seconds = time.monotonic() - began
    value = {"commit": code, **_fields(summary), "seconds": round(seconds, 1)}
    value["simulated_hours"] = round(summary.simulated_seconds / SECONDS_IN_HOUR, 2)
    good = summary.complete and not (summary.never and summary.seeds >= ENOUGH)
    return Outcome(value, lambda: _view(value, summary), Exit.OK if good else Exit.FAILED)


def _fields(summary: "Summary") -> dict[str, object]:
    import msgspec

    return msgspec.structs.asdict(summary)


def _view(value: dict[str, object], summary: "Summary") -> "RenderableType":
    rows = [(name, str(each)) for name, each in value.items() if name not in {"faults", "failures"}]
    rows += [(name, f"{times:,}") for name, times in sorted(summary.faults.items())]
    rows += [(f"seed {one.seed}", one.what) for one in summary.failures]
    return table(("", ""), rows)
