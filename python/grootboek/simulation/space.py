"""What twins may meet: scenarios by number, which of them are alike, and samples of those that are not."""

import random
from collections.abc import Iterator
from functools import cache
from itertools import combinations, permutations

import msgspec
from msgspec import Struct

from grootboek._core import digest
from grootboek.types import Quorum
from grootboek.wire import Checkpoint, Commit, NewView, Prepare, PrePrepare

__all__ = [
    "FIRES",
    "GROUPS",
    "KINDS",
    "Loss",
    "Restart",
    "Round",
    "Scenario",
    "Space",
    "canonical",
    "mixture",
    "sample",
]

ROUNDS = 4
GROUPS = 3
"""Into how many groups the instances fall at most."""
FIRES = ("nobody", "everybody", "quorum", "others")
"""Whose timers have run out before a round: those of the group that has a quorum, or of the others."""
KINDS: dict[str, type] = {
    "PRE-PREPARE": PrePrepare,
    "PREPARE": Prepare,
    "COMMIT": Commit,
    "NEW-VIEW": NewView,
    "CHECKPOINT": Checkpoint,
}
WHICH = ("all", "odd", "even")
"""Of which sequence numbers the votes are lost."""


# --- what happens --------------------------------------------------------------------------------


class Loss(Struct, frozen=True, order=True):
    """Messages of one kind that are lost, except on their way to one instance."""

    kind: str
    which: str
    reaches: int
    """An instance's number; -1 for nobody."""


class Round(Struct, frozen=True, order=True):
    """One round: first timers, then new batches, then delivery until all is quiet."""

    groups: tuple[int, ...]
    """The group of each instance, numbered as they first appear."""
    fires: str
    loss: Loss | None
    late: bool
    """Whether what was sent across groups arrives in the next round, or never."""


class Restart(Struct, frozen=True, order=True):
    """An instance is killed and started before a round: with its disk, or (a twin) with an older one."""

    at: int
    instance: int
    image: int
    """The round before which the disk was copied; ``at`` for the disk as it is."""


class Scenario(Struct, frozen=True):
    """Everything that happens before the heal."""

    n: int
    twins: tuple[int, ...]
    rounds: tuple[Round, ...]
    restart: Restart | None

    @property
    def replicas(self) -> tuple[int, ...]:
        """The replica that each instance is."""
        return (*range(self.n), *self.twins)


# --- the space of scenarios ----------------------------------------------------------------------


@cache
def partitions(count: int) -> tuple[tuple[int, ...], ...]:
    """All ways to part ``count`` instances into at most GROUPS groups, groups numbered as they appear."""
    ways: list[tuple[int, ...]] = [()]
    for _ in range(count):
        ways = [(*way, g) for way in ways for g in range(min(GROUPS, max(way, default=-1) + 2))]
    return tuple(ways)


class Space:
    """All scenarios of n replicas of which some are twins: a number for each (mixed radix)."""

    def __init__(self, n: int, rounds: int = ROUNDS) -> None:
        """With f pairs of twins."""
        self.n = n
        self.rounds = rounds
        count = n + Quorum.of(n).faults
        self.twins = tuple(combinations(range(n), count - n))
        self.partitions = partitions(count)
        kept = [Loss(kind, which, to) for kind in KINDS for which in WHICH for to in range(-1, count)]
        self.losses = (None, *kept)
        # An image of round 0 is an empty disk; an old image makes a second liar of anyone but a twin.
        self.restarts: tuple[tuple[int, int, int] | None, ...] = (
            None,
            *((at, who, at) for at in range(1, rounds) for who in range(count)),
            *((at, n + i, old) for at in range(1, rounds) for i in range(count - n) for old in range(at)),
        )

    @property
    def size(self) -> int:
        """How many numbers there are, those of scenarios that are alike included."""
        each: int = len(self.partitions) * len(FIRES) * len(self.losses) * 2
        size: int = len(self.twins) * len(self.restarts) * each**self.rounds
        return size

    def scenario(self, number: int) -> Scenario:
        """The scenario of a number below ``size``."""
        number, twins = divmod(number, len(self.twins))
        number, restart = divmod(number, len(self.restarts))
        rounds = []
        for i in range(self.rounds):
            number, part = divmod(number, len(self.partitions))
            number, fires = divmod(number, len(FIRES))
            number, loss = divmod(number, len(self.losses))
            number, late = divmod(number, 2)
            # Before the first round no timer runs.
            rounds.append(
                Round(self.partitions[part], FIRES[fires if i else 0], self.losses[loss], late == 1)
            )
        which = self.restarts[restart]
        return Scenario(self.n, self.twins[twins], tuple(rounds), None if which is None else Restart(*which))


def symmetries(scenario: Scenario) -> Iterator[tuple[int, ...]]:
    """Renamings of instances that change nothing: for each instance its new number.

    Two instances of one replica are alike, and so are replicas that no view of these rounds has as its
    primary (each round adds one view at most).
    """
    n, twins = scenario.n, scenario.twins
    alike = [i for i in range(len(scenario.rounds), n) if i not in twins]
    for order in permutations(alike):
        for swaps in range(1 << len(twins)):
            names = list(range(n + len(twins)))
            for old, new in zip(alike, order, strict=True):
                names[old] = new
            for bit, me in enumerate(twins):
                if swaps >> bit & 1:
                    names[me], names[n + bit] = names[n + bit], names[me]
            yield tuple(names)


def renamed(scenario: Scenario, names: tuple[int, ...]) -> Scenario:
    """The same scenario with its instances renamed."""
    restart = scenario.restart
    if restart is not None:
        restart = Restart(restart.at, names[restart.instance], restart.image)
    rounds = tuple(_renamed_round(each, names) for each in scenario.rounds)
    return Scenario(scenario.n, scenario.twins, rounds, restart)


def _renamed_round(each: Round, names: tuple[int, ...]) -> Round:
    groups = [0] * len(names)
    for old, new in enumerate(names):
        groups[new] = each.groups[old]
    order = {group: i for i, group in enumerate(dict.fromkeys(groups))}
    loss = each.loss
    if loss is not None and loss.reaches >= 0:
        loss = Loss(loss.kind, loss.which, names[loss.reaches])
    return Round(tuple(order[group] for group in groups), each.fires, loss, each.late)


def canonical(scenario: Scenario) -> bytes:
    """The same bytes for all scenarios that are alike."""
    return min(msgspec.msgpack.encode(renamed(scenario, names)) for names in symmetries(scenario))


def mixture(count: int, seed: int) -> list[tuple[int, int]]:
    """``count`` different scenarios as (n, number): every tenth of seven replicas, the others of four."""
    sevens = count // 10
    small, large = sample(Space(4), count - sevens, seed), sample(Space(7), sevens, seed)
    return [(7, next(large)) if i % 10 == 9 else (4, next(small)) for i in range(count)]  # noqa: PLR2004  # tenth


def sample(space: Space, count: int, seed: int) -> Iterator[int]:
    """Numbers of ``count`` different scenarios, no two of them alike; of all, where there are no more."""
    rng = random.Random(seed)  # noqa: S311  # a seed must give the same sample
    numbers = (
        iter(range(space.size)) if space.size <= count else iter(lambda: rng.randrange(space.size), None)
    )
    seen: set[bytes] = set()
    while len(seen) < count and (number := next(numbers, None)) is not None:
        name = digest(canonical(space.scenario(number)))
        if name not in seen:
            seen.add(name)
            yield number
