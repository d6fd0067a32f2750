"""The log's files and its tree: positions, segments, bundles, proofs from disk."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grootboek import _core
from grootboek.errors import Damaged
from grootboek.ledger import files
from grootboek.ledger.files import BUNDLE, BUNDLES, ends_of, frame, segment_name, split
from grootboek.ledger.log import EntryLog
from tests.ledger.disks import CrashDisk


def entry(number: int) -> bytes:
    """Every tenth one ends a block."""
    return (b"\x03" if number % 10 == 9 else b"\x01") + b"%d" % number


def grown(size: int, disk: CrashDisk | None = None, *, step: int = 70) -> EntryLog:
    log = EntryLog(disk or CrashDisk())
    for start in range(0, size, step):
        log.append([entry(i) for i in range(start, min(size, start + step))])
    return log


def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SEGMENT_BYTES", 2_000)


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=20), st.integers(0, 4_000))
def test_framing_is_undone_as_far_as_it_is_whole(entries: list[bytes], cut: int) -> None:
    data = frame(entries)
    assert list(split(data)) == entries
    ends = list(ends_of(data[:cut]))
    assert ends == [end for end in ends_of(data) if end <= cut]


def test_entries_are_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    small_segments(monkeypatch)
    log = grown(1_000)
    assert [segment.first for segment in log.files.segments] == [0, 512]
    assert log.read(0, 1_000) == [entry(i) for i in range(1_000)]
    for start, end in [(0, 1), (255, 257), (511, 513), (700, 700), (999, 1_000)]:
        assert log.read(start, end) == [entry(i) for i in range(start, end)]


def test_a_log_reads_the_same_after_opening(monkeypatch: pytest.MonkeyPatch) -> None:
    small_segments(monkeypatch)
    log = grown(1_500)
    log.sync()
    log.save_mark(1_300)
    disk: CrashDisk = log.files.disk  # type: ignore[assignment]  # the one that was given
    again = EntryLog(disk.copy())
    assert (again.size, again.synced_size) == (1_500, 1_300)
    assert again.root(1_500) == log.root(1_500)
    assert again.read(0, 1_500) == log.read(0, 1_500)
    assert list(again.files.ends) == list(log.files.ends)


@pytest.mark.parametrize("damage", [b"", b"short", bytes(400)])
def test_bundles_are_rebuilt_where_they_are_missing_short_or_wrong(damage: bytes) -> None:
    log = grown(1_500)
    log.sync()
    log.save_mark(1_500)
    disk: CrashDisk = log.files.disk  # type: ignore[assignment]  # the one that was given
    right = disk.now[BUNDLES]
    disk.write(BUNDLES, damage)
    again = EntryLog.open(disk)
    assert again.root(1_500) == log.root(1_500)
    again.append([entry(i) for i in range(1_500, 2_000)])
    again.sync()
    again.save_mark(2_000)
    assert disk.now[BUNDLES][: len(right)] == right
    assert len(disk.now[BUNDLES]) == files.ROW_BYTES * (2_000 // BUNDLE)


def test_the_end_that_is_no_whole_block_is_cut() -> None:
    disk = grown(25).files.disk
    again = EntryLog(disk)
    assert again.size == 20
    assert disk.size(segment_name(0)) == len(frame([entry(i) for i in range(20)]))


def test_nothing_that_was_synced_is_cut() -> None:
    log = grown(20)
    log.sync()
    log.save_mark(20)
    disk: CrashDisk = log.files.disk  # type: ignore[assignment]  # the one that was given
    name = segment_name(0)
    for size in range(disk.size(name)):
        shorter = disk.copy()
        shorter.now[name] = shorter.now[name][:size]
        with pytest.raises(Damaged):
            EntryLog(shorter)


@pytest.mark.parametrize("lost", [1, 50, 600])
def test_a_segment_that_does_not_follow_is_cut_with_all_after_it(
    monkeypatch: pytest.MonkeyPatch, lost: int
) -> None:
    small_segments(monkeypatch)
    disk: CrashDisk = grown(1_500).files.disk  # type: ignore[assignment]  # the one that was given
    first = segment_name(0)
    disk.now[first] = disk.now[first][:-lost]
    again = EntryLog(disk)
    assert again.size < 512
    assert again.size % 10 == 0
    assert disk.names("log") == ["0000000000000000"]
    again.append([entry(i) for i in range(again.size, 1_500)])
    assert again.read(0, 1_500) == [entry(i) for i in range(1_500)]


@pytest.mark.parametrize("name", ["log/x", "log/0000000000000001", "log/0000000000000256", "log/00"])
def test_files_that_are_not_the_logs(name: str) -> None:
    disk = CrashDisk()
    disk.write(name, b"\0\1\3")
    with pytest.raises(Damaged, match=name):
        EntryLog(disk)


def test_proofs_from_bundles_that_the_tree_no_longer_keeps() -> None:
    log = grown(2_000)
    reference = _core.Log()
    reference.append(frame([entry(i) for i in range(2_000)]))
    log.tree = _core.Log(recent=0)
    log.tree.append(frame([entry(i) for i in range(2_000)]))
    assert log.tree.missing([0], 2_000)
    for index, size in [(0, 2_000), (255, 256), (256, 257), (1_000, 1_001), (1_999, 2_000), (3, 1_023)]:
        assert list(log.inclusion(index, size)) == reference.inclusion(index, size)
        assert log.root(size) == reference.root(size)
        assert list(log.consistency(index + 1, size)) == reference.consistency(index + 1, size)
    for start, end, size in [(0, 2_000, 2_000), (100, 700, 900), (255, 257, 1_999), (5, 6, 300)]:
        leaves, nodes = log.range_proof(start, end, size)
        assert leaves == reference.leaves(start, end)
        assert list(nodes) == reference.range_proof(start, end, size)
    assert log.tile(0, 2, 256) == reference.tile(0, 2, 256)
    assert log.tile(1, 0, 7) == reference.tile(1, 0, 7)


def test_a_damaged_bundle_is_noticed_when_a_proof_needs_it() -> None:
    log = grown(2_000)
    log.tree = _core.Log(recent=0)
    log.tree.append(frame([entry(i) for i in range(2_000)]))
    disk: CrashDisk = log.files.disk  # type: ignore[assignment]  # the one that was given
    log.files.disk = disk.flipped(segment_name(0), 10)
    with pytest.raises(Damaged, match="bundle 0"):
        log.inclusion(3, 2_000)


def test_blocks_come_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_PIECE", 100)
    log = grown(700)
    blocks = list(log.blocks(20))
    assert [entry for block in blocks for entry in block] == log.read(20, 700)
    assert all(block[-1][:1] == b"\x03" for block in blocks)


def test_a_truncated_log_goes_on() -> None:
    log, other = grown(1_000), grown(700)
    log.truncate(700)
    assert log.root(700) == other.root(700)
    for grows in (log, other):
        grows.append([entry(i) for i in range(700, 1_600)])
        grows.sync()
        grows.save_mark(1_600)
    assert log.root(1_600) == other.root(1_600)
    assert log.files.disk.read(BUNDLES) == other.files.disk.read(BUNDLES)


def test_the_root_with_more_entries_changes_nothing() -> None:
    log = grown(300)
    before = log.root(300)
    more = [entry(i) for i in range(300, 900)]
    assert log.root_with(more) == grown(900).root(900)
    assert (log.size, log.tree.size, log.root(300)) == (300, 300, before)
    log.append(more)
    assert log.root(900) == grown(900).root(900)


def test_sync_covers_each_segment_once(monkeypatch: pytest.MonkeyPatch) -> None:
    small_segments(monkeypatch)
    log = grown(1_500)
    disk: CrashDisk = log.files.disk  # type: ignore[assignment]  # the one that was given
    assert log.sync() == 1_500
    assert disk.durable == disk.now
    before = disk.operations
    log.append([entry(1_500)])
    assert log.sync() == 1_501
    assert disk.operations == before + 2
