"""The rows whose complaint depends on an order: all orders, or a sample that is drawn by a seed."""

import itertools
import random
from collections.abc import Iterator, Sequence

import pytest

from grootboek.consensus import Timer
from grootboek.simulation.disk import Fate
from grootboek.types import Limits
from grootboek.wire import Status, block_of
from tests.scenarios.world import MS, Filter, World

SECOND = 1_000 * MS
VIEW_TIMER = 1 * SECOND
Groups = tuple[tuple[int, ...], ...]


def cluster(n: int = 4, spares: int = 0) -> World:
    world = World(n, spares, Limits(window=8))
    world.boot(*range(n))
    world.run(10 * MS)
    return world


def groupings(members: Sequence[int]) -> Iterator[Groups]:
    """Every way to part ``members`` into groups."""
    if not members:
        yield ()
        return
    first, rest = members[0], members[1:]
    for others in groupings(rest):
        yield ((first,), *others)
        for i, group in enumerate(others):
            yield (*others[:i], (first, *group), *others[i + 1 :])


def final_in(world: World, microseconds: int, *numbers: int) -> bool:
    """Whether these are answered within that time."""
    world.run(microseconds, lambda: world.answered.keys() >= set(numbers))
    return world.answered.keys() >= set(numbers)


def settled(world: World) -> bool:
    """Whether all that live are equal within ten view time-outs."""
    world.run(10 * VIEW_TIMER, lambda: world.equal and world.living[0].engine.ledger.height > 0)
    return world.equal


# --- row 1: partial connectivity during a view change --------------------------------------------


def part_and_heal(orders: Sequence[Groups], *, primary: bool) -> None:
    """Part a cluster that is about to change its view, again and again, then heal it."""
    world = cluster()
    if not primary:
        world.kill(0)
    world.submit(1, 3)
    world.run(VIEW_TIMER - 2 * MS)
    for groups in orders:
        world.heal()
        world.partition(groups)
        world.run(3 * VIEW_TIMER // 2)
    world.heal()
    assert final_in(world, 10 * VIEW_TIMER, 1), [(r.engine.replica.view, r.me) for r in world.living]
    assert settled(world)


@pytest.mark.parametrize("orders", list(itertools.product(groupings((1, 2, 3)), repeat=2)), ids=str)
def test_every_order_of_partitions_ends_in_one_view(orders: Sequence[Groups]) -> None:
    part_and_heal(orders, primary=False)


@pytest.mark.parametrize("groups", list(groupings((0, 1, 2, 3))), ids=str)
def test_every_partition_with_the_primary_in_it_ends_in_one_view(groups: Groups) -> None:
    part_and_heal([groups], primary=True)


@pytest.mark.long
@pytest.mark.parametrize("orders", list(itertools.product(groupings((0, 1, 2, 3)), repeat=2)), ids=str)
def test_every_order_of_partitions_with_the_primary_ends_in_one_view(orders: Sequence[Groups]) -> None:
    part_and_heal(orders, primary=True)


# --- row 3: no fault, no view change -------------------------------------------------------------


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_a_day_under_load_changes_no_view() -> None:
    world = cluster()
    for number in range(24 * 360):
        world.submit(number, number % 4)
        world.run(10 * SECOND)
    assert len(world.answered) == 24 * 360
    assert {replica.engine.replica.view for replica in world.replicas} == {0}


# --- row 6: cold start ---------------------------------------------------------------------------

STARTS = [order for n in (1, 2, 3, 4) for order in itertools.permutations(range(n))]


@pytest.mark.parametrize("data", [False, True], ids=["empty", "with data"])
@pytest.mark.parametrize("order", STARTS, ids=str)
def test_a_cold_start_in_every_order(order: Sequence[int], data: bool) -> None:
    """Each starts two seconds after the one before; the first one has the request, alone."""
    world = World(len(order), limits=Limits(window=8))
    if data:
        world.boot(*order)
        world.commit(range(1, 4), 0)
        world.run(2 * SECOND)
        world.kill(*order)
    for place in order:
        world.boot(place)
        if place == order[0]:
            world.submit(9, place)
        world.run(2 * SECOND)
    assert final_in(world, 10 * VIEW_TIMER, 9)
    assert settled(world)


# --- row 7: what is prepared where ---------------------------------------------------------------

BACKUPS = [set(chosen) for size in range(4) for chosen in itertools.combinations((1, 2, 3), size)]


def prepare_at(world: World, number: int, backups: set[int]) -> None:
    """Have a value prepared at these, and its COMMITs lost."""
    world.submit(number, 0)
    for kind in ("BATCH", "PRE-PREPARE"):
        for packet in world.take(Filter(kinds=frozenset({kind}))):
            world.arrive(packet)
    for packet in world.take(Filter(kinds=frozenset({"PREPARE"}))):
        if packet.to in backups:
            world.arrive(packet)
    world.take(Filter())


@pytest.mark.parametrize("first", BACKUPS, ids=str)
@pytest.mark.parametrize("second", BACKUPS, ids=str)
def test_what_is_prepared_anywhere_is_carried_over(first: set[int], second: set[int]) -> None:
    """With the primary gone the NEW-VIEW rests on all three: it must carry exactly what one prepared."""
    world = cluster()
    prepare_at(world, 1, first)
    prepare_at(world, 2, second)
    world.kill(0)
    for replica in world.living:
        assert replica.run_out(Timer.PROGRESS)
    for number in (1, 2):
        world.submit(number, 1)
    assert final_in(world, 10 * VIEW_TIMER, 1, 2)
    assert settled(world)
    ledger = world.replicas[1].engine.ledger
    numbers = {ledger.block(height).entry.seq for height in range(1, ledger.height + 1)}
    if second:
        assert 2 in numbers
        assert (1 in numbers) == bool(first)
    if first or second:
        assert (world.answered[1] < world.answered[2]) == bool(first)


# --- row 12: logs over many views ----------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_a_log_over_random_views_is_started_from(seed: int) -> None:
    """The primary is killed now and then; in the end all lose power, and an observer replays the log."""
    rng = random.Random(seed)
    world = cluster(4, spares=1)
    for number in range(1, 9):
        victim = max(replica.engine.replica.view for replica in world.living) % 4
        if rng.random() < 1 / 2:
            world.kill(victim)
        world.commit([number], (victim + 1) % 4)
        if not world.replicas[victim].alive:
            world.boot(victim)
        world.run(rng.randrange(3) * SECOND)
    world.run(5 * SECOND)
    before = [(replica.engine.replica.view, replica.engine.ledger.height) for replica in world.replicas[:4]]
    assert max(view for view, _ in before) > 0
    world.power_cut(Fate.LOST, 0, 1, 2, 3)
    world.boot(0, 1, 2, 3)
    after = [(replica.engine.replica.view, replica.engine.ledger.height) for replica in world.replicas[:4]]
    assert after == before
    world.boot(4)
    world.commit([9], 2)
    assert settled(world)


# --- row 13: restarts in every order -------------------------------------------------------------


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=str)
def test_restarts_in_every_order_keep_consensus(order: Sequence[int]) -> None:
    """Two are down at a time, which is one too many, and come back the other way round."""
    world = cluster()
    world.commit([1], 0)
    for number, (one, other) in enumerate((order[:2], order[2:]), start=2):
        world.kill(one)
        world.submit(number, other)
        world.run(SECOND // 2)
        world.kill(other)
        world.run(2 * SECOND)
        world.boot(other)
        world.run(SECOND)
        world.boot(one)
        world.submit(number, one)
        assert final_in(world, 10 * VIEW_TIMER, number)
    assert settled(world)
    assert not any(replica.engine.testimony.evidence for replica in world.replicas)


# --- row 8: news of an epoch that has ended ------------------------------------------------------


def test_late_news_of_an_ended_epoch_costs_no_vote_and_no_answer() -> None:
    """Whoever tells how an epoch ended is in a later one, as the receiver is by the time it hears of it."""
    world = cluster()
    world.govern(1, range(4), 0)
    world.run(10 * SECOND, lambda: all(replica.engine.epoch.number for replica in world.replicas))
    world.run(5 * SECOND)
    ended = world.replicas[1].engine.ledger.epochs.handovers[0].certificate
    for place in (0, 2):
        world.replicas[place].receive(1, Status(0, True, block_of(ended).seq, ended))  # noqa: FBT003  # by place
    assert world.wire == []
    world.kill(3)
    world.submit(1, 0)
    assert final_in(world, VIEW_TIMER // 2, 1)
