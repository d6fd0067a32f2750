"""The files of a ledger on one machine, and the processes that run on them."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from grootboek.errors import ConfigError, GenesisError, Unavailable
from grootboek.ledger.module import Module
from grootboek.ledger.registry import Registry
from grootboek.node import localnet
from grootboek.node.config import load as load_settings
from grootboek.node.keystore import BESIDE, Identity, ReplicaKeys, unlock
from grootboek.node.localnet import PORTS, Localnet, create, free_ports
from grootboek.types import Genesis, Limits

FAKE = Path(__file__).with_name("fake_daemon.py")


class Permits(Module):
    name = "permits"
    version = 3
    roles: ClassVar[dict[str, str]] = {"permits.clerk": "issues", "permits.court": "withdraws"}


class Notes(Module):
    name = "notes"
    version = 1


REGISTRY = Registry.of(Permits, Notes)


def make(folder: Path, replicas: int = 2) -> Genesis:
    return create(folder, replicas, registry=REGISTRY)


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Localnet]:
    make(tmp_path)
    command = [sys.executable, str(FAKE)]
    monkeypatch.setattr(localnet, "_command", lambda folder: [*command, str(folder / "config.toml")])
    running = Localnet(tmp_path)
    yield running
    for k in range(2):
        running.kill(k)


def test_the_genesis_file_is_whole(tmp_path: Path) -> None:
    genesis = make(tmp_path, 4)
    assert Genesis.load(tmp_path / "genesis.json") == genesis
    assert genesis.modules == {"notes": 1, "permits": 3}
    assert [replica.name for replica in genesis.replicas] == [f"replica-{k}" for k in range(4)]
    addresses = [address for r in genesis.replicas for address in (r.address, r.api)]
    assert len(set(addresses)) == 8


def test_each_replica_can_start_from_its_folder(tmp_path: Path) -> None:
    genesis = make(tmp_path)
    for replica in genesis.replicas:
        settings = load_settings(tmp_path / replica.name / "config.toml", {}, {})
        assert settings.replica == replica.name
        assert Genesis.load(settings.genesis).chain == genesis.chain
        unlock(settings.key_file, settings.passphrase_file, ReplicaKeys).check(replica)


def test_there_is_an_identity_for_each_role(tmp_path: Path) -> None:
    genesis = make(tmp_path)
    roles = {key: party.roles for party in genesis.parties for key in party.keys}
    for name, held in (
        ("client", ()),
        ("permits-clerk", ("permits.clerk",)),
        ("permits-court", ("permits.court",)),
    ):
        identity = unlock(tmp_path / "keys" / name, None, Identity)
        assert identity.name == name
        assert roles[identity.key.public.hex()] == held
    assert len({party.id for party in genesis.parties}) == 3
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == [
        BESIDE, "client", "permits-clerk", "permits-court",
    ]  # fmt: skip


def test_private_files_are_private(tmp_path: Path) -> None:
    make(tmp_path)
    for path in (*tmp_path.glob("replica-*/keys"), *tmp_path.glob("keys/*"), *tmp_path.glob(f"*/{BESIDE}")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_client_commands_find_the_ledger_from_inside_the_folder(tmp_path: Path) -> None:
    make(tmp_path)
    table = tomllib.loads((tmp_path / "grootboek.toml").read_text())
    assert table == {"client": {"genesis": "genesis.json"}}


def test_modules_limits_and_ports_may_be_chosen(tmp_path: Path) -> None:
    genesis = create(
        tmp_path,
        3,
        ["notes"],
        name="example.org/x",
        base_port=7_000,
        limits=Limits(window=8),
        registry=REGISTRY,
    )
    assert (genesis.modules, genesis.name, genesis.limits.window) == ({"notes": 1}, "example.org/x", 8)
    assert [replica.address for replica in genesis.replicas] == [
        f"127.0.0.1:{port}" for port in (7000, 7002, 7004)
    ]
    assert [replica.api for replica in genesis.replicas] == [
        f"127.0.0.1:{port}" for port in (7001, 7003, 7005)
    ]
    assert [party.roles for party in genesis.parties] == [()]


def test_an_existing_ledger_is_left_alone(tmp_path: Path) -> None:
    genesis = make(tmp_path)
    with pytest.raises(ConfigError, match="nothing was changed"):
        make(tmp_path)
    assert Genesis.load(tmp_path / "genesis.json") == genesis


def test_an_unknown_module(tmp_path: Path) -> None:
    with pytest.raises(GenesisError, match="nots"):
        create(tmp_path, 1, ["nots"], registry=REGISTRY)
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_cannot_be_founded_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(GenesisError):
        create(tmp_path, 0, ["records"], registry=REGISTRY)
    assert list(tmp_path.iterdir()) == []


def test_free_ports_are_free_and_differ() -> None:
    ports = free_ports(5)
    assert len(set(ports)) == 5
    assert all(port in PORTS for port in ports)
    with socket.create_server(("127.0.0.1", ports[0])):
        assert ports[0] not in free_ports(50)


def test_a_folder_without_a_ledger(tmp_path: Path) -> None:
    with pytest.raises(GenesisError, match="No such file"):
        Localnet(tmp_path)


def test_start_stop_and_status(net: Localnet) -> None:
    assert [(p.name, p.pid, p.ready) for p in net.status()] == [
        ("replica-0", None, False), ("replica-1", None, False),
    ]  # fmt: skip
    net.start()
    processes = net.status()
    assert all(process.ready and process.pid for process in processes)
    net.start()
    assert [process.pid for process in net.status()] == [process.pid for process in processes]
    net.stop([1])
    assert [process.ready for process in net.status()] == [True, False]
    net.stop()
    assert [process.pid for process in net.status()] == [None, None]


def test_another_process_finds_the_daemons_again(net: Localnet) -> None:
    net.start()
    code = (
        "import json, sys; from pathlib import Path; from grootboek.node.localnet import Localnet\n"
        "net = Localnet(Path(sys.argv[1])); before = [p.pid for p in net.status()]; net.stop([0])\n"
        "print(json.dumps([before, [p.ready for p in net.status()]]))"
    )
    command = [sys.executable, "-c", code, str(net.folder)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    assert json.loads(answer.stdout) == [[child.pid for child in net._children.values()], [False, True]]
    assert net.pid(0) is None


def test_kill_is_sudden_and_start_brings_it_back(net: Localnet) -> None:
    net.start()
    first = net.pid(0)
    child = net._children[0]
    net.kill(0)
    assert child.returncode == -signal.SIGKILL
    assert [process.ready for process in net.status()] == [False, True]
    net.start([0])
    assert net.pid(0) not in (None, first)


def test_the_users_variables_do_not_reach_a_replica(net: Localnet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROOTBOEK_GENESIS", "/nowhere")
    monkeypatch.setenv("GROOTBOEK_DATA", "/nowhere")
    net.start([0])
    assert net.status()[0].ready


def test_a_daemon_that_ends_is_reported_with_its_last_words(
    net: Localnet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_DAEMON", "dies")
    with pytest.raises(Unavailable, match="replica-0: the daemon ended: the disk is gone"):
        net.start([0])


def test_the_last_words_of_a_daemon_are_its_whole_report(net: Localnet) -> None:
    log = "starting\nerror GB-5001 the configuration is wrong\n  what   cannot listen\n  fix    Correct it.\n"
    (net.replica_folder(0) / "log.txt").write_text(log)
    assert net._log_tail(0) == "error GB-5001 the configuration is wrong; what cannot listen; fix Correct it."


def test_a_daemon_that_does_not_get_ready_is_reported_with_its_reason(
    net: Localnet, monkeypatch: pytest.MonkeyPatch
) -> None:
    net.start([0])
    monkeypatch.setenv("FAKE_DAEMON", "waits")
    net._spawn(1)
    while "no quorum" not in net.status()[1].reasons:
        assert net.pid(1) is not None
    with pytest.raises(Unavailable, match="replica-1: not ready after 0 s: no quorum"):
        net.wait_ready(timeout=0)


def test_a_daemon_that_ignores_sigterm_is_killed(net: Localnet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_DAEMON", "stays")
    net.start([0])
    net.stop([0], timeout=0)
    assert net.pid(0) is None


def test_a_process_id_that_somebody_else_has_now_is_not_ours(net: Localnet) -> None:
    path = net.replica_folder(0) / "pid"
    path.write_text(f"{os.getpid()} 1\n")
    assert net.pid(0) is None
    net.kill(0)  # and is not killed: this test goes on
    for text in ("", "x y\n", "-1 5\n", f"{os.getpid()}\n"):
        path.write_text(text)
        assert net.pid(0) is None
