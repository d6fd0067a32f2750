"""The commands against a network of real daemons."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grootboek.cli.exits import Exit
from grootboek.types import Genesis

pytestmark = pytest.mark.timeout(120)


class Shell:
    """Runs command lines and reads their JSON."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.genesis = str(folder / "genesis.json")

    def __call__(self, *words: str, code: int = Exit.OK) -> Any:
        """What the command prints on stdout with ``--json``, also where it fails."""
        command = [sys.executable, "-m", "grootboek.cli", *words, "--json"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == code, f"{words}: {done.returncode} {done.stderr}"
        return json.loads(done.stdout)

    def written(self, *words: str) -> bytes:
        """What the command writes on stdout without ``--json``."""
        command = [sys.executable, "-m", "grootboek.cli", *words, "--genesis", self.genesis]
        return subprocess.run(command, check=True, capture_output=True).stdout

    def on_ledger(self, *words: str, code: int = Exit.OK) -> Any:
        """The same with the ledger named."""
        return self(*words, "--genesis", self.genesis, code=code)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    folder = tmp_path_factory.mktemp("network") / "D"
    shell = Shell(folder)
    shell("localnet", "start", "--dir", str(folder), "--module", "records")
    yield shell
    shell("localnet", "stop", "--dir", str(folder))


@pytest.fixture(scope="module")
def submitted(shell: Shell) -> Any:
    """A record that is final."""
    digest = hashlib.sha256(b"a document").hexdigest()
    words = ["submit", "records", "Anchor", "key=file/1", f"digest={digest}"]
    return shell.on_ledger(*words, "--key", str(shell.folder / "keys" / "client"))


def test_status_shows_every_replica(shell: Shell) -> None:
    status = shell.on_ledger("status")
    assert (status["health"], status["roots_equal"], len(status["replicas"])) == ("ok", True, 4)
    assert all(replica["backend"] for replica in status["replicas"].values())


def test_a_record_is_submitted_and_proven_offline(shell: Shell, submitted: Any, tmp_path: Path) -> None:
    assert submitted["status"] == "applied"
    for form in ("text", "json", "msgpack"):
        file = tmp_path / form
        arguments = [submitted["transaction"], "--output", str(file), "--form", form]
        shell.on_ledger("receipt", "get", *arguments)
        printed = shell.written("receipt", "get", submitted["transaction"], "--form", form)
        file.with_suffix(".printed").write_bytes(printed)
        shell.on_ledger("receipt", "verify", f"{file}.printed")
        proven = shell.on_ledger("receipt", "verify", str(file))["proven"]
        assert proven["transaction"] == submitted["transaction"]
        assert proven["records"][0]["outcome"] == "applied"


def test_a_changed_receipt_proves_nothing(shell: Shell, submitted: Any, tmp_path: Path) -> None:
    file = tmp_path / "receipt"
    shell.on_ledger("receipt", "get", submitted["transaction"], "--output", str(file), "--form", "msgpack")
    good = file.read_bytes()
    for place in range(0, len(good), 211):
        file.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        error = shell.on_ledger("receipt", "verify", str(file), code=Exit.UNVERIFIED)["error"]
        assert error["code"].startswith("GB-4")


@pytest.mark.usefixtures("submitted")
def test_a_refusal_names_its_reason(shell: Shell) -> None:
    digest = hashlib.sha256(b"another").hexdigest()
    words = ["submit", "records", "Anchor", "key=file/1", f"digest={digest}"]
    again = shell.on_ledger(*words, "--key", str(shell.folder / "keys" / "client"), code=Exit.REFUSED)
    assert again["outcomes"] == ["version-mismatch"]
    assert shell("explain", "version-mismatch")["modules"]["records"]


def test_a_query_as_of_a_height(shell: Shell, submitted: Any) -> None:
    genesis = Genesis.load(shell.genesis)
    owner = next(party.id for party in genesis.parties if party.roles == ())
    digest = hashlib.sha256(b"its second version").hexdigest()
    words = ["submit", "records", "Anchor", "key=file/1", f"digest={digest}", "supersedes=1"]
    second = shell.on_ledger(*words, "--key", str(shell.folder / "keys" / "client"))
    query = ["query", "records", "document", f"owner={owner}", "key=file/1"]
    assert shell.on_ledger(*query)["result"]["version"] == 2
    for submission, version in ((submitted, 1), (second, 2)):
        answer = shell.on_ledger(*query, "--as-of", str(submission["height"]))
        assert answer["result"]["version"] == version


def test_an_unknown_transaction_is_not_found(shell: Shell) -> None:
    error = shell.on_ledger("receipt", "get", "00" * 32, code=Exit.FAILED)["error"]
    assert error["code"] == "GB-7002"
    shell.on_ledger("receipt", "get", "xyz", code=Exit.USAGE)


def test_an_unknown_node_is_named(shell: Shell) -> None:
    error = shell.on_ledger("status", "--node", "replica-9", code=Exit.USAGE)["error"]
    assert "replica-0" in error["what"]


def test_a_key_is_asked_for(shell: Shell) -> None:
    words = ["submit", "records", "Anchor", "key=file/2", f"digest={'00' * 32}"]
    assert "--key" in shell.on_ledger(*words, code=Exit.USAGE)["error"]["what"]


def test_what_cannot_be_written_is_an_error(shell: Shell, submitted: Any) -> None:
    nowhere = "/nowhere/receipt"
    wrong = ["receipt", "get", submitted["transaction"], "--output", nowhere]
    error = shell.on_ledger(*wrong, code=Exit.USAGE)["error"]
    assert (error["code"], error["where"]) == ("GB-5001", nowhere)


def test_a_network_keeps_its_size(shell: Shell) -> None:
    place = ["localnet", "start", "--dir", str(shell.folder), "--replicas"]
    assert "4 replicas" in shell(*place, "7", code=Exit.USAGE)["error"]["what"]
    assert len(shell(*place, "4")["replicas"]) == 4


def test_the_policy_names_each_replica(shell: Shell) -> None:
    policy = shell.on_ledger("policy")["policy"]
    assert policy.count("\nwitness ") == 4
    assert "group replicas 3 " in policy


def test_a_running_replica_is_not_audited(shell: Shell) -> None:
    error = shell("verify", str(shell.folder / "replica-0"), code=Exit.FAILED)["error"]
    assert error["code"] == "GB-6003"


@pytest.mark.usefixtures("submitted")
def test_one_lost_replica_is_shown_and_comes_back(shell: Shell) -> None:
    place = ["--dir", str(shell.folder)]
    shell("localnet", "kill", "3", *place)
    assert shell.on_ledger("status", code=Exit.CATCHING_UP)["health"] == "catching_up"
    assert shell.on_ledger("status", "--node", "replica-0", "--node", "replica-1")["health"] == "ok"
    shell.on_ledger("status", "--node", "replica-3", code=Exit.UNAVAILABLE)
    assert shell("localnet", "status", *place, code=Exit.CATCHING_UP)["replicas"][3]["pid"] is None
    shell("localnet", "kill", "7", *place, code=Exit.USAGE)
    shell("localnet", "kill", "2", *place)
    assert shell.on_ledger("status", code=Exit.UNAVAILABLE)["health"] == "unavailable"
    shell("localnet", "start", *place)
    assert shell.on_ledger("status")["roots_equal"] is True


def test_a_stopped_replica_is_audited_and_damage_is_named(shell: Shell, submitted: Any) -> None:
    place = ["--dir", str(shell.folder)]
    shell("localnet", "stop", *place)
    replica = shell.folder / "replica-0"
    report = shell("verify", str(replica))
    assert report["transactions"] >= 1
    assert report["certified_size"] == report["size"]
    bundle = next(path for path in sorted((replica / "log").rglob("*")) if path.stat().st_size > 200)
    good = bundle.read_bytes()
    bundle.write_bytes(good[:150] + bytes([good[150] ^ 1]) + good[151:])
    error = shell("verify", str(replica), code=Exit.UNVERIFIED)["error"]
    assert error["code"] == "GB-6002"
    assert "log" in error["where"] or "log" in error["what"]
    bundle.write_bytes(good)
    shell("localnet", "start", *place)
    shell.on_ledger("receipt", "get", submitted["transaction"])
