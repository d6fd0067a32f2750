"""Fetching log entries: verified, in chunks, from one peer after the other."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from grootboek.node.catchup import CatchUp
from grootboek.node.outbox import Outbox
from grootboek.wire import Entries, FetchEntries, Frame, Status
from tests.node.cluster import Cluster, first_liar

BLOCKS = 12


@pytest.fixture
def behind() -> Cluster:
    """Replica 3 has missed all blocks and hears nothing yet."""
    cluster = Cluster().start()
    cluster.lost = lambda _sender, to, _frame: to == 3
    for number in range(BLOCKS):
        cluster.commit(3 * number, 3 * number + 1, 3 * number + 2)
    cluster.run()
    assert cluster.engine(3).ledger.size == 0
    return cluster


def asked(cluster: Cluster) -> list[int]:
    """Whom replica 3 asked for entries, in order."""
    return [to for sender, to, frame in cluster.sent if sender == 3 and isinstance(frame, FetchEntries)]


def catch_up(
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
    cluster.run(30_000)


def assert_caught_up(cluster: Cluster) -> None:
    assert cluster.equal()
    assert not cluster.engine(3).catchup.running
    cluster.commit(1_000, replica=3)
    cluster.run()
    assert cluster.equal()


def test_a_replica_that_missed_everything_fetches_it_and_votes_again(behind: Cluster) -> None:
    catch_up(behind)
    assert_caught_up(behind)
    assert behind.engine(3).counters.transfers >= 1
    assert behind.engine(3).counters.blocks == behind.engine(0).counters.blocks
    assert len(asked(behind)) == 1


@pytest.mark.parametrize("chunk", [1, 100, 700, 2_000])
def test_entries_come_in_chunks_whatever_the_blocks_borders(behind: Cluster, chunk: int) -> None:
    answer_with(behind, chunk)
    catch_up(behind)
    assert len(asked(behind)) > 1
    assert_caught_up(behind)


def answer_with(cluster: Cluster, size: int) -> None:
    """So many bytes of the log at a time."""
    for me in range(3):
        cluster.engine(me).catchup.answer_bytes = size


def _flip(entries: Entries) -> Entries:
    return replace(entries, body=entries.body[:-1] + bytes([entries.body[-1] ^ 1]))


BENT: dict[str, Callable[[Entries], Entries | None]] = {
    "a bit": _flip,
    "nothing": lambda entries: replace(entries, body=b""),
    "cut off": lambda entries: replace(entries, body=entries.body[:-1]),
    "too many": lambda entries: replace(entries, body=entries.body + b"\x00\x01x"),
    "endless": lambda entries: replace(entries, body=entries.body * 50),
    "garbage": lambda entries: replace(entries, body=b"\xff" * 1_000),
    "a proof that is none": lambda entries: replace(
        entries, proof=(bytes(32),) * 60, body=entries.body[:100]
    ),
    "silence": lambda _: None,
}


@pytest.mark.parametrize("bend", BENT.values(), ids=BENT.keys())
def test_a_peer_that_sends_wrong_entries_is_passed_over(
    behind: Cluster, bend: Callable[[Entries], Entries | None]
) -> None:
    catch_up(behind, first_liar(Entries, bend))
    assert len(set(asked(behind))) >= 2
    assert_caught_up(behind)


def test_wrong_entries_that_nobody_asked_for_move_nothing(behind: Cluster) -> None:
    engine, now = behind.engine(3), behind.heap.now_ms
    certificate = behind.engine(0).ledger.certificate
    assert certificate is not None
    engine.frames([(0, Status(0, True, 1, certificate))], now)  # noqa: FBT003  # by place
    wrong = Entries(start=0, size=certificate.size, body=b"\x00\x01x", proof=())
    for liar in (1, 2):
        assert not engine.frames([(liar, wrong)], now).frames
    (fetch,) = engine.frames([(0, wrong)], now).frames
    assert fetch == (1, FetchEntries(start=0, size=certificate.size))


def test_a_late_answer_is_as_good_as_any(behind: Cluster) -> None:
    engine, now = behind.engine(3), behind.heap.now_ms
    certificate = behind.engine(0).ledger.certificate
    assert certificate is not None
    engine.frames([(0, Status(0, True, 1, certificate))], now)  # noqa: FBT003  # by place
    fetch = FetchEntries(start=0, size=certificate.size)
    assert engine.timer("transfer", now).frames == [(1, fetch)]
    late = Outbox()
    behind.engine(0).catchup.serve(3, fetch, late)
    engine.frames([(0, late.frames[0][1])], now)
    assert engine.ledger.size == certificate.size
    assert not engine.catchup.running


@pytest.mark.parametrize(("start", "size"), [(0, 10_000), (5, 5), (6, 5), (0, 0)])
def test_what_is_not_there_is_not_served(behind: Cluster, start: int, size: int) -> None:
    out = Outbox()
    behind.engine(0).catchup.serve(3, FetchEntries(start=start, size=size), out)
    assert not out.frames


def test_ordering_may_overtake_a_transfer(behind: Cluster) -> None:
    """The peers answer no fetch, but a certificate further on comes with blocks ordered here."""
    ledger = behind.engine(0).ledger
    assert ledger.certificate is not None
    fetcher = CatchUp(ledger, 0, 4)
    out = Outbox()
    fetcher.want(ledger.certificate, 1, out)
    assert not fetcher.running
    assert not out.frames


def test_a_crash_in_the_middle_of_a_transfer_goes_on_from_what_is_there(behind: Cluster) -> None:
    answer_with(behind, 500)
    behind.lost = lambda _sender, _to, _frame: False
    behind.introduce(0, 1, 2, 3)
    behind.run_until(lambda: behind.engine(3).ledger.height >= BLOCKS // 2)
    assert behind.engine(3).catchup.running
    behind.replicas[3].kill()
    behind.boot(3)
    behind.run(30_000)
    assert_caught_up(behind)
