"""The HTTP API over loopback TLS, asked over one connection by a client in another thread."""

import http.client
import time
from collections.abc import Iterator

import pytest

from benches.measuring import Measure
from grootboek import proofs, webapi, wire
from grootboek.client.transactions import Prepared
from tests.api.backend import OneHand, Put, found, rows
from tests.api.conftest import serving, transaction, trusting

pytestmark = pytest.mark.benchmark(group="api", timer=time.perf_counter)

BATCH = 1_000


class Settled(OneHand):
    """Has the answer already: what is left is the work of the API."""

    ready_answer: proofs.Answer

    async def submit(self, body: bytes, client: str) -> proofs.Answer:  # noqa: ARG002  # the protocol's
        return self.ready_answer


class Served:
    """A backend behind the real server, and a connection to it."""

    def __init__(self, backend: Settled, url: str) -> None:
        self.backend = backend
        host = url.removeprefix("https://")
        self._connection = http.client.HTTPSConnection(host, context=trusting(backend), timeout=60)

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        self._connection.request(method, path, body, {"Accept": webapi.MSGPACK})
        answer = self._connection.getresponse()
        data = answer.read()
        assert answer.status == 200, data
        return data

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def served() -> Iterator[Served]:
    backend = Settled(found())
    with serving(backend) as url:
        one = Served(backend, url)
        yield one
        one.close()


def ordered(backend: OneHand, count: int) -> tuple[list[Prepared], bytes]:
    """Transactions in one block, and the request that they came in."""
    sent = [transaction(backend, Put(f"key/{number}", bytes(32)), nonce=number) for number in range(count)]
    body = b"".join(one.frame for one in sent)
    backend.order(body)
    return sent, body


@pytest.mark.parametrize("count", [1, BATCH])
def test_submit_and_answer(measure: Measure, served: Served, count: int) -> None:
    """TLS, HTTP, limits, and the encoding of the answer; ordering is not in it."""
    backend = served.backend
    _, body = ordered(backend, count)
    backend.ready_answer = backend.order(body)
    answer = wire.decode(proofs.answers, served.ask("POST", "/v1/transactions", body))
    assert len(answer.results) == count
    measure(lambda: served.ask("POST", "/v1/transactions", body), items=count, of="transactions")


def test_receipt(measure: Measure, served: Served) -> None:
    sent, _ = ordered(served.backend, 100)
    path = f"/v1/transactions/{sent[50].id.hex()}"
    measure(lambda: served.ask("GET", path))


@pytest.mark.parametrize("proof", ["true", "false"], ids=["proven", "plain"])
def test_state(measure: Measure, served: Served, proof: str) -> None:
    ordered(served.backend, 100)
    form = "msgpack" if proof == "true" else "json"
    path = f"/v1/state/shelf/{rows.key('key/50').hex()}?proof={proof}&format={form}"
    measure(lambda: served.ask("GET", path))


def test_query(measure: Measure, served: Served) -> None:
    ordered(served.backend, 100)
    measure(lambda: served.ask("GET", "/v1/query/shelf/row?key=key/50"))
