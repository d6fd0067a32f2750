"""The state tree with a million keys on disk: commits, reads, proofs, and what a key costs in memory."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import count
from multiprocessing import get_context
from pathlib import Path

import pytest

from benches.measuring import Measure
from grootboek._core import State
from grootboek.bench.host import rss_bytes

pytestmark = pytest.mark.benchmark(group="state")

KEYS, BRIEF_KEYS = 1_000_000, 20_000
WRITES = 10_000
STRIDE = 7_919
"""A prime: its multiples visit every key, in an order that is none of the tree's."""


class Filled:
    """A state with many keys."""

    def __init__(self, folder: Path, keys: int) -> None:
        self.state = State(str(folder))
        self.keys = keys
        self._turns = count()
        for start in range(0, keys, WRITES):
            self._commit(range(start, start + WRITES))
            self.flush()

    def update(self) -> None:
        """New values for keys that lie far from one another."""
        start = next(self._turns) * WRITES
        self._commit(number * STRIDE % self.keys for number in range(start, start + WRITES))

    def flush(self) -> None:
        """As a replica does each second: what is not flushed stays in memory."""
        self.state.flush(self.state.height, 0)

    def _commit(self, numbers: Iterator[int] | range) -> None:
        height = self.state.height + 1
        value = height.to_bytes(100, "big")
        self.state.commit(height, [(key(number), value) for number in sorted(numbers)])


def key(number: int) -> bytes:
    return b"\x07records" + number.to_bytes(32, "big")


def bytes_a_key(folder: str, keys: int) -> float:
    """What a process grows by; in one of its own, because memory that others freed would be used again."""
    before = rss_bytes(os.getpid())
    filled = Filled(Path(folder), keys)
    return (rss_bytes(os.getpid()) - before) / filled.keys


@pytest.fixture(scope="module")
def keys(request: pytest.FixtureRequest) -> int:
    """How many the state has."""
    return BRIEF_KEYS if request.config.getoption("benchmark_disable") else KEYS


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, keys: int) -> Filled:
    return Filled(tmp_path_factory.mktemp("state"), keys)


def test_commit_updates(measure: Measure, filled: Filled, tmp_path: Path) -> None:
    with ProcessPoolExecutor(1, get_context("spawn")) as another:
        size = another.submit(bytes_a_key, str(tmp_path), filled.keys).result()
    measure.note(keys=filled.keys, bytes_a_key=round(size))
    measure(filled.update, items=WRITES, of="updates")


def test_commit_and_flush_updates(measure: Measure, filled: Filled) -> None:
    def update() -> None:
        filled.update()
        filled.flush()

    measure(update, items=WRITES, of="updates")


def test_get_many(measure: Measure, filled: Filled) -> None:
    keys = [key(number * STRIDE % filled.keys) for number in range(WRITES)]
    assert None not in filled.state.get_many(keys)
    measure(lambda: filled.state.get_many(keys), items=WRITES, of="reads")


def test_proof_of_a_key(measure: Measure, filled: Filled) -> None:
    numbers = count(1)
    state = filled.state
    measure(lambda: state.prove(key(next(numbers) * STRIDE % filled.keys), state.height))
