"""What the shipping code does in the simulator is what the model allows, and nothing else passes."""

from collections import Counter
from itertools import chain

import pytest
from msgspec.structs import replace

from grootboek.simulation import Plan, Weather
from grootboek.simulation.byzantine import STRATEGIES
from grootboek.simulation.run import VIEW_CHANGE
from grootboek.types import Limits
from tests.spec.corruptions import CORRUPTIONS, Corrupted
from tests.spec.tlc import needs_java
from tests.spec.traces import Trace, follow, trace_of

pytestmark = [needs_java, pytest.mark.timeout(3_600)]

WINDOW = 4
PLAN = Plan(
    seconds=3,
    rate=4,
    weather=Weather(loss=20, duplicate=20, late=5),
    faults={"15 kill": 200, "27 torn write": 400, "28 power cut": 100, "6 partition": 200},
    sure=("15 kill", "27 torn write", "28 power cut of all", "6 partition", VIEW_CHANGE),
    limits=Limits(window=WINDOW),
)
MOST = 200
"""So many seeds may be tried for one run that has everything."""
LIES = (None, None, None, *STRATEGIES)
"""Who lies by which strategy, by seed: nobody in the first runs, and then each in turn."""
KINDS = {
    "propose",
    "prepare",
    "commit",
    "execute",
    "catch up",
    "stabilize",
    "leave",
    "open",
    "enter",
    "restart",
}


def runs(seeds: range) -> list[Trace]:
    return [trace_of(seed, _plan(seed)) for seed in seeds]


def _plan(seed: int) -> Plan:
    lie = LIES[seed % len(LIES)]
    if lie is None:
        return PLAN
    # No view change is sure: a liar that is alone in a later view is what the simulator would cut off.
    faults = {**PLAN.faults, "8 primary isolated": 300}
    return replace(PLAN, liars={seed % 2: lie}, faults=faults, sure=("15 kill", "27 torn write"))


@pytest.fixture(scope="module")
def traces() -> list[Trace]:
    return runs(range(40))


@pytest.fixture(scope="module")
def corrupted(traces: list[Trace]) -> dict[str, Corrupted]:
    """One honest run that has all kinds of steps, each time with another thing wrong."""
    return {change.__name__: change(list(_rich(traces).steps)) for change in CORRUPTIONS}


def _rich(traces: list[Trace]) -> Trace:
    def is_rich(trace: Trace) -> bool:
        steps = trace.steps
        return (
            not trace.liars
            and {step.kind for step in steps} == KINDS
            and any(step.kind == "leave" and step.wishes[0].prepared for step in steps)
            and any(step.kind == "open" and step.order for step in steps)
        )

    more = (trace_of(seed, PLAN) for seed in range(len(traces), MOST))
    return next(filter(is_rich, chain(traces, more)))


@pytest.fixture(scope="module")
def verdicts(
    traces: list[Trace], corrupted: dict[str, Corrupted], tmp_path_factory: pytest.TempPathFactory
) -> list[int | None]:
    """One start of TLC for all of them."""
    wrong = [Trace(frozenset(), tuple(steps)) for steps, _ in corrupted.values()]
    return follow(tmp_path_factory.mktemp("tlc"), [*traces, *wrong], WINDOW)


def test_the_runs_show_everything(traces: list[Trace]) -> None:
    kinds = Counter(step.kind for trace in traces for step in trace.steps)
    assert set(kinds) == KINDS
    assert min(kinds.values()) >= 10
    assert sum(bool(trace.liars) for trace in traces) >= 10


def test_the_model_can_take_each_step_of_each_run(traces: list[Trace], verdicts: list[int | None]) -> None:
    stuck = [
        (seed, at, trace.steps[at]) for seed, trace in enumerate(traces) if (at := verdicts[seed]) is not None
    ]
    assert stuck == []


@pytest.mark.parametrize("name", [change.__name__ for change in CORRUPTIONS])
def test_a_corrupted_run_is_refused_where_it_is_wrong(
    name: str, traces: list[Trace], corrupted: dict[str, Corrupted], verdicts: list[int | None]
) -> None:
    place = len(traces) + list(corrupted).index(name)
    assert verdicts[place] == corrupted[name][1]


@pytest.mark.long
def test_many_more_runs(tmp_path_factory: pytest.TempPathFactory) -> None:
    many = runs(range(100, 400))
    assert follow(tmp_path_factory.mktemp("tlc"), many, WINDOW) == [None] * len(many)
