"""What the benches share as fixtures: how to measure, and a batch as it travels."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvloop
from msgspec.structs import asdict
from pytest_benchmark.fixture import BenchmarkFixture

from benches.ledgers import BATCH, BenchLedger, anchors
from benches.measuring import Measure
from grootboek.bench.host import host
from grootboek.ledger import Module
from grootboek.modules.records import Records

NewLedger = Callable[..., BenchLedger]


def pytest_benchmark_generate_machine_info() -> dict[str, object]:
    """The machine and the signature backend, as ``grootboek bench`` reports them."""
    return asdict(host())


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """An event loop like the daemon's, that lives as long as the bench."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as one:
        yield one


@pytest.fixture
def measure(benchmark: BenchmarkFixture, runner: asyncio.Runner) -> Measure:
    """Times functions and coroutine functions."""
    return Measure(benchmark, runner.get_loop())


@pytest.fixture
def new_ledger(tmp_path: Path) -> NewLedger:
    """Makes ledgers, each in a folder of its own."""
    made = 0

    def make(*modules: type[Module]) -> BenchLedger:
        nonlocal made
        made += 1
        return BenchLedger(tmp_path / f"ledger-{made}", *(modules or (Records,)))

    return make


@pytest.fixture(scope="session")
def batch() -> bytes:
    """A batch of a thousand transactions, as it travels."""
    return b"".join(one.frame for one in anchors(range(BATCH)))
