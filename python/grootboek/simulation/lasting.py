"""What faults are made of: something is wrong for a while, or a while from now."""

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grootboek.simulation.replica import SimulatedReplica
    from grootboek.simulation.run import Simulation

__all__ = [
    "SECOND",
    "Fault",
    "alone",
    "apart",
    "cut",
    "down",
    "lasting",
    "later",
    "paths_of",
    "power_off",
    "start_again",
]

SECOND = 1_000_000
Fault = Callable[["Simulation", random.Random], str | None]
"""Begins at once and says what it did, or None where it could do nothing just then."""


def lasting(run: "Simulation", rng: random.Random, end: Callable[[], None]) -> str:
    """End a fault after a while: how long that is, in words."""
    lasts = rng.randrange(SECOND // 4, 4 * SECOND)
    run.heap.after(lasts, end)
    return f"for {lasts / SECOND:.1f} s"


def later(run: "Simulation", rng: random.Random, begin: Callable[[], None]) -> str:
    """Do something later, unless all is healed by then: when that is, in words."""
    wait = rng.randrange(SECOND // 4, 4 * SECOND)
    run.heap.after(wait, lambda: None if run.healed else begin())
    return f"in {wait / SECOND:.1f} s"


def alone(run: "Simulation", rng: random.Random, one: int) -> str:
    """Cut one replica off for a while."""
    return apart(run, rng, [one], [i for i in range(len(run.replicas)) if i != one])


def apart(run: "Simulation", rng: random.Random, group: list[int], others: list[int]) -> str:
    """Cut two groups off from each other for a while."""
    pairs = [(a, b) for a in group for b in others]
    return f"{group} | {others} {cut(run, rng, pairs + [(b, a) for a, b in pairs])}"


def cut(run: "Simulation", rng: random.Random, pairs: list[tuple[int, int]]) -> str:
    """Cut paths, each in one direction, for a while."""
    for a, b in pairs:
        run.network.path(a, b).cut = True
    return lasting(run, rng, lambda: run.join(pairs))


def paths_of(run: "Simulation", one: int) -> list[tuple[int, int]]:
    """All paths from and to one replica."""
    others = [i for i in range(len(run.replicas)) if i != one]
    return [(one, other) for other in others] + [(other, one) for other in others]


def down(run: "Simulation", rng: random.Random, victim: "SimulatedReplica") -> str:
    """SIGKILL, and a start after a while."""
    victim.kill()
    return start_again(run, rng, victim)


def power_off(run: "Simulation", rng: random.Random, victim: "SimulatedReplica") -> None:
    """Loss of power where it runs, and a start after a while."""
    if victim.alive:
        victim.power_cut(rng)
        start_again(run, rng, victim)


def start_again(run: "Simulation", rng: random.Random, victim: "SimulatedReplica") -> str:
    """Start what is down after a while."""
    return lasting(run, rng, lambda: run.boot(victim))
