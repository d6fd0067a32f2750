"""Receipts, checkpoints and policies before github.com/transparency-dev/formats, which is not ours."""

import re
import subprocess
from pathlib import Path

import pytest

from grootboek import notes, receipts
from grootboek.client.transactions import Prepared
from grootboek.proofs import Receipt
from grootboek.types import Genesis
from tests.client.conftest import transaction
from tests.client.small_ledger import SmallLedger
from tests.interop.conftest import Tools

FILES = ("policy", "checkpoint", "receipt", "entry")


def policy_of(genesis: Genesis) -> str:
    rows = [(r.name, r.log_key, r.cosigning_key, f"https://{r.api}") for r in genesis.replicas]
    return notes.policy(genesis.chain, 0, genesis.quorum.quorum, rows)


@pytest.fixture
def transactions() -> list[Prepared]:
    return [transaction(SmallLedger(), 3, name) for name in ("a", "b", "c")]


@pytest.fixture
def receipt(transactions: list[Prepared]) -> Receipt:
    ledger = SmallLedger()
    ledger.append(*transactions[:2])
    ledger.append(transactions[2])
    return ledger.receipt(transactions[1], records=(1, 2))


@pytest.fixture
def folder(tmp_path: Path, receipt: Receipt) -> Path:
    """The four files, as a node hands them out."""
    genesis = SmallLedger().genesis
    (tmp_path / "policy").write_text(policy_of(genesis))
    (tmp_path / "checkpoint").write_bytes(receipts.note(genesis, receipt.certificate, receipt.log))
    (tmp_path / "receipt").write_text(receipts.to_text(genesis, receipt))
    (tmp_path / "entry").write_bytes(receipt.records[0].entry)
    return tmp_path


def check(tools: Tools, folder: Path) -> subprocess.CompletedProcess[str]:
    arguments = [part for name in FILES for part in (f"-{name}", str(folder / name))]
    return subprocess.run(
        [tools.interop, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_receipt_is_verified_by_tools_that_we_did_not_write(
    tools: Tools, folder: Path, receipt: Receipt
) -> None:
    done = check(tools, folder)
    assert done.returncode == 0, done.stderr
    origin, size = SmallLedger().genesis.chain.origin, receipt.certificate.size
    assert done.stdout.splitlines() == [
        f"verified checkpoint {origin} of size {size}",
        f"verified receipt at index {receipt.index + 2} in {origin} of size {size}",
    ]


def places(name: str, data: bytes) -> list[int]:
    """Where a change must be noticed: not in ``extra``, which the format leaves to its user, and not
    in URLs or in the keys of replicas that signed nothing here.
    """
    if name == "policy":
        log_of_the_third = [line.start() for line in re.finditer(rb"^log ", data, re.MULTILINE)][2]
        first_cosigner = data.index(b" https", data.index(b"witness")) - 20
        return [log_of_the_third + 60, first_cosigner, data.index(b"quorum ")]
    if name == "receipt":
        return [3, data.index(b"\nindex ") + 7, data.index(b"\n\n") - 9, len(data) - 30]
    return list(range(0, len(data) - 1, len(data) // 12))


@pytest.mark.parametrize("name", FILES)
def test_changed_bytes_are_refused_by_them_too(tools: Tools, folder: Path, name: str) -> None:
    path = folder / name
    data = path.read_bytes()
    for place in places(name, data):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        done = check(tools, folder)
        assert done.returncode == 1, (place, data[place : place + 20], done.stdout)
        assert done.stderr.startswith("refused:")
    path.write_bytes(data)
    assert check(tools, folder).returncode == 0


@pytest.mark.parametrize("line", [5, 6, 7])
def test_a_checkpoint_without_a_quorum_is_refused(tools: Tools, folder: Path, line: int) -> None:
    path = folder / "checkpoint"
    lines = path.read_text().split("\n")
    del lines[line]
    path.write_text("\n".join(lines))
    done = check(tools, folder)
    assert done.returncode == 1
    assert "the quorum of 3 witnesses is not satisfied" in done.stderr


def test_the_policy_names_every_replica_once(tools: Tools, folder: Path) -> None:
    """The parser of formats refuses a name twice; a policy of 7 replicas has 7 and a quorum of 5."""
    genesis = SmallLedger().genesis
    lines = policy_of(genesis).splitlines()
    assert [line.split()[0] for line in lines] == ["log"] * 4 + ["witness"] * 4 + ["group", "quorum"]
    assert lines[-2].split()[2] == "3"
    (folder / "policy").write_text("\n".join([*lines[:5], lines[4], *lines[5:]]) + "\n")
    assert "duplicate component name" in check(tools, folder).stderr
