"""Faults that strike when something has happened: what random moments would hardly ever hit."""

import random
from typing import TYPE_CHECKING

from grootboek.simulation.lasting import alone, cut, paths_of

if TYPE_CHECKING:
    from grootboek.simulation.replica import SimulatedReplica
    from grootboek.simulation.run import Simulation

__all__ = ["favour", "hunt", "overtake"]

MOMENTS_US = (0, 0, 0, 700, 2_000, 10_000)
"""How long after a view has opened it is cut off: before the next frames arrive, or some rounds later."""


def hunt(run: "Simulation", rng: random.Random) -> str:
    """8, again and again: when a view has opened at some, its primary is cut off, or everybody is.

    It may begin when a block is executed somewhere: what is committed at few is what must not be lost.
    """
    moment, left, enough = rng.choice(MOMENTS_US), rng.randrange(2, 6), rng.randrange(1, len(run.replicas))
    at_block, everybody = bool(rng.randrange(2)), rng.randrange(2)
    view, height = _newest(run)
    words = f"{left} views are cut off {moment / 1_000:.1f} ms after {enough} have opened them"

    def strike() -> None:
        if everybody:
            cut(run, rng, [(a.me, b.me) for a in run.replicas for b in run.replicas if a is not b])
        else:
            alone(run, rng, view % len(run.replicas))

    def watch(_replica: "SimulatedReplica") -> None:
        nonlocal view, at_block, left
        newest, highest = _newest(run)
        opened = newest > view and _open_at(run, newest) >= enough
        if opened or (at_block and highest > height):
            view, at_block, left = newest, False, left - 1
            run.heap.after(moment, strike)
            if not left:
                run.watchers.remove(watch)

    run.watchers.append(watch)
    if not at_block:
        strike()
    return words


def _newest(run: "Simulation") -> tuple[int, int]:
    """The newest view that is open, and the height, of the correct replicas."""
    engines = [r.engine for r in run.correct if r.boots]
    views = [engine.replica.view for engine in engines if engine.replica.active]
    return max(views, default=0), max((engine.ledger.height for engine in engines), default=0)


def _open_at(run: "Simulation", view: int) -> int:
    cores = [r.engine.replica for r in run.replicas if r.alive]
    return sum(core.active and core.view == view for core in cores)


def favour(run: "Simulation", rng: random.Random) -> str:
    """7, so that one alone gets far: the primary and one more hear all, the rest hear only the primary."""
    primary = _newest(run)[0] % len(run.replicas)
    others = [i for i in range(len(run.replicas)) if i != primary]
    one = rng.choice(others)
    pairs = [(a, b) for a in others for b in others if b not in {a, one}] + [(one, primary)]
    return f"{one} hears all, and is not heard {cut(run, rng, pairs)}"


def overtake(run: "Simulation", rng: random.Random) -> str:
    """9, and then 8: the next primary is cut off until the others are a window ahead; then it must lead."""
    view, height = _newest(run)
    count, goal = len(run.replicas), height + run.plan.limits.window
    behind, primary = (view + 1) % count, view % count
    pairs = paths_of(run, behind)
    for a, b in pairs:
        run.network.path(a, b).cut = True

    def watch(_replica: "SimulatedReplica") -> None:
        if _newest(run)[1] > goal:
            run.watchers.remove(watch)
            run.join(pairs)
            alone(run, rng, primary)

    run.watchers.append(watch)
    return f"{behind} alone until the others have block {goal}, then {primary} alone"
