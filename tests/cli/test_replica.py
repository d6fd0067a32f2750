"""What operators type to change the replicas of a ledger, against real daemons."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grootboek.cli.exits import Exit
from grootboek.network.addresses import split_address
from grootboek.node.keystore import ReplicaKeys, unlock
from grootboek.node.localnet import Localnet
from tests.cli.desk import Desk

pytestmark = pytest.mark.timeout(180)


class Operators(Desk):
    """The organisations of a ledger, all at one table."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        super().__init__(folder, capsys)
        self.governor = ("--governor", str(folder / "net/keys/replicas-governor"))

    def __call__(self, *words: str, code: int = Exit.OK) -> Any:
        return self.command("replica", *words, code=code)

    def seat(self, k: int, *options: str, code: int = Exit.OK) -> str:
        """The file with a replica's seat, or the name of who cannot give one."""
        output = str(self.folder / f"seat-{k}.json")
        folder = str(self.net.replica_folder(k))
        said = self("seat", folder, "--output", output, *options, code=code)
        return str(said["error"]["where"]) if code else output


@pytest.fixture
def operators(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Operators]:
    operators = Operators(tmp_path, capsys)
    with operators.running():
        yield operators


def test_operators_change_the_replicas_by_hand(operators: Operators) -> None:
    listed = operators("list")
    assert (listed["epoch"], listed["approvals"], listed["proven"]) == (0, 1, False)
    admit_and_dismiss(operators)
    open_an_epoch(operators)
    lose_replicas(operators)


def admit_and_dismiss(operators: Operators) -> None:
    k = operators.net.join()
    public = str(operators.net.replica_folder(k) / f"replica-{k}.json")
    assert operators("admit", public, *operators.governor)["admitted"] == "replica-4"
    assert [one["name"] for one in operators("list")["observers"]] == ["replica-4"]
    assert operators.seat(k, code=Exit.USAGE) == "replica-4"  # it does not run
    operators("dismiss", "replica-4", *operators.governor)
    assert operators("list")["observers"] == []
    refused = operators("dismiss", "replica-4", *operators.governor, code=Exit.REFUSED)
    assert refused["error"]["what"].startswith("name-unknown")


def open_an_epoch(operators: Operators) -> None:
    net = operators.net
    seats = [operators.seat(k, *(["--rotate"] if k == 1 else [])) for k in range(4)]
    twice = operators("open", seats[0], seats[0], *operators.governor, code=Exit.USAGE)
    assert twice["error"]["code"] == "GB-5005"
    forgotten = operators("open", *seats[1:], *operators.governor, code=Exit.USAGE)
    assert forgotten["error"]["what"].startswith("replica-0 has no seat")
    shown = ssl.get_server_certificate(address(net, 1))
    opened = operators("open", *reversed(seats), *operators.governor)
    assert (opened["epoch"], opened["rekeyed"]) == (1, ["replica-1"])
    assert opened["replicas"] == [f"replica-{k}" for k in range(4)]
    net.wait_ready()
    assert unlock(net.replica_folder(1) / "keys", None, ReplicaKeys).epoch == 1
    assert ssl.get_server_certificate(address(net, 1)) != shown
    again = operators("open", *seats, *operators.governor, code=Exit.USAGE)
    assert "it is of epoch 1, and the next one is 2" in again["error"]["what"]
    assert (operators("list")["epoch"], operators("list")["proven"]) == (1, True)
    status = operators.command("status")
    assert (status["epoch"], status["health"]) == (1, "ok")
    assert "group replicas 3 e0/replica-0 e0/replica-1" in operators.command("policy")["policy"]
    assert "group replicas 3 e1/replica-0 e1/replica-1" in operators.command("policy", "--present")["policy"]


def address(net: Localnet, k: int) -> tuple[str, int]:
    return split_address(net.info(k).api)


def lose_replicas(operators: Operators) -> None:
    """No epoch is opened that could not go on; one is where a quorum of it is there."""
    seats = [operators.seat(k) for k in range(4)]
    operators.net.kill(3)
    leaving = ["--without", "replica-1", "--without", "replica-2"]
    refused = operators("open", seats[0], seats[3], *leaving, *operators.governor, code=Exit.USAGE)
    assert "1 of 2 replicas are there, a quorum is 2: replica-3: it does not" in refused["error"]["what"]
    anybody = str(operators.net.folder / "keys/client")
    refused = operators("open", *seats, "--governor", anybody, code=Exit.REFUSED)
    assert refused["error"]["what"].startswith("approvals-missing")
    assert operators("open", *seats, *operators.governor)["epoch"] == 2
    operators.net.wait_ready([0, 1, 2])
    assert operators.command("status", code=Exit.CATCHING_UP)["health"] == "catching_up"
