"""Nodes over real TLS that share one hand-made ledger, and misbehave when told to."""

import asyncio
import base64
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from msgspec import structs

from grootboek import plain, receipts, webapi, wire
from grootboek.client.transactions import from_frame
from grootboek.errors import GrootboekError, NotFound
from grootboek.network.tls import server_context
from grootboek.node.certificates import self_signed
from grootboek.proofs import Answer, Refused
from grootboek.types import Genesis
from grootboek.webapi import NodeStatus
from grootboek.wire import Certificate
from tests.client.small_ledger import SmallLedger, found

Trick = Callable[["FakeNode", bytes], Awaitable[web.StreamResponse]]
"""What a node does with one request instead of answering it well."""


@dataclass
class FakeNode:
    """One node; ``tricks`` are played one by one, then it behaves."""

    name: str
    ledger: SmallLedger
    tricks: deque[Trick] = field(default_factory=deque)
    requests: list[int] = field(default_factory=list)
    """How many transactions each POST carried."""
    lies: Callable[[], web.Response] | None = None
    """What it answers to every read."""
    records: tuple[int, ...] | None = None
    """Which records its receipts show; None: all."""
    says: dict[str, int | bool] = field(default_factory=dict)
    """What its status has in place of the truth."""
    old: Certificate | None = None
    """The certificate that it shows in place of the newest."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a certificate was asked for."""
    transport: asyncio.BaseTransport | None = None
    """Of the request that a trick answers."""

    async def submit(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/transactions."""
        body = await request.read()
        self.requests.append(len(split(body)))
        if self.tricks:
            self.transport = request.transport
            return await self.tricks.popleft()(self, body)
        return self.good(body)

    def hang_up(self) -> web.StreamResponse:
        """Cut the connection instead of answering."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()
        return web.Response()

    def good(self, body: bytes) -> web.Response:
        """Append what is new, answer for all."""
        sent = [from_frame(self.ledger.genesis.chain, frame) for frame in split(body)]
        new = [prepared for prepared in sent if prepared.id not in self.ledger.finals]
        if new:
            self.ledger.append(*new)
        return octets(wire.encode(self.ledger.answer(*sent)))

    async def show(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/transactions/{id}."""
        if self.lies is not None:
            return self.lies()
        prepared = self.ledger.sent.get(bytes.fromhex(request.match_info["id"]))
        if prepared is None:
            return fault(NotFound("no entry"), 404)
        return octets(receipts.encode(self.ledger.receipt(prepared, self.records)))

    async def other(self, _: web.Request) -> web.StreamResponse:
        """Every other read."""
        return self.lies() if self.lies is not None else fault(NotFound("nothing"), 404)

    async def certificate(self, _: web.Request) -> web.StreamResponse:
        """GET /v1/certificate."""
        self.asked.set()
        if not self.ledger.blocks:
            return fault(NotFound("nothing is certified yet"), 404)
        return octets(wire.encode(self.old or self.ledger.certificate()))

    async def status(self, _: web.Request) -> web.StreamResponse:
        """GET /v1/status."""
        if self.lies is not None:
            return self.lies()
        height, size = len(self.ledger.blocks), self.ledger.log.size
        status = NodeStatus(
            name=self.name,
            replica=0,
            version="0",
            backend="none",
            view=0,
            primary="replica-0",
            active=True,
            height=height,
            seq=height,
            size=size,
            root=bytes(32),
            time=0,
            certified_height=height,
            certified_size=size,
            complete=True,
            lag=0,
            pool=0,
        )
        return web.Response(
            body=plain.to_json(structs.replace(status, **self.says)), content_type=webapi.JSON
        )

    async def checkpoint(self, _: web.Request) -> web.StreamResponse:
        """GET /checkpoint."""
        note = receipts.note(self.ledger.genesis, self.ledger.certificate(), self.ledger.log_signature())
        return web.Response(body=note)


def split(body: bytes) -> list[bytes]:
    """The frames of a body."""
    frames = []
    while body:
        size = 4 + int.from_bytes(body[:4], "big")
        frames.append(body[:size])
        body = body[size:]
    return frames


def octets(data: bytes) -> web.Response:
    return web.Response(body=data, content_type=webapi.MSGPACK)


def fault(error: GrootboekError, status: int, **headers: str) -> web.Response:
    body = plain.to_json(webapi.body_of(error))
    return web.Response(status=status, body=body, content_type=webapi.JSON, headers=headers)


def refuse(code: str) -> Trick:
    """Refuse every transaction of the request."""

    async def trick(_: FakeNode, body: bytes) -> web.StreamResponse:
        answer = Answer(tuple(Refused(code, "so it says") for _ in split(body)), (), None, None)
        return octets(wire.encode(answer))

    return trick


@asynccontextmanager
async def fake_nodes(count: int = 4) -> AsyncIterator[tuple[Genesis, list[FakeNode]]]:
    """Running nodes, and the genesis file that names their addresses and certificates."""
    nodes = [FakeNode(f"replica-{i}", SmallLedger()) for i in range(count)]
    async with AsyncExitStack() as stack:
        members = []
        for i, (node, member) in enumerate(zip(nodes, found(count).replicas, strict=True)):
            seed = bytes([i]) * 32
            certificate = self_signed(seed, node.name, ["127.0.0.1"])
            address = await stack.enter_async_context(_serve(node, certificate, seed))
            text = base64.b64encode(certificate).decode()
            members.append(structs.replace(member, api=address, api_certificate=text))
        genesis = structs.replace(found(count), replicas=tuple(members))
        ledger = SmallLedger(genesis)
        for node in nodes:
            node.ledger = ledger
        yield genesis, nodes


@asynccontextmanager
async def _serve(node: FakeNode, certificate: bytes, seed: bytes) -> AsyncIterator[str]:
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/transactions", node.submit)
    app.router.add_get("/v1/transactions/{id}", node.show)
    app.router.add_get("/v1/certificate", node.certificate)
    app.router.add_get("/v1/status", node.status)
    app.router.add_get("/checkpoint", node.checkpoint)
    app.router.add_get("/v1/{other:.*}", node.other)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_context(certificate, seed))
        await site.start()
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
