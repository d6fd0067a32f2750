"""A served backend: the real server, in its own thread, over TLS."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import pytest
from msgspec import Struct, structs

from grootboek._core import SigningKey
from grootboek.api import ApiServer, ApiSettings
from grootboek.client import AsyncClient
from grootboek.client.transactions import Prepared, encode_command, prepare
from grootboek.network.tls import client_context, server_context
from tests.api.backend import START_MS, OneHand, Put, Shelf, found, keys

SENDER = SigningKey(bytes(32))


def transaction(
    backend: OneHand, *puts: Put, nonce: int | None = None, expiry: int = START_MS + 500_000
) -> Prepared:
    """A signed transaction of these commands."""
    encoded = [encode_command("shelf", 2, put) for put in puts]
    return prepare(backend.genesis.chain, [SENDER], encoded, expiry=expiry, nonce=nonce)


def fill(backend: OneHand, blocks: int, each: int = 3) -> list[Prepared]:
    """Blocks of writes."""
    made = []
    for block in range(blocks):
        batch = [
            transaction(backend, Put(f"key/{i}", bytes([block, i])), Put(f"other/{i}", b"x"))
            for i in range(each)
        ]
        backend.order(b"".join(one.frame for one in batch))
        made += batch
    return made


def trusting(backend: OneHand) -> ssl.SSLContext:
    """TLS that trusts this node's certificate."""
    return client_context([base64.b64decode(backend.genesis.replicas[backend.me].api_certificate)])


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    while not condition():  # noqa: ASYNC110  # it happens in another thread
        await asyncio.sleep(0.001)


class Served(Struct):
    """A running server, how to reach it, and what it serves."""

    backend: OneHand
    url: str
    session: aiohttp.ClientSession

    async def get(self, path: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers of a GET."""
        async with self.session.get(self.url + path, headers=headers) as answer:
            return answer.status, await answer.read(), dict(answer.headers)

    async def json(self, path: str) -> Any:
        """The JSON body of a good GET."""
        async with self.session.get(self.url + path) as answer:
            assert answer.status == 200, await answer.text()
            assert answer.content_type == "application/json"
            return await answer.json()

    def client(self) -> AsyncClient:
        """A client of this node."""
        host = self.url.removeprefix("https://")
        return AsyncClient(self.backend.genesis, [host], key=SENDER, modules=[Shelf], timeout=20)


@contextmanager
def serving(backend: OneHand, **settings: float) -> Iterator[str]:
    """The real server's URL."""
    certificate = base64.b64decode(backend.genesis.replicas[backend.me].api_certificate)
    tls = server_context(certificate, keys()[backend.me].api)
    defaults = {"client_rate": 1_000_000}
    server = ApiServer(backend, structs.replace(ApiSettings(), **(defaults | settings)), tls)
    port = server.start()
    try:
        yield f"https://127.0.0.1:{port}"
    finally:
        server.stop()


@pytest.fixture
def backend() -> OneHand:
    return OneHand(found())


@pytest.fixture
async def served(backend: OneHand, request: pytest.FixtureRequest) -> AsyncIterator[Served]:
    """``@pytest.mark.parametrize("served", [{"requests": 1}], indirect=True)`` changes settings."""
    settings = getattr(request, "param", {})
    connector = aiohttp.TCPConnector(ssl=trusting(backend), limit=0)
    with serving(backend, **settings) as url:
        async with aiohttp.ClientSession(connector=connector) as session:
            yield Served(backend, url, session)
