"""Every transaction of every workload is applied, in whatever order its promise allows."""

import random
import time
from itertools import islice

import pytest

from grootboek.bench.signing import AHEAD_SECONDS, EXPIRY_MARGIN_MS, requests_of, sign, sign_ahead
from grootboek.bench.workloads import WORKLOADS
from grootboek.bench.workloads.anchor import AnchorWorkload
from grootboek.bench.workloads.bulk import BulkWorkload
from grootboek.types import Limits
from grootboek.wire import decode, headers
from tests.bench.small import Small

KEYS = 7
COUNT = 203


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_transaction_is_applied_in_any_order(name: str) -> None:
    workload = WORKLOADS[name](KEYS)
    small = Small(workload)
    for drafts in workload.prepare(small.roles, COUNT):
        assert set(small.run(drafts)) == {"applied"}
    drafts = list(workload.transactions(COUNT))
    assert len(drafts) == COUNT
    random.Random(name).shuffle(drafts)
    assert small.run(drafts) == ["applied"] * (COUNT * workload.records)
    assert small.broken() == []


@pytest.mark.parametrize("name", WORKLOADS)
def test_each_transaction_writes_something(name: str) -> None:
    """A command that finds all done already would be applied too, and cost next to nothing."""
    workload = WORKLOADS[name](KEYS)
    small = Small(workload)
    for drafts in workload.prepare(small.roles, 24):
        small.run(drafts)
    roots = {small.ledger.state_root}
    for draft in workload.transactions(24):
        small.run([draft])
        roots.add(small.ledger.state_root)
    assert len(roots) == 25


@pytest.mark.parametrize("name", WORKLOADS)
def test_transactions_are_of_many_keys_and_fit_their_limits(name: str) -> None:
    workload, limits = WORKLOADS[name](KEYS), Limits()
    small = Small(workload)
    drafts = [*islice(workload.transactions(COUNT), COUNT)]
    assert len({draft.signer.public for draft in drafts}) >= KEYS - 1
    rounds = [draft for drafts in workload.prepare(small.roles, 3_000) for draft in drafts]
    for one in sign(small.genesis, [*drafts, *rounds], small.genesis.time + 1_000):
        assert len(one.frame) - 4 <= limits.transaction_bytes
        assert len(one.transaction.commands) <= limits.commands
        assert max(map(len, one.transaction.commands)) <= limits.command_bytes


@pytest.mark.parametrize("kind", [AnchorWorkload, BulkWorkload])
def test_a_second_turn_supersedes_the_first(kind: type[AnchorWorkload]) -> None:
    workload = kind(3, documents=5 * kind.records)
    small = Small(workload)
    drafts = list(workload.transactions(12))
    turn = workload.distance
    assert turn == 5
    for at in range(0, 12, turn):
        assert set(small.run(drafts[at : at + turn])) == {"applied"}
    assert workload.distinct(12) == 5 * kind.records
    assert workload.distinct(3) == 3 * kind.records
    assert small.broken() == []


def test_anchors_are_transactions_of_250_bytes_from_a_thousand_keys() -> None:
    workload = AnchorWorkload(1_000)
    genesis = Small(workload).genesis
    made = sign(genesis, workload.transactions(2_500), genesis.time + 1_000)
    assert len({one.id for one in made}) == len(made) == 2_500
    assert all(245 <= len(one.frame) - 4 <= 255 for one in made)
    requests = requests_of(made, 250)
    assert [(request.number, len(request.sent)) for request in requests] == [(i, 250) for i in range(10)]


def test_what_is_signed_keeps_its_order() -> None:
    workload = BulkWorkload(KEYS)
    drafts = list(workload.transactions(30))
    genesis = Small(workload).genesis
    made = sign(genesis, drafts, genesis.time + 1_000)
    assert [one.transaction.commands for one in made] == [draft.commands for draft in drafts]


def test_what_is_sent_later_expires_later() -> None:
    workload = AnchorWorkload(10)
    genesis = Small(workload).genesis
    drafts = list(workload.transactions(5 * AHEAD_SECONDS))
    before = time.time_ns() // 1_000_000
    made = sign_ahead(genesis, drafts, rate=2.0)
    after = time.time_ns() // 1_000_000
    assert [one.transaction.commands for one in made] == [draft.commands for draft in drafts]
    for place, one in enumerate(made):
        validity, turn = genesis.limits.validity_ms, 500 * place
        expiry = decode(headers, one.transaction.header).expiry
        assert before + turn + validity - EXPIRY_MARGIN_MS - 1_000 * AHEAD_SECONDS < expiry
        assert expiry <= after + turn + validity - EXPIRY_MARGIN_MS
