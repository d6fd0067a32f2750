"""The mesh: one mutually authenticated TLS 1.3 connection between each two replicas.

The replica with the higher index dials. It redials for ever, ever less often up to a cap, with
jitter, so that a restarted replica is not met by all others at once. The other one dials where it has
waited in vain: who is in another epoch may count differently, or not know that it is awaited. A newer
connection replaces an older one: the older may be half dead without either side knowing.
"""

import asyncio
import secrets
import socket
import ssl
import time
from base64 import b64decode
from collections.abc import Awaitable, Callable, Coroutine, Sequence

import structlog
from msgspec import Struct

from grootboek._core import SigningKey
from grootboek.errors import ConfigError, PeerError
from grootboek.network.accepting import accept, tend
from grootboek.network.addresses import split_address
from grootboek.network.framing import encode_frame
from grootboek.network.handshake import ACCEPTED, DIALLED, Roll
from grootboek.network.lanes import Data, Lane, LaneBudgets
from grootboek.network.link import Link, PeerCounters, Shared
from grootboek.network.tls import mesh_contexts, trust
from grootboek.types import Epoch, Genesis, ReplicaInfo
from grootboek.wire import Frame

__all__ = ["Credentials", "Mesh", "MeshLimits"]

BACKLOG = 128
"""Connections that the kernel holds for us."""
CLOSE_SECONDS = 1.0
"""How long a closing replica waits for its last frames to leave."""

log = structlog.get_logger("grootboek.network")


class Credentials(Struct, frozen=True):
    """The private keys that a replica shows to its peers."""

    voting: SigningKey
    transport: bytes
    """The seed of the transport certificate's key."""

    def __repr__(self) -> str:
        return "Credentials()"  # no secret in a log line or traceback


class MeshLimits(Struct, frozen=True, kw_only=True):
    """Each machine chooses for itself; seconds."""

    budgets: LaneBudgets = LaneBudgets()
    handshake_seconds: float = 5.0
    """From a TCP connection to the end of the handshake."""
    frame_seconds: float = 30.0
    """From the first byte of a frame to its last."""
    handshakes: int = 32
    """Connections that have not yet proven who they are; the oldest makes room for a new one."""
    accept_seconds: float = 0.005
    """Between two accepted connections: bounds what the handshakes of strangers cost."""
    redial_first: float = 0.05
    redial_cap: float = 1.0
    redial_late: float = 2.0
    """How long a replica waits for one that should dial it before it dials by itself."""


class Mesh:
    """Connections of replica ``me`` to all others. ``await start()``, later ``await close()``."""

    def __init__(
        self,
        me: int,
        genesis: Genesis,
        epoch: Epoch,
        credentials: Credentials,
        *,
        guests: Sequence[ReplicaInfo] = (),
        own: ReplicaInfo | None = None,
        alone: bool = False,
        deliver: Callable[[int, Frame], Awaitable[None] | None],
        connected: Callable[[int], None],
        lost: Callable[[int], None],
        limits: MeshLimits | None = None,
        listen: str | None = None,
        source: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``deliver`` takes each frame; nothing more is read from its sender while the awaitable that
        it may return is not done, and a PeerError of it closes the connection. ``connected`` and
        ``lost`` tell of each peer. ``guests`` may connect, too. ``own``: how a replica presents itself
        that has no place in the epoch; ``alone``: it connects to nobody. ``listen``: ``host:port``, by
        default this replica's address; ``source``: the local IP address to dial from. ``clock`` in seconds.
        Raises KeyFileError, GenesisError and ConfigError.
        """
        self._me = me
        self._alone = alone
        self._replicas = epoch.quorum.n
        self._roll = Roll(genesis.chain, epoch, guests)
        self.counters = [PeerCounters() for _ in self._roll.names]
        self._connected = connected
        self._lost = lost
        self._limits = limits or MeshLimits()
        self._clock = clock
        self._addresses = [split_address(replica.address, replica.name) for replica in epoch.replicas]
        mine = own or epoch.replicas[me]
        self._listen = split_address(listen or mine.address, "listen")
        self._source = None if source is None else (source, 0)
        certificate = b64decode(mine.transport_certificate)
        peers = [one for one in self._roll.certificates if one != certificate]
        self._accepting, self._dialling = mesh_contexts(certificate, credentials.transport, peers)
        self._shared = Shared(
            roll=self._roll,
            me=me,
            own=certificate,
            voting=credentials.voting,
            counters=self.counters,
            frame_bytes=genesis.limits.frame_bytes,
            frame_seconds=self._limits.frame_seconds,
            budgets=self._limits.budgets,
            deliver=deliver,
            opened=self._opened,
        )
        self._links: dict[int, Link] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._handshakes: dict[asyncio.Task[None], None] = {}
        """Those of ``_tasks`` that see a new connection through its handshake, oldest first."""
        self._server: socket.socket | None = None

    # --- life ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen, and dial the other replicas; raises ConfigError where it cannot do either."""
        self._check_source()
        host, port = self._listen
        try:
            family, _, _, _, address = (
                await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
            )[0]
            self._server = socket.create_server(address[:2], family=family, backlog=BACKLOG)
        except OSError as error:
            raise ConfigError(f"cannot listen: {error.strerror or error}", where=f"{host}:{port}") from error
        self._server.setblocking(False)  # noqa: FBT003  # the name is Python's
        self._spawn(self._accept(self._server))
        for peer in range(0 if self._alone else self._replicas):
            if peer != self._me:
                self._spawn(self._keep_connected(peer))

    def _check_source(self) -> None:
        """An address that is not this machine's would look like peers that cannot be reached."""
        if self._source is not None:
            host = self._source[0]
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            try:
                with socket.socket(family) as probe:
                    probe.bind(self._source)
            except OSError as error:
                raise ConfigError(f"cannot dial from here: {error.strerror or error}", where=host) from error

    def admit(self, guests: Sequence[ReplicaInfo]) -> None:
        """Let these connect from now on, too; raises GenesisError where a certificate is none."""
        for certificate in self._roll.admit(guests):
            trust(self._accepting, [certificate])
            self.counters.append(PeerCounters())

    async def close(self) -> None:
        """Stop listening and dialling, let what is queued leave, and close all connections."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._server is not None:
            self._server.close()
        links = list(self._links.values())
        for link in links:
            link.finish()
        if links:
            _, late = await asyncio.wait(
                [asyncio.ensure_future(link.wait_closed()) for link in links], timeout=CLOSE_SECONDS
            )
            for link in links:
                link.close("closed by this replica")
            await asyncio.gather(*late)

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # --- sending ---------------------------------------------------------------------------------

    @property
    def peers(self) -> list[int]:
        """Who is connected now, ascending."""
        return sorted(self._links)

    def queued(self, peer: int) -> int:
        """Bytes that wait to be sent to ``peer``."""
        return self._links[peer].lanes.bytes if peer in self._links else 0

    def send(self, to: int, frame: Frame, lane: Lane) -> None:
        """Send to one replica; the frame is dropped and counted where there is no connection."""
        self._send(to, encode_frame(frame), lane)

    def broadcast(self, frame: Frame, lane: Lane) -> None:
        """Send to all other replicas; the frame is encoded once."""
        data = encode_frame(frame)
        for peer in range(self._replicas):
            if peer != self._me:
                self._send(peer, data, lane)

    def _send(self, to: int, data: Data, lane: Lane) -> None:
        link = self._links.get(to)
        if link is None:
            self.counters[to].dropped[lane] += 1
        else:
            link.send(data, lane)

    # --- connections -----------------------------------------------------------------------------

    def _opened(self, link: Link) -> None:
        peer = link.peer
        older = self._links.pop(peer, None)
        self._links[peer] = link
        if older is not None:
            older.close("replaced by a newer connection")
            self._lost(peer)
        link.closed.add_done_callback(lambda closed: self._closed(link, closed.result()))
        log.info("peer connected", peer=self._roll.names[peer])
        self._connected(peer)

    def _closed(self, link: Link, reason: str) -> None:
        log.info("peer lost", peer=self._roll.names[link.peer], reason=reason)
        if self._links.get(link.peer) is link:
            del self._links[link.peer]
            self._lost(link.peer)

    async def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                sock, host = await accept(server)
            except OSError as error:  # out of descriptors, most likely: some will be closed soon
                log.warning("cannot accept a connection", reason=str(error))
                await asyncio.sleep(self._limits.redial_cap)
                continue
            if len(self._handshakes) >= self._limits.handshakes:
                oldest = next(iter(self._handshakes))
                del self._handshakes[oldest]
                oldest.cancel()
            task = tend(sock, self._welcome(sock, host), self._spawn)
            self._handshakes[task] = None
            task.add_done_callback(lambda done: self._handshakes.pop(done, None))
            await asyncio.sleep(self._limits.accept_seconds)

    async def _welcome(self, sock: socket.socket, host: str) -> None:
        """See a new connection through its handshake."""
        link = Link(self._shared, ACCEPTED)
        try:
            async with asyncio.timeout(self._limits.handshake_seconds):
                await asyncio.get_running_loop().connect_accepted_socket(
                    lambda: link,
                    sock,
                    ssl=self._accepting,
                    ssl_handshake_timeout=self._limits.handshake_seconds,
                )
                await link.ready
        except (OSError, PeerError) as error:
            log.warning("connection refused", host=host, reason=_text(error))
            link.close(_text(error))
        except asyncio.CancelledError:
            link.close("too many connections at once")
            raise

    async def _keep_connected(self, peer: int) -> None:
        """Dial, unless there is a connection; stay until it is over, and begin again."""
        limits, dials = self._limits, peer < self._me
        first = limits.redial_first if dials else limits.redial_late
        cap = max(first, limits.redial_cap)
        jitter = secrets.SystemRandom()
        delay, said = 0.0 if dials else first, ""
        while True:
            await asyncio.sleep(delay * jitter.uniform(0.5, 1))
            delay = min(max(2 * delay, first), cap)
            try:
                link = self._links.get(peer) or await self._dial(peer)
            except (OSError, PeerError) as error:
                reason = _text(error)
                if reason != said:
                    log.info("peer unreachable", peer=self._roll.names[peer], reason=reason)
                    said = reason
            else:
                began, said = self._clock(), ""
                await link.wait_closed()
                if self._clock() - began > cap:
                    delay = first

    async def _dial(self, peer: int) -> Link:
        """A proven connection to ``peer``; raises OSError and BadHello."""
        host, port = self._addresses[peer]
        link = Link(self._shared, DIALLED, peer)
        try:
            async with asyncio.timeout(self._limits.handshake_seconds):
                await asyncio.get_running_loop().create_connection(
                    lambda: link,
                    host,
                    port,
                    ssl=self._dialling,
                    server_hostname="",
                    local_addr=self._source,
                    ssl_handshake_timeout=self._limits.handshake_seconds,
                )
                await link.ready
        except BaseException as error:
            link.close(_text(error))
            raise
        return link


def _text(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "the handshake took too long"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or error}"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return str(error)
