"""The ledger on a real disk: blocks of a thousand transactions, receipts, audit and catch-up."""

from itertools import count

import pytest

from benches.conftest import NewLedger
from benches.ledgers import BATCH, BenchLedger, anchors
from benches.measuring import Measure
from grootboek._core import TransactionBatch
from grootboek.ledger.audit import audit
from grootboek.modules.records import Records
from grootboek.node.catchup import CatchUp
from grootboek.node.outbox import Outbox
from grootboek.wire import Entries, FetchEntries

pytestmark = pytest.mark.benchmark(group="ledger")

BLOCKS, BRIEF_BLOCKS = 5, 2


def test_execute_a_block(measure: Measure, new_ledger: NewLedger) -> None:
    ledger, numbers = new_ledger(), count()

    def next_batch() -> TransactionBatch:
        return ledger.judged(anchors([next(numbers) for _ in range(BATCH)], ledger.genesis.chain))

    measure.each(next_batch, ledger.execute, items=BATCH, of="transactions")


def test_execute_a_block_of_duplicates(measure: Measure, new_ledger: NewLedger) -> None:
    ledger = new_ledger()
    again = ledger.judged(ledger.fill(1))
    assert ledger.execute(again).entry.duplicates == BATCH
    measure(lambda: ledger.execute(again), items=BATCH, of="transactions")


def test_make_a_block_durable(measure: Measure, new_ledger: NewLedger) -> None:
    """Sync of the log, position, certificate, state and index."""
    ledger, numbers = new_ledger(), count()

    def executed() -> None:
        ledger.execute(ledger.judged(anchors([next(numbers) for _ in range(BATCH)], ledger.genesis.chain)))
        ledger.certify()

    def save(_: None) -> None:
        ledger.ledger.sync()
        ledger.ledger.flush()

    measure.each(executed, save, items=BATCH, of="transactions")


def test_answer_a_request(measure: Measure, new_ledger: NewLedger) -> None:
    """What has just been executed, looked up and proven."""
    ledger = new_ledger()
    sent = ledger.fill(1)
    measure(lambda: ledger.answer(sent), items=BATCH, of="transactions")


def test_receipt(measure: Measure, new_ledger: NewLedger) -> None:
    ledger = new_ledger()
    sent = ledger.fill(BRIEF_BLOCKS)
    certificate = ledger.certify()
    signature = ledger.log_signature(certificate)
    turns = count(1)
    measure(lambda: ledger.ledger.receipt(sent[next(turns) * 7 % len(sent)].id, certificate, signature))


def test_audit(measure: Measure, new_ledger: NewLedger) -> None:
    ledger, blocks = new_ledger(), BRIEF_BLOCKS if measure.brief else BLOCKS
    ledger.fill(blocks)
    ledger.certify()
    ledger.ledger.sync()
    ledger.ledger.flush()

    def verify() -> None:
        assert audit(ledger.genesis, ledger.disk, ledger.registry).transactions == blocks * BATCH

    measure(verify, items=blocks * BATCH, of="transactions")


def test_catch_up(measure: Measure, new_ledger: NewLedger) -> None:
    """One replica fetches a log from another, and executes it; they talk without a network."""
    source, blocks = new_ledger(), BRIEF_BLOCKS if measure.brief else BLOCKS
    source.fill(blocks)
    source.certify()

    def follow(behind: BenchLedger) -> None:
        catch_up(source, behind)
        assert behind.ledger.root == source.ledger.root

    measure.each(lambda: new_ledger(Records), follow, items=blocks * BATCH, of="transactions")


def catch_up(source: BenchLedger, behind: BenchLedger) -> None:
    """Questions and answers until the target is reached."""
    certificate = source.ledger.certificate
    assert certificate is not None
    serving, fetching = CatchUp(source.ledger, 0, 4), CatchUp(behind.ledger, 1, 4)
    asked = Outbox()
    fetching.want(certificate, 0, asked)
    while fetching.running:
        answered = Outbox()
        for _, question in asked.frames:
            assert isinstance(question, FetchEntries)
            serving.serve(1, question, answered)
        asked = Outbox()
        for _, answer in answered.frames:
            assert isinstance(answer, Entries)
            fetching.received(0, answer, asked)
