"""The HTTP server of a node: a thread with an event loop of its own, beside the consensus loop.

TLS 1.3 with the certificate of the genesis file. Every answer that is an error is JSON with a stable
code. What is too large, too many or too slow is refused before any work is done.
"""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future

import uvloop
from aiohttp import web

from grootboek import __version__, plain, webapi
from grootboek.api import faults, openapi
from grootboek.api.backend import Backend
from grootboek.api.budget import Budget
from grootboek.api.connections import Connections, until
from grootboek.api.context import CONTEXT, Context
from grootboek.api.health import ApiMetrics
from grootboek.api.protocol import SERVER, Protocol
from grootboek.api.routes import ROUTES
from grootboek.api.settings import ApiSettings
from grootboek.api.transactions import BUDGET, address_of
from grootboek.errors import ApiError, ConfigError

__all__ = ["ApiServer", "ApiSettings", "application"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
METRICS = web.AppKey("metrics", ApiMetrics)
CONNECTIONS = web.AppKey("connections", Connections)
UNCOUNTED = {"/livez", "/readyz", "/metrics"}
"""Asked by the operator's machinery: answered even while clients have used up every budget."""


def application(backend: Backend, settings: ApiSettings, metrics: ApiMetrics) -> web.Application:
    """The routes and what surrounds them; must be made on the loop that serves it."""
    app = web.Application(middlewares=[_guard], client_max_size=settings.request_bytes)
    app[CONTEXT] = Context(backend, settings)
    app[BUDGET] = Budget(settings)
    app[METRICS] = metrics
    app[CONNECTIONS] = Connections(settings, metrics)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, route.handler, expect_handler=_expect)
    described = plain.to_json(
        openapi.document(ROUTES, title=f"grootboek: {backend.genesis.chain.origin}", version=__version__)
    )

    async def describe(_: web.Request) -> web.Response:
        return web.Response(body=described, content_type=webapi.JSON)

    app.router.add_get("/v1/openapi.json", describe)
    app.on_cleanup.append(_close)
    app.on_response_prepare.append(_name)
    return app


async def _expect(request: web.Request) -> web.StreamResponse | None:
    """Ask for the body that a client holds back; nothing else can be expected."""
    if request.headers["Expect"].lower() != "100-continue":
        return faults.answer_of(ApiError("only 100-continue can be expected", where="Expect"))
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0
    return None


async def _close(app: web.Application) -> None:
    app[CONTEXT].close()


async def _name(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = SERVER


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Budgets before the work, errors after it, metrics around it."""
    clock = asyncio.get_running_loop().time
    started = clock()
    request.app[CONNECTIONS].spoke(request.transport)
    try:
        if request.path in UNCOUNTED:
            response = await handler(request)
        else:
            with request.app[BUDGET].request(address_of(request), started):
                response = await handler(request)
    except (ConnectionError, asyncio.CancelledError):
        raise
    except Exception as error:  # noqa: BLE001  # whatever it is, the client gets a code and the log the cause
        response = faults.answer_of(faults.fault_of(error, request.path))
        if isinstance(error, web.HTTPMethodNotAllowed):
            response.headers["Allow"] = error.headers["Allow"]
    _count(request, response, clock() - started)
    return response


def _count(request: web.Request, response: web.StreamResponse, seconds: float) -> None:
    resource = request.match_info.route.resource
    route = "other" if resource is None else resource.canonical
    request.app[METRICS].requests.labels(route, response.status).inc()
    request.app[METRICS].seconds.labels(route).observe(seconds)


class ApiServer:
    """Runs the API of one node; start it once, stop it once."""

    def __init__(self, backend: Backend, settings: ApiSettings, tls: ssl.SSLContext) -> None:
        """``tls``: a server context with the node's API certificate (``network.tls.server_context``)."""
        self._backend = backend
        self._settings = settings
        self._tls = tls
        self._metrics = ApiMetrics(backend.registry)
        self._loop: asyncio.AbstractEventLoop
        self._stopping = asyncio.Event()
        self._started: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, name="grootboek-api", daemon=True)

    def start(self) -> int:
        """Serve; returns the port once it listens. Raises ConfigError where the address is not free."""
        self._thread.start()
        return self._started.result()

    def stop(self) -> None:
        """Refuse new connections, let requests under way end for a while, and end the thread."""
        if self._thread.is_alive():
            # The thread may end by itself in between, and take its loop along.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve())
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        settings = self._settings
        app = application(self._backend, settings, self._metrics)
        runner = web.AppRunner(app, shutdown_timeout=settings.drain_seconds)
        await runner.setup()
        try:
            sockets = await self._listen()
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._accept(app, runner, sock)) for sock in sockets]
                self._started.set_result(sockets[0].getsockname()[1])
                await self._stopping.wait()
                for task in tasks:
                    task.cancel()
            for sock in sockets:
                sock.close()
            await self._drain(app)
        finally:
            await runner.cleanup()

    async def _drain(self, app: web.Application) -> None:
        """Let requests under way end; then end their connections."""
        app[CONTEXT].closing.set()
        await until(lambda: not app[BUDGET].requests, self._settings.drain_seconds)
        await app[CONNECTIONS].end(self._settings.linger_seconds)

    async def _listen(self) -> list[socket.socket]:
        host, port = self._settings.host, self._settings.port
        sockets: list[socket.socket] = []
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
            for family, address in dict.fromkeys((one[0], one[4][:2]) for one in found):
                sock = socket.create_server(address, family=family, backlog=self._settings.connections)
                sock.setblocking(False)  # noqa: FBT003  # the name is Python's
                sockets.append(sock)
        except OSError as error:
            for sock in sockets:
                sock.close()
            raise ConfigError(error.strerror or str(error), where=f"{host}:{port}") from error
        return sockets

    async def _accept(self, app: web.Application, runner: web.AppRunner, sock: socket.socket) -> None:
        settings, server = self._settings, runner.server
        if server is None:
            raise RuntimeError("the runner is not set up")

        def make() -> Protocol:
            return Protocol(
                server,
                loop=self._loop,
                access_log=None,  # type: ignore[arg-type]  # None turns it off
                auto_decompress=False,
                keepalive_timeout=settings.idle_seconds,
                lingering_time=settings.linger_seconds,
                max_line_size=settings.header_bytes,
                max_field_size=settings.header_bytes,
                max_headers=settings.headers,
            )

        await app[CONNECTIONS].accept(sock, make, self._tls)
