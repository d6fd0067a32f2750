"""Whatever comes in from clients, peers and files: a typed error with a stable code, and nothing else.

The tables are in ``transactions``, ``frames`` and ``files``. After each row the replicas live, hold
what they held, and commit the next good transaction.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest
import structlog

from grootboek.client import AsyncClient
from grootboek.client.transactions import framed
from grootboek.errors import CATALOGUE, Malformed, PeerError
from grootboek.ledger.module import Module
from grootboek.modules.records import Anchor
from grootboek.network.framing import FrameReader
from grootboek.node.judging import judge_request
from grootboek.proofs import Final, Refused
from grootboek.testing import Network, network
from grootboek.types import Chain, Limits
from tests.bad_input import files
from tests.bad_input.files import IMPORTS, PROOFS, SETTINGS, Do
from tests.bad_input.frames import FAULTY, FRAMES, World
from tests.bad_input.transactions import REQUESTS, TRANSACTIONS, sealed
from tests.node.cluster import Cluster

OTHERS = (0, 1, 3)


def named(rows: Iterable[Sequence[object]]) -> list[object]:
    return [pytest.param(*row[1:], id=str(row[0])) for row in rows]


@pytest.fixture
def cluster() -> Cluster:
    """Four replicas with one block."""
    made = Cluster().start()
    made.commit(1)
    made.run()
    return made


def assert_sound(cluster: Cluster, number: int = 2) -> None:
    """All replicas live, agree, never left their view, and order the next transaction."""
    cluster.commit(number)
    cluster.run(1_000)
    assert cluster.equal()
    assert {replica.engine.replica.view for replica in cluster.replicas} == {0}


# --- transactions --------------------------------------------------------------------------------


@pytest.mark.parametrize(("build", "code"), named(TRANSACTIONS))
def test_a_bad_transaction_is_refused_and_its_neighbours_are_not(
    cluster: Cluster, build: Callable[[Chain], bytes], code: str
) -> None:
    good = [cluster.prepared(number).frame for number in (10, 11)]
    answered = cluster.submit(0, good[0], framed(build(cluster.genesis.chain)), good[1])
    cluster.run()
    ((first, refused, last),) = answered
    assert isinstance(first, Final)
    assert isinstance(last, Final)
    assert refused == Refused(code=code, detail=CATALOGUE[code].title)
    assert cluster.engine(0).counters.transactions == 3
    assert_sound(cluster)


@pytest.mark.parametrize(("body", "code"), named(REQUESTS))
def test_a_request_that_is_not_framed_is_refused_whole(cluster: Cluster, body: bytes, code: str) -> None:
    with pytest.raises(Malformed) as caught:
        judge_request(body, cluster.genesis)
    assert caught.value.code == code


def test_a_replayed_transaction_gets_its_first_result(cluster: Cluster) -> None:
    (first,) = cluster.commit(5)
    for replica in range(4):
        assert cluster.commit(5, 5, replica=replica) == (first, first)
    assert cluster.engine(0).counters.transactions == 2
    assert_sound(cluster)


def test_what_does_not_fit_the_pool_is_refused_and_welcome_later() -> None:
    cluster = Cluster(limits=Limits(pool_transactions=4, batch_transactions=2)).start()
    cluster.lost = lambda _sender, _to, _frame: True
    sent = [cluster.submit(0, cluster.prepared(number).frame) for number in range(40)]
    late = cluster.submit(0, cluster.prepared(99).frame)
    assert late == [(Refused(code="GB-1009", detail=CATALOGUE["GB-1009"].title),)]
    cluster.lost = lambda _sender, _to, _frame: False
    cluster.introduce(0, 1, 2, 3)
    cluster.run(20_000)
    assert all(sent)
    cluster.commit(99)
    cluster.run()
    assert cluster.equal()


# --- frames --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("build", "code"), named(FRAMES))
def test_a_bad_frame_is_refused_and_does_no_harm(
    cluster: Cluster, build: Callable[[World], bytes], code: str | None
) -> None:
    payload = build(World(cluster))
    sizes = [replica.engine.ledger.size for replica in cluster.replicas]
    codes = []
    with structlog.testing.capture_logs() as logs:
        for to in OTHERS:
            try:
                cluster.hand(to, FAULTY, payload)
            except PeerError as error:
                codes.append(error.code)
    codes += [line["code"] for line in logs if "code" in line]
    assert codes == [code] * 3 * (code is not None)
    assert [replica.engine.ledger.size for replica in cluster.replicas] == sizes
    assert_sound(cluster)


def test_a_frame_above_the_limit_is_refused_before_it_is_read() -> None:
    reader = FrameReader(1_000)
    reader.feed((1_001).to_bytes(4, "big"))
    with pytest.raises(PeerError) as caught:
        reader.next()
    assert caught.value.code == "GB-2002"


def test_every_frame_that_was_ever_sent_may_come_again(cluster: Cluster) -> None:
    for number in range(2, 6):
        cluster.commit(number)
    cluster.run()
    sizes = [replica.engine.ledger.size for replica in cluster.replicas]
    for sender, to, frame in list(cluster.sent):
        cluster.replicas[to].receive(sender, frame)
    cluster.run()
    assert [replica.engine.ledger.size for replica in cluster.replicas] == sizes
    assert not any(replica.engine.testimony.evidence for replica in cluster.replicas)
    assert_sound(cluster, 50)


# --- files and proofs ----------------------------------------------------------------------------


@pytest.mark.parametrize(("do", "code"), named([*PROOFS, *SETTINGS]))
def test_a_bad_proof_or_file_is_refused(tmp_path: Path, do: Do, code: str) -> None:
    with pytest.raises(CATALOGUE[code]) as caught:
        do(tmp_path)
    assert caught.value.code == code
    assert str(caught.value)


def test_the_proofs_are_good_before_they_are_changed() -> None:
    proven = files.proven()
    assert proven.verifier.verify_receipt(proven.receipt).records[0].applied
    assert proven.verifier.verify_state_proof(proven.state).value is None


@pytest.mark.parametrize(("module", "name", "content", "reason"), named(IMPORTS))
def test_a_bad_file_or_row_is_reported_and_the_good_rows_go_in(
    tmp_path: Path, module: type[Module], name: str, content: str | bytes, reason: str
) -> None:
    report = files.imported(tmp_path, module, name, content)
    assert report.reasons == {reason: 1}
    assert report.accepted == (0 if reason == "GB-3001" else 1)


# --- all of it at once, over real connections ----------------------------------------------------


async def refusals(net: Network, client: AsyncClient) -> list[str]:
    """What the first node says to every bad transaction of the table."""
    chain = net.genesis.chain
    rows = [(name, build) for name, build, _ in TRANSACTIONS if not name.startswith("expir")]
    rows += [("expired", lambda chain: sealed(chain, expiry=net.genesis.time))]
    answer = await net.nodes[0].submit(b"".join(framed(build(chain)) for _, build in rows), "test")
    assert (await client.submit(Anchor(key="after", digest=bytes(32)))).outcomes == ("applied",)
    return [result.code for result in answer.results if isinstance(result, Refused)]


async def test_a_running_network_refuses_them_and_goes_on() -> None:
    async with network(4) as net, net.client() as client:
        assert (await client.submit(Anchor(key="before", digest=bytes(32)))).outcomes == ("applied",)
        expected = [code for name, _, code in TRANSACTIONS if not name.startswith("expir")]
        assert await refusals(net, client) == [*expected, "GB-1006"]
        for name, body, code in REQUESTS:
            with pytest.raises(CATALOGUE[code]):
                await net.nodes[0].submit(body, name)
        assert (await client.submit(Anchor(key="last", digest=bytes(32)))).outcomes == ("applied",)
