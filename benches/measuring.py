"""How a bench measures: ``measure(function)`` times work, and says how much of it one call is.

``benchmark(async_function)`` would time the making of a coroutine and pass. ``Measure`` runs it on a
loop, and fails where a plain function returns something to await.
"""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from pytest_benchmark.fixture import BenchmarkFixture

T = TypeVar("T")

ROUNDS = 12
"""Of a bench whose work needs something new each time."""


class CoroutineTimedError(AssertionError):
    """A benchmark would have timed the making of a coroutine instead of its work."""


class Measure:
    """Times a function, or a coroutine function on the benchmark's loop."""

    def __init__(self, benchmark: BenchmarkFixture, loop: asyncio.AbstractEventLoop) -> None:
        self._benchmark = benchmark
        self._loop = loop

    @property
    def brief(self) -> bool:
        """Whether benches run once, only to see that they work: what they build may be small."""
        return bool(self._benchmark.disabled)

    def __call__(self, function: Callable[[], object], *, items: int = 1, of: str = "calls") -> None:
        """Call it until the median is known. One call works on ``items`` things, called ``of``."""
        self.note(items=items, of=of)
        self._benchmark(as_plain(function, self._loop))

    def each(
        self, prepare: Callable[[], T], function: Callable[[T], object], *, items: int = 1, of: str = "calls"
    ) -> None:
        """The same where each call uses up what ``prepare`` makes for it, which is not timed."""
        self.note(items=items, of=of)
        plain = as_plain(function, self._loop, prepare())
        self._benchmark.pedantic(  # type: ignore[no-untyped-call]  # pytest-benchmark leaves it so
            plain, setup=lambda: ((prepare(),), {}), rounds=ROUNDS
        )

    def note(self, **facts: object) -> None:
        """Store something with the result."""
        self._benchmark.extra_info.update(facts)


def as_plain(
    function: Callable[..., object], loop: asyncio.AbstractEventLoop, *arguments: Any
) -> Callable[..., object]:
    """``function``, or what runs it to its end where it is a coroutine function.

    A plain one is called once with ``arguments``: raises CoroutineTimedError where it returns something
    to await.
    """
    if inspect.iscoroutinefunction(function):
        return lambda *given: loop.run_until_complete(function(*given))
    result = function(*arguments)
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        raise CoroutineTimedError
    return function
