"""The journal keeps what it has promised, cuts what it has not, and tells the two apart."""

import itertools
import random
import threading
from pathlib import Path

import blake3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grootboek.disk import FolderLock, RealDisk
from grootboek.errors import Damaged, Locked, StorageError
from grootboek.node import journal as journal_module
from grootboek.node.groups import SLOT_BYTES
from grootboek.node.journal import MARKER, Journal, check
from grootboek.simulation.disk import Fate, SimulatedDisk

SEGMENT = "journal/0000000000000001"


def written(groups: list[list[bytes]]) -> SimulatedDisk:
    disk = SimulatedDisk()
    journal, _ = Journal.open(disk)
    for group in groups:
        for record in group:
            journal.append(record)
        journal.sync()
    return disk


def records(disk: SimulatedDisk) -> list[bytes]:
    return Journal.open(disk)[1]


def interrupted_before_marker(groups: list[list[bytes]], last: list[bytes]) -> SimulatedDisk:
    """``last`` is in its segment and synced; the marker still names the group before."""
    disk = written(groups)
    journal, _ = Journal.open(disk)
    for record in last:
        journal.append(record)
    disk.fail_after = 2  # append and sync of the group succeed, the marker's overwrite does not
    with pytest.raises(StorageError):
        journal.sync()
    disk.fail_after = None
    return disk


def test_a_new_journal_is_empty_and_whole() -> None:
    disk = SimulatedDisk()
    assert check(disk).damage == ()
    journal, found = Journal.open(disk)
    assert (found, journal.high) == ([], None)
    journal, found = Journal.open(disk)
    assert (found, journal.high) == ([], None)
    assert check(disk).groups == 0
    assert len(disk.read(MARKER)) == 2 * SLOT_BYTES


@given(st.lists(st.lists(st.binary(max_size=40), min_size=1, max_size=4), max_size=6))
def test_what_was_synced_is_read_again_in_order(groups: list[list[bytes]]) -> None:
    disk = written(groups)
    assert records(disk) == [record for group in groups for record in group]
    report = check(disk)
    assert (report.groups, report.damage, report.tail_bytes) == (len(groups), (), 0)


def test_a_group_costs_two_syncs_and_nothing_costs_none() -> None:
    disk = SimulatedDisk()
    journal, _ = Journal.open(disk)
    for _ in range(500):
        journal.append(bytes(100))
    before = disk.syncs
    journal.sync()
    assert disk.syncs - before == 2
    journal.sync()
    assert disk.syncs - before == 2
    assert journal.syncs == 1


def test_unsynced_records_are_not_written() -> None:
    disk = written([[b"promised"]])
    journal, _ = Journal.open(disk)
    journal.append(b"not promised")
    assert records(disk) == [b"promised"]


def test_a_group_torn_at_any_byte_is_cut_silently() -> None:
    base = interrupted_before_marker([[b"one", b"two"], [b"three"]], [b"four", b"five"])
    whole = base.size(SEGMENT)
    start = written([[b"one", b"two"], [b"three"]]).size(SEGMENT)
    assert whole > start
    for length in range(start, whole):
        disk = base.copy()
        disk.truncate(SEGMENT, length)
        assert check(disk).damage == ()
        assert check(disk).tail_bytes == length - start
        assert records(disk) == [b"one", b"two", b"three"]
        assert disk.size(SEGMENT) == start
        assert records(disk) == [b"one", b"two", b"three"]


def test_a_group_flipped_beyond_the_marker_is_cut_silently() -> None:
    base = interrupted_before_marker([[b"one"]], [b"two"])
    start = written([[b"one"]]).size(SEGMENT)
    for offset in range(start, base.size(SEGMENT)):
        disk = base.copy()
        disk.flip(SEGMENT, offset, offset % 8)
        assert records(disk) == [b"one"]


def test_a_whole_group_beyond_the_marker_is_kept_and_made_durable() -> None:
    disk = interrupted_before_marker([[b"one"]], [b"two"])
    assert records(disk) == [b"one", b"two"]
    disk.crash(random.Random(1))
    assert records(disk) == [b"one", b"two"]
    disk.flip(SEGMENT, disk.size(SEGMENT) - 1)
    with pytest.raises(Damaged):
        Journal.open(disk)


def test_a_kill_before_the_sync_of_a_slot_and_then_a_power_cut_leave_one_slot_whole() -> None:
    disk = written([[b"one"]])
    journal, _ = Journal.open(disk)
    journal.append(b"two")
    disk.fail_after = 3  # the group is synced and its slot written, not synced
    with pytest.raises(StorageError):
        journal.sync()
    disk.fail_after = None
    journal, _ = Journal.open(disk)
    journal.append(b"three")
    disk.fail_after = 3
    with pytest.raises(StorageError):
        journal.sync()
    disk.mend()
    disk.lose_power(lambda _name: Fate.RAGGED)
    assert records(disk) == [b"one", b"two", b"three"]


def test_every_flipped_byte_of_a_synced_journal_is_found_and_named() -> None:
    base = written([[b"one", b"two"], [b"three"], [b"four"]])
    for name, data in base.files().items():
        for offset in range(len(data)):
            disk = base.copy()
            disk.flip(name, offset, offset % 8)
            damage = check(disk).damage
            assert damage, (name, offset)
            place, _, at = damage[0].where.partition(":")
            assert place == name
            assert int(at) <= offset


def test_a_flip_at_or_below_the_marker_refuses_to_open() -> None:
    base = written([[b"one"], [b"two"]])
    for offset in range(base.size(SEGMENT)):
        disk = base.copy()
        disk.flip(SEGMENT, offset)
        with pytest.raises(Damaged, match=SEGMENT):
            Journal.open(disk)


@pytest.mark.parametrize("cut", [0, 1, 100])
def test_a_promised_group_that_is_missing_is_damage(cut: int) -> None:
    disk = written([[b"one"], [b"two"]])
    disk.truncate(SEGMENT, cut)
    with pytest.raises(Damaged, match="promised"):
        Journal.open(disk)


def test_a_lost_segment_is_damage() -> None:
    disk = written([[b"one"]])
    disk.remove(SEGMENT)
    with pytest.raises(Damaged):
        Journal.open(disk)


def test_a_lost_marker_is_damage() -> None:
    disk = written([[b"one"]])
    disk.remove(MARKER)
    with pytest.raises(Damaged, match=MARKER):
        Journal.open(disk)
    assert check(disk).damage[-1].where == MARKER


@pytest.mark.parametrize("slot", [0, 1])
def test_one_bad_slot_is_named_and_mended(slot: int) -> None:
    disk = written([[b"one"], [b"two"], [b"three"]])
    disk.flip(MARKER, slot * SLOT_BYTES + 7)
    assert [damage.where for damage in check(disk).damage] == [f"{MARKER}:{slot * SLOT_BYTES}"]
    assert records(disk) == [b"one", b"two", b"three"]
    assert check(disk).damage == ()


def test_two_bad_slots_are_damage() -> None:
    disk = written([[b"one"]])
    disk.flip(MARKER, 3)
    disk.flip(MARKER, SLOT_BYTES + 3)
    with pytest.raises(Damaged, match="neither slot"):
        Journal.open(disk)


def test_a_bad_slot_with_a_bad_last_group_is_damage_not_a_tear() -> None:
    disk = written([[b"one"], [b"two"]])
    disk.flip(MARKER, 3)  # group 2 was named by slot 0
    disk.flip(SEGMENT, disk.size(SEGMENT) - 1)
    with pytest.raises(Damaged, match="may have named it"):
        Journal.open(disk)


def test_a_marker_that_names_another_group_is_damage() -> None:
    disk, other = written([[b"one"], [b"two"]]), written([[b"one"], [b"TWO"]])
    disk.write(MARKER, other.read(MARKER))
    with pytest.raises(Damaged, match="another one"):
        Journal.open(disk)


@pytest.mark.parametrize("fault", ["space", "fail_after", "fail_syncs"])
def test_a_refusing_disk_stops_the_journal_for_good(fault: str) -> None:
    disk = written([[b"one"]])
    journal, _ = Journal.open(disk)
    journal.append(b"two")
    setattr(disk, fault, {"space": 5, "fail_after": 0, "fail_syncs": True}[fault])
    with pytest.raises(StorageError):
        journal.sync()
    disk.space, disk.fail_after, disk.fail_syncs = None, None, False
    with pytest.raises(StorageError):
        journal.append(b"three")
    with pytest.raises(StorageError):
        journal.sync()
    again, kept = Journal.open(disk)
    assert kept in ([b"one"], [b"one", b"two"])
    again.append(b"three")
    again.sync()
    assert records(disk) == [*kept, b"three"]


@given(st.integers(0, 10**9), st.integers(1, 3))
def test_nothing_promised_is_lost_whenever_the_power_goes(seed: int, crashes: int) -> None:
    rng = random.Random(seed)
    disk = SimulatedDisk()
    promised: list[bytes] = []
    written_ever: list[bytes] = []
    for _ in range(crashes):
        try:
            journal, found = Journal.open(disk)
            assert found[: len(promised)] == promised
            assert all(record in written_ever for record in found)
            promised = found
            disk.fail_after = rng.randrange(12)
            for _ in range(6):
                group = [rng.randbytes(rng.randrange(1, 700)) for _ in range(rng.randrange(1, 4))]
                for record in group:
                    journal.append(record)
                written_ever += group
                journal.release(rng.randrange(journal.mark() + 1))
                journal.sync()
                promised = promised + group
        except StorageError:
            pass
        disk.crash(rng)
    assert records(disk)[: len(promised)] == promised


def test_a_crash_at_any_operation_of_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every point between two operations, a segment for each group, releasing all the while."""
    monkeypatch.setattr(journal_module, "SEGMENT_BYTES", 1)

    def run(journal: Journal, promised: list[bytes]) -> None:
        for number in range(10):
            journal.append(b"%d" % number)
            journal.release(number - 1)
            journal.sync()
            promised.append(b"%d" % number)

    for operations, seed in itertools.product(range(45), range(8)):
        disk = SimulatedDisk()
        journal, _ = Journal.open(disk)
        disk.fail_after = operations
        promised: list[bytes] = []
        with pytest.raises(StorageError):
            run(journal, promised)
        disk.crash(random.Random(seed))
        assert check(disk).damage == () or len(check(disk).damage) == 1  # a torn slot
        found = records(disk)
        kept = promised[max(0, len(promised) - 2) :]
        position = found.index(kept[0]) if kept else 0
        assert found[position:][: len(kept)] == kept
        assert len(found) - position - len(kept) in (0, 1)
        assert check(disk).damage == ()


def test_release_drops_whole_segments_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "SEGMENT_BYTES", 500)
    disk = SimulatedDisk()
    journal, _ = Journal.open(disk)
    positions = []
    for i in range(20):
        positions.append(journal.mark())
        journal.append(b"%03d" % i + bytes(100))
        journal.sync()
    assert len(disk.names("journal")) > 4
    before = journal.size
    journal.release(positions[12])
    assert journal.size == before
    journal.append(b"last")
    journal.sync()
    assert journal.size < before
    found = records(disk)
    first = int(found[0][:3])
    assert 8 <= first <= 12
    assert [int(record[:3]) for record in found[:-1]] == list(range(first, 20))
    assert check(disk).damage == ()


def test_segments_left_by_a_crash_inside_a_release_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "SEGMENT_BYTES", 1)
    disk = written([[b"one"], [b"two"], [b"three"]])
    journal, _ = Journal.open(disk)
    journal.release(3)
    journal.append(b"four")
    disk.fail_after = 4  # the group and the marker are synced, the removals fail
    with pytest.raises(StorageError):
        journal.sync()
    disk.fail_after = None
    assert check(disk).damage == ()
    assert records(disk) == [b"three", b"four"]
    assert disk.names("journal") == ["0000000000000003", "0000000000000004"]


def test_a_record_appended_while_a_sync_runs_goes_to_the_next_group() -> None:
    entered, leave = threading.Event(), threading.Event()

    class SlowDisk(SimulatedDisk):
        def sync(self, name: str) -> None:
            entered.set()
            assert leave.wait(10)
            super().sync(name)

    disk = SlowDisk()
    leave.set()
    journal, _ = Journal.open(disk)
    entered.clear()
    leave.clear()
    journal.append(b"one")
    worker = threading.Thread(target=journal.sync)
    worker.start()
    assert entered.wait(10)
    position = journal.mark()
    journal.append(b"two")
    leave.set()
    worker.join()
    assert position == 2
    assert records(disk) == [b"one"]
    journal.sync()
    assert records(disk) == [b"one", b"two"]


def test_on_a_real_disk(tmp_path: Path) -> None:
    disk = RealDisk(tmp_path)
    journal, found = Journal.open(disk)
    assert found == []
    for i in range(5):
        journal.append(b"%d" % i)
        journal.sync()
    disk.close()
    again = RealDisk(tmp_path)
    assert Journal.open(again)[1] == [b"0", b"1", b"2", b"3", b"4"]
    assert check(again).damage == ()
    again.close()


def test_a_real_disk_overwrites_in_place_and_appends_at_the_end(tmp_path: Path) -> None:
    disk = RealDisk(tmp_path)
    disk.append("a/file", b"0123456789")
    disk.overwrite("a/file", 2, b"xy")
    disk.append("a/file", b"!")
    disk.sync("a/file")
    assert disk.read("a/file") == b"01xy456789!"
    disk.truncate("a/file", 4)
    disk.append("a/file", b"?")
    assert disk.read("a/file", 2) == b"xy?"
    assert disk.names("a") == ["file"]
    disk.remove("a/file")
    assert disk.size("a/file") == 0
    disk.close()


def test_a_real_disk_that_refuses_says_where(tmp_path: Path) -> None:
    disk = RealDisk(tmp_path)
    (tmp_path / "folder").mkdir()
    for refused in (
        lambda: disk.append("folder", b"x"),
        lambda: disk.write("folder", b"x"),
        lambda: disk.read("folder"),
        lambda: disk.truncate("missing", 0),
        lambda: disk.overwrite("folder", 0, b"x"),
        lambda: disk.sync("folder"),
        lambda: disk.remove("folder"),
    ):
        with pytest.raises(StorageError, match=str(tmp_path)):
            refused()


def test_a_data_folder_is_used_by_one_process_at_a_time(tmp_path: Path) -> None:
    with FolderLock(tmp_path / "data"), pytest.raises(Locked, match="data"):
        FolderLock(tmp_path / "data")
    FolderLock(tmp_path / "data").release()


def test_the_bytes_are_those_of_the_specification() -> None:
    disk = SimulatedDisk()
    journal, _ = Journal.open(disk)
    for record in (b"one", b"", b"three"):
        journal.append(record)
    journal.sync()
    payload = b"\x00\x00\x00\x03one" + b"\x00\x00\x00\x00" + b"\x00\x00\x00\x05three"
    head = b"grootboek/1 journal\n" + (1).to_bytes(8, "big") + len(payload).to_bytes(4, "big") + bytes(32)
    group = head + payload
    assert disk.read(SEGMENT) == group + blake3.blake3(group).digest()
    fields = b"grootboek/1 marker\n\n" + (1).to_bytes(8, "big") + (1).to_bytes(8, "big")
    fields += blake3.blake3(group).digest() + b"\xff" * 32
    slot = (fields + blake3.blake3(fields).digest()).ljust(4_096, b"\0")
    assert slot in (disk.read(MARKER)[:4_096], disk.read(MARKER)[4_096:])


@pytest.mark.parametrize("name", ["\u00b2", "1", "notes", "00000000000000010"])
def test_files_of_other_names_are_nobodys(name: str) -> None:
    disk = written([[b"one"], [b"two"]])
    disk.write(f"journal/{name}", b"not a group")
    assert (check(disk).damage, check(disk).tail_bytes) == ((), 0)
    assert records(disk) == [b"one", b"two"]
    assert disk.read(f"journal/{name}") == b"not a group"
