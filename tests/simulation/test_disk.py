"""The simulated disk loses exactly what a real one may lose."""

import random

import pytest

from grootboek.disk import Disk
from grootboek.errors import StorageError
from grootboek.simulation.disk import BLOCK, SECTOR, Fate, SimulatedDisk

SEEDS = range(200)


def crashed(disk: SimulatedDisk, seed: int) -> SimulatedDisk:
    twin = disk.copy()
    twin.crash(random.Random(seed))
    return twin


def fates(disk: SimulatedDisk, name: str) -> set[bytes]:
    return {crashed(disk, seed).read(name) for seed in SEEDS}


def test_it_is_a_disk() -> None:
    disk: Disk = SimulatedDisk()
    disk.append("log/0", b"0123456789")
    disk.overwrite("log/0", 2, b"xy")
    disk.append("log/0", b"!")
    assert disk.read("log/0") == b"01xy456789!"
    assert disk.read("log/0", 9, 5) == b"9!"
    assert (disk.size("log/0"), disk.size("log/1"), disk.read("log/1")) == (11, 0, b"")
    disk.truncate("log/0", 3)
    disk.write("log/1", b"whole")
    assert disk.names("log") == ["0", "1"]
    assert disk.names("lo") == []
    disk.remove("log/0")
    disk.remove("log/0")
    assert disk.names("log") == ["1"]


def test_what_was_synced_survives_every_crash() -> None:
    disk = SimulatedDisk()
    disk.append("a", bytes(range(256)) * 8)
    disk.sync("a")
    disk.write("b", b"whole")
    disk.append("c", b"cut here, not here")
    disk.truncate("c", 8)
    for seed in SEEDS:
        assert crashed(disk, seed).files() == disk.files()


def test_an_unsynced_append_is_lost_torn_holed_or_kept() -> None:
    disk = SimulatedDisk()
    disk.append("a", b"durable.")
    disk.sync("a")
    disk.append("a", b"x" * 4 * SECTOR)
    found = fates(disk, "a")
    assert all(data.startswith(b"durable.") for data in found)
    assert b"durable." in found
    assert disk.read("a") in found
    assert any(8 < len(data) < disk.size("a") and data.endswith(b"x") for data in found)
    assert any(len(data) == disk.size("a") and b"\0" in data for data in found)


def test_an_unsynced_overwrite_is_lost_torn_or_kept() -> None:
    disk = SimulatedDisk()
    disk.append("a", b"o" * 100)
    disk.sync("a")
    disk.overwrite("a", 20, b"n" * 50)
    found = fates(disk, "a")
    assert all(len(data) == 100 and data[:20] == b"o" * 20 and data[70:] == b"o" * 30 for data in found)
    assert {b"o" * 100, disk.read("a")} < found
    assert all(set(data[20:70].lstrip(b"n")) <= {ord("o")} for data in found)


def test_an_unsynced_name_may_vanish_and_a_synced_one_may_not() -> None:
    disk = SimulatedDisk()
    disk.append("a", b"")
    disk.append("b", b"")
    disk.sync("b")
    names = {tuple(crashed(disk, seed).files()) for seed in SEEDS}
    assert names == {("a", "b"), ("b",)}


def test_each_fate_can_be_chosen() -> None:
    base = SimulatedDisk()
    base.append("a", b"o" * 2 * BLOCK)
    base.sync("a")
    base.overwrite("a", 0, b"n" * 10)
    base.overwrite("a", BLOCK, b"n" * 10)
    base.append("a", b"n" * 4 * SECTOR)
    base.append("b", b"new")
    assert base.unsynced == ["a", "b"]
    found = {}
    for fate in Fate:
        disk = base.copy()
        disk.lose_power(dict.fromkeys(base.unsynced, fate).__getitem__)
        assert disk.unsynced == []
        found[fate] = disk.files()
    assert found[Fate.KEPT] == base.files()
    assert found[Fate.LOST] == {"a": b"o" * 2 * BLOCK}
    assert found[Fate.TORN]["b"] == b"n"
    assert found[Fate.HOLED]["a"].count(b"\0") == SECTOR
    ragged = found[Fate.RAGGED]["a"]
    assert (ragged[:10], ragged[BLOCK:][:10]) == (b"nnnnnooooo", b"nnnnnooooo")
    assert ragged[2 * BLOCK :] == b"n" * 2 * SECTOR + bytes(2 * SECTOR)


def test_one_seed_is_one_crash() -> None:
    disk = SimulatedDisk()
    for name in "cab":
        disk.append(name, bytes(1_000))
    assert all(crashed(disk, seed).files() == crashed(disk, seed).files() for seed in SEEDS)


def test_after_a_crash_nothing_is_pending() -> None:
    disk = SimulatedDisk()
    disk.append("a", b"x" * 100)
    disk.fail_syncs = True
    once = crashed(disk, 3)
    assert {data.read("a") for data in (once, crashed(once, 4), crashed(once, 5))} == {once.read("a")}
    once.sync("a")


def test_a_full_disk_takes_what_fits() -> None:
    disk = SimulatedDisk()
    disk.space = 5
    with pytest.raises(StorageError, match="No space left"):
        disk.append("a", b"0123456789")
    assert disk.read("a") == b"01234"
    with pytest.raises(StorageError):
        disk.write("b", b"x")
    assert disk.size("b") == 0


def test_a_failing_disk_fails_from_the_chosen_change_on() -> None:
    disk = SimulatedDisk()
    disk.fail_after = 2
    disk.append("a", b"1")
    disk.sync("a")
    with pytest.raises(StorageError):
        disk.append("a", b"2")
    with pytest.raises(StorageError):
        disk.sync("a")
    with pytest.raises(StorageError):
        disk.remove("a")
    assert disk.read("a") == b"1"
    disk.fail_after, disk.fail_syncs = None, True
    disk.append("a", b"2")
    with pytest.raises(StorageError):
        disk.sync("a")


def test_a_flip_changes_one_bit_for_good() -> None:
    disk = SimulatedDisk()
    disk.append("a", b"\x00\x00")
    disk.flip("a", 1, 3)
    disk.crash(random.Random(1))
    assert disk.read("a") == b"\x00\x08"


def test_a_copy_is_independent() -> None:
    disk = SimulatedDisk()
    disk.append("a", b"1")
    twin = disk.copy()
    twin.append("a", b"2")
    twin.append("b", b"3")
    assert disk.files() == {"a": b"1"}


def test_it_counts() -> None:
    disk = SimulatedDisk()
    disk.append("a", b"12345")
    disk.overwrite("a", 0, b"12")
    disk.sync("a")
    disk.write("b", b"123")
    assert (disk.writes, disk.syncs, disk.bytes_written) == (4, 2, 10)
