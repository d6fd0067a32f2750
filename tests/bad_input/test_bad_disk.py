"""A disk that is full or cannot sync, under a real daemon: it stops with its reason, and a restart goes on.

The faults come from ``disk_faults.c``, which is preloaded into one of four daemons.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from grootboek.client import AsyncClient
from grootboek.modules.records import Anchor
from grootboek.node import keystore
from grootboek.node.keystore import Identity
from grootboek.node.localnet import Localnet, create
from tests.bad_input.preloading import DISK_FAULTS, NEEDS_PRELOADING, compiled

GROOTBOEK = (sys.executable, "-m", "grootboek.cli")
FAILED = 1
"""The exit code of a command that failed (docs/operations/running.md)."""

DISKS = [
    ("full disk", "write", "No space left on device"),
    ("failed sync of data", "fdatasync", "Input/output error"),
    ("failed sync of a file", "fsync", "Input/output error"),
]

pytestmark = NEEDS_PRELOADING


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(DISK_FAULTS, tmp_path_factory.mktemp("faults"))


@pytest.fixture(scope="module")
def localnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    folder = tmp_path_factory.mktemp("disks") / "net"
    create(folder, modules=["parties", "records"])
    net = Localnet(folder)
    try:
        net.start()
        yield net
    finally:
        net.stop()


@contextmanager
def daemon(net: Localnet, library: Path, faults: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Replica 0 on a disk of ours; what it says goes to ``faults/said``."""
    net.stop([0])
    config = net.replica_folder(0) / "config.toml"
    folder = net.replica_folder(0).resolve()
    env = {**os.environ, "LD_PRELOAD": str(library), "DISK_FAULTS": str(faults), "DISK": str(folder)}
    with (faults / "said").open("wb") as said:
        process = subprocess.Popen([*GROOTBOEK, "start", "--config", str(config)], stderr=said, env=env)
    try:
        deadline = time.monotonic() + 30
        while not net.status()[0].ready:
            assert process.poll() is None, (faults / "said").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


def client_of(net: Localnet, node: int) -> AsyncClient:
    identity = keystore.unlock(net.folder / "keys" / "client", None, Identity)
    return AsyncClient(net.genesis, nodes=(net.genesis.replicas[node].name,), key=identity.key, timeout=30)


def audit(folder: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*GROOTBOEK, "verify", str(folder)], capture_output=True, check=False)


async def record(client: AsyncClient, key: str) -> bytes:
    result = await client.submit(Anchor(key=key, digest=bytes(32)))
    assert result.outcomes == ("applied",)
    return result.id


@pytest.mark.parametrize(("call", "reason"), [pytest.param(*row[1:], id=row[0]) for row in DISKS])
async def test_a_bad_disk_stops_the_node_and_a_restart_goes_on(
    localnet: Localnet, library: Path, tmp_path: Path, call: str, reason: str
) -> None:
    async with client_of(localnet, 0) as sick, client_of(localnet, 1) as healthy:
        with daemon(localnet, library, tmp_path) as process:
            kept = [await record(sick, f"{call}/before")]
            (tmp_path / call).touch()
            deadline = time.monotonic() + 60
            while process.poll() is None:
                kept.append(await record(healthy, f"{call}/{len(kept)}"))
                assert time.monotonic() < deadline
            assert process.returncode == FAILED
        said = (tmp_path / "said").read_text()
        lines = [msgspec.json.decode(line) for line in said.splitlines() if line.startswith("{")]
        stopped = [line for line in lines if line["event"] == "stopped"]
        assert [(line["code"], reason in line["reason"]) for line in stopped] == [("GB-6001", True)]
        assert "Traceback" not in said

        kept.append(await record(healthy, f"{call}/without"))
        localnet.start([0])
        kept.append(await record(sick, f"{call}/after"))
        for identity in kept:
            await sick.receipt(identity)
    localnet.stop([0])
    report = audit(localnet.replica_folder(0))
    assert report.returncode == 0, report.stderr
