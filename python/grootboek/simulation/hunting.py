"""Faults that strike when something has happened: what random moments would hardly ever hit."""

import random
from typing import TYPE_CHECKING

from msgspec import Struct

from grootboek.simulation.founding import place_of
from grootboek.simulation.lasting import alone, apart, cut, down, paths_of, power_off
from grootboek.types import Epoch

if TYPE_CHECKING:
    from grootboek.simulation.replica import SimulatedReplica
    from grootboek.simulation.run import Simulation

__all__ = ["Front", "ambush", "favour", "front", "hunt", "overtake"]

MOMENTS_US = (0, 0, 0, 700, 2_000, 10_000)
"""How long after a view has opened it is cut off: before the next frames arrive, or some rounds later."""


class Front(Struct, frozen=True):
    """How far the correct replicas are: what liars claim does not count."""

    epoch: Epoch
    """The newest that one of them is in."""
    view: int
    """The newest of that epoch that is open at one of them; where none is, the newest that one wants."""
    height: int

    @property
    def at(self) -> tuple[int, int]:
        """Epoch and view, in their order."""
        return self.epoch.number, self.view

    @property
    def members(self) -> list[int]:
        """The places of the epoch's replicas, by their indexes."""
        return [place_of(replica.name) for replica in self.epoch.replicas]

    def primary(self, later: int = 0) -> int:
        """The place of the view's primary, or of one so many views later."""
        return self.members[(self.view + later) % self.epoch.quorum.n]


def front(run: "Simulation") -> Front:
    """Where the run is."""
    engines = [r.engine for r in run.correct if r.boots]
    if not engines:
        return Front(run.genesis.founding, 0, 0)
    epoch = max((engine.epoch for engine in engines), key=lambda epoch: epoch.number)
    cores = [engine.replica for engine in engines if engine.epoch.number == epoch.number]
    views = [core.view for core in cores if core.active] or [core.view for core in cores]
    return Front(epoch, max(views), max(engine.ledger.height for engine in engines))


def hunt(run: "Simulation", rng: random.Random) -> str:
    """8, again and again: when a view has opened at some, its primary is cut off, or everybody is.

    It may begin when a block is executed somewhere: what is committed at few is what must not be lost.
    """
    last = front(run)
    moment, left, enough = rng.choice(MOMENTS_US), rng.randrange(2, 6), rng.randrange(1, last.epoch.quorum.n)
    at_block, everybody = bool(rng.randrange(2)), rng.randrange(2)
    words = f"{left} views are cut off {moment / 1_000:.1f} ms after {enough} have opened them"

    def strike() -> None:
        if everybody:
            cut(run, rng, [(a.me, b.me) for a in run.replicas for b in run.replicas if a is not b])
        else:
            alone(run, rng, last.primary())

    def watch(_replica: "SimulatedReplica") -> None:
        nonlocal last, at_block, left
        now = front(run)
        opened = now.at > last.at and _open_at(run, now) >= enough
        if opened or (at_block and now.height > last.height):
            last, at_block, left = now, False, left - 1
            run.heap.after(moment, strike)
            if not left:
                run.watchers.remove(watch)

    run.watchers.append(watch)
    if not at_block:
        strike()
    return words


def _open_at(run: "Simulation", now: Front) -> int:
    engines = [r.engine for r in run.replicas if r.alive]
    at = [(e.epoch.number, e.replica.view) for e in engines if e.replica.active]
    return at.count(now.at)


def favour(run: "Simulation", rng: random.Random) -> str:
    """7, so that one alone gets far: the primary and one more hear all, the rest hear only the primary."""
    now = front(run)
    primary = now.primary()
    others = [i for i in range(len(run.replicas)) if i != primary]
    one = rng.choice([i for i in now.members if i != primary])
    pairs = [(a, b) for a in others for b in others if b not in {a, one}] + [(one, primary)]
    return f"{one} hears all, and is not heard {cut(run, rng, pairs)}"


def overtake(run: "Simulation", rng: random.Random) -> str:
    """9, and then 8: the next primary is cut off until the others are a window ahead; then it must lead."""
    now = front(run)
    behind, primary, goal = now.primary(1), now.primary(), now.height + run.plan.limits.window
    pairs = paths_of(run, behind)
    for a, b in pairs:
        run.network.path(a, b).cut = True

    def watch(_replica: "SimulatedReplica") -> None:
        if front(run).height > goal:
            run.watchers.remove(watch)
            run.join(pairs)
            alone(run, rng, primary)

    run.watchers.append(watch)
    return f"{behind} alone until the others have block {goal}, then {primary} alone"


def ambush(run: "Simulation", rng: random.Random) -> str:
    """38: when some have executed the block that closes an epoch, or have begun the next one, they are
    killed, or lose power, at once or at one of their next disk operations, or are cut off from the rest.
    """
    epoch, moment, entered = front(run).epoch, rng.choice(MOMENTS_US), bool(rng.randrange(2))
    enough, blow = rng.randrange(1, epoch.quorum.n), rng.choice(sorted(BLOWS))

    def reached() -> list["SimulatedReplica"]:
        there = [r for r in run.replicas if r.alive and r.engine.epoch.number == epoch.number]
        later = [r for r in run.replicas if r.alive and r.engine.epoch.number > epoch.number]
        return later if entered else later + [r for r in there if r.engine.ledger.closed]

    def strike() -> None:
        victims = reached()
        run.note(f"{blow} of {[r.me for r in victims]} at the hand-over from epoch {epoch.number}")
        BLOWS[blow](run, rng, victims)

    def watch(_replica: "SimulatedReplica") -> None:
        if len(reached()) >= enough:
            run.watchers.remove(watch)
            run.heap.after(moment, strike)

    run.watchers.append(watch)
    what = "begun the next epoch" if entered else "executed the block that closes this one"
    return f"{blow} of {enough} or more that have {what}, after {moment / 1_000:.1f} ms"


def _kill(run: "Simulation", rng: random.Random, victims: list["SimulatedReplica"]) -> None:
    for victim in victims:
        down(run, rng, victim)


def _power_off(run: "Simulation", rng: random.Random, victims: list["SimulatedReplica"]) -> None:
    for victim in victims:
        power_off(run, rng, victim)


def _tear(_run: "Simulation", rng: random.Random, victims: list["SimulatedReplica"]) -> None:
    for victim in victims:
        victim.disk.fail_after, victim.cut_power_at_failure = rng.randrange(8), True


def _cut_off(run: "Simulation", rng: random.Random, victims: list["SimulatedReplica"]) -> None:
    apart(run, rng, [r.me for r in victims], [r.me for r in run.replicas if r not in victims])


BLOWS = {"kill": _kill, "power cut": _power_off, "torn write": _tear, "cut off": _cut_off}
