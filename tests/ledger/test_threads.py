"""Executing in one thread, syncing in another, reading in a third: on a real disk."""

import threading
from collections.abc import Callable
from pathlib import Path

from grootboek._core import State
from grootboek.disk import RealDisk
from grootboek.ledger import Ledger, audit
from tests.ledger.world import GENESIS, REGISTRY, Put, World, certify, value_of

BLOCKS = 60


def looped(
    work: Callable[[], None], stop: threading.Event, failures: list[BaseException]
) -> threading.Thread:
    def run() -> None:
        try:
            while not stop.is_set():
                work()
        except BaseException as error:
            failures.append(error)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_executing_syncing_and_reading_at_once(tmp_path: Path) -> None:
    world = World()
    ledger = world.ledger = Ledger.open(GENESIS, RealDisk(tmp_path), State(), REGISTRY)
    stop, failures = threading.Event(), list[BaseException]()
    identities: list[bytes] = []

    def make_durable() -> None:
        size = ledger.sync()
        assert ledger.synced_size == size
        ledger.flush()

    def read() -> None:
        head = ledger.head
        finals = ledger.finals(identities)
        assert all(final is not None for final in finals)
        if head.height:
            assert ledger.block(ledger.height_at_time(ledger.time)).height >= head.height
            assert ledger.block(head.height).index == head.size - 1
            assert ledger.height_of_index(head.size - 1) == head.height
            assert value_of(ledger, "k", head.height) == bytes([head.height])
            ledger.inclusion(0, head.size)
            ledger.consistency(1, head.size)
            ledger.entries(0, head.size, 10_000)

    threads = [looped(work, stop, failures) for work in (make_durable, read)]
    try:
        for number in range(1, BLOCKS + 1):
            block = world.execute(
                world.transaction(Put("k", bytes([number]))),
                *(world.transaction(Put("x", b"")) for _ in range(9)),
            )
            identities += [identity for identity, _ in block.results]
            certify(ledger)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    make_durable()
    assert audit(GENESIS, RealDisk(tmp_path), REGISTRY).root == ledger.root
    assert Ledger.open(GENESIS, RealDisk(tmp_path), State(), REGISTRY).head == ledger.head


def test_a_ledger_with_a_state_on_disk_opens_where_it_was(tmp_path: Path) -> None:
    world = World()
    disk, folder = RealDisk(tmp_path / "data"), str(tmp_path / "state")
    world.ledger = Ledger.open(GENESIS, disk, State(folder), REGISTRY)
    world.fill(5)
    world.save()
    world.fill(3)
    head = world.ledger.head
    values = [value_of(world.ledger, "k1", height) for height in range(9)]
    assert len(set(values)) > 2
    del world.ledger
    state = State(folder)
    assert state.height == 5 + 1  # the founding rows are the state's first height
    again = Ledger.open(GENESIS, RealDisk(tmp_path / "data"), state, REGISTRY)
    assert again.head == head
    assert [value_of(again, "k1", height) for height in range(9)] == values
