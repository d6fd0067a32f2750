"""``grootboek twins`` and ``grootboek mutate``: two systematic searches beside the random one."""

import time
from collections import Counter
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from grootboek.cli.exits import Exit
from grootboek.cli.options import Json
from grootboek.cli.output import Outcome, table, talk
from grootboek.errors import ConfigError

if TYPE_CHECKING:
    from grootboek.simulation.forgeries import Tally
    from grootboek.simulation.twins import Failure, Summary

__all__ = ["mutate", "twins"]

TELL_EVERY = 1_000


def twins(
    *,
    scenarios: Annotated[int, Parameter(help="How many different scenarios to run.")] = 1_000,
    seed: Annotated[int, Parameter(help="Which of all scenarios are drawn.")] = 0,
    number: Annotated[int | None, Parameter(help="Run this scenario alone.")] = None,
    replicas: Annotated[int, Parameter(help="Of how many replicas it is.")] = 4,
    json: Json = False,
) -> Outcome:
    """Run replicas beside their own twins, and let the network choose who hears which.

    Exit code 1 where an invariant broke.
    """
    from grootboek.simulation.space import Space

    if scenarios <= 0 or replicas < 4 or (number is not None and not 0 <= number < Space(replicas).size):  # noqa: PLR2004  # with fewer nobody may fail
        raise ConfigError(
            "scenarios must be positive, replicas 4 or more, the number below all", where="flags"
        )
    return _many(scenarios, seed) if number is None else _one(replicas, number)


def _one(replicas: int, number: int) -> Outcome:
    from grootboek.simulation.space import Space
    from grootboek.simulation.twins import Run, desk_of, failed

    scenario = Space(replicas).scenario(number)
    run = Run(scenario, desk_of(replicas))
    outcome = failed(run)
    value = {"scenario": scenario, "trace": run.trace, "outcome": outcome}
    lines = [str(scenario), *run.trace, str(outcome)]
    return Outcome(value, lambda: "\n".join(lines), Exit.FAILED if isinstance(outcome, str) else Exit.OK)


def _many(count: int, seed: int) -> Outcome:
    from grootboek.simulation.space import mixture
    from grootboek.simulation.twins import Failure as Failed
    from grootboek.simulation.twins import campaign

    began = time.monotonic()
    finished = 0

    def done(outcome: "Counter[str] | Failure") -> None:
        nonlocal finished
        finished += 1
        if isinstance(outcome, Failed):
            talk(f"{outcome.n} replicas, scenario {outcome.number}: {outcome.what}")
        if not finished % TELL_EVERY:
            talk(f"{finished:,} scenarios in {time.monotonic() - began:.0f} s")

    summary = campaign(mixture(count, seed), done)
    value = {**_fields(summary), "seconds": round(time.monotonic() - began, 1)}
    rows = [(str(name), str(each)) for name, each in value.items()]
    return Outcome(value, lambda: table(("", ""), rows), Exit.FAILED if summary.failures else Exit.OK)


def mutate(
    *,
    every: Annotated[int, Parameter(help="Run each so-manieth case; 1 for all of them.")] = 20,
    json: Json = False,
) -> Outcome:
    """Change each field of each message that a liar sends, in each phase, and let the others go on.

    Exit code 1 where an invariant broke.
    """
    from grootboek.simulation.forgeries import mutations

    if every <= 0:
        raise ConfigError("must be positive", where="--every")
    began = time.monotonic()
    tally = mutations(every)
    for failure in tally.failures:
        talk(failure)
    value = {**_fields(tally), "seconds": round(time.monotonic() - began, 1)}
    headings = ("message", *tally.phases)
    rows = [(name, *counts.values()) for name, counts in tally.table.items()]
    title = f"{tally.run:,} of {tally.cases:,} cases, {len(tally.failures)} failed"
    return Outcome(value, lambda: table(headings, rows, title), Exit.FAILED if tally.failures else Exit.OK)


def _fields(summary: "Summary | Tally") -> dict[str, object]:
    import msgspec

    return msgspec.structs.asdict(summary)
