"""A small ledger's worth of replicas with real keys, certificates and loopback ports."""

import asyncio
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from grootboek._core import SigningKey
from grootboek.network import Credentials, Mesh, MeshLimits
from grootboek.node.keystore import ReplicaKeys
from grootboek.node.localnet import free_ports
from grootboek.types import Genesis, Limits
from grootboek.wire import Frame

QUICK = MeshLimits(redial_first=0.01, redial_cap=0.05)
Deliver = Callable[[int, Frame], Awaitable[None] | None]


class Inbox:
    """What one replica received, and a way to wait for it."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, Frame]] = []
        self.connected: list[int] = []
        self.lost: list[int] = []
        self._news = asyncio.Event()

    def deliver(self, sender: int, frame: Frame) -> None:
        self.frames.append((sender, frame))
        self._news.set()

    def on_connected(self, peer: int) -> None:
        self.connected.append(peer)
        self._news.set()

    def on_lost(self, peer: int) -> None:
        self.lost.append(peer)
        self._news.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not holds():
                self._news.clear()
                await self._news.wait()


class Site:
    """Genesis, keys and running meshes of ``n`` replicas."""

    def __init__(self, n: int, limits: Limits | None = None) -> None:
        self.keys = [ReplicaKeys.generate(f"replica-{i}") for i in range(n)]
        ports = free_ports(2 * n)
        self.genesis = Genesis(
            name="localnet/mesh",
            time=0,
            limits=limits or Limits(),
            modules={},
            replicas=tuple(
                keys.public(f"127.0.0.1:{ports[2 * i]}", f"127.0.0.1:{ports[2 * i + 1]}")
                for i, keys in enumerate(self.keys)
            ),
        )
        self.inboxes = [Inbox() for _ in range(n)]
        self.meshes: list[Mesh] = []

    def credentials(self, i: int) -> Credentials:
        return Credentials(SigningKey(self.keys[i].voting), self.keys[i].transport)

    async def start(
        self,
        i: int,
        *,
        deliver: Deliver | None = None,
        limits: MeshLimits = QUICK,
        genesis: Genesis | None = None,
        epoch: int = 0,
        source: str | None = None,
    ) -> Mesh:
        inbox = self.inboxes[i]
        mesh = Mesh(
            i,
            genesis or self.genesis,
            replace((genesis or self.genesis).founding, number=epoch),
            self.credentials(i),
            deliver=deliver or inbox.deliver,
            connected=inbox.on_connected,
            lost=inbox.on_lost,
            limits=limits,
            source=source,
        )
        self.meshes.append(mesh)
        await mesh.start()
        return mesh

    async def all_connected(self) -> list[Mesh]:
        """Start all, and wait until each is connected to each."""
        meshes = [await self.start(i) for i in range(len(self.keys))]
        others = len(meshes) - 1
        for inbox in self.inboxes:
            await inbox.until(lambda inbox=inbox: len(inbox.connected) == others)  # type: ignore[misc]  # bound now
        return meshes

    async def close(self) -> None:
        await asyncio.gather(*(mesh.close() for mesh in self.meshes))
