"""A TCP proxy between every two replicas, whose paths can be slowed, narrowed, held up, cut and reset.

What travels is TLS over TCP, so a proxy can do no more to one direction of one connection than the network
below TCP does: bytes come late, in pieces, after a gap, or not at all; never in another order, and never
with one of them missing. A lost packet is a gap of a retransmission's time for all behind it. Order changes
only between connections and directions. A cut path holds what was sent, as the sender's kernel would, and
no connection is made over it before it heals.

Each replica's address in the genesis file is one of ours; it listens elsewhere, and dials from a source
address of its own, by which the proxy knows whose connection it is.
"""

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Final, Self

from grootboek.network.addresses import split_address

__all__ = ["Pair", "Path", "Proxy", "source_of"]

Pair = tuple[int, int]
"""From one replica to another."""
Accept = Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]

RETRANSMISSION_SECONDS: Final = 0.2
"""What a lost packet costs: the least retransmission time of Linux."""
PIECE_BYTES: Final = 16 << 10
PIECES: Final = 64
"""So many of one path's are on their way; beyond that the sender's kernel has to keep them."""
RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: closing sends RST."""


def source_of(k: int) -> str:
    """The address that replica ``k`` dials from."""
    return f"127.0.0.{10 + k}"


class Path:
    """How bytes travel from one replica to another. Seconds, bytes."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.delay = 0.0
        self.jitter = 0.0
        """Up to so much more, drawn for each piece."""
        self.loss = 0.0
        """The probability that a piece has to be sent again."""
        self.rate = 0.0
        """Bytes in a second; 0 for no limit."""
        self.passable = asyncio.Event()
        self.passable.set()

    @property
    def cut(self) -> bool:
        """Nothing arrives; what was sent waits."""
        return not self.passable.is_set()

    @cut.setter
    def cut(self, cut: bool) -> None:
        (self.passable.clear if cut else self.passable.set)()

    def arrival(self, now: float, before: float, size: int) -> float:
        """When a piece arrives that is sent now, behind one that arrives at ``before``."""
        late = RETRANSMISSION_SECONDS if self._rng.random() < self.loss else 0.0
        due = max(before, now + self.delay + self._rng.uniform(0, self.jitter) + late)
        return due + (size / self.rate if self.rate else 0.0)


class Proxy:
    """Listens for each replica, and connects to where it really listens."""

    def __init__(self, addresses: Sequence[str], targets: Sequence[str], seed: int = 0) -> None:
        """``addresses``: those of the genesis file, by replica; ``targets``: where the replicas listen."""
        rng = random.Random(seed)
        self._addresses = [split_address(text) for text in addresses]
        self._targets = [split_address(text) for text in targets]
        replicas = range(len(addresses))
        self.paths = {(a, b): Path(rng) for a in replicas for b in replicas if a != b}
        self._diallers = {source_of(k): k for k in replicas}
        self._servers: list[asyncio.Server] = []
        self._connections: dict[asyncio.Task[None], Pair] = {}
        """Each with its dialler and its target."""

    async def __aenter__(self) -> Self:
        for target, (host, port) in enumerate(self._addresses):
            self._servers.append(await asyncio.start_server(self._accepting(target), host, port))
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()
        await _end(list(self._connections))
        await asyncio.sleep(0)  # aborted transports close when the loop comes round

    @contextlib.asynccontextmanager
    async def changed(self, pairs: Iterable[Pair], **changes: float) -> AsyncIterator[None]:
        """Fields of these paths have other values until the block ends."""
        paths = [self.paths[pair] for pair in pairs]
        before = [{field: getattr(path, field) for field in changes} for path in paths]
        _change(paths, [changes] * len(paths))
        try:
            yield
        finally:
            _change(paths, before)

    async def reset(self, pairs: Iterable[Pair]) -> int:
        """Break the connections between these, whoever dialled: how many there were."""
        wanted = {frozenset(pair) for pair in pairs}
        broken = [task for task, pair in self._connections.items() if frozenset(pair) in wanted]
        await _end(broken)
        return len(broken)

    # --- connections -----------------------------------------------------------------------------

    def _accepting(self, target: int) -> Accept:
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            pair = self._diallers[writer.get_extra_info("peername")[0]], target
            task = asyncio.create_task(self._relay(pair, reader, writer))
            self._connections[task] = pair
            task.add_done_callback(lambda done: self._over(done, writer))

        return accept

    def _over(self, task: asyncio.Task[None], writer: asyncio.StreamWriter) -> None:
        """A connection is over, perhaps before anything was done for it."""
        del self._connections[task]
        _reset(writer)

    async def _relay(self, pair: Pair, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry both directions until one side is gone, and the other has been told."""
        there, back = self.paths[pair], self.paths[pair[::-1]]
        await there.passable.wait()
        await back.passable.wait()
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._targets[pair[1]])
        except OSError:
            return  # it is down
        pumps = [
            asyncio.create_task(_pump(reader, far_writer, there)),
            asyncio.create_task(_pump(far_reader, writer, back)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            _reset(far_writer)
            await _end(pumps)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: Path) -> None:
    """Carry one direction until its end has arrived."""
    pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(PIECES)
    sending = asyncio.create_task(_send(reader, pieces, path))
    now = asyncio.get_running_loop().time
    try:
        while True:
            due, piece = await pieces.get()
            await asyncio.sleep(due - now())
            await path.passable.wait()
            if not piece:
                return
            writer.write(piece)
            await writer.drain()
    except OSError:
        return  # nobody is there to take it
    finally:
        await _end([sending])


async def _send(reader: asyncio.StreamReader, pieces: asyncio.Queue[tuple[float, bytes]], path: Path) -> None:
    now = asyncio.get_running_loop().time
    piece, due = b"?", 0.0
    while piece:
        try:
            piece = await reader.read(PIECE_BYTES)
        except OSError:
            piece = b""
        due = path.arrival(now(), due, len(piece))
        await pieces.put((due, piece))


def _change(paths: Sequence[Path], changes: Sequence[dict[str, float]]) -> None:
    for path, fields in zip(paths, changes, strict=True):
        for field, value in fields.items():
            setattr(path, field, value)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close at once, with RST where the other side is still there."""
    sock: socket.socket | None = writer.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
