"""A machine that grants too little: a daemon says so when it starts, or makes do with what there is."""

import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from grootboek.api import ApiSettings
from grootboek.node import daemon
from grootboek.node.localnet import create, free_ports

WRONG_SETTING = 2
"""The exit code (docs/operations/running.md)."""


def started(folder: Path, *more: str, files: int = 4_096) -> subprocess.CompletedProcess[str]:
    """Run replica 0 with a limit of open files, until it ends."""
    create(folder, modules=["records"])
    config = folder / "replica-0" / "config.toml"
    return subprocess.run(
        [sys.executable, "-m", "grootboek.cli", "start", "--config", str(config), *more],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)),  # no threads here
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def assert_refused(ended: subprocess.CompletedProcess[str], says: str) -> None:
    assert ended.returncode == WRONG_SETTING, ended.stderr
    assert "GB-5001" in ended.stderr
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr


def test_too_few_open_files(tmp_path: Path) -> None:
    assert_refused(started(tmp_path / "net", files=200), "200 open files are too few")


def test_a_metrics_address_that_is_taken(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with socket.create_server(("127.0.0.1", port)):
        assert_refused(started(tmp_path / "net", "--metrics", f"127.0.0.1:{port}"), f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "then"),
    [
        (600, 600, 600 - daemon.OWN_FILES, 600),
        (256, 100_000, ApiSettings().connections, 100_000),
        (256, resource.RLIM_INFINITY, ApiSettings().connections, 1_280),
        (100_000, resource.RLIM_INFINITY, ApiSettings().connections, 100_000),
    ],
)
def test_clients_never_get_the_last_descriptors(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, connections: int, then: int
) -> None:
    limits = [(soft, hard)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, limit: limits.append(limit))
    assert daemon._spare_files() == connections
    assert limits[-1] == (then, hard)
