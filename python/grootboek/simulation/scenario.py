"""What a seed means: the plan of a run, drawn from it alone."""

import random

from grootboek.simulation.byzantine import SLOW, STRATEGIES
from grootboek.simulation.faults import FAULTS
from grootboek.simulation.network import Weather
from grootboek.simulation.run import VIEW_CHANGE, Plan
from grootboek.types import Limits, Quorum

__all__ = ["plan_of"]

SIZES = (4, 4, 4, 4, 7, 7, 10, 13)
"""Small networks are drawn more often: they cost less, and are the hardest to keep alive."""
SURE = ("6 partition", "15 kill", VIEW_CHANGE)
"""Every run has these."""
OFTEN = ("8 views cut off in turn", "34 disk lost")
"""Half of the runs have each of these: what view changes go wrong by."""
CHANCES = (30, 100, 300)
SECONDS = 14
WINDOWS = range(4, 33)
RATES = (5, 10, 20)


def plan_of(seed: int) -> Plan:
    """The plan of ``seed``: how many replicas, which of them lie, what happens how often."""
    rng = random.Random(seed)  # noqa: S311  # a seeded simulation, not a secret
    replicas = rng.choice(SIZES)
    lying = rng.sample(range(replicas), rng.randrange(Quorum.of(replicas).weak))
    kinds = rng.sample(sorted(FAULTS), rng.randrange(3, 12))
    return Plan(
        replicas=replicas,
        seconds=SECONDS,
        rate=rng.choice(RATES),
        weather=Weather(loss=rng.choice((0, 10, 30)), duplicate=20, late=5),
        faults={kind: rng.choice(CHANCES) for kind in kinds},
        sure=SURE + tuple(name for name in OFTEN if rng.randrange(2)),
        liars={liar: rng.choice([*STRATEGIES, SLOW]) for liar in lying},
        limits=Limits(window=rng.choice(WINDOWS)),
    )
