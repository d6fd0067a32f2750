"""Benchmarks time work, not the making of coroutines, and cover what is promised."""

import ast
import asyncio
from pathlib import Path

import pytest

from benches.measuring import CoroutineTimedError, as_plain

BENCHES = sorted((Path(__file__).parents[2] / "benches").glob("test_*.py"))
LAYERS = {
    *("core", "codec", "state", "log", "ledger", "modules", "consensus", "network"),
    *("api", "client", "cluster", "simulation"),
}


async def work() -> int:
    await asyncio.sleep(0)
    return 7


def test_a_coroutine_function_is_run_to_its_end() -> None:
    with asyncio.Runner() as runner:
        assert as_plain(work, runner.get_loop())() == 7


async def twice(number: int) -> int:
    return 2 * number + await work()


def test_a_coroutine_function_is_given_what_was_prepared_for_it() -> None:
    with asyncio.Runner() as runner:
        assert as_plain(twice, runner.get_loop(), 1)(10) == 27


def make() -> object:
    return work()


def test_a_bench_that_returns_a_coroutine_fails() -> None:
    with asyncio.Runner() as runner, pytest.raises(CoroutineTimedError):
        as_plain(make, runner.get_loop())


def test_a_plain_function_stays_as_it_is() -> None:
    with asyncio.Runner() as runner:
        assert as_plain(list, runner.get_loop()) is list


@pytest.mark.parametrize("path", BENCHES, ids=lambda path: path.name)
def test_each_bench_measures_through_the_guard(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tests = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    assert tests
    for test in tests:
        assert isinstance(test, ast.FunctionDef), f"{test.name} would never be awaited"
        arguments = {argument.arg for argument in test.args.args}
        assert "measure" in arguments, test.name
        assert "benchmark" not in arguments, test.name


@pytest.mark.parametrize("path", BENCHES, ids=lambda path: path.name)
def test_each_file_is_the_group_that_its_name_says(path: Path) -> None:
    layer = path.stem.removeprefix("test_")
    assert f'\npytestmark = pytest.mark.benchmark(group="{layer}"' in path.read_text(encoding="utf-8")


def test_each_layer_has_benches() -> None:
    assert {path.stem.removeprefix("test_") for path in BENCHES} == LAYERS
