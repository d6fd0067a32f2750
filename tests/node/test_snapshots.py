"""Transfer by snapshot: a replica far behind takes over the state, and appends what it need not execute."""

import random
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from grootboek import wire
from grootboek.errors import Pruned
from grootboek.ledger import Ledger, audit
from grootboek.ledger.snapshots import chunk_digest
from grootboek.node import catchup
from grootboek.node.engine import Engine
from grootboek.node.outbox import Outbox
from grootboek.transfer import Chunk, FetchChunk, FetchSnapshot, Offer
from grootboek.wire import Frame, block_of
from tests.node.cluster import Cluster, first_liar
from tests.node.test_catchup import assert_caught_up

EVERY = 8
"""Heights between snapshots."""
BLOCKS = 20
LAST = 16


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes hours in a ledger happens here in seconds."""
    monkeypatch.setattr("grootboek.ledger.ledger.SNAPSHOT_HEIGHTS", EVERY)
    monkeypatch.setattr("grootboek.ledger.snapshots.CHUNK_BYTES", 400)
    monkeypatch.setattr(catchup, "FAR_ENTRIES", 20)
    monkeypatch.setattr(catchup, "CHUNK_BYTES", 700)


def commit_blocks(cluster: Cluster, first: int = 0, count: int = BLOCKS) -> None:
    for number in range(first, first + count):
        cluster.commit(3 * number, 3 * number + 1, 3 * number + 2)
    cluster.run(3_000)


@pytest.fixture
def behind() -> Cluster:
    """Replica 3 is empty, has never voted, and hears nothing yet; the others have snapshots."""
    cluster = Cluster().start()
    cluster.lost = lambda _sender, to, _frame: to == 3
    commit_blocks(cluster, count=EVERY)
    commit_blocks(cluster, first=EVERY, count=BLOCKS - EVERY)
    assert cluster.engine(3).ledger.size == 0
    assert [len(heights(cluster, me)) for me in range(4)] == [2, 2, 2, 0]
    return cluster


def heights(cluster: Cluster, me: int) -> list[int]:
    return [head.manifest.height for head in cluster.engine(me).ledger.snapshot_heads]


def connect(
    cluster: Cluster, change: Callable[[int, Frame], Frame | None] = lambda _sender, frame: frame
) -> None:
    """Let replica 3 hear the others; ``change(sender, frame)`` may bend or lose what it hears."""
    send = cluster.network.send

    def bent(sender: int, to: int, frame: Frame) -> None:
        changed = change(sender, frame) if to == 3 else frame
        if changed is not None:
            send(sender, to, changed)

    cluster.network.send = bent  # type: ignore[method-assign]  # the test stands in the middle
    cluster.lost = lambda _sender, _to, _frame: False
    cluster.introduce(0, 1, 2, 3)


def catch_up(
    cluster: Cluster, change: Callable[[int, Frame], Frame | None] = lambda _sender, frame: frame
) -> None:
    connect(cluster, change)
    cluster.run(30_000)


def asked(cluster: Cluster, kind: type[Frame]) -> list[int]:
    """Whom replica 3 asked, in order."""
    return [to for sender, to, frame in cluster.sent if sender == 3 and isinstance(frame, kind)]


def assert_whole(cluster: Cluster) -> None:
    """Replica 3 has leapt, holds the whole log, and its files stand up to an audit that believes nothing."""
    assert_caught_up(cluster)
    ledger, first = cluster.engine(3).ledger, cluster.engine(0).ledger
    assert ledger._log.read(0, ledger.size) == first._log.read(0, first.size)
    for height in range(1, ledger.height + 1):
        assert ledger.block(height) == first.block(height)
        ids = identities(ledger, height)
        assert ids
        assert ledger.finals(ids) == first.finals(ids)
    disk = cluster.replicas[3].disk
    ledger.sync()
    ledger.flush()
    assert audit(cluster.genesis, disk, cluster.replicas[3]._registry).size == ledger.size
    assert not disk.names("incoming")


def identities(ledger: Ledger, height: int) -> list[bytes]:
    return [wire.record_entries.decode(entry[1:]).transaction for _, entry in ledger.records(height)]


# --- it works ------------------------------------------------------------------------------------


def test_a_new_replica_takes_over_a_snapshot_and_the_whole_log(behind: Cluster) -> None:
    catch_up(behind)
    assert_whole(behind)
    engine = behind.engine(3)
    assert engine.counters.leaps == 1
    assert engine.counters.blocks == behind.engine(0).counters.blocks - LAST
    assert len(set(asked(behind, FetchChunk))) > 1, "chunks come from several peers"
    with pytest.raises(Pruned, match=f"between heights 0 and {LAST}"):
        engine.ledger.view("records", LAST - 1)
    assert engine.ledger.view("records", LAST)


def test_a_replica_that_was_away_for_long_leaps_from_where_it_was() -> None:
    cluster = Cluster().start()
    commit_blocks(cluster, count=6)
    before = cluster.engine(3).ledger.height
    cluster.replicas[3].kill()
    commit_blocks(cluster, first=6, count=3 * EVERY)
    cluster.boot(3)
    cluster.run(30_000)
    assert_whole(cluster)
    ledger = cluster.engine(3).ledger
    assert cluster.engine(3).counters.leaps == 1
    with pytest.raises(Pruned, match=f"between heights {before} and"):
        ledger.view("records", before + 1)
    for height in (1, before):
        assert ledger.view("records", height).get(b"") is None
    certificate = ledger.certificate
    assert certificate is not None
    last = block_of(certificate).height
    assert ledger.state_proof("records", b"none", last) == replace(
        cluster.engine(0).ledger.state_proof("records", b"none", last), certificate=certificate
    )
    with pytest.raises(Pruned):
        ledger.state_proof("records", b"none", before)


def test_transactions_of_the_skipped_blocks_are_not_executed_twice(behind: Cluster) -> None:
    catch_up(behind)
    size = behind.engine(3).ledger.size
    again = behind.submit(3, *(behind.prepared(number).frame for number in range(9)))
    behind.run(1_000)
    assert [
        result == first
        for result, first in zip(
            again[0],
            behind.submit(0, *(behind.prepared(number).frame for number in range(9)))[0],
            strict=True,
        )
    ] == [True] * 9
    assert behind.engine(3).ledger.size == size


def test_a_request_that_waits_is_answered_from_the_skipped_blocks(behind: Cluster) -> None:
    """Its transaction was ordered by way of another replica meanwhile."""
    waiting = behind.submit(3, behind.prepared(5).frame)
    assert not waiting
    catch_up(behind)
    assert waiting[0] == (behind.engine(0).ledger.finals([behind.prepared(5).id])[0],)


def test_under_load_the_others_go_on(behind: Cluster) -> None:
    connect(behind)
    for number in range(1_000, 1_030):
        behind.submit(number % 3, behind.prepared(number).frame)
        behind.run(20)
    behind.run(30_000)
    assert_whole(behind)
    assert behind.engine(3).counters.leaps == 1


# --- peers that lie, or say nothing --------------------------------------------------------------


def _flip(body: bytes) -> bytes:
    return body[:-1] + bytes([body[-1] ^ 1])


BENT: dict[str, Callable[[Chunk], Chunk | None]] = {
    "a bit": lambda chunk: replace(chunk, body=_flip(chunk.body)),
    "nothing": lambda chunk: replace(chunk, body=b""),
    "endless": lambda chunk: replace(chunk, body=chunk.body * 1_000),
    "another chunk": lambda chunk: replace(chunk, index=chunk.index + 1),
    "another height": lambda chunk: replace(chunk, height=chunk.height + 1),
    "silence": lambda _: None,
}


@pytest.mark.parametrize("bend", BENT.values(), ids=BENT.keys())
def test_a_wrong_chunk_is_fetched_from_another_peer(
    behind: Cluster, bend: Callable[[Chunk], Chunk | None]
) -> None:
    catch_up(behind, first_liar(Chunk, bend))
    assert behind.engine(3).counters.leaps == 1
    assert_whole(behind)


def test_whoever_sends_wrong_bytes_is_not_asked_again(behind: Cluster) -> None:
    liar: list[int] = []

    def change(sender: int, frame: Frame) -> Frame | None:
        if isinstance(frame, Chunk) and sender == (liar or [sender])[0]:
            liar[:] = [sender]
            return replace(frame, body=b"poison")
        return frame

    catch_up(behind, change)
    assert asked(behind, FetchChunk).count(liar[0]) == 1


FALSE: dict[str, Callable[[Offer], Offer | None]] = {
    "other chunks": lambda offer: _other(offer, chunks=(bytes(32),) * 3),
    "endless chunks": lambda offer: _other(offer, chunks=(bytes(32),) * 60_000),
    "another root": lambda offer: _other(offer, root=bytes(32)),
    "another height": lambda offer: _other(offer, height=offer.snapshots[0][0].height + 1),
    "beyond the log": lambda offer: _other(offer, size=offer.size + 1),
    "no proof": lambda offer: replace(offer, snapshots=tuple((m, ()) for m, _ in offer.snapshots)),
    "none": lambda offer: replace(offer, snapshots=()),
    "silence": lambda _: None,
}


def _other(offer: Offer, **fields: object) -> Offer:
    changed = tuple((replace(manifest, **fields), proof) for manifest, proof in offer.snapshots)
    return replace(offer, snapshots=changed)


@pytest.mark.parametrize("bend", FALSE.values(), ids=FALSE.keys())
def test_what_one_peer_offers_alone_is_not_fetched(
    behind: Cluster, bend: Callable[[Offer], Offer | None]
) -> None:
    """Its offer comes first, and would be chosen if one voice were enough."""
    catch_up(behind, lambda sender, frame: bend(frame) if isinstance(frame, Offer) and not sender else frame)
    assert behind.engine(3).counters.leaps == 1
    assert 0 not in asked(behind, FetchChunk)
    assert_whole(behind)


@pytest.mark.parametrize("bend", FALSE.values(), ids=FALSE.keys())
def test_without_an_agreed_snapshot_the_log_is_executed(
    behind: Cluster, bend: Callable[[Offer], Offer | None]
) -> None:
    """Two of three give no good offer: the third one's word is not enough, and nothing hangs."""
    catch_up(behind, lambda sender, frame: bend(frame) if isinstance(frame, Offer) and sender else frame)
    if bend is not FALSE["other chunks"] and bend is not FALSE["another height"]:
        assert behind.engine(3).counters.leaps == 0
    assert_whole(behind)


def test_before_the_first_snapshot_the_log_is_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grootboek.ledger.ledger.SNAPSHOT_HEIGHTS", 1_000)
    cluster = Cluster().start()
    cluster.lost = lambda _sender, to, _frame: to == 3
    commit_blocks(cluster)
    catch_up(cluster)
    assert len(asked(cluster, FetchSnapshot)) == 3
    assert cluster.engine(3).counters.leaps == 0
    assert_whole(cluster)


def test_where_no_chunk_comes_the_log_is_executed(behind: Cluster) -> None:
    catch_up(behind, lambda _sender, frame: None if isinstance(frame, Chunk) else frame)
    assert behind.engine(3).counters.leaps == 0
    assert_whole(behind)


def test_a_false_snapshot_that_f_plus_1_vouch_for_is_found_out(
    behind: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than f liars: the root of its block still tells, and the log is executed instead."""
    for me in (0, 1, 2):
        ledger = behind.engine(me).ledger
        head = ledger.snapshot_heads[0]
        body = wire.encode((((b"\x01x", b"y")),))
        false = replace(head.manifest, pairs=1, chunks=(chunk_digest(ledger.chain, body),))
        ledger.snapshot_heads = [replace(head, manifest=false, ends=(len(body),))]
        monkeypatch.setattr(ledger, "chunk", lambda _head, _index, false=body: false)
    catch_up(behind)
    assert asked(behind, FetchChunk)
    assert_whole(behind)


# --- crashes -------------------------------------------------------------------------------------


STAGES: dict[str, Callable[[Engine], bool]] = {
    "before any chunk": lambda engine: engine.catchup.running,
    "all chunks": lambda engine: engine.ledger.incoming is not None,
    "some entries": lambda engine: 20 < engine.ledger.fetched < 60,
    "before the leap": lambda engine: engine.ledger._log.size >= LAST * 7 > engine.ledger.size,
    "after the leap": lambda engine: engine.ledger.height == LAST,
}


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES.keys())
@pytest.mark.parametrize("end", ["kill", "power"])
def test_a_crash_on_the_way_goes_on_from_what_is_there(
    behind: Cluster, stage: Callable[[Engine], bool], end: str
) -> None:
    connect(behind)
    replica = behind.replicas[3]
    behind.run_until(lambda: stage(replica.engine))
    if end == "power":
        replica.power_cut(random.Random(5))
    else:
        replica.kill()
    behind.boot(3)
    behind.run(30_000)
    assert_whole(behind)


def crash_at(cluster: Cluster, operation: int) -> bool:
    """Lose power at a disk operation of the transfer and boot again: whether there was such an operation."""
    connect(cluster)
    replica = cluster.replicas[3]
    replica.disk.fail_after, replica.cut_power_at_failure = operation, True
    cluster.run(10_000)
    crashed = not replica.alive
    replica.disk.mend()
    replica.cut_power_at_failure = False
    if crashed:
        cluster.boot(3)
        cluster.run(20_000)
    assert_whole(cluster)
    return crashed


@pytest.mark.parametrize("operation", range(0, 45, 4))
def test_a_loss_of_power_at_a_disk_operation(behind: Cluster, operation: int) -> None:
    assert crash_at(behind, operation)


@pytest.mark.long
@pytest.mark.parametrize("operation", range(80))
def test_a_loss_of_power_at_each_disk_operation(behind: Cluster, operation: int) -> None:
    crash_at(behind, operation)


def test_entries_that_were_fetched_for_a_snapshot_are_not_fetched_again(behind: Cluster) -> None:
    connect(behind)
    replica = behind.replicas[3]
    behind.run_until(lambda: replica.engine.ledger.fetched > 30 and bool(replica.engine.ledger.incoming))
    fetched = replica.engine.ledger._log.size
    replica.engine.ledger.sync()
    replica.engine.ledger.flush()
    replica.kill()
    at = len(behind.sent)
    behind.boot(3)
    assert replica.engine.ledger.incoming
    assert replica.engine.ledger.fetched == fetched
    behind.run(30_000)
    assert not [frame for who, _, frame in behind.sent[at:] if who == 3 and isinstance(frame, FetchChunk)]
    assert_whole(behind)


def test_what_it_had_executed_before_is_executed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state was never flushed: without the blocks that L rests on, it would believe to have forgotten."""
    monkeypatch.setattr("grootboek.node.engine.FLUSH_MS", 10**9)
    cluster = Cluster().start()
    commit_blocks(cluster, count=1)
    commit_blocks(cluster, first=1, count=1)  # its votes make the record of L durable
    cluster.lost = lambda _sender, to, _frame: to == 3
    commit_blocks(cluster, first=2, count=EVERY)
    for me in (0, 1, 2):
        cluster.engine(me).ledger.sync()
        cluster.engine(me).ledger.flush()
        cluster.engine(me).ledger.keep_snapshots()
    commit_blocks(cluster, first=2 + EVERY, count=4)
    replica = cluster.replicas[3]
    size = replica.engine.ledger.size
    connect(cluster)
    cluster.run_until(lambda: replica.engine.ledger.incoming is not None)
    replica.kill()
    cluster.boot(3)
    ledger = replica.engine.ledger
    assert ledger.incoming
    assert (ledger.size, ledger.fetched) == (size, size)
    assert replica.engine.replica.low > 0
    assert not replica.engine.replica.learning
    cluster.run(30_000)
    assert replica.engine.counters.leaps == 1
    assert_whole(cluster)


# --- the serving side ----------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "index"), [(1, 0), (LAST, 10_000), (LAST + 1, 0)])
def test_a_chunk_that_is_not_there_is_not_served(behind: Cluster, height: int, index: int) -> None:
    out = Outbox()
    behind.engine(0).catchup.serve(3, FetchChunk(height, index), out)
    assert not out.frames


def test_offers_are_for_logs_that_the_server_holds(behind: Cluster) -> None:
    ledger = behind.engine(0).ledger
    for size, offered in ((0, []), (ledger.size, [LAST, EVERY]), (ledger.block(EVERY).index + 1, [EVERY])):
        out = Outbox()
        behind.engine(0).catchup.serve(3, FetchSnapshot(size), out)
        ((_, offer),) = out.frames
        assert isinstance(offer, Offer)
        assert [manifest.height for manifest, _ in offer.snapshots] == offered, size
    out = Outbox()
    behind.engine(0).catchup.serve(3, FetchSnapshot(ledger.size + 1), out)
    assert not out.frames


def test_all_replicas_make_the_same_snapshots(behind: Cluster) -> None:
    heads = [behind.engine(me).ledger.snapshot_heads for me in (0, 1, 2)]
    assert [head.manifest for head in heads[0]] == [head.manifest for head in heads[1]]
    assert [head.manifest for head in heads[0]] == [head.manifest for head in heads[2]]


def test_a_few_entries_behind_no_snapshot_is_asked_for(behind: Cluster) -> None:
    catch_up(behind)
    behind.lost = lambda _sender, to, _frame: to == 3
    behind.commit(9_000)
    at = len(behind.sent)
    catch_up(behind)
    assert not [frame for _, _, frame in behind.sent[at:] if isinstance(frame, FetchSnapshot)]
    assert_whole(behind)
