"""Four daemons, a proxy between every two, disks and clocks that can go wrong, and a log of what happens."""

import asyncio
import contextlib
import mmap
import os
import signal
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from grootboek._core import SigningKey
from grootboek.client import AsyncClient
from grootboek.node.keystore import Identity, unlock
from grootboek.node.localnet import CLIENT, Localnet, create, free_ports
from grootboek.types import Limits
from grootboek.webapi import NodeStatus
from tests.chaos.proxy import Proxy, source_of

__all__ = ["PATIENCE_SECONDS", "Field", "field", "say", "until"]

REPLICAS = range(4)
MODULES = ["parties", "records", "welfare", "conduct"]
PATIENCE_SECONDS = 60.0
"""How long anything may take that must happen."""
POLL_SECONDS = 0.05
ANSWER_SECONDS = 2.0
_began = time.monotonic()


def say(text: str) -> None:
    """One line of the log; pytest shows it where a test fails."""
    print(f"{time.monotonic() - _began:8.3f}  {text}", flush=True)  # noqa: T201  # the log


async def until(what: str, holds: Callable[[], Awaitable[bool]], seconds: float = PATIENCE_SECONDS) -> float:
    """Wait for a condition: how long that took."""
    began = time.monotonic()
    while not await holds():
        if time.monotonic() - began > seconds:
            pytest.fail(f"not within {seconds:g} s: {what}")
        await asyncio.sleep(POLL_SECONDS)
    return time.monotonic() - began


class FaultyNet(Localnet):
    """Its daemons are the shipping command on a disk and a clock of ours."""

    def __init__(self, folder: Path, libraries: Sequence[Path]) -> None:
        super().__init__(folder)
        self._libraries = ":".join(map(str, libraries))
        self._clocks = [self._make_clock(k) for k in REPLICAS]

    def _make_clock(self, k: int) -> mmap.mmap:
        path = self._faults(k) / "clock"
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes(8))
        with path.open("r+b") as file:
            return mmap.mmap(file.fileno(), 8)

    def _faults(self, k: int) -> Path:
        return self.folder / "faults" / str(k)

    def _environment(self, k: int) -> dict[str, str]:
        faults = self._faults(k)
        return super()._environment(k) | {
            "LD_PRELOAD": self._libraries,
            "DISK": str(self.replica_folder(k).resolve()),
            "DISK_FAULTS": str(faults),
            "CLOCK_OFFSET": str(faults / "clock"),
        }

    @contextlib.contextmanager
    def clock_off(self, k: int, seconds: int) -> Iterator[None]:
        """A daemon's wall clock is off by so much while the block runs."""
        self._clocks[k][:] = struct.pack("q", seconds * 10**9)
        try:
            yield
        finally:
            self._clocks[k][:] = bytes(8)

    @contextlib.contextmanager
    def full_disk(self, k: int) -> Iterator[None]:
        """No write of a daemon to a file succeeds while the block runs."""
        mark = self._faults(k) / "write"
        mark.touch()
        try:
            yield
        finally:
            mark.unlink()

    @contextlib.contextmanager
    def stopped(self, k: int) -> Iterator[None]:
        """A daemon gets no processor while the block runs."""
        pid = self.pid(k)
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def last_words(self, k: int) -> list[dict[str, str]]:
        """The lines of its log that say that it stopped on an error, oldest first."""
        text = (self.replica_folder(k) / "log.txt").read_text(encoding="utf-8")
        assert "Traceback" not in text, text
        lines = [msgspec.json.decode(line) for line in text.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == "stopped"]


class Field:
    """What a test acts on."""

    def __init__(self, net: FaultyNet, proxy: Proxy) -> None:
        self.net = net
        self.proxy = proxy

    def client(self, node: int | None = None, who: str = CLIENT, timeout: float | None = None) -> AsyncClient:
        """A client of one replica or of all, that signs as the identity ``who``."""
        names = () if node is None else (self.net.genesis.replicas[node].name,)
        return AsyncClient(self.net.genesis, names, self._key(who), timeout=timeout)

    def party(self, who: str) -> bytes:
        """The id of an identity's party."""
        key = self._key(who).public.hex()
        return next(bytes.fromhex(party.id) for party in self.net.genesis.parties if key in party.keys)

    def _key(self, who: str) -> SigningKey:
        return unlock(self.net.folder / "keys" / who, None, Identity).key

    async def statuses(self) -> dict[int, NodeStatus]:
        """Of those that answer soon."""
        async with self.client(timeout=ANSWER_SECONDS) as client:
            answers = (await client.status()).values()
        return {answer.replica: answer for answer in answers if isinstance(answer, NodeStatus)}

    async def primary(self) -> int:
        """That of the latest view that a daemon says it takes part in."""
        return self.net.genesis.replica_index((await self._latest()).primary)

    async def view(self) -> int:
        """The latest that a daemon says it takes part in."""
        return (await self._latest()).view

    async def _latest(self) -> NodeStatus:
        return max((await self.statuses()).values(), key=lambda one: (one.active, one.view))

    async def restart(self, k: int) -> None:
        """Start a daemon, and wait until it takes part."""
        await asyncio.to_thread(self.net.start, [k], PATIENCE_SECONDS)

    @property
    def pids(self) -> list[int | None]:
        """Of all daemons."""
        return [self.net.pid(k) for k in REPLICAS]


@contextlib.asynccontextmanager
async def field(
    folder: Path, libraries: Sequence[Path], limits: Limits | None = None
) -> AsyncIterator[Field]:
    """Found a ledger, and run its daemons until the block ends."""
    genesis = create(folder, len(REPLICAS), MODULES, name="localnet/chaos", limits=limits)
    net = FaultyNet(folder, libraries)
    targets = [f"127.0.0.1:{port}" for port in free_ports(len(REPLICAS))]
    for k in REPLICAS:
        with (net.replica_folder(k) / "config.toml").open("a", encoding="utf-8") as config:
            config.write(f'listen = "{targets[k]}"\nsource = "{source_of(k)}"\n')
    async with Proxy([replica.address for replica in genesis.replicas], targets) as proxy:
        try:
            await asyncio.to_thread(net.start)
            yield Field(net, proxy)
        finally:
            await asyncio.to_thread(net.stop)
