"""All points of the story, each with the ways to crash there that make a difference."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from grootboek.errors import GrootboekError
from tests.crash.forks import Case, Outcome, live_through
from tests.crash.points import Points
from tests.crash.run import Stop, Way, run

VICTIMS = {
    0: "primary of the first view, then cut off",
    1: "backup, then primary of the second view",
    2: "backup",
}
RECOVERY = 24
"""How many operations after a crash are points of a second one: the recovery, and what follows at once."""
SHARE = 200
"""About so many cases of a victim share one telling of the story."""
SECOND = (Way.KILL, Way.RAGGED, Way.LOST)


def points_of(victim: int) -> Points:
    """What the victim does where nothing is added to the story."""
    return run(victim).members[victim].points


def ways_at(points: Points, at: int) -> Iterator[Way]:
    """The ways that leave different disks."""
    yield Way.KILL
    if points.seen[at - 1 : at + 1] == ["send", "send"]:
        return  # the disks are those of the send before
    yield Way.ALL
    if points.seen[at] in {"append", "overwrite"}:
        yield Way.HALF
    journal, others = points.unsynced[at]
    if journal or others:
        yield from (Way.LOST, Way.TORN, Way.RAGGED, Way.HOLED)
    if journal and others:
        yield from (Way.JOURNAL, Way.LOG)


def single(victim: int, points: Points) -> list[Case]:
    """A crash at each point."""
    return [
        Case(victim, (Stop(at, way),), points.seen[at])
        for at in range(len(points.seen))
        for way in ways_at(points, at)
    ]


def double(firsts: Sequence[Case]) -> list[Case]:
    """A second crash at each of the first operations after those of ``firsts``."""
    return [
        Case(first.victim, (*first.stops, Stop(at, way)), first.kind)
        for first in firsts
        for at in range(RECOVERY)
        for way in SECOND
    ]


def outcome(case: Case) -> str:
    """What goes wrong in one run of its own, empty where nothing does."""
    try:
        story = run(case.victim, *case.stops)
    except (GrootboekError, AssertionError) as error:
        return f"{type(error).__name__}: {error}"
    return "a crash did not happen" if story.stops else ""


def outcomes(cases: Sequence[Case]) -> list[Outcome]:
    """Of all of them, on all processors."""
    # New processes: whatever tests before this one have left running, these have one thread, and can fork.
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        return [outcome for told in pool.map(live_through, _shares(cases)) for outcome in told]


def _shares(cases: Sequence[Case]) -> Iterator[Sequence[Case]]:
    for victim in VICTIMS:
        mine = [case for case in cases if case.victim == victim]
        parts = -(-len(mine) // SHARE)
        yield from (mine[part::parts] for part in range(parts))


def table(cases: Iterable[Case]) -> str:
    """How many points of each kind, and how many runs."""
    lines = [
        "| operation | " + " | ".join(VICTIMS.values()) + " | runs |",
        "|---|" + "---:|" * (len(VICTIMS) + 1),
    ]
    points = {(case.victim, case.kind, case.stops[0].at) for case in cases}
    counts = Counter((victim, kind) for victim, kind, _ in points)
    runs = Counter(case.kind for case in cases)
    for kind in sorted(runs):
        cells = [counts[victim, kind] for victim in VICTIMS] + [runs[kind]]
        lines.append(f"| {kind} | " + " | ".join(f"{cell:,}" for cell in cells) + " |")
    totals = [sum(n for (v, _), n in counts.items() if v == victim) for victim in VICTIMS] + [
        sum(runs.values())
    ]
    lines.append("| all | " + " | ".join(f"{cell:,}" for cell in totals) + " |")
    return "\n".join(lines)
