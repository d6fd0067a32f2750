"""The Rust core: what is paid once per transaction, per leaf or per state write."""

from itertools import count

from benches.conftest import BATCH, CHAIN, KEYS, Measure
from grootboek import wire
from grootboek._core import Log, State, TransactionBatch, digest, verify_many

ENTRY = bytes(400)
STATE_KEYS = 100_000
WRITES = 2_000


def test_digest_of_a_transaction(measure: Measure) -> None:
    measure(lambda: digest(ENTRY))


def test_verify_many_1000_signatures(measure: Measure) -> None:
    items = [(key.public, key.public, key.sign(key.public)) for key in KEYS]
    assert verify_many(items) == b"\x01" * BATCH
    measure(lambda: verify_many(items))


def test_sign_many_1000_messages(measure: Measure) -> None:
    messages = [number.to_bytes(100, "big") for number in range(BATCH)]
    measure(lambda: KEYS[0].sign_many(messages))


def test_transaction_batch_of_1000(measure: Measure, batch: bytes) -> None:
    assert TransactionBatch(batch, CHAIN.digest).verdicts == bytes(BATCH)
    measure(lambda: TransactionBatch(batch, CHAIN.digest))


def test_transaction_batch_of_1000_without_signatures(measure: Measure, batch: bytes) -> None:
    measure(lambda: TransactionBatch(batch, CHAIN.digest, check_signatures=False))


def test_log_append_1000_entries_and_root(measure: Measure) -> None:
    entries = (len(ENTRY).to_bytes(2, "big") + ENTRY) * BATCH
    log = Log()

    def append() -> bytes:
        size, _ = log.append(entries)
        return log.root(size)

    measure(append)


def test_log_inclusion_path(measure: Measure) -> None:
    log = Log()
    log.append((len(ENTRY).to_bytes(2, "big") + ENTRY) * 100_000)
    positions = count(1)
    measure(lambda: log.inclusion(next(positions) * 7_919 % 100_000, 100_000))


def test_state_commit_2000_writes_on_100000_keys(measure: Measure) -> None:
    state = State()
    heights = count(1)
    state.commit(next(heights), [(_key(number), bytes(32)) for number in range(STATE_KEYS)])
    turns = count()

    def commit() -> bytes:
        turn = next(turns)
        keys = sorted({(turn * WRITES + number) * 7_919 % STATE_KEYS for number in range(WRITES)})
        return state.commit(next(heights), [(_key(number), turn.to_bytes(32, "big")) for number in keys])

    measure(commit)


def _key(number: int) -> bytes:
    return b"\x07records" + wire.encode(number)
