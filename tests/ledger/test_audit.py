"""The offline audit: silent on what is right, loud on any changed byte."""

import random
from collections.abc import Iterator
from typing import ClassVar

import pytest

from grootboek import wire
from grootboek._core import State
from grootboek.errors import Damaged, Diverged, Unavailable
from grootboek.ledger import Context, Ledger, Module, Registry, View, audit, command
from grootboek.ledger.files import frame, segment_name
from tests.ledger.disks import CrashDisk
from tests.ledger.world import GENESIS, REGISTRY, Put, Shelf, World, certify, known_key, transaction

SEGMENT = segment_name(0)
SNAPSHOT = ("snapshots/0000000000000001", "snapshots/0000000000000001.head")


def small() -> World:
    """Two blocks, two snapshots, everything certified and durable."""
    world = World()
    for number in range(2):
        world.execute(world.transaction(Put(f"k{number}", b"v")))
        certify(world.ledger)
        world.ledger.snapshot()
    world.save()
    return world


@pytest.fixture(scope="module")
def large() -> World:
    """Some bundles, signed by many."""
    world = World()
    keys = [known_key("client", i) for i in range(20)]
    while world.ledger.size < 900:
        world.execute(
            *(world.transaction(Put(f"k{i}", b"v"), Put("x", bytes([i])), keys=(keys[i],)) for i in range(20))
        )
        if world.ledger.height == 3:
            certify(world.ledger)
            world.ledger.snapshot()
    certify(world.ledger)
    world.save()
    return world


def test_the_report_of_a_good_directory(large: World) -> None:
    seen: list[tuple[int, int]] = []
    report = audit(GENESIS, large.disk, REGISTRY, lambda done, all_: seen.append((done, all_)))
    ledger = large.ledger
    assert (report.height, report.size, report.root) == (ledger.height, ledger.size, ledger.root)
    assert (report.state, report.time, report.certified_size) == (ledger.state_root, ledger.time, ledger.size)
    assert report.transactions == report.signatures == 20 * ledger.height
    assert report.records == 2 * report.transactions
    assert report.snapshots == (3,)
    assert report.invariants == ("shelf: N1",)
    assert seen[-1] == (ledger.size, ledger.size)
    assert len(seen) == ledger.height


def test_an_audit_changes_nothing(large: World) -> None:
    disk = large.disk.copy()
    audit(GENESIS, disk, REGISTRY)
    assert (disk.now, disk.operations) == (large.disk.now, 0)


def test_an_empty_directory_is_a_ledger_at_its_beginning() -> None:
    report = audit(GENESIS, CrashDisk(), REGISTRY)
    assert (report.height, report.size, report.certified_size) == (0, 0, 0)


def test_every_byte_of_a_small_ledger_counts() -> None:
    disk = small().disk
    assert sorted(disk.now) == [
        SEGMENT,
        "log/certificate",
        "log/synced",
        *SNAPSHOT,
        "snapshots/0000000000000002",
        "snapshots/0000000000000002.head",
    ]
    for name, data in disk.now.items():
        for offset in range(len(data)):
            with pytest.raises(Damaged):
                audit(GENESIS, disk.flipped(name, offset, offset % 8), REGISTRY)


def test_sampled_bytes_of_a_larger_ledger_count(large: World) -> None:
    rng = random.Random(7)
    assert "log/bundles" in large.disk.now
    for name, data in large.disk.now.items():
        for _ in range(12):
            with pytest.raises(Damaged):
                audit(GENESIS, large.disk.flipped(name, rng.randrange(len(data)), rng.randrange(8)), REGISTRY)


def test_each_byte_of_the_bundles_counts(large: World) -> None:
    data = large.disk.now["log/bundles"]
    for offset in range(0, len(data), 5):
        with pytest.raises(Damaged, match="log/bundles"):
            audit(GENESIS, large.disk.flipped("log/bundles", offset), REGISTRY)


@pytest.mark.parametrize(
    "name",
    [SEGMENT, "log/certificate", "log/synced", "log/bundles", *(name.replace("1", "3") for name in SNAPSHOT)],
)
def test_files_that_lost_their_end(large: World, name: str) -> None:
    for lost in (1, 33, len(large.disk.now[name]) - 1):
        disk = large.disk.copy()
        disk.now[name] = disk.now[name][:-lost]
        with pytest.raises(Damaged):
            audit(GENESIS, disk, REGISTRY)


@pytest.mark.parametrize(
    "name", ["log/certificate", "log/synced", "log/bundles", *(name.replace("1", "3") for name in SNAPSHOT)]
)
def test_files_that_grew(large: World, name: str) -> None:
    disk = large.disk.copy()
    disk.now[name] += b"\x01"
    with pytest.raises(Damaged):
        audit(GENESIS, disk, REGISTRY)


def test_snapshots_that_do_not_belong_here(large: World) -> None:
    disk = large.disk.copy()
    for end in ("", ".head"):
        disk.now["snapshots/0000000000000004" + end] = disk.now["snapshots/0000000000000003" + end]
    with pytest.raises(Damaged, match="do not agree"):
        audit(GENESIS, disk, REGISTRY)


def test_chunks_without_their_head_are_what_a_crash_leaves(large: World) -> None:
    disk = large.disk.copy()
    disk.now["snapshots/0000000000000004"] = b"chunks"
    assert audit(GENESIS, disk, REGISTRY).snapshots == (3,)


def test_the_place_is_named(large: World) -> None:
    block = large.ledger.block(5)
    place = large.ledger._log.position(block.start) + 30
    disk = large.disk.flipped(SEGMENT, place)
    for name in ("log/synced", "log/certificate", "log/bundles"):
        disk.remove(name)
    disk.write("log/bundles", b"")
    with pytest.raises(Damaged, match=rf"{SEGMENT}, byte \d+, block 5 from entry {block.start} on"):
        audit(GENESIS, disk, REGISTRY)


def forged(world: World, entries: list[bytes]) -> CrashDisk:
    """A log of these entries alone, as somebody would leave it who hides all that contradicts."""
    disk = CrashDisk()
    disk.append(SEGMENT, frame(entries))
    assert world.ledger.size
    return disk


def test_a_signature_that_does_not_verify_is_found_without_any_certificate() -> None:
    world = small()
    entries = world.ledger._log.read(0, world.ledger.size)
    header = wire.header_entries.decode(entries[0][1:])
    entries[0] = b"\x01" + wire.encode(wire.HeaderEntry(header.header, (bytes(64),)))
    with pytest.raises(Damaged, match="bad signature"):
        audit(GENESIS, forged(world, entries), REGISTRY)


def test_a_command_that_was_not_signed_is_found() -> None:
    world = small()
    entries = world.ledger._log.read(0, world.ledger.size)
    record = wire.record_entries.decode(entries[1][1:])
    command = wire.encode(wire.Command("shelf", "Put", 3, wire.encode(Put("k0", b"w")), bytes(16)))
    fields = (record.transaction, 0, 1, command, record.outcome, record.events)
    entries[1] = b"\x02" + wire.encode(wire.RecordEntry(*fields))
    with pytest.raises(Damaged, match="other commands than were signed"):
        audit(GENESIS, forged(world, entries), REGISTRY)


def test_a_transaction_that_is_there_twice_is_found() -> None:
    world = small()
    entries = world.ledger._log.read(0, 3)
    block = wire.block_entries.decode(entries[2][1:])
    fields = {name: getattr(block, name) for name in block.__struct_fields__} | {"height": 2, "seq": 2}
    entries += [*entries[:2], b"\x03" + wire.encode(wire.BlockEntry(**fields))]
    with pytest.raises(Damaged, match="already"):
        audit(GENESIS, forged(world, entries), REGISTRY)


def test_an_entry_of_an_unknown_kind_is_found() -> None:
    world = small()
    entries = world.ledger._log.read(0, 3)
    for extra in (b"\x04\x90", b"\x00", b"\x02\x90"):
        with pytest.raises(Damaged):
            audit(GENESIS, forged(world, [extra, *entries]), REGISTRY)


def killed() -> tuple[World, list[tuple[int, bytes]]]:
    """Stopped by SIGKILL: two synced blocks, two that are only written, and the roots of all four."""
    world = small()
    own = []
    for _ in range(2):
        world.fill(1)
        own.append((world.ledger.size, world.ledger.root))
    return world, own


def test_what_a_crash_has_torn_is_counted_and_left_alone() -> None:
    world, own = killed()
    whole, data = world.ledger._log.position(world.ledger.size), world.disk.now[SEGMENT]
    world.fill(1)
    last = world.disk.now[SEGMENT][whole:]
    for length in range(len(last)):
        disk = world.disk.copy()
        disk.now[SEGMENT] = data + last[:length]
        report = audit(GENESIS, disk, REGISTRY, None, cosigned=own)
        assert (report.size, report.tail_bytes) == (own[-1][0], length)
        assert disk.operations == 0
    world.open(disk=disk, state=State())
    assert disk.now[SEGMENT] == data


def test_each_byte_that_was_not_synced_counts_because_it_was_cosigned() -> None:
    world, own = killed()
    synced = world.ledger._log.position(6)
    assert audit(GENESIS, world.disk, REGISTRY, None, cosigned=own).tail_bytes == 0
    for offset in range(synced, len(world.disk.now[SEGMENT])):
        with pytest.raises(Damaged, match=rf"{SEGMENT}, byte \d+"):
            audit(GENESIS, world.disk.flipped(SEGMENT, offset, offset % 8), REGISTRY, None, cosigned=own)


def test_a_flip_in_the_log_is_placed_in_its_block_though_other_files_contradict_too(large: World) -> None:
    rng = random.Random(11)
    for height in range(1, large.ledger.height + 1):
        block = large.ledger.block(height)
        start = large.ledger._log.position(block.start)
        offset = rng.randrange(start, large.ledger._log.position(block.index))
        with pytest.raises(Damaged) as caught:
            audit(GENESIS, large.disk.flipped(SEGMENT, offset, rng.randrange(8)), REGISTRY)
        assert caught.value.where == f"{SEGMENT}, byte {start}, block {height} from entry {block.start} on"


def test_what_execution_cannot_know_is_placed_by_the_roots_that_are_right(large: World) -> None:
    """Nothing but a root tells that a block entry once counted other duplicates."""
    own = [(b.index + 1, large.ledger._log.root(b.index + 1)) for b in map(large.ledger.block, range(1, 9))]
    block, before = large.ledger.block(5), large.ledger.block(4)
    place = large.ledger._log.position(block.index) + 2
    entry = block.entry
    changed = type(entry)(**{n: getattr(entry, n) for n in entry.__struct_fields__} | {"duplicates": 1})
    raw = b"\x03" + wire.encode(changed)
    assert len(raw) == len(block.raw)
    disk = large.disk.copy()
    disk.now[SEGMENT] = disk.now[SEGMENT][:place] + raw + disk.now[SEGMENT][place + len(raw) :]
    with pytest.raises(Damaged, match=rf"entries {before.index + 1} to {block.index} ") as caught:
        audit(GENESIS, disk, REGISTRY, None, cosigned=own)
    assert caught.value.where == f"{SEGMENT}, byte {large.ledger._log.position(block.start)}"


def test_each_byte_of_the_position_is_placed_there_where_a_certificate_vouches_for_the_log() -> None:
    world = small()
    world.disk.now["log/bundles"] = b""
    size = world.disk.size("log/synced")
    for offset in range(3, size):  # the first three are the form and the size
        with pytest.raises(Damaged, match="log/synced"):
            audit(GENESIS, world.disk.flipped("log/synced", offset, offset % 8), REGISTRY)


@pytest.mark.parametrize("name", ["log/certificate", "log/synced"])
def test_an_empty_file_is_not_a_missing_one(name: str) -> None:
    world = World()
    world.fill(1)
    world.ledger.sync()
    assert audit(GENESIS, world.disk, REGISTRY).certified_size == 0
    world.disk.now[name] = b""
    with pytest.raises(Damaged, match=name):
        audit(GENESIS, world.disk, REGISTRY)


def test_a_missing_position_is_found_by_the_certificate() -> None:
    world = small()
    world.disk.remove("log/synced")
    with pytest.raises(Damaged, match="log/synced"):
        audit(GENESIS, world.disk, REGISTRY)


@pytest.mark.parametrize("first", [256, 768, 1024])
def test_a_segment_that_does_not_continue_the_log_is_no_torn_end(large: World, first: int) -> None:
    disk = large.disk.copy()
    disk.now[segment_name(first)] = disk.now[SEGMENT]
    with pytest.raises(Damaged, match=segment_name(first)):
        audit(GENESIS, disk, REGISTRY)


def test_the_wrong_genesis_file() -> None:
    world = small()
    other = World().genesis
    changed = type(other)(
        **{name: getattr(other, name) for name in other.__struct_fields__} | {"name": "other"}
    )
    with pytest.raises(Damaged):
        audit(changed, world.disk, REGISTRY)


def test_a_module_whose_invariant_does_not_hold_fails_the_audit() -> None:
    class Wrong(Shelf):
        name: ClassVar[str] = "shelf"

        def invariants(self, state: View) -> Iterator[tuple[str, bool]]:
            yield "W7", not list(state.scan(b"row\0"))

    world = small()
    assert issubclass(Wrong, Module)
    with pytest.raises(Damaged, match="invariant W7"):
        audit(GENESIS, world.disk, Registry.of(Wrong))


def test_a_module_that_behaves_otherwise_is_not_called_damage() -> None:
    class Other(Shelf):
        name: ClassVar[str] = "shelf"

        @command
        def put(self, _: Context, state: View, cmd: Put) -> None:
            state.put(cmd.key.encode(), cmd.value)

    world = small()
    with pytest.raises(Diverged, match="modules installed here differ") as caught:
        audit(GENESIS, world.disk, Registry.of(Other))
    assert caught.value.where == f"{SEGMENT}, byte 0, block 1 from entry 0 on"
    world.disk.remove("log/certificate")
    with pytest.raises(Damaged, match="block 1 from entry 0 on"):
        audit(GENESIS, world.disk, Registry.of(Other))


def test_only_the_last_two_snapshots_are_kept_and_only_of_certified_blocks() -> None:
    world = World()
    with pytest.raises(Unavailable):
        world.ledger.snapshot()
    heights = []
    for _ in range(4):
        world.fill(2)
        certify(world.ledger)
        world.fill(1)
        heights.append(world.ledger.snapshot())
    assert heights == [2, 5, 8, 11]
    names = ["0000000000000008", "0000000000000008.head", "0000000000000011", "0000000000000011.head"]
    assert world.disk.names("snapshots") == names
    assert [head.manifest.height for head in world.ledger.snapshot_heads] == [11, 8]
    with pytest.raises(Unavailable):
        world.ledger.snapshot(12)
    world.save()
    assert audit(GENESIS, world.disk, REGISTRY).snapshots == (8, 11)


def test_a_snapshot_of_many_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grootboek.ledger.snapshots.CHUNK_BYTES", 3_000)
    world = World()
    world.execute(*(world.transaction(*(Put(f"{i}/{j}", b"v") for j in range(100))) for i in range(12)))
    certify(world.ledger)
    world.ledger.snapshot()
    world.save()
    assert len(world.ledger.state) > 1_200
    assert audit(GENESIS, world.disk, REGISTRY).snapshots == (1,)
    name = SNAPSHOT[0]
    assert len(world.ledger.snapshot_heads[0].ends) > 3
    for offset in range(0, len(world.disk.now[name]), 9_001):
        with pytest.raises(Damaged, match="snapshots"):
            audit(GENESIS, world.disk.flipped(name, offset), REGISTRY)


def test_a_ledger_of_many_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grootboek.ledger.files.SEGMENT_BYTES", 5_000)
    world = World()
    while world.ledger.size < 1_300:
        world.fill(1, each=30)
    certify(world.ledger)
    world.save()
    assert len(world.disk.names("log")) > 5
    assert audit(GENESIS, world.disk, REGISTRY).size == world.ledger.size
    gone = world.disk.copy()
    gone.remove(segment_name(512))
    with pytest.raises(Damaged):
        audit(GENESIS, gone, REGISTRY)
    with pytest.raises(Damaged):
        Ledger.open(GENESIS, gone, State(), REGISTRY)
    assert transaction(Put("a", b""))
