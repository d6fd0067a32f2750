"""The nodes that a client may ask, which of them seem well, and one HTTP request to one of them.

A node is trusted for nothing but its own certificate, which the genesis file names. What it answers
is verified elsewhere.
"""

import asyncio
import base64
import itertools
import ssl
from collections.abc import Collection, Sequence
from http import HTTPStatus
from typing import Final

import aiohttp
import msgspec
from aiohttp.http_exceptions import HttpProcessingError

from grootboek import webapi
from grootboek.errors import (
    BadAnswer,
    ConfigError,
    GrootboekError,
    InternalError,
    Unavailable,
)
from grootboek.types import Epoch

__all__ = ["BROKEN", "UNREADABLE", "Node", "Nodes", "Overloaded", "read_body", "refusal_of"]

CONNECT_SECONDS: Final = 5.0
BACKOFF_SECONDS: Final = 0.25
"""How long a node that failed is passed over at first; doubles with each further failure."""
BACKOFF_CAP_SECONDS: Final = 5.0
RETRY_AFTER_SECONDS: Final = 0.5
"""Where a node is overloaded and does not say for how long."""
RETRY_AFTER_CAP_SECONDS: Final = 30.0
ANSWER_BYTES: Final = 64 << 20
"""No answer of a node is longer."""
MAX_PORT: Final = 65_535
BROKEN: Final = (aiohttp.ClientError, HttpProcessingError, TimeoutError, OSError, ValueError)
"""What a connection to a stranger may end with."""
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding a stranger's JSON may raise."""


class Overloaded(Exception):
    """The node asks to come back later (HTTP 429 or 503 with Retry-After); never leaves this package."""

    def __init__(self, error: GrootboekError, after: float) -> None:
        """``after``: in so many seconds."""
        super().__init__(str(error))
        self.error = error
        self.after = after


class Node:
    """One node's address and health."""

    def __init__(self, name: str, url: str, certificates: Sequence[str]) -> None:
        """``url``: ``https://host:port``, without a path; ``certificates``: base64 of DER, each of which it
        may show. Raises ConfigError.
        """
        self.name = name
        self.key = (url, *certificates)
        """What makes it another node under the same name."""
        self.url = url
        self.context = _context(certificates)
        self.failures = 0
        self.rests_until = 0.0
        """Event loop time until which it is passed over."""

    def failed(self, now: float, seconds: float = 0.0) -> None:
        """Pass it over for a while; ``seconds``: what it asked for itself."""
        self.failures += 1
        backoff = min(BACKOFF_CAP_SECONDS, BACKOFF_SECONDS * 2 ** min(self.failures - 1, 10))
        self.rests_until = now + max(seconds, backoff)

    def worked(self) -> None:
        """It answered."""
        self.failures = 0
        self.rests_until = 0.0


class Nodes:
    """The nodes of one client, over one pool of connections."""

    def __init__(self, epoch: Epoch, names: Sequence[str] = (), *, connections: int = 64) -> None:
        """``names``: replicas' names or ``host:port``; empty: every replica of ``epoch``, the last known.

        ``connections``: at most so many to one node. A name that ``epoch`` does not have may be that of a
        replica that joined later: ``follow``.
        """
        self.names = tuple(names)
        """Those that were chosen; empty: all."""
        self._nodes: dict[str, Node | None] = {}
        """By the name that was chosen; None where no epoch has had it, as far as is known."""
        self._replicas: set[str] = set()
        """The names of all that epochs have had."""
        self._turn = itertools.count()
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None
        self.follow(epoch)

    def follow(self, epoch: Epoch) -> None:
        """The replicas of ``epoch`` run the ledger now: ask those, or the chosen ones with their keys of now.

        A chosen one that has left stays what it was.
        """
        present = [replica.name for replica in epoch.replicas]
        self._nodes = {name: self._node(epoch, name) for name in self.names or present}
        self._replicas.update(present)
        self.found = tuple({node.name: node for node in self._nodes.values() if node is not None}.values())
        """Those that are known."""
        self.enough = min(epoch.quorum.weak, len(self.found))
        """So many nodes agree only if a correct one does (or all that the client knows do)."""

    def _node(self, epoch: Epoch, name: str) -> Node | None:
        """A node by its replica's name, or by ``host:port`` of a replica's API or of a way to one."""
        before = self._nodes.get(name)
        for replica in epoch.replicas:
            if name in {replica.name, replica.api}:
                node = Node(replica.name, f"https://{replica.api}", [replica.api_certificate])
                return before if before is not None and before.key == node.key else node
        if before is not None and before.name in self._replicas:
            return before
        host, _, port = name.rpartition(":")
        if not host or not port.isascii() or not port.isdecimal() or not 0 < int(port[:6]) <= MAX_PORT:
            return None
        return Node(name, f"https://{name}", [replica.api_certificate for replica in epoch.replicas])

    @property
    def missing(self) -> str | None:
        """A chosen name that no epoch has had, as far as is known."""
        return next((name for name, node in self._nodes.items() if node is None), None)

    def require(self) -> None:
        """Raises ConfigError where a chosen one is missing."""
        if self.missing is not None:
            known = ", ".join(sorted(self._replicas))
            what = f"{self.missing!r} is neither host:port nor a replica (there are {known})"
            raise ConfigError(what, where="--node")

    @property
    def all(self) -> tuple[Node, ...]:
        """Those that may be asked. Raises ConfigError where a chosen one is missing."""
        self.require()
        return self.found

    def pick(self, now: float, exclude: Collection[str] = ()) -> Node:
        """The next node in turn that seems well and is not in ``exclude`` (if any other is left)."""
        left = [node for node in self.all if node.name not in exclude] or list(self.all)
        well = [node for node in left if node.rests_until <= now]
        if well:
            return well[next(self._turn) % len(well)]
        return min(left, key=lambda node: node.rests_until)

    def any_well(self, now: float, exclude: Collection[str] = ()) -> bool:
        """Whether a node that is not in ``exclude`` need not be waited for."""
        return any(node.rests_until <= now for node in self.all if node.name not in exclude)

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def request(
        self,
        node: Node,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        accept: str = webapi.JSON,
        seconds: float,
    ) -> bytes:
        """The body of a good answer.

        Raises the error that the node names, Overloaded where it asks to wait, Unavailable where
        nothing comes within ``seconds``, BadAnswer where the answer is unreadable.
        """
        now = asyncio.get_running_loop().time
        try:
            async with self._open(node, method, path, body=body, accept=accept, seconds=seconds) as answer:
                data = await read_body(answer)
        except BROKEN as error:
            node.failed(now())
            raise Unavailable(_reason(error), where=node.name) from error
        if answer.status == HTTPStatus.OK:
            node.worked()
            return data
        refusal = refusal_of(node, answer.status, data)
        if answer.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
            after = _retry_after(answer)
            node.failed(now(), after)
            raise Overloaded(refusal, after)
        if isinstance(refusal, BadAnswer | InternalError):
            node.failed(now())
        raise refusal

    def _open(
        self, node: Node, method: str, path: str, *, body: bytes | None, accept: str, seconds: float
    ) -> "aiohttp.client._RequestContextManager":
        return self.session.request(
            method,
            node.url + path,
            data=body,
            ssl=node.context,
            headers={"Accept": accept, "Content-Type": webapi.OCTETS} if body else {"Accept": accept},
            timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS),
            allow_redirects=False,
        )

    @property
    def session(self) -> aiohttp.ClientSession:
        """The shared session; made on first use, because it belongs to the running loop."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, limit_per_host=self._connections)
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            )
        return self._session


async def read_body(answer: aiohttp.ClientResponse) -> bytes:
    """The whole body; raises ValueError where it is longer than any answer may be."""
    data = bytearray()
    async for chunk in answer.content.iter_any():
        data += chunk
        if len(data) > ANSWER_BYTES:
            raise ValueError(f"the answer is longer than {ANSWER_BYTES} bytes")
    return bytes(data)


def _reason(error: Exception) -> str:
    """Why a request failed; aiohttp wraps what the system said into talk of its own objects."""
    return str(error.__cause__ or error) or type(error).__name__


def refusal_of(node: Node, status: int, data: bytes) -> GrootboekError:
    """The error that an answer with another status than 200 stands for."""
    try:
        return webapi.error_of(msgspec.json.decode(data, type=webapi.ErrorBody))
    except UNREADABLE:
        return BadAnswer(f"HTTP status {status}", where=node.name)


def _retry_after(answer: aiohttp.ClientResponse) -> float:
    text = answer.headers.get("Retry-After", "")
    seconds = float(text) if text.isascii() and text.isdecimal() else RETRY_AFTER_SECONDS
    return min(seconds, RETRY_AFTER_CAP_SECONDS)


def _context(certificates: Sequence[str]) -> ssl.SSLContext:
    """TLS 1.3 that trusts exactly these servers (base64 of DER); raises ConfigError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    try:
        context.load_verify_locations(cadata=b"".join(base64.b64decode(text) for text in certificates))
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(str(error), where="$.replicas[].api_certificate") from error
    return context
