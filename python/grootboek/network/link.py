"""One authenticated connection to one replica: an asyncio protocol over TLS.

Whatever the peer sends, the worst that happens is that this connection closes with a reason.
"""

import asyncio
import secrets
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, cast

import structlog
from msgspec import Struct, field

from grootboek._core import SigningKey
from grootboek.errors import BadHello, PeerError
from grootboek.network.framing import FrameReader, decode_frame, encode_frame
from grootboek.network.handshake import Handshake, Roll
from grootboek.network.lanes import GATHER_BYTES, Data, Lane, LaneBudgets, Lanes
from grootboek.wire import Frame

__all__ = ["Link", "PeerCounters", "Shared"]

HELLO_BYTES: Final = 1_024
"""The largest frame before the handshake is over."""
UNSENT_BYTES: Final = 128 << 10
"""What the kernel may hold that is not yet on the wire: a vote waits behind no more than this."""
KEEPALIVE_IDLE_S: Final = 10
KEEPALIVE_INTERVAL_S: Final = 5
KEEPALIVE_PROBES: Final = 3
USER_TIMEOUT_MS: Final = 25_000
"""After so long without an acknowledgement of what was sent the kernel gives the connection up."""

log = structlog.get_logger("grootboek.network")


class PeerCounters(Struct):
    """Totals over all connections to one peer since the start of the process."""

    connections: int = 0
    frames_sent: int = 0
    frames_received: int = 0
    bytes_sent: int = 0
    """Without what TLS adds."""
    bytes_received: int = 0
    dropped: list[int] = field(default_factory=lambda: [0] * len(Lane))
    """Frames that were not sent, by lane: no connection, or a full queue."""


class Shared(Struct, frozen=True, kw_only=True):
    """What all connections of a mesh have in common."""

    roll: Roll
    me: int
    own: bytes
    """This side's certificate."""
    voting: SigningKey
    counters: Sequence[PeerCounters]
    """By index in the roll."""
    frame_bytes: int
    frame_seconds: float
    """From the first byte of a frame to its last."""
    budgets: LaneBudgets
    deliver: Callable[[int, Frame], Awaitable[None] | None]
    opened: Callable[["Link"], None]
    """Called when the peer is proven."""


class Link(asyncio.Protocol):
    """From the end of TLS's handshake to the close."""

    def __init__(self, shared: Shared, role: int, expected: int | None = None) -> None:
        """``expected``: the replica that was dialled, None for an accepted connection."""
        self._loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = self._loop.create_future()
        """Done when the peer is proven; raises BadHello."""
        self.closed: asyncio.Future[str] = self._loop.create_future()
        """Resolves to the reason."""
        self.peer = -1
        self.lanes = Lanes(shared.budgets)
        self._shared = shared
        self._role = role
        self._expected = expected
        self._counters = PeerCounters()
        self._handshake: Handshake | None = None
        self._reader = FrameReader(HELLO_BYTES)
        self._transport: asyncio.Transport | None = None
        self._reason = ""
        self._writable = True
        self._flush_due = False
        self._waiting: asyncio.Task[None] | None = None
        self._stall: asyncio.TimerHandle | None = None

    # --- life ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TLS is up: learn from the certificate who this is, and say hello."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=GATHER_BYTES)
        _tune(transport.get_extra_info("socket"))
        tls: ssl.SSLObject = transport.get_extra_info("ssl_object")
        shared = self._shared
        try:
            self.peer = self._identify(tls.getpeercert(binary_form=True))
        except BadHello as error:
            self.close(str(error))
            return
        self._counters = shared.counters[self.peer]
        self._handshake = Handshake(
            shared.roll,
            me=shared.me,
            own=shared.own,
            peer=self.peer,
            role=self._role,
            voting=shared.voting,
            nonce=secrets.token_bytes(32),
        )
        self._transport.write(encode_frame(self._handshake.hello))

    def _identify(self, certificate: bytes | None) -> int:
        peer = self._shared.roll.who(certificate)
        if certificate == self._shared.own or self._expected not in (None, peer):
            raise BadHello(f"the certificate is that of {self._shared.roll.names[peer]}")
        return peer

    def close(self, reason: str) -> None:
        """Drop the connection; the first reason counts."""
        self._reason = self._reason or reason
        if self._transport is not None:
            self._transport.abort()

    def finish(self) -> None:
        """Close after what is queued for the socket has left."""
        self._reason = self._reason or "closed by this replica"
        self._flush()
        if self._transport is not None:
            self._transport.close()

    async def wait_closed(self) -> str:
        """Return the reason, once the last frame that was delivered has been dealt with."""
        reason = await asyncio.shield(self.closed)
        if self._waiting is not None:
            await asyncio.wait([self._waiting])
        return reason

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, whoever caused it."""
        self._watch_partial(armed=False)
        self._transport = None
        for lane in Lane:
            self._counters.dropped[lane] += self.lanes.clear(lane)
        reason = self._reason or (f"connection lost: {exc}" if exc else "closed by the peer")
        self._reason = reason
        if not self.ready.done():
            self.ready.set_exception(BadHello(reason))
            self.ready.exception()  # it is looked at here, so that nobody needs to
        if not self.closed.done():
            self.closed.set_result(reason)

    def eof_received(self) -> None:
        """The peer sends no more: TLS then closes."""

    # --- receiving -------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Bytes from the peer."""
        if self._reason:
            return
        self._counters.bytes_received += len(data)
        self._reader.feed(data)
        self._drain()

    def _drain(self) -> None:
        """Handle whole frames until one has to be waited for."""
        try:
            while self._waiting is None and not self._reason and (payload := self._reader.next()) is not None:
                self._watch_partial(armed=False)
                self._counters.frames_received += 1
                self._handle(decode_frame(payload))
        except PeerError as error:
            self.close(f"{error.code} {error}")
        except Exception:  # the replica lives on without this peer
            log.exception("a frame could not be handled", peer=self._name)
            self.close("a frame could not be handled")
        else:
            self._watch_partial(armed=self._waiting is None and not self._reason and self._reader.partial)

    def _handle(self, frame: Frame) -> None:
        if self._handshake is None:
            result = self._shared.deliver(self.peer, frame)
            if result is not None:
                self._wait_for(result)
            return
        answer = self._handshake.receive(frame)
        if answer is not None and self._transport is not None:
            self._transport.write(encode_frame(answer))
        if self._handshake.done:
            self._handshake = None
            self._reader.limit = self._shared.frame_bytes
            self._counters.connections += 1
            self.ready.set_result(None)
            self._shared.opened(self)

    def _wait_for(self, result: Awaitable[None]) -> None:
        """Read nothing more from this peer until ``result`` is there."""
        if self._transport is not None:
            self._transport.pause_reading()
        self._waiting = asyncio.ensure_future(self._resume_after(result))

    async def _resume_after(self, result: Awaitable[None]) -> None:
        try:
            await result
        except PeerError as error:
            self.close(f"{error.code} {error}")
        except Exception:  # the replica lives on without this peer
            log.exception("a frame could not be handled", peer=self._name)
            self.close("a frame could not be handled")
        self._waiting = None
        self._drain()
        if self._waiting is None and self._transport is not None and not self._reason:
            self._transport.resume_reading()

    def _watch_partial(self, *, armed: bool) -> None:
        """Watch that an unfinished frame is finished in time; nothing runs while none is there."""
        if not armed and self._stall is not None:
            self._stall.cancel()
            self._stall = None
        elif armed and self._stall is None:
            seconds = self._shared.frame_seconds
            self._stall = self._loop.call_later(seconds, self.close, f"a frame took more than {seconds} s")

    # --- sending ---------------------------------------------------------------------------------

    def send(self, data: Data, lane: Lane) -> None:
        """Queue an encoded frame; it leaves when the loop comes round, with all others of this turn."""
        self._counters.dropped[lane] += self.lanes.put(lane, data)
        if self._writable and not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def pause_writing(self) -> None:
        """The transport holds enough: what comes now waits in its lane, where votes overtake."""
        self._writable = False

    def resume_writing(self) -> None:
        """The transport has room again."""
        self._writable = True
        self._flush()

    def _flush(self) -> None:
        self._flush_due = False
        while self._writable and self._transport is not None and not self._transport.is_closing():
            data, frames = self.lanes.take()
            if not frames:
                return
            self._counters.frames_sent += frames
            self._counters.bytes_sent += len(data)
            self._transport.write(data)

    @property
    def _name(self) -> str:
        return self._shared.roll.names[self.peer]


def _tune(sock: socket.socket | None) -> None:
    """Find dead peers without traffic of our own, and keep the kernel's queue short."""
    if sock is None:
        return
    options = [
        (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
        (socket.IPPROTO_TCP, "TCP_NODELAY", 1),
        (socket.IPPROTO_TCP, "TCP_KEEPIDLE", KEEPALIVE_IDLE_S),
        (socket.IPPROTO_TCP, "TCP_KEEPINTVL", KEEPALIVE_INTERVAL_S),
        (socket.IPPROTO_TCP, "TCP_KEEPCNT", KEEPALIVE_PROBES),
        (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", USER_TIMEOUT_MS),
        (socket.IPPROTO_TCP, "TCP_NOTSENT_LOWAT", UNSENT_BYTES),
    ]
    for level, name, value in options:
        option = getattr(socket, name, None)  # not every platform knows each of them
        if option is not None:
            sock.setsockopt(level, option, value)
