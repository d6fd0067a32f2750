"""CPU time of what lies between processes: a request at the API's thread, and a frame on a link."""

import asyncio
import http.client
import threading
import time
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Self

import uvloop

from grootboek import webapi
from grootboek._core import SigningKey, State
from grootboek.api import ApiServer, ApiSettings
from grootboek.disk import RealDisk
from grootboek.errors import BenchFailed
from grootboek.ledger import Registry
from grootboek.network import Credentials, Lane, Mesh
from grootboek.network.tls import client_context, server_context
from grootboek.node.journal import Journal
from grootboek.node.keystore import ReplicaKeys
from grootboek.node.node import Node
from grootboek.proofs import Answer
from grootboek.types import Genesis
from grootboek.wire import Frame

__all__ = ["Link", "request_us"]

API_THREAD = "grootboek-api"
CALLS, WARM_UP = 200, 20
RATE = 1_000_000
"""Requests a second that the server takes of one client."""
SECONDS = 30.0


class _Settled(Node):
    """A node that has the answer already, so that what is left is the work of its API."""

    answer: Answer

    async def submit(self, body: bytes, client: str) -> Answer:  # noqa: ARG002  # the backend's
        """The answer to whatever is asked."""
        return self.answer


def request_us(genesis: Genesis, keys: ReplicaKeys, folder: Path, body: bytes, answer: Answer) -> float:
    """Microseconds that the API's thread takes for one request and its answer."""
    disk = RealDisk(folder)
    Journal.found(disk)
    node = _Settled(genesis, keys, disk, State(), Registry.discover(), failed=_ignored)
    node.answer = answer
    certificate = b64decode(node.info.api_certificate)
    server = ApiServer(node, ApiSettings(client_rate=RATE), server_context(certificate, keys.api))
    port = server.start()
    context = client_context([certificate])
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=SECONDS)
    try:
        clock = _clock_of(API_THREAD)
        for _ in range(WARM_UP):
            _post(connection, body)
        before = clock()
        for _ in range(CALLS):
            _post(connection, body)
        return (clock() - before) * 1e6 / CALLS
    finally:
        connection.close()
        server.stop()


def _ignored(error: BaseException) -> None:
    raise BenchFailed(str(error)) from error


def _clock_of(name: str) -> Callable[[], float]:
    """The CPU time of a thread, in seconds."""
    thread = next(thread for thread in threading.enumerate() if thread.name == name)
    if thread.ident is None:
        raise BenchFailed(f"the thread {name} does not run")
    identity = time.pthread_getcpuclockid(thread.ident)
    return lambda: time.clock_gettime(identity)


def _post(connection: http.client.HTTPSConnection, body: bytes) -> None:
    connection.request("POST", "/v1/transactions", body, {"Accept": webapi.MSGPACK})
    response = connection.getresponse()
    response.read()
    if response.status != http.client.OK:
        raise BenchFailed(f"the API said {response.status}")


class Link:
    """Two replicas of a ledger, connected in this process. A context manager."""

    def __init__(self, genesis: Genesis, keys: list[ReplicaKeys]) -> None:
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._news = asyncio.Event()
        self._meshes = [self._mesh(genesis, me, keys[me]) for me in range(2)]

    def __enter__(self) -> Self:
        self._runner.run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._stop())
        self._runner.close()

    def frame_us(self, frame: Frame, lane: Lane) -> float:
        """Microseconds that both ends together take for a frame that goes alone: encoding, TLS, decoding."""
        self._runner.run(self._carry(frame, lane, WARM_UP))
        before = time.process_time()
        self._runner.run(self._carry(frame, lane, CALLS))
        return (time.process_time() - before) * 1e6 / CALLS

    def _mesh(self, genesis: Genesis, me: int, keys: ReplicaKeys) -> Mesh:
        return Mesh(
            me,
            genesis,
            genesis.founding,
            Credentials(voting=SigningKey(keys.voting), transport=keys.transport),
            deliver=self._delivered,
            connected=self._connected,
            lost=lambda _peer: None,
        )

    def _delivered(self, _sender: int, _frame: Frame) -> None:
        self._news.set()

    def _connected(self, _peer: int) -> None:
        if all(mesh.peers for mesh in self._meshes):
            self._news.set()

    async def _start(self) -> None:
        for mesh in self._meshes:
            await mesh.start()
        await self._next()

    async def _carry(self, frame: Frame, lane: Lane, count: int) -> None:
        for _ in range(count):
            self._meshes[0].send(1, frame, lane)
            await self._next()

    async def _next(self) -> None:
        """Wait for what is under way."""
        async with asyncio.timeout(SECONDS):
            await self._news.wait()
        self._news.clear()

    async def _stop(self) -> None:
        await asyncio.gather(*(mesh.close() for mesh in self._meshes))
