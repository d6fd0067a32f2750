"""``grootboek simulate``: the shipping code on a simulated network that does its worst."""

import itertools
import logging
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from grootboek.cli.exits import Exit
from grootboek.cli.options import Json
from grootboek.cli.output import Outcome, table, talk
from grootboek.errors import ConfigError, GrootboekError

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
    hours: Annotated[float, Parameter(help="Go on for so long instead of a number of seeds.")] = 0.0,
    json: Json = False,
) -> Outcome:
    """Run the ledger under simulated faults and lies; a seed replays its run exactly.

    Exit code 1 where an invariant broke, or where a kind of fault never happened in 500 seeds or more.
    """
    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if seed is not None:
        return _one(seed)
    if seeds <= 0 or first < 0 or hours < 0:
        raise ConfigError("counts must be positive", where="flags")
    return _many(_until(hours, itertools.count(first)) if hours else range(first, first + seeds))


def _one(seed: int) -> Outcome:
    from grootboek.simulation.campaign import simulation_of

    run = simulation_of(seed)
    value: dict[str, object] = {"seed": seed, "plan": run.plan, "trace": run.trace}
    code = Exit.OK
    try:
        value["report"] = run.run()
    except GrootboekError as error:
        value["failure"] = str(error)
        code = Exit.FAILED
    end = value.get("report") or f"FAILED {value['failure']}"
    return Outcome(value, lambda: "\n".join([str(run.plan), *run.trace, str(end)]), code)


def _until(hours: float, seeds: Iterable[int]) -> Iterable[int]:
    end = time.monotonic() + hours * SECONDS_IN_HOUR
    return itertools.takewhile(lambda _: time.monotonic() < end, seeds)


def _many(seeds: Iterable[int]) -> Outcome:
    from grootboek.simulation.campaign import Failure as Failed
    from grootboek.simulation.campaign import campaign

    began = told = time.monotonic()
    count = 0

    def done(outcome: "Report | Failure") -> None:
        nonlocal told, count
        count += 1
        if isinstance(outcome, Failed):
            talk(f"seed {outcome.seed}: {outcome.what}")
        if time.monotonic() > told + TELL_SECONDS:
            told = time.monotonic()
            talk(f"{count:,} seeds in {told - began:.0f} s")

    summary = campaign(seeds, done)
    seconds = time.monotonic() - began
    value = {**_fields(summary), "seconds": round(seconds, 1)}
    good = not summary.failures and not (summary.never and summary.seeds >= ENOUGH)
    return Outcome(value, lambda: _view(value, summary), Exit.OK if good else Exit.FAILED)


def _fields(summary: "Summary") -> dict[str, object]:
    import msgspec

    return msgspec.structs.asdict(summary)


def _view(value: dict[str, object], summary: "Summary") -> "RenderableType":
    rows = [(name, str(each)) for name, each in value.items() if name not in {"faults", "failures"}]
    rows += [(name, f"{times:,}") for name, times in sorted(summary.faults.items())]
    rows += [(f"seed {one.seed}", one.what) for one in summary.failures]
    return table(("", ""), rows)
