"""The faults, each with its heal, and a seeded schedule of them: the network's beside those of one replica.

Never more than one replica (f of four) is faulty in itself. The network may be so bad meanwhile that nothing
is ordered; it heals, and then ordering must go on by itself.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

from tests.chaos.field import REPLICAS, Field, say, until
from tests.chaos.proxy import Pair

__all__ = ["Nemesis"]

LASTS_SECONDS: Final = (1.0, 3.0)
PAUSE_SECONDS: Final = (0.2, 1.0)
RESET_SECONDS: Final = 0.3
AHEAD_SECONDS: Final = 3_600
"""More than the others put up with (``Limits.clock_bound_ms``)."""
BEHIND_SECONDS: Final = (3, 3_600)

Fault = Callable[[], AbstractAsyncContextManager[str]]
"""Begins a fault and says which; ending the block heals it."""


class Nemesis:
    """Does harm to a field by the seed's plan; ``fired`` counts by kind."""

    def __init__(self, field: Field, seed: int) -> None:
        self.fired: Counter[str] = Counter()
        self._field = field
        self._net = field.net
        self._paths = field.proxy
        self._network_rng = random.Random(f"{seed} network")
        self._replica_rng = random.Random(f"{seed} replica")

    @property
    def of_network(self) -> Sequence[Fault]:
        """Faults between replicas."""
        return (
            self.halves,
            self.one_path,
            self.one_alone,
            self.primary_alone,
            self.deaf,
            self.mute,
            self.slow,
            self.lossy,
            self.narrow,
            self.resets,
        )

    @property
    def of_one_replica(self) -> Sequence[Fault]:
        """Faults of one replica's process or machine."""
        return (
            self.killed,
            self.primary_killed,
            self.paused,
            self.clock_ahead,
            self.clock_behind,
            self.disk_full,
        )

    async def run(self, rounds: int) -> None:
        """Every kind once in each round, in an order of its own; both lists at the same time."""
        async with asyncio.TaskGroup() as lanes:
            lanes.create_task(self._lane(self.of_network, rounds, self._network_rng))
            lanes.create_task(self._lane(self.of_one_replica, rounds, self._replica_rng))

    async def _lane(self, kinds: Sequence[Fault], rounds: int, rng: random.Random) -> None:
        for kind in [kind for _ in range(rounds) for kind in rng.sample(kinds, len(kinds))]:
            async with kind() as what:
                say(f"{kind.__name__}: {what}")
                await asyncio.sleep(rng.uniform(*LASTS_SECONDS))
            say(f"{kind.__name__}: over")
            self.fired[kind.__name__] += 1
            await asyncio.sleep(rng.uniform(*PAUSE_SECONDS))

    # --- the network -----------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def halves(self) -> AsyncIterator[str]:
        """Two and two: nobody has a quorum."""
        some = self._network_rng.sample(REPLICAS, 2)
        async with self._paths.changed(_between(some), cut=True):
            yield f"{some} and the others do not hear each other"

    @contextlib.asynccontextmanager
    async def one_path(self) -> AsyncIterator[str]:
        """Two that everybody else hears."""
        a, b = self._network_rng.sample(REPLICAS, 2)
        async with self._paths.changed([(a, b), (b, a)], cut=True):
            yield f"{a} and {b} do not hear each other"

    @contextlib.asynccontextmanager
    async def one_alone(self) -> AsyncIterator[str]:
        """Its connections hang, or are broken and cannot be made again."""
        one = self._network_rng.choice(REPLICAS)
        async with self._paths.changed(_between([one]), cut=True):
            broken = await self._paths.reset(_between([one])) if self._network_rng.random() < 0.5 else 0
            yield f"{one} is alone, {broken} connections are broken"

    @contextlib.asynccontextmanager
    async def primary_alone(self) -> AsyncIterator[str]:
        """The primary of now, whoever comes after it."""
        one = await self._field.primary()
        async with self._paths.changed(_between([one]), cut=True):
            yield f"{one} is alone"

    @contextlib.asynccontextmanager
    async def deaf(self) -> AsyncIterator[str]:
        """One way: heard by all, it hears nobody."""
        one = self._network_rng.choice(REPLICAS)
        async with self._paths.changed(_to(one), cut=True):
            yield f"{one} hears nobody"

    @contextlib.asynccontextmanager
    async def mute(self) -> AsyncIterator[str]:
        """One way: it hears all, and nobody hears it."""
        one = self._network_rng.choice(REPLICAS)
        async with self._paths.changed(_from(one), cut=True):
            yield f"{one} is heard by nobody"

    @contextlib.asynccontextmanager
    async def slow(self) -> AsyncIterator[str]:
        """All paths, as between continents."""
        async with self._paths.changed(self._paths.paths, delay=0.05, jitter=0.1):
            yield "everything is 50 to 150 ms late"

    @contextlib.asynccontextmanager
    async def lossy(self) -> AsyncIterator[str]:
        """All paths."""
        async with self._paths.changed(self._paths.paths, loss=0.05):
            yield "one piece in twenty is sent again"

    @contextlib.asynccontextmanager
    async def narrow(self) -> AsyncIterator[str]:
        """What one replica says."""
        one = self._network_rng.choice(REPLICAS)
        async with self._paths.changed(_from(one), rate=20_000.0):
            yield f"{one} has 20 kB/s to each other"

    @contextlib.asynccontextmanager
    async def resets(self) -> AsyncIterator[str]:
        """Connections are broken again and again."""
        breaking = asyncio.create_task(self._break())
        try:
            yield "connections are reset again and again"
        finally:
            breaking.cancel()
            await asyncio.gather(breaking, return_exceptions=True)

    async def _break(self) -> None:
        while True:
            await self._paths.reset(self._network_rng.sample(sorted(self._paths.paths), 3))
            await asyncio.sleep(RESET_SECONDS)

    # --- one replica -----------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def killed(self) -> AsyncIterator[str]:
        """SIGKILL, and a start from what is on its disk."""
        one = self._replica_rng.choice(REPLICAS)
        async with self._down(one):
            yield f"{one} is killed"

    @contextlib.asynccontextmanager
    async def primary_killed(self) -> AsyncIterator[str]:
        """The primary of now."""
        one = await self._field.primary()
        async with self._down(one):
            yield f"{one} is killed"

    @contextlib.asynccontextmanager
    async def _down(self, one: int) -> AsyncIterator[None]:
        await asyncio.to_thread(self._net.kill, one)
        yield
        await self._field.restart(one)

    @contextlib.asynccontextmanager
    async def paused(self) -> AsyncIterator[str]:
        """SIGSTOP, SIGCONT: its kernel goes on taking what the others send."""
        one = self._replica_rng.choice(REPLICAS)
        with self._net.stopped(one):
            yield f"{one} stands still"

    @contextlib.asynccontextmanager
    async def clock_ahead(self) -> AsyncIterator[str]:
        """The primary's wall clock jumps, and jumps back: the others refuse what it proposes."""
        with self._net.clock_off(one := await self._field.primary(), AHEAD_SECONDS):
            yield f"the clock of {one} is {AHEAD_SECONDS} s ahead"

    @contextlib.asynccontextmanager
    async def clock_behind(self) -> AsyncIterator[str]:
        """Its wall clock jumps, and jumps back."""
        one, seconds = self._replica_rng.choice(REPLICAS), self._replica_rng.choice(BEHIND_SECONDS)
        with self._net.clock_off(one, -seconds):
            yield f"the clock of {one} is {seconds} s behind"

    @contextlib.asynccontextmanager
    async def disk_full(self) -> AsyncIterator[str]:
        """The daemon says so and ends, as does the next that is started; it goes on when there is room."""
        one = self._replica_rng.choice(REPLICAS)
        with self._net.full_disk(one):
            said = await self._ended(one)
            yield f"{one} has ended: {said}"
            self._net.launch([one])
            await self._ended(one)
        await self._field.restart(one)

    async def _ended(self, one: int) -> str:
        """Wait for a daemon to end on its full disk: its reason."""

        async def ended() -> bool:
            return self._net.pid(one) is None

        before = len(self._net.last_words(one))
        await until(f"{one} ends on its full disk", ended)
        (said,) = self._net.last_words(one)[before:]
        assert said["code"] == "GB-6001"
        assert "No space left on device" in said["reason"]
        return said["reason"]


def _between(some: Iterable[int]) -> list[Pair]:
    """Both ways, between these and the others."""
    here = set(some)
    return [(a, b) for a in REPLICAS for b in REPLICAS if (a in here) != (b in here)]


def _from(one: int) -> list[Pair]:
    return [(one, other) for other in REPLICAS if other != one]


def _to(one: int) -> list[Pair]:
    return [(other, one) for other in REPLICAS if other != one]
