"""Client requests: each transaction gets exactly one result, and the request exactly one answer."""

import pytest

from grootboek._core import Pool
from grootboek.errors import CATALOGUE
from grootboek.node.intake import Intake, Request, refusal
from grootboek.node.judging import judge_request
from grootboek.proofs import Final, Refused
from grootboek.simulation.founding import known_key
from grootboek.simulation.heap import EPOCH_MS
from grootboek.types import Limits
from grootboek.wire import Batch
from tests.node.cluster import Cluster, signed

NOW = EPOCH_MS


def lonely() -> Cluster:
    """Four replicas whose frames are all lost."""
    cluster = Cluster().start()
    cluster.lost = lambda _sender, _to, _frame: True
    return cluster


def test_the_same_bytes_again_get_the_first_result_everywhere() -> None:
    cluster = Cluster().start()
    (first,) = cluster.commit(1)
    assert cluster.commit(1) == (first,)
    cluster.run()
    answered = [cluster.submit(replica, cluster.prepared(1).frame) for replica in range(4)]
    assert answered == [[(first,)]] * 4  # at once: nothing is ordered again
    assert len(cluster.frames(Batch, 0)) == 3


def test_all_who_wait_for_one_transaction_are_answered_together() -> None:
    cluster = Cluster().start()
    frame = cluster.prepared(1).frame
    answers = [cluster.submit(0, frame) for _ in range(3)] + [cluster.submit(2, frame, frame)]
    cluster.run()
    finals = {result for answer in answers for results in answer for result in results}
    assert [len(answer) for answer in answers] == [1, 1, 1, 1]
    assert len(finals) == 1
    assert cluster.engine(0).counters.transactions == 1


def test_two_transactions_with_one_nonce_are_two() -> None:
    cluster = Cluster().start()
    a, b = (signed(cluster.genesis.chain, 7, key=known_key("client", i)) for i in (1, 2))
    answered = cluster.submit(0, a.frame, b.frame)
    cluster.run()
    assert len({result.index for result in answered[0] if isinstance(result, Final)}) == 2


def test_no_answer_before_the_certificate() -> None:
    cluster = Cluster().start()
    answered = cluster.submit(0, cluster.prepared(1).frame)
    while not cluster.engine(0).ledger.height:
        assert not answered
        cluster.heap.step(cluster.heap.now_us + 1_000_000)
    certificate = cluster.engine(0).ledger.certificate
    assert bool(answered) == (certificate is not None)
    cluster.run()
    (result,) = answered[0]
    certificate = cluster.engine(0).ledger.certificate
    assert isinstance(result, Final)
    assert certificate is not None
    assert certificate.size >= result.index + 2


@pytest.mark.parametrize(
    ("expiry", "code"),
    [
        (NOW, "GB-1006"),
        (NOW - 1, "GB-1006"),
        (NOW + 1, None),
        (NOW + 605_000, None),
        (NOW + 605_001, "GB-1007"),
    ],
)
def test_expiry_is_judged_at_the_door(expiry: int, code: str | None) -> None:
    cluster = Cluster(1).start()
    intake = Intake(cluster.engine(0).ledger, Pool(cluster.genesis.chain.digest, 100, 10_000), Limits())
    batch = judge_request(signed(cluster.genesis.chain, 1, expiry=expiry).frame, cluster.genesis)
    done: list[Request] = []
    intake.submit(batch, NOW, done.append)
    assert [result.code for r in done for result in r.settled if isinstance(result, Refused)] == (
        [code] if code else []
    )
    assert len(intake.pool) == (code is None)


def test_what_expires_while_it_waits_is_told_so() -> None:
    cluster = Cluster().start()
    chain = cluster.genesis.chain
    cluster.lost = lambda sender, _to, _frame: sender == 3
    soon = [signed(chain, n, expiry=cluster.heap.now_ms + 2_000) for n in range(40)]
    answered = [cluster.submit(3, item.frame) for item in soon]
    cluster.run(2_500)
    assert not any(answered)
    cluster.lost = lambda _sender, _to, _frame: False
    cluster.commit(99)
    cluster.run(5_000)
    assert [result for answer in answered for results in answer for result in results] == [
        refusal(CATALOGUE["GB-1006"])
    ] * 40
    assert len(cluster.engine(3).intake.pool) == 0
    assert cluster.engine(3).intake._waiters == {}
    assert cluster.equal()


def test_a_full_pool_refuses_and_forgets_what_it_refused() -> None:
    cluster = Cluster(limits=Limits(pool_transactions=2, batch_transactions=1, window=16)).start()
    cluster.lost = lambda _sender, _to, _frame: True
    key = known_key("client", 0)
    answers = [cluster.submit(0, cluster.prepared(n, key=key).frame) for n in range(12)]
    refused = [answer for answer in answers if answer]
    assert refused
    assert {result for answer in refused for result in answer[0]} == {refusal(CATALOGUE["GB-1009"])}
    assert len(cluster.engine(0).intake._waiters) == 12 - len(refused)
    cluster.lost = lambda _sender, _to, _frame: False
    cluster.introduce(0, 1, 2, 3)
    cluster.run(20_000)
    again = [cluster.submit(0, cluster.prepared(n, key=key).frame) for n in range(12)]
    cluster.run(5_000)
    assert all(isinstance(answer[-1][0], Final) for answer in answers if answer not in refused)
    assert sum(isinstance(result, Final) for answer in again for result in answer[-1]) >= 12 - len(refused)


def test_batches_are_prompt_while_little_is_under_way_and_full_later() -> None:
    cluster = lonely()
    for number in range(20):
        cluster.submit(0, cluster.prepared(number).frame)
    assert cluster.engine(0).counters.batches_cut == 2
    assert len(cluster.engine(0).intake.pool) == 18


def test_a_request_of_refused_transactions_only_needs_no_certificate() -> None:
    cluster = lonely()
    frames = [signed(cluster.genesis.chain, n, expiry=1).frame for n in range(3)]
    answered = cluster.submit(0, *frames)
    assert answered == [(refusal(CATALOGUE["GB-1006"]),) * 3]
