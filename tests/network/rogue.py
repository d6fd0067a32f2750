"""A peer that does what it likes, over real sockets."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator

import structlog
from structlog.typing import EventDict

from grootboek._core import SigningKey
from grootboek.network.framing import LENGTH_BYTES, decode_frame, encode_frame
from grootboek.network.handshake import DIALLED, Handshake, Roll
from grootboek.network.tls import mesh_contexts
from grootboek.wire import Frame, Hello, HelloProof
from tests.network.sites import Site


def framed(payload: bytes) -> bytes:
    return len(payload).to_bytes(LENGTH_BYTES, "big") + payload


class Rogue:
    """One connection to replica 0 of a site, with the keys of ``me`` unless told otherwise."""

    def __init__(self, site: Site, me: int = 1) -> None:
        self.site = site
        self.me = me
        self.roll = Roll(site.genesis.chain, site.genesis.founding)
        self.context: ssl.SSLContext | None = mesh_contexts(
            self.roll.certificates[me], site.keys[me].transport, self.roll.certificates
        )[1]
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def connect(self) -> None:
        host, port = self.site.genesis.replicas[0].address.split(":")
        hostname = None if self.context is None else ""
        self._reader, self._writer = await asyncio.open_connection(
            host, int(port), ssl=self.context, server_hostname=hostname
        )

    def handshake(
        self, voting: int | None = None, role: int = DIALLED, nonce: bytes = bytes(32)
    ) -> Handshake:
        key = SigningKey(self.site.keys[self.me if voting is None else voting].voting)
        return Handshake(self.roll, me=self.me, peer=0, role=role, voting=key, nonce=nonce)

    async def prove(self, handshake: Handshake) -> HelloProof:
        """Play the handshake to its end; the proof that was sent."""
        self.send(handshake.hello)
        theirs = await self.read()
        assert isinstance(theirs, Hello)
        proof = handshake.receive(theirs)
        assert proof is not None
        self.send(proof)
        return proof

    def send(self, frame: Frame) -> None:
        self._writer.write(encode_frame(frame))

    def send_bytes(self, data: bytes) -> None:
        self._writer.write(data)

    async def read(self) -> Frame:
        size = int.from_bytes(await self._reader.readexactly(LENGTH_BYTES), "big")
        return decode_frame(memoryview(await self._reader.readexactly(size)))

    async def until_closed(self) -> None:
        """Wait until the other side has closed."""
        async with asyncio.timeout(30):
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                while await self._reader.read(1 << 16):
                    pass

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self._writer.wait_closed()


def raw_connection(site: Site) -> socket.socket:
    """A TCP connection to replica 0."""
    host, port = site.genesis.replicas[0].address.split(":")
    return socket.create_connection((host, int(port)))


@contextlib.contextmanager
def reasons(awaited: str = "", seen: asyncio.Event | None = None) -> Iterator[list[str]]:
    """The reasons that are logged for refused and lost connections; ``seen`` is set at ``awaited``."""
    found: list[str] = []

    def note(_: object, __: str, event: EventDict) -> EventDict:
        reason = str(event.get("reason"))
        found.append(reason)
        if seen is not None and awaited in reason:
            seen.set()
        return event

    with structlog.testing.capture_logs(processors=[note]):
        yield found
