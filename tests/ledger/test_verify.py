"""``grootboek verify`` over the files that a replica leaves, in a folder of the real file system."""

import random
from pathlib import Path
from typing import Any

import pytest

from grootboek.cli.verify import verify
from grootboek.errors import ConfigError, Damaged
from tests.node.cluster import Cluster

SEGMENT = "log/0000000000000000"
JOURNAL = "journal/0000000000000001"
FOLDERS = ("log", "journal", "guard", "snapshots")


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """What a replica leaves that was stopped in order: a full bundle, certificate, snapshot, journal."""
    cluster = Cluster().start()
    for first in range(0, 130, 26):
        cluster.commit(*range(first, first + 26))
    cluster.run(2_000)
    replica = cluster.replicas[0]
    ledger, disk = replica.engine.ledger, replica.disk
    ledger.sync()
    ledger.flush()
    ledger.snapshot()
    left = {f"{folder}/{name}" for folder in FOLDERS for name in disk.names(folder)}
    return {name: disk.read(name) for name in left} | {"../genesis.json": cluster.genesis.to_json()}


@pytest.fixture
def folder(tmp_path: Path, files: dict[str, bytes]) -> Path:
    place = tmp_path / "replica-0"
    for name, data in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return place


def report_on(folder: Path) -> dict[str, Any]:
    value = verify(folder).value
    assert isinstance(value, dict)
    return value


def test_the_report_says_that_nothing_is_torn(folder: Path, files: dict[str, bytes]) -> None:
    report = report_on(folder)
    assert report["transactions"] == 130
    assert report["certified_size"] == report["size"] > 256
    assert len(report["snapshots"]) == 1
    assert (report["tail_bytes"], report["journal_tail_bytes"]) == (0, 0)
    assert report["journal_records"] > 0
    assert all((folder / name).read_bytes() == data for name, data in files.items())


def test_a_flip_in_any_kind_of_file_is_found_and_its_file_named(
    folder: Path, files: dict[str, bytes]
) -> None:
    rng = random.Random(3)
    kinds = [name for name in sorted(files) if not name.startswith("..")]
    assert {name.split("/")[0] for name in kinds} == set(FOLDERS)
    for name in kinds:
        data = files[name]
        offsets = {0, 1, 2, len(data) // 2, len(data) - 1, *rng.sample(range(len(data)), 12)}
        for offset in sorted(offsets):
            changed = bytearray(data)
            changed[offset] ^= rng.choice((0x01, 0x80))
            (folder / name).write_bytes(changed)
            with pytest.raises(Damaged) as caught:
                verify(folder)
            assert name in str(caught.value), offset
        (folder / name).write_bytes(data)
    verify(folder)


@pytest.mark.parametrize("name", [SEGMENT, JOURNAL])
def test_bytes_that_nobody_relies_on_are_counted(folder: Path, name: str) -> None:
    with (folder / name).open("ab") as file:
        file.write(b"\x00\x09\x01half")
    report = report_on(folder)
    assert report["tail_bytes"] + report["journal_tail_bytes"] == 7


def test_a_log_without_its_journal_is_damage(folder: Path) -> None:
    for path in (folder / "journal").iterdir():
        path.unlink()
    with pytest.raises(Damaged, match="groups were promised"):
        verify(folder)
    (folder / "guard/marker").unlink()
    with pytest.raises(Damaged, match="the journal is gone"):
        verify(folder)


def test_a_log_that_lost_what_its_journal_calls_durable_is_damage(folder: Path) -> None:
    for path in [*(folder / "log").iterdir(), *(folder / "snapshots").iterdir()]:
        path.unlink()
    (folder / SEGMENT).write_bytes(b"")
    with pytest.raises(Damaged, match="the journal names"):
        verify(folder)


def test_a_folder_where_no_replica_has_run_is_not_called_right(folder: Path) -> None:
    other = folder.parent / "keys"
    other.mkdir()
    with pytest.raises(ConfigError, match="no replica has run here"):
        verify(other)
