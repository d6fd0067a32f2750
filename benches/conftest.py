"""What the benchmarks share: signed transactions, and a fixture that really runs coroutines.

``benchmark(async_function)`` would time the making of a coroutine and pass. ``measure`` runs it on a
loop, and fails where a plain function returns something to await.
"""

import asyncio
import inspect
from collections.abc import Callable, Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from grootboek import wire
from grootboek._core import SigningKey, command_root
from grootboek.types import Chain

Measure = Callable[[Callable[[], object]], None]

CHAIN = Chain(name="bench.example", digest=bytes(range(32)))
BATCH = 1_000
KEYS = [SigningKey(number.to_bytes(32, "big")) for number in range(1, BATCH + 1)]
EXPIRY = 1_800_000_000_000


class CoroutineTimedError(AssertionError):
    """A benchmark would have timed the making of a coroutine instead of its work."""


def transaction(number: int) -> bytes:
    """A framed transaction of about 250 bytes, from one of a thousand keys."""
    key = KEYS[number % len(KEYS)]
    body = wire.encode((f"bench/{number:08}", number.to_bytes(32, "big"), b""))
    command = wire.encode(
        wire.Command(module="records", name="Anchor", version=1, body=body, salt=number.to_bytes(16, "big"))
    )
    header = wire.encode(
        wire.Header(
            chain=CHAIN.id,
            signers=(key.public,),
            nonce=number,
            expiry=EXPIRY,
            atomic=True,
            count=1,
            root=command_root([command]),
        )
    )
    signature = key.sign(wire.transaction_bytes(CHAIN, header))
    raw = wire.encode(wire.Transaction(header=header, signatures=(signature,), commands=(command,)))
    return len(raw).to_bytes(4, "big") + raw


@pytest.fixture(scope="session")
def batch() -> bytes:
    """A batch of a thousand transactions, as it travels."""
    return b"".join(transaction(number) for number in range(BATCH))


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """An event loop that lives as long as the benchmark."""
    with asyncio.Runner() as one:
        yield one


@pytest.fixture
def measure(benchmark: BenchmarkFixture, runner: asyncio.Runner) -> Measure:
    """Times a function, or a coroutine function on the benchmark's loop."""
    return lambda function: benchmark(as_plain(function, runner.get_loop()))


def as_plain(function: Callable[[], object], loop: asyncio.AbstractEventLoop) -> Callable[[], object]:
    """``function``, or what runs it to its end where it is a coroutine function.

    Raises CoroutineTimedError where a plain function returns something to await.
    """
    if inspect.iscoroutinefunction(function):
        return lambda: loop.run_until_complete(function())
    result = function()
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        raise CoroutineTimedError
    return function
