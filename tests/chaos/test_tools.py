"""The proxy and the clock do what they say: else chaos would show nothing."""

import asyncio
import contextlib
import os
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from grootboek.node.localnet import free_ports
from tests.bad_input.preloading import NEEDS_PRELOADING
from tests.chaos.proxy import Proxy, source_of

pytestmark = NEEDS_PRELOADING
THERE, BACK = (1, 0), (0, 1)


class Pair:
    """Replica 0, which returns what it gets, and a connection of replica 1 to it."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.proxy = proxy
        self.seen = asyncio.Event()
        """Something has arrived at replica 0."""
        self._reader = reader
        self._writer = writer

    def say(self, text: bytes) -> None:
        self._writer.write(text)

    async def hears(self, text: bytes, within: float = 30.0) -> None:
        assert await asyncio.wait_for(self._reader.readexactly(len(text)), within) == text

    async def is_over(self) -> None:
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(self._reader.readexactly(1), 30)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    ports = free_ports(4)
    addresses, targets = ([f"127.0.0.1:{port}" for port in some] for some in (ports[:2], ports[2:]))

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(100):
                found.seen.set()
                writer.write(data)
        writer.close()

    async with Proxy(addresses, targets) as proxy, await asyncio.start_server(echo, "127.0.0.1", ports[2]):
        reader, writer = await asyncio.open_connection("127.0.0.1", ports[0], local_addr=(source_of(1), 0))
        found = Pair(proxy, reader, writer)
        try:
            yield found
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def test_bytes_pass_in_order(pair: Pair) -> None:
    text = bytes(range(256)) * 1_000
    async with pair.proxy.changed([THERE, BACK], loss=0.01, jitter=0.001):
        pair.say(text)
        await pair.hears(text)


@pytest.mark.parametrize(
    "change", [{"delay": 0.2}, {"loss": 1.0}, {"rate": 5.0}], ids=["late", "sent again", "narrow"]
)
async def test_a_bad_path_takes_its_time(pair: Pair, change: dict[str, float]) -> None:
    async with pair.proxy.changed([THERE], **change):
        began = time.monotonic()
        pair.say(b"?")
        await pair.hears(b"?")
    assert time.monotonic() - began >= 0.2
    assert (pair.proxy.paths[THERE].delay, pair.proxy.paths[THERE].cut) == (0.0, False)


async def test_a_cut_path_holds_what_was_sent_until_it_heals(pair: Pair) -> None:
    async with pair.proxy.changed([THERE], cut=True):
        pair.say(b"a")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pair.seen.wait(), 0.2)
    await pair.hears(b"a")


async def test_a_path_may_be_cut_one_way(pair: Pair) -> None:
    async with pair.proxy.changed([BACK], cut=True):
        pair.say(b"a")
        await asyncio.wait_for(pair.seen.wait(), 30)
        with pytest.raises(TimeoutError):
            await pair.hears(b"a", within=0.2)
    await pair.hears(b"a")


async def test_a_connection_may_be_reset(pair: Pair) -> None:
    pair.say(b"a")
    await pair.hears(b"a")
    assert await pair.proxy.reset([BACK]) == 1
    await pair.is_over()


def test_a_preloaded_clock_is_off(libraries: list[Path], tmp_path: Path) -> None:
    offset = tmp_path / "clock"
    offset.write_bytes(struct.pack("q", -3_600 * 10**9))
    env = {**os.environ, "LD_PRELOAD": str(libraries[1]), "CLOCK_OFFSET": str(offset)}
    code = "import time; print(time.time_ns(), time.monotonic_ns())"
    ran = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    wall, monotonic = map(int, ran.stdout.split())
    assert time.time_ns() - wall >= 3_600 * 10**9
    assert time.monotonic_ns() - monotonic < 1_000 * 10**9
