"""The server itself: health, metrics, limits, bad requests, and how it starts and stops."""

import asyncio
import base64
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import msgspec
import pytest
import structlog
from aiohttp import web

from grootboek import webapi
from grootboek.api import ApiServer, ApiSettings, faults
from grootboek.api.health import ApiMetrics
from grootboek.api.routes import ROUTES
from grootboek.api.server import application
from grootboek.errors import CATALOGUE, ConfigError, GrootboekError
from grootboek.network.tls import server_context
from tests.api.backend import OneHand, Put, keys
from tests.api.conftest import Served, fill, serving, transaction, trusting, until

PAGE = Path(__file__).parents[2] / "docs/spec/api.md"


async def test_it_lives_and_says_whether_it_is_ready(served: Served) -> None:
    assert (await served.get("/livez"))[:2] == (200, b"ok\n")
    assert await served.json("/readyz") == {"ready": True, "reasons": []}
    served.backend.reasons = ("the log is catching up",)
    status, data, _ = await served.get("/readyz")
    assert (status, msgspec.json.decode(data)["reasons"]) == (503, ["the log is catching up"])


async def test_metrics_are_prometheus_text(served: Served) -> None:
    fill(served.backend, 1)
    await served.get("/checkpoint")
    await served.get("/nowhere/at/all")
    _, data, headers = await served.get("/metrics")
    text = data.decode()
    assert headers["Content-Type"].startswith("text/plain; version=")
    assert 'grootboek_api_requests_total{route="/checkpoint",status="200"} 1.0' in text
    assert 'grootboek_api_requests_total{route="other",status="404"} 1.0' in text
    assert "grootboek_api_connections 1.0" in text


# --- the description -----------------------------------------------------------------------------


async def test_the_openapi_document_has_every_route(served: Served) -> None:
    described = await served.json("/v1/openapi.json")
    assert described["openapi"] == "3.1.0"
    paths = described["paths"]
    assert isinstance(paths, dict)
    for route in ROUTES:
        operation = paths[route.name][route.method.lower()]
        assert operation["summary"]
        in_path = {item["name"] for item in operation["parameters"] if item["in"] == "path"}
        assert in_path == {part[1:-1] for part in route.name.split("/") if part.startswith("{")}
        assert {"200", "400", "429", "500"} <= set(operation["responses"])


async def test_every_reference_of_the_document_leads_somewhere(served: Served) -> None:
    described = await served.json("/v1/openapi.json")
    components = described["components"]
    assert isinstance(components, dict)

    def references(value: object) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
            return own.union(*map(references, value.values()))
        return set().union(*map(references, value)) if isinstance(value, list) else set()

    names = {reference.removeprefix("#/components/schemas/") for reference in references(described)}
    assert names
    assert names <= set(components["schemas"])


@pytest.mark.parametrize("kind", CATALOGUE.values(), ids=str)
def test_every_error_of_the_catalogue_has_a_status(kind: type[GrootboekError]) -> None:
    answer = faults.answer_of(kind("detail"))
    assert 400 <= answer.status <= 599
    body = msgspec.json.decode(bytes(answer.body), type=webapi.ErrorBody)  # type: ignore[arg-type]  # bytes, as made
    assert type(webapi.error_of(body)) is kind


def test_an_unknown_code_is_a_bad_answer() -> None:
    error = webapi.error_of(webapi.ErrorBody(code="GB-9999", title="from the future"))
    assert error.code == "GB-7010"
    assert "GB-9999" in str(error)


def test_the_page_has_the_defaults() -> None:
    page, settings = PAGE.read_text(encoding="utf-8"), ApiSettings()
    for line in (
        f"| transactions, bytes in one POST | {settings.request_transactions:,}; 4 MiB |",
        f"| request line or one header; headers | 8 KiB; {settings.headers} |",
        f"| open connections: all, one address | {settings.connections:,}; {settings.client_connections} |",
        f"| requests under way: all, one address | {settings.requests}; {settings.client_requests} |",
        f"| requests a second, one address | {settings.client_rate:,}, twice as many at a stroke |",
        f"| event streams | {settings.streams} |",
        f"| idle connection | {settings.idle_seconds:.0f} s |",
    ):
        assert line in page


# --- bad requests --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "GB-7002"),
        ("GET", "/v1/nothing", 404, "GB-7002"),
        ("DELETE", "/v1/status", 405, "GB-7008"),
        ("GET", "/v1/transactions", 405, "GB-7008"),
        ("GET", "/v1/transactions/%ff", 400, "GB-7001"),
        ("GET", "/v1/query/shelf/row%00?key=a", 404, "GB-7002"),
    ],
)
async def test_wrong_paths_and_methods_get_a_code(
    served: Served, method: str, path: str, status: int, code: str
) -> None:
    fill(served.backend, 1)
    async with served.session.request(method, served.url + path) as answer:
        body = await answer.json()
        assert (answer.status, body["code"]) == (status, code)
        assert answer.headers["Server"] == "grootboek"
        assert ("Allow" in answer.headers) == (status == 405)


POST = b"POST /v1/transactions HTTP/1.1\r\nHost: x\r\n"


def talk(served: Served, request: bytes) -> bytes:
    """What the server says to raw bytes inside TLS."""
    with connected(served) as tls:
        tls.sendall(request)
        return whole(tls)


@contextlib.contextmanager
def connected(served: Served) -> Iterator[ssl.SSLSocket]:
    host, _, port = served.url.removeprefix("https://").partition(":")
    context = trusting(served.backend)
    with socket.create_connection((host, int(port)), timeout=10) as raw, context.wrap_socket(raw) as tls:
        yield tls


def whole(tls: ssl.SSLSocket) -> bytes:
    """One answer."""
    data = b""
    while piece := tls.recv(1 << 16):
        data += piece
        if data.endswith(b"}"):
            break
    return data


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01nonsense\r\n\r\n",
        b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 9_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 100 + b"\r\n",
        b"GET /\xd9\xa1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\nHost: x\r\nExpect: SECRET\r\n\r\n",
        POST + b"Content-Length: x\r\n\r\n",
        POST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
        POST + b"Transfer-Encoding: chunked, SECRET\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nSECRET",
        POST + b"Content-Encoding: gzip\r\nContent-Length: 6\r\n\r\nSECRET",
        POST + b"Content-Encoding: deflate\r\nContent-Length: 6\r\n\r\nSECRET",
    ],
    ids=[
        "no HTTP", "long line", "long header", "many headers", "path not ASCII", "other expectation",
        "bad length", "two lengths", "length and chunks", "other coding", "long chunk", "gzip", "deflate",
    ],
)  # fmt: skip
async def test_what_is_no_http_is_refused(
    served: Served, request_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with structlog.testing.capture_logs() as logs:
        data = await asyncio.to_thread(talk, served, request_bytes)
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400"))
    assert b"Server: grootboek\r\n" in head + b"\r\n"
    assert msgspec.json.decode(body)["code"] == "GB-7001"
    assert not logs + caplog.records, "what a client sends is not logged"
    assert (await served.get("/livez"))[0] == 200


@pytest.mark.parametrize("served", [{"body_seconds": 0.3}], indirect=True)
@pytest.mark.parametrize("rest", [b"", b"cdSECRET"], ids=["closed", "no chunk"])
async def test_a_body_that_breaks_off(served: Served, rest: bytes, caplog: pytest.LogCaptureFixture) -> None:
    def slowly() -> bytes:
        with connected(served) as tls:
            tls.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n4\r\nab")
            time.sleep(0.1)
            tls.sendall(rest)
            return whole(tls) if rest else b""

    with structlog.testing.capture_logs() as logs:
        data = await asyncio.to_thread(slowly)
        await until(lambda: served.backend.registry.get_sample_value("grootboek_api_connections") == 0)
    assert (b"GB-7001" in data) == bool(rest)
    assert not logs + caplog.records


async def test_a_body_that_the_client_was_asked_for_is_taken(served: Served) -> None:
    frame = transaction(served.backend, Put("k", b"v")).frame
    async with served.session.post(served.url + "/v1/transactions", data=frame, expect100=True) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2])
async def test_only_tls_1_3_is_spoken(served: Served, version: ssl.TLSVersion) -> None:
    context = trusting(served.backend)
    context.minimum_version = context.maximum_version = version
    with pytest.raises(aiohttp.ClientConnectorError):
        await served.session.get(served.url + "/livez", ssl=context)


# --- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("served", [{"client_requests": 2}], indirect=True)
async def test_one_address_cannot_have_everything_under_way(served: Served) -> None:
    served.backend.hold = asyncio.Event()
    frames = [transaction(served.backend, Put(str(i), b"v")).frame for i in range(3)]

    async def post(frame: bytes) -> int:
        async with served.session.post(served.url + "/v1/transactions", data=frame) as answer:
            return answer.status

    under_way = [asyncio.create_task(post(frame)) for frame in frames[:2]]
    await until(lambda: served.backend.waiting == 2)
    assert await post(frames[2]) == 429
    assert (await served.get("/readyz"))[0] == 200, "the operator's machinery is always answered"
    served.backend.loop.call_soon_threadsafe(served.backend.hold.set)
    assert await asyncio.gather(*under_way) == [200, 200]
    assert await post(frames[2]) == 200


@pytest.mark.parametrize("served", [{"client_connections": 2}], indirect=True)
async def test_connections_of_one_address_are_bounded(served: Served) -> None:
    host, _, port = served.url.removeprefix("https://").partition(":")
    tls = trusting(served.backend)
    kept = [await asyncio.open_connection(host, int(port), ssl=tls) for _ in range(2)]
    with pytest.raises(ConnectionError):
        await asyncio.open_connection(host, int(port), ssl=tls)
    assert served.backend.registry.get_sample_value("grootboek_api_connections_refused_total") == 1
    for _, one in kept:
        one.close()


@pytest.mark.parametrize("served", [{"client_connections": 2, "handshake_seconds": 0.5}], indirect=True)
async def test_connections_count_before_tls(served: Served) -> None:
    """Who never begins TLS holds a descriptor too."""
    host, _, port = served.url.removeprefix("https://").partition(":")
    kept = [await asyncio.open_connection(host, int(port)) for _ in range(2)]
    reader, writer = await asyncio.open_connection(host, int(port))
    assert await reader.read() == b""
    assert (await kept[0][0].read(), await kept[1][0].read()) == (b"", b""), "their handshakes took too long"
    assert (await served.get("/livez"))[0] == 200, "their places are free again"
    for one in (writer, kept[0][1], kept[1][1]):
        one.close()
    sample = served.backend.registry.get_sample_value
    assert sample("grootboek_api_connections_refused_total") == 1
    await until(lambda: sample("grootboek_api_connections") == 1)


@pytest.mark.parametrize("served", [{"first_request_seconds": 0.1}], indirect=True)
async def test_a_connection_that_says_nothing_is_closed(served: Served) -> None:
    host, _, port = served.url.removeprefix("https://").partition(":")
    tls = trusting(served.backend)
    reader, writer = await asyncio.open_connection(host, int(port), ssl=tls)
    writer.write(b"GET /livez HTTP/1.1\r\nHost:")
    assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize("served", [{"body_seconds": 0.1}], indirect=True)
async def test_a_body_that_does_not_arrive_is_not_waited_for(served: Served) -> None:
    head = b"POST /v1/transactions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf"
    data = await asyncio.to_thread(talk, served, head)
    assert data.startswith(b"HTTP/1.1 400")


# --- starting and stopping -----------------------------------------------------------------------


def test_an_address_in_use_is_a_configuration_error(backend: OneHand) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        certificate = base64.b64decode(backend.genesis.replicas[0].api_certificate)
        server = ApiServer(
            backend, ApiSettings(port=taken.getsockname()[1]), server_context(certificate, keys()[0].api)
        )
        with pytest.raises(ConfigError):
            server.start()
        server.stop()


async def test_requests_under_way_end_when_it_stops(backend: OneHand) -> None:
    backend.hold = asyncio.Event()
    frame = transaction(backend, Put("k", b"v")).frame
    tls = trusting(backend)
    async with aiohttp.ClientSession() as session:
        context = serving(backend)
        url = context.__enter__()

        async def post() -> int:
            async with session.post(url + "/v1/transactions", data=frame, ssl=tls) as answer:
                await answer.read()
                return answer.status

        under_way = asyncio.create_task(post())
        await until(lambda: backend.waiting > 0)
        stopping = asyncio.create_task(asyncio.to_thread(context.__exit__, None, None, None))
        backend.loop.call_soon_threadsafe(backend.hold.set)
        assert await under_way == 200
        await stopping
    assert not [thread for thread in threading.enumerate() if thread.name == "grootboek-api"]


async def test_the_same_handlers_serve_without_tls(backend: OneHand) -> None:
    """For tools of tests that cannot be told which certificate to trust."""
    fill(backend, 1)
    app = application(backend, ApiSettings(), ApiMetrics(backend.registry))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/checkpoint"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200
    await runner.cleanup()
