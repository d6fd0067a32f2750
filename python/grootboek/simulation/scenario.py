"""What a seed means: the plan of a run, drawn from it alone."""

import random

from msgspec.structs import replace

from grootboek.simulation.byzantine import SLOW, STRATEGIES
from grootboek.simulation.faults import FAULTS
from grootboek.simulation.network import Weather
from grootboek.simulation.run import CRASH, PARTITION, VIEW_CHANGE, Plan
from grootboek.types import Limits, Quorum

__all__ = ["plan_of"]

SIZES = (4, 4, 4, 4, 4, 4, 4, 7, 7, 7, 10, 13)
"""Small networks are drawn more often: they cost less, and are the hardest to keep alive."""
OVERTAKEN = "9 next primary overtaken"
SURE = (PARTITION, CRASH, VIEW_CHANGE)
"""Every run has these."""
CUT_OFF = "8 views cut off in turn"
APART = "7 one hears all"
OFTEN = (CUT_OFF, "34 disk lost")
"""Half of the runs have each of these: what view changes go wrong by."""
CHANCES = (30, 100, 300)
SECONDS = 14
REAL = 16
"""In one run of so many every signature is Ed25519."""
DUELS = 3
"""One run of so many is short and cruel: few replicas, of which one lies, and views that do not last."""
LAGS = 9
"""In one run of so many replicas fall more than a window behind, and are needed all the same."""
REIGNS, REIGN = 6, 2
"""In one run of so many the replicas change again and again; which of them that is."""
CHANGES = ("37 replicas added", "37 replicas removed", "37 replicas exchanged", "37 keys rotated")
AMBUSH = "38 hand-over struck"
ELSEWHERE = (
    "1 loss",
    "4 jitter",
    "6 partition",
    "8 views cut off in turn",
    "9 one isolated",
    "10 clogged path",
    "13 half-open connection",
    "15 kill",
    "16 kill in recovery",
    "17 pause",
    "18 restart of all",
    "19 crash of f + 1",
    "20 slow processor",
    "22 version skew",
    "27 torn write",
    "28 power cut",
    "28 power cut of all",
    "29 failing sync",
    "30 bit flip",
    "31 misread",
    "33 old disk",
    "33 old disk and guard",
    "33 twin with the same key",
    "34 disk lost",
)
"""What a change of the replicas may go wrong by."""
INTRIGUES = (*sorted(STRATEGIES), SLOW, *3 * ("16 replay",))
"""The lies that are told meanwhile: frames of closed epochs more often than others."""
SNAPSHOTS = (0, 8)
"""See ``Plan.snapshots``."""
DUELLISTS = (
    "1 equivocating PRE-PREPARE",
    "10 VIEW-CHANGE without certificates",
    "12 invalid NEW-VIEW",
    "13 view-change storm",
)
WINDOWS = range(4, 33)
RATES = (5, 10, 20)


def plan_of(seed: int) -> Plan:
    """The plan of ``seed``: how many replicas, which of them lie, what happens how often."""
    rng = random.Random(seed)  # noqa: S311  # a seeded simulation, not a secret
    if seed % DUELS == 0:
        return _duel(rng, DUELLISTS[seed // DUELS % len(DUELLISTS)])
    if seed % REIGNS == REIGN:
        return _reigns(rng)
    return _lag(rng) if seed % LAGS == 1 else _war(rng)


def _war(rng: random.Random) -> Plan:
    """Anything may happen."""
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
        snapshots=rng.choice(SNAPSHOTS),
        real_signatures=not rng.randrange(REAL),
    )


def _duel(rng: random.Random, lie: str) -> Plan:
    """What is committed at few replicas meets a liar who would rather have it forgotten.

    The liar is primary of one of the first views, and some frames are overtaken by many others, so that
    replicas are apart when all paths are cut.
    """
    return Plan(
        replicas=rng.choice((4, 4, 4, 7)),
        seconds=SECONDS // 2,
        rate=RATES[-1],
        weather=Weather(late=rng.choice((0, 100))),
        faults={CUT_OFF: 200, APART: 200},
        sure=(*SURE, CUT_OFF, APART),
        liars={rng.randrange(3): lie},
        limits=Limits(window=rng.choice(WINDOWS), view_timer_ms=300, view_timer_cap_ms=2_400),
    )


def _lag(rng: random.Random) -> Plan:
    """Replicas that are a window behind become primary before they have caught up."""
    return Plan(
        replicas=rng.choice((4, 7)),
        seconds=SECONDS,
        rate=2 * RATES[-1],
        weather=Weather(loss=rng.choice((100, 200, 300))),
        faults={OVERTAKEN: 200},
        sure=(*SURE, OVERTAKEN, OVERTAKEN),
        limits=Limits(window=rng.randrange(WINDOWS.start, 9), view_timer_ms=300, view_timer_cap_ms=2_400),
        snapshots=rng.choice(SNAPSHOTS),
    )


def _reigns(rng: random.Random) -> Plan:
    """Replicas join, leave and get other keys, and whatever can go wrong does so at the hand-overs.

    One that lies may be a newcomer, or one that is sent away.
    """
    replicas, spares, hurried = rng.choice((4, 4, 4, 5, 7)), rng.randrange(1, 4), rng.randrange(2)
    limits = Limits(window=rng.choice(WINDOWS))
    return Plan(
        replicas=replicas,
        seconds=SECONDS,
        rate=rng.choice(RATES),
        weather=Weather(loss=rng.choice((0, 10, 30)), duplicate=20, late=rng.choice((5, 50))),
        faults=dict.fromkeys(CHANGES, 60) | {kind: rng.choice(CHANCES) for kind in rng.sample(ELSEWHERE, 6)},
        sure=(*SURE, *CHANGES, AMBUSH, AMBUSH),
        liars={rng.randrange(replicas + spares): rng.choice(INTRIGUES)} if rng.randrange(2) else {},
        limits=replace(limits, view_timer_ms=300, view_timer_cap_ms=2_400) if hurried else limits,
        spares=spares,
        snapshots=rng.choice(SNAPSHOTS),
        real_signatures=not rng.randrange(REAL),
    )
