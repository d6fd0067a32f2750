"""Votes first, bounded queues, and no lane that waits for ever."""

from hypothesis import given
from hypothesis import strategies as st

from grootboek.network.lanes import GATHER_BYTES, Lane, LaneBudgets, Lanes

BUDGETS = LaneBudgets(vote_bytes=1_000, batch_bytes=1_000, transfer_bytes=1_000)
LARGE = GATHER_BYTES + 1


def one_by_one(lanes: Lanes) -> list[bytes]:
    taken = []
    while len(lanes):
        data, frames = lanes.take()
        assert frames == 1
        taken.append(bytes(data))
    return taken


def big(mark: bytes) -> bytes:
    return mark.ljust(LARGE, b".")


def roomy() -> Lanes:
    return Lanes(LaneBudgets())


def test_a_vote_overtakes_everything_that_is_not_yet_written() -> None:
    lanes = roomy()
    for i in range(5):
        lanes.put(Lane.BATCH, big(b"b%d" % i))
        lanes.put(Lane.TRANSFER, big(b"t%d" % i))
    lanes.take()
    lanes.put(Lane.VOTE, b"vote")
    data, frames = lanes.take()
    assert (data, frames) == (b"vote", 1)


def test_batches_and_transfer_take_turns() -> None:
    lanes = roomy()
    for i in range(3):
        lanes.put(Lane.BATCH, big(b"b%d" % i))
    for i in range(3):
        lanes.put(Lane.TRANSFER, big(b"t%d" % i))
    assert [data[:2] for data in one_by_one(lanes)] == [b"b0", b"t0", b"b1", b"t1", b"b2", b"t2"]


def test_small_frames_leave_in_one_write() -> None:
    lanes = roomy()
    for i in range(100):
        lanes.put(Lane.VOTE, b"%03d" % i)
    data, frames = lanes.take()
    assert frames == 100
    assert data == b"".join(b"%03d" % i for i in range(100))
    assert lanes.take() == (b"", 0)


def test_a_large_frame_is_written_as_it_is() -> None:
    lanes = roomy()
    frame = bytearray(LARGE)
    lanes.put(Lane.VOTE, b"vote")
    lanes.put(Lane.BATCH, frame)
    assert lanes.take() == (b"vote", 1)
    assert lanes.take()[0] is frame


def test_a_full_lane_loses_its_oldest_frames_and_no_other_lane_any() -> None:
    lanes = Lanes(BUDGETS)
    lanes.put(Lane.VOTE, b"vote")
    dropped = sum(lanes.put(Lane.BATCH, b"%03d" % i + bytes(97)) for i in range(25))
    assert dropped == 15
    assert lanes.bytes == 1_004
    data, frames = lanes.take()
    assert frames == 11
    assert bytes(data[:7]) == b"vote015"


def test_a_single_frame_above_the_budget_is_kept() -> None:
    lanes = Lanes(BUDGETS)
    lanes.put(Lane.BATCH, b"small")
    assert lanes.put(Lane.BATCH, bytes(2_000)) == 1
    assert lanes.bytes == 2_000


def test_clearing_a_lane_counts_what_was_in_it() -> None:
    lanes = roomy()
    lanes.put(Lane.BATCH, b"a")
    lanes.put(Lane.BATCH, b"b")
    lanes.put(Lane.VOTE, b"c")
    assert lanes.clear(Lane.BATCH) == 2
    assert lanes.take() == (b"c", 1)


@given(st.lists(st.tuples(st.sampled_from(Lane), st.integers(0, 400)), max_size=60))
def test_the_byte_counts_are_those_of_the_queues(puts: list[tuple[Lane, int]]) -> None:
    lanes = Lanes(BUDGETS)
    kept = len(puts) - sum(lanes.put(lane, bytes(size)) for lane, size in puts)
    assert lanes.bytes <= 3 * 1_000
    assert len(lanes) == kept
    waiting, written, total = lanes.bytes, 0, 0
    while len(lanes):
        data, frames = lanes.take()
        written += frames
        total += len(data)
    assert (written, total) == (kept, waiting)
