"""Opening after a crash: whatever was cut, the ledger is at the end of a whole block and goes on."""

import pytest

from grootboek import wire
from grootboek._core import State
from grootboek.errors import CommandFailed, Damaged, Diverged, GenesisError, StorageError
from grootboek.ledger import Ledger, Registry, audit
from grootboek.ledger.files import segment_name
from grootboek.ledger.ledger import PATIENCE
from grootboek.ledger.reading import Head
from grootboek.types import Genesis
from tests.ledger.disks import CrashDisk, PowerCut
from tests.ledger.world import (
    GENESIS,
    REGISTRY,
    Add,
    Fail,
    Put,
    Shelf,
    World,
    batch,
    certify,
    make_genesis,
    transaction,
    value_of,
)

SEGMENT = segment_name(0)


def open_on(disk: CrashDisk, state: State | None = None) -> Ledger:
    return Ledger.open(GENESIS, disk, State() if state is None else state, REGISTRY)


def heads_of(blocks: int) -> tuple[World, list[Head]]:
    """A world after some blocks, and where it was after each."""
    world = World()
    heads = [world.ledger.head]
    for _ in range(blocks):
        world.fill(1)
        heads.append(world.ledger.head)
    return world, heads


def test_a_new_ledger_is_at_the_genesis_file() -> None:
    ledger = open_on(CrashDisk())
    assert (ledger.height, ledger.seq, ledger.size, ledger.time) == (0, 0, 0, GENESIS.time)
    assert ledger.certificate is None
    assert ledger.root == bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")


def test_opening_again_gives_the_same_ledger() -> None:
    world, _ = heads_of(5)
    certificate = certify(world.ledger)
    world.save()
    again = world.open(state=State())
    assert again.head == world.ledger.head
    assert again.state_root == world.ledger.state_root
    assert again.certificate == certificate


def test_a_torn_tail_is_cut_at_every_byte_of_the_last_block() -> None:
    world, heads = heads_of(3)
    world.save()
    world.fill(1)
    data, safe = world.disk.now[SEGMENT], len(world.disk.durable[SEGMENT])
    for kept in range(len(data) - safe):
        ledger = open_on(world.disk.after_cut(kept))
        assert ledger.head == heads[-1]
    assert open_on(world.disk.after_cut()).head == world.ledger.head


def test_zeros_where_the_last_block_should_be_are_cut() -> None:
    world, heads = heads_of(3)
    world.save()
    safe = len(world.disk.durable[SEGMENT])
    world.fill(1)
    data = world.disk.now[SEGMENT]
    for start in range(safe, len(data), 7):
        disk = world.disk.after_cut()
        disk.now[SEGMENT] = data[:start] + bytes(len(data) - start)
        assert open_on(disk).head == heads[-1]


def test_an_unsynced_block_that_does_not_execute_as_it_says_is_cut() -> None:
    world, heads = heads_of(3)
    world.save()
    safe = len(world.disk.durable[SEGMENT])
    world.fill(2)
    cut = 0
    for offset in range(safe, len(world.disk.now[SEGMENT]), 5):
        disk = world.disk.after_cut().flipped(SEGMENT, offset)
        try:
            head = open_on(disk).head
        except Diverged:
            continue  # the flip is in a state root: the block's inputs are whole and give another one
        cut += head == heads[-1]
        assert head.height >= heads[-1].height
    assert cut > 50


def test_a_synced_block_that_was_changed_is_damage() -> None:
    world, _ = heads_of(4)
    world.save()
    for offset in range(0, len(world.disk.now[SEGMENT]), 3):
        with pytest.raises((Damaged, Diverged)):
            open_on(world.disk.flipped(SEGMENT, offset))


def test_power_cuts_at_every_operation_lose_nothing_that_was_synced() -> None:
    """The same run, cut before each disk operation in turn; the state falls back to its last flush."""
    whole, heads = run_until(None)
    assert whole.disk.operations > 10
    by_size = {head.size: head for head in heads}
    for stop in range(whole.disk.operations):
        for kept in (0, 37, None):
            world, _ = run_until(stop)
            world.state.crash()
            synced = world.synced
            report = audit(GENESIS, world.disk.after_cut(kept), REGISTRY)  # no crash is called damage
            ledger = open_on(world.disk.after_cut(kept), world.state)
            assert report.root == ledger.root
            assert ledger.size >= synced
            assert ledger.head == by_size[ledger.size]
            ledger.execute(
                ledger.seq + 1, ledger.time + 1, [batch(transaction(Put("after", b"cut"), nonce=10_000))]
            )
            assert value_of(ledger, "after") == b"cut"


class Recorded(World):
    """Remembers how far it was synced."""

    synced = 0


def run_until(stop: int | None) -> tuple[Recorded, list[Head]]:
    world = Recorded()
    world.disk.stop_at = stop
    heads = [world.ledger.head]
    try:
        for number in range(6):
            world.fill(1, each=1)
            heads.append(world.ledger.head)
            if number % 2:
                world.synced = world.ledger.sync()
            if number % 3 == 2:
                certify(world.ledger)
                world.ledger.flush()
    except PowerCut:
        pass
    return world, heads


def test_only_synced_blocks_become_durable_state() -> None:
    world, _ = heads_of(2)
    world.ledger.sync()
    world.fill(1)
    world.ledger.flush()
    world.state.crash()
    assert world.state.height == 2 + 1  # the founding rows are the state's first height
    assert world.open().head == world.ledger.head


def test_the_state_may_be_flushed_later_than_the_rest() -> None:
    world, heads = heads_of(2)
    certificate = certify(world.ledger)
    world.ledger.sync()
    for _ in range(PATIENCE - 1):
        world.ledger.flush(state=False)
        assert world.ledger.unflushed
    again = open_on(world.disk.after_cut(0))
    assert (again.head, again.certificate) == (heads[-1], certificate)
    world.ledger.flush(state=False)
    assert not world.ledger.unflushed
    world.state.crash()
    assert world.state.height == 2 + 1  # the founding rows are the state's first height


def test_a_state_of_which_much_waits_is_flushed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world, _ = heads_of(2)
    monkeypatch.setattr("grootboek.ledger.store.FLUSH_BYTES", world.state.pending)
    world.ledger.sync()
    world.ledger.flush(state=False)
    assert not world.ledger.unflushed
    assert world.state.pending == 0


def test_rebuilding_the_state_flushes_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grootboek.ledger.store.FLUSH_BYTES", 1)
    world, heads = heads_of(5)
    world.save()
    world.fill(1)
    state = State()
    ledger = open_on(world.disk, state)
    assert ledger.head == world.ledger.head
    state.crash()
    assert state.height == 5 + 1  # the founding rows are the state's first height
    again = open_on(world.disk.after_cut(0), state)
    assert again.head == heads[-1]
    again.sync()
    again.flush()
    state.crash()
    assert state.height == 5 + 1


def test_a_state_that_is_ahead_of_the_log_is_rebuilt_or_refused() -> None:
    world, _ = heads_of(4)
    shorter = World()
    shorter.fill(2)
    shorter.save()
    with pytest.raises(Damaged, match="state"):
        Ledger.open(GENESIS, shorter.disk, world.state, REGISTRY)
    ledger = Ledger.open(GENESIS, shorter.disk, world.state, REGISTRY, State)
    assert ledger.head == shorter.ledger.head


def test_a_state_of_another_history_is_refused() -> None:
    world, _ = heads_of(3)
    other = World()
    for number in range(3):
        other.run(Put("other", bytes([number])), Put("more", b""))
    with pytest.raises(Damaged, match="state"):
        Ledger.open(GENESIS, world.disk, other.state, REGISTRY)


def test_a_certificate_beyond_the_log_is_damage() -> None:
    world, _ = heads_of(3)
    certify(world.ledger)
    world.save()
    world.disk.now[SEGMENT] = b""
    world.disk.remove("log/synced")
    with pytest.raises(Damaged, match="log/certificate"):
        open_on(world.disk)


@pytest.mark.parametrize("name", ["log/certificate", "log/synced"])
def test_a_changed_file_is_damage(name: str) -> None:
    world, _ = heads_of(3)
    certify(world.ledger)
    world.save()
    for offset in range(len(world.disk.now[name])):
        with pytest.raises(Damaged):
            open_on(world.disk.flipped(name, offset, offset % 8))


def test_the_genesis_file_of_another_ledger_is_refused() -> None:
    world, _ = heads_of(3)
    certify(world.ledger)
    world.save()
    with pytest.raises(Damaged):
        Ledger.open(make_genesis(validity_ms=1), world.disk, State(), REGISTRY)


def test_a_newer_certificate_is_written_while_others_arrive() -> None:
    """Under load the newest certificate is always ahead of what is synced; an older one is written."""
    world, _ = heads_of(1)
    first = certify(world.ledger)
    world.ledger.sync()
    world.fill(1)
    certify(world.ledger)
    world.ledger.flush()
    assert world.disk.now["log/certificate"] == wire.encode(first)


@pytest.mark.parametrize("operation", ["append", "sync", "write"])
def test_a_disk_that_refuses_is_a_storage_error(operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world, heads = heads_of(2)
    world.save()

    def refuse(*_: object) -> None:
        raise StorageError("No space left on device", where="log")

    monkeypatch.setattr(world.disk, operation, refuse)
    with pytest.raises(StorageError):
        fill_and_save(world)
    monkeypatch.undo()
    world.state.crash()
    assert world.open().height >= heads[-1].height


def fill_and_save(world: World) -> None:
    world.fill(1)
    world.save()


def test_a_crash_in_a_command_leaves_the_ledger_as_it_was() -> None:
    world, heads = heads_of(2)
    with pytest.raises(CommandFailed, match=r"shelf\.Fail"):
        world.execute(world.transaction(Add("n", 1), Fail("memory")))
    assert world.ledger.head == heads[-1]
    assert world.open(state=State()).head == heads[-1]


def test_modules_must_be_there_in_the_genesis_files_version() -> None:
    with pytest.raises(GenesisError, match="shelf"):
        Ledger.open(GENESIS, CrashDisk(), State(), Registry.of())

    class Newer(Shelf):
        version = 4

    with pytest.raises(GenesisError, match="version 3"):
        Ledger.open(GENESIS, CrashDisk(), State(), Registry.of(Newer))
    assert isinstance(GENESIS, Genesis)
