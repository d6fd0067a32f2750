"""Benchmarks time work, not the making of coroutines, and cover what is promised."""

import ast
import asyncio
from pathlib import Path

import pytest

from benches.conftest import CoroutineTimedError, as_plain

BENCHES = sorted((Path(__file__).parents[2] / "benches").glob("test_*.py"))


async def work() -> int:
    await asyncio.sleep(0)
    return 7


def test_a_coroutine_function_is_run_to_its_end() -> None:
    with asyncio.Runner() as runner:
        assert as_plain(work, runner.get_loop())() == 7


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
    tests = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    assert tests
    for test in tests:
        assert isinstance(test, ast.FunctionDef), f"{test.name} would never be awaited"
        arguments = {argument.arg for argument in test.args.args}
        assert "measure" in arguments, test.name
        assert "benchmark" not in arguments, test.name


def test_the_promised_benches_are_there() -> None:
    assert {path.stem for path in BENCHES} >= {"test_core", "test_codec", "test_consensus", "test_cluster"}
