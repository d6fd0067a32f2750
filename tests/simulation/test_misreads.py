"""A disk that answers a read with other bytes: found, or harmless."""

import random

import pytest

from grootboek.errors import Damaged
from grootboek.ledger.log import EntryLog
from grootboek.simulation.campaign import Failure, outcome_of
from grootboek.simulation.disk import SimulatedDisk
from grootboek.simulation.misreads import Misread


def test_a_log_that_is_read_wrongly_is_damaged() -> None:
    disk = SimulatedDisk()
    log = EntryLog.open(disk)
    log.append([b"\x00an entry", b"\x00another"])
    disk.misread = lambda _name, _offset, right: b"\xff" * len(right)
    with pytest.raises(Damaged, match="not framed"):
        log.position(1)


def test_one_read_is_wrong_and_those_around_it_are_right() -> None:
    disk = SimulatedDisk()
    disk.write("a", b"old")
    disk.write("b", b"elsewhere")
    misreads = [Misread(disk, 1, random.Random(seed)) for seed in range(20)]
    disk.write("a", b"new")
    seen = set()
    for misread in misreads:
        disk.misread = misread
        assert disk.read("a") == b"new"
        seen.add(disk.read("a"))
        assert disk.read("a") == b"new"
    assert b"old" in seen
    assert seen - {b"old", b"new"}, "no read came from elsewhere"


def test_a_log_that_is_read_short_at_the_start_is_damage_and_not_a_shorter_log() -> None:
    """Seed 1130: the tree held sixteen blocks and ten were executed; what peers sent then did not fit."""
    assert not isinstance(outcome_of(1130), Failure)


def test_damage_that_is_found_when_a_snapshot_is_made_ends_that_replica_alone() -> None:
    """Seed 728: the log was read wrongly once, and next by the thread that keeps the disk."""
    assert not isinstance(outcome_of(728), Failure)
