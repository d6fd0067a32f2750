"""What a crash may tear, and what may change at rest: detected, or harmless.

A sample of the bytes runs always, each single one with ``--long``.
"""

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from grootboek._core import State
from grootboek.errors import Damaged, Diverged
from grootboek.ledger import Ledger, Registry
from grootboek.ledger.files import LogFiles
from grootboek.modules.parties import Parties
from grootboek.modules.records import Records
from grootboek.node.engine import Engine
from grootboek.node.groups import SLOT_BYTES
from grootboek.node.journal import MARKER, Journal
from grootboek.node.journalled import Held
from grootboek.simulation.disk import SimulatedDisk
from grootboek.simulation.founding import keys_of
from grootboek.simulation.heap import EPOCH_MS
from grootboek.simulation.signatures import CheapKey
from grootboek.wire import Checkpoint, Envelope, Frame, Status
from tests.crash.points import CountedReplica, Crash, of_journal
from tests.crash.run import CrashRun, Stop, Way, run, small_files

VICTIM = 2
SLOT_FIELDS = 119
"""Bytes of a slot before its padding."""


class Killed(Crash):
    """Ends the whole story, so that the disk can be looked at."""


@pytest.fixture
def one_in(request: pytest.FixtureRequest) -> Callable[[int], int]:
    """One byte in so many; each with ``--long``."""
    every = request.config.getoption("--long")
    return lambda sample: 1 if every else sample


@cache
def story() -> CrashRun:
    return run(VICTIM)


@cache
def killed_at(*kinds: str, skip: int = 540) -> tuple[SimulatedDisk, dict[int, bytes]]:
    """The disk of a replica that was killed before the last of ``kinds``, and the true roots by size."""
    points = story().members[VICTIM].points
    seen = points.seen
    at = next(
        i
        for i in range(skip, len(seen))
        if tuple(seen[i + 1 - len(kinds) : i + 1]) == kinds and (kinds[-1] != "send" or points.unsynced[i][1])
    )

    class Stopped(CrashRun):
        def _crashed(self, _replica: CountedReplica) -> None:
            raise Killed

    with small_files():
        stopped = Stopped(VICTIM, Stop(at, Way.KILL))
        with pytest.raises(Killed):
            stopped.story()
    disk = SimulatedDisk()
    disk._files = {name: file.copy() for name, file in stopped.members[VICTIM].disk._files.items()}
    return disk, {block.size: block.root for block in story().monitor._blocks.values()}


def recovered(disk: SimulatedDisk) -> list[bytes]:
    with small_files():
        return Journal.open(disk)[1]


def journal_of(disk: SimulatedDisk) -> SimulatedDisk:
    """The journal alone: what is copied thousands of times should be small."""
    alone = SimulatedDisk()
    for name, data in disk.files().items():
        if of_journal(name):
            alone.write(name, data)
    return alone


def last_segment(disk: SimulatedDisk) -> str:
    return max(name for name in disk.files() if name.startswith("journal/0"))


def with_bytes(disk: SimulatedDisk, name: str, data: bytes) -> SimulatedDisk:
    twin = disk.copy()
    twin.write(name, data)
    return twin


# --- torn writes -----------------------------------------------------------------------------------


def test_the_last_group_torn_at_every_byte_was_never_written() -> None:
    """Killed before the marker is written: the group stands in its segment, and nobody was told."""
    disk = journal_of(killed_at("append", "sync", "overwrite")[0])
    whole, segment = recovered(disk.copy()), last_segment(disk)
    data = disk.read(segment)
    start = data.rindex(b"grootboek/1 journal\n")
    before = recovered(with_bytes(disk, segment, data[:start]))
    assert 0 < len(before) < len(whole)
    for cut in range(start, len(data)):
        for rest in (b"", bytes(len(data) - cut)):
            found = recovered(with_bytes(disk, segment, data[:cut] + rest))
            assert found == (whole if data[:cut] + rest == data else before), cut


def test_a_slot_of_the_marker_torn_at_every_byte_costs_nothing() -> None:
    """Killed before the sync of a slot: it may hold the new bytes, the old ones, or some of each."""
    disk = killed_at("sync", "overwrite", "sync")[0]
    new, old = disk.read(MARKER), bytes(disk._files[MARKER].durable)
    whole, alone = recovered(journal_of(disk)), journal_of(disk)
    slot = 0 if new[:SLOT_BYTES] != old[:SLOT_BYTES] else SLOT_BYTES
    for cut in range(slot, slot + SLOT_FIELDS + 1):
        for rest in (old[cut:], bytes(slot + SLOT_BYTES - cut) + old[slot + SLOT_BYTES :]):
            assert recovered(with_bytes(alone, MARKER, new[:cut] + rest)) == whole, cut


def test_the_end_of_the_log_torn_at_every_byte_makes_no_wrong_cosignature(
    one_in: Callable[[int], int],
) -> None:
    disk, roots = killed_at("sync", "send")
    name = max(name for name in disk.files() if name.startswith("log/0"))
    data, safe = disk.read(name), len(disk._files[name].durable)
    assert len(data) - safe > 200
    sizes = set()
    for cut in (*range(safe, len(data), one_in(7)), len(data)):
        for rest in (b"", bytes(len(data) - cut)):
            engine, said = started(with_bytes(disk, name, data[:cut] + rest))
            assert roots.items() >= cosigned(said), cut
            sizes.add(engine.ledger.size)
    assert len(sizes) > 1


# --- changes at rest -------------------------------------------------------------------------------


def flips(disk: SimulatedDisk, name: str, offsets: range) -> Iterator[tuple[int, SimulatedDisk]]:
    for offset in offsets:
        twin = disk.copy()
        twin.flip(name, offset, offset % 8)
        yield offset, twin


def test_a_flip_at_every_byte_of_the_segments_is_damage_with_its_place(one_in: Callable[[int], int]) -> None:
    """Killed before a group is appended: the marker names the last one."""
    disk = journal_of(killed_at("send", "append")[0])
    segments = [name for name in disk.files() if name.startswith("journal/0")]
    assert len(segments) > 1
    for segment in segments:
        for offset, flipped in flips(disk, segment, range(0, disk.size(segment), one_in(29))):
            with pytest.raises(Damaged) as caught:
                recovered(flipped)
            name, _, at = caught.value.where.partition(":")
            assert (name, int(at) <= offset) == (segment, True), offset


def test_a_replica_whose_journal_is_damaged_says_nothing_of_its_own(one_in: Callable[[int], int]) -> None:
    """The journal is given up, and what it held forgotten: it must learn first."""
    disk = killed_at("send", "append")[0]
    segment = last_segment(disk)
    assert cosigned(started(disk.copy())[1])
    for offset, flipped in flips(disk, segment, range(0, disk.size(segment), one_in(499))):
        engine, said = started(flipped)
        assert engine.replica.learning
        assert not [frame for frame in said if isinstance(frame, Checkpoint | Envelope)], offset


def test_a_flip_beyond_the_marker_cuts_what_nobody_was_told() -> None:
    disk = journal_of(killed_at("append", "sync", "overwrite")[0])
    whole, segment = recovered(disk.copy()), last_segment(disk)
    start = disk.read(segment).rindex(b"grootboek/1 journal\n")
    before = recovered(with_bytes(disk, segment, disk.read(segment)[:start]))
    for offset, flipped in flips(disk, segment, range(start, disk.size(segment))):
        assert recovered(flipped) == before != whole, offset


@pytest.mark.parametrize("kinds", [("append",), ("append", "sync", "overwrite"), ("overwrite", "sync")])
def test_a_flip_at_every_byte_of_the_marker_is_damage_or_costs_nothing(
    kinds: tuple[str, ...], one_in: Callable[[int], int]
) -> None:
    disk = journal_of(killed_at(*kinds)[0])
    whole = recovered(disk.copy())
    for slot in (0, SLOT_BYTES):
        fields = range(slot, slot + SLOT_FIELDS)
        padding = range(fields.stop, slot + SLOT_BYTES, one_in(61))
        for offset, flipped in (*flips(disk, MARKER, fields), *flips(disk, MARKER, padding)):
            try:
                after = recovered(flipped)
            except Damaged:
                continue  # the other slot is so old that segments it names are gone
            assert after == whole, offset


def test_a_flip_in_the_synced_log_is_found_at_the_start_or_when_its_bundle_is_read(
    one_in: Callable[[int], int],
) -> None:
    """A full bundle is believed by its root. What executing it does not give again, as the signatures of
    transactions, is compared with that when it is read.
    """
    disk, roots = killed_at("append", "append")
    later = 0
    for name, end in marked(disk).items():
        for offset, flipped in flips(disk, name, range(0, end, one_in(307))):
            try:
                engine, said = started(flipped)
            except (Damaged, Diverged):
                continue
            later += 1
            assert roots.items() >= cosigned(said), (name, offset)
            with pytest.raises(Damaged):
                engine.ledger.inclusion(0, engine.ledger.size)
    assert later


def test_a_flip_beyond_what_the_log_says_is_synced_makes_no_wrong_cosignature(
    one_in: Callable[[int], int],
) -> None:
    """It is cut from there on, if not before: what nobody has cosigned is not even looked at."""
    disk, roots = killed_at("append", "append")
    whole = started(disk.copy())[0].ledger.size
    flipped_bytes = 0
    for name, end in marked(disk).items():
        for offset, flipped in flips(disk, name, range(end, disk.size(name), one_in(11))):
            engine, said = started(flipped)
            assert engine.ledger.size <= whole
            assert roots.items() >= cosigned(said), offset
            flipped_bytes += 1
    assert flipped_bytes > 20


def marked(disk: SimulatedDisk) -> dict[str, int]:
    """How much of each file of the log lies at or below ``log/synced``."""
    files = LogFiles(disk)
    mark = files.mark()
    assert mark is not None
    return {one.name: max(0, min(disk.size(one.name), mark.end - one.start)) for one in files.segments}


def started(disk: SimulatedDisk) -> tuple[Engine, list[Frame]]:
    """A replica on this disk, and what it says once two have answered that have nothing."""
    registry = Registry.of(Parties, Records)
    genesis, keys = story().genesis, keys_of(VICTIM, voting=CheapKey)
    with small_files():
        journal, items = Journal.recover(disk)
        held = Held.of(items)
        ledger = Ledger.open(genesis, disk, State(), registry, State, vouched=held.vouched)
        engine = Engine(genesis, VICTIM, keys, ledger, journal, held)
        now = EPOCH_MS + 10_000
        frames = engine.start(now).frames
        nothing = Status(view=0, active=True, executed=0, stable=None)
        frames += engine.frames([(peer, nothing) for peer in (0, 1)], now).frames
    return engine, [frame for _, frame in frames]


def cosigned(said: list[Frame]) -> set[tuple[int, bytes]]:
    return {(frame.size, frame.root) for frame in said if isinstance(frame, Checkpoint)}
