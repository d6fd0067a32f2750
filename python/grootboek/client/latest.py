"""Where a linearizable read has to read: at or above every block that anybody was told of before it began.

Nobody is told of a block before q replicas have cosigned it, after they had executed it. Any q replicas that
say how long their logs are share a correct one with those: the longest of their logs has the block. What they
say is not proven, and need not be. ``docs/spec/consensus.md`` has the argument, with losses of power and
changes of epoch.
"""

import asyncio
import contextlib
from functools import partial
from typing import Final

from grootboek import plain, webapi
from grootboek.client.answers import verify_certificate
from grootboek.client.epochs import Follower
from grootboek.client.nodes import Node, Nodes
from grootboek.client.verifier import Verifier
from grootboek.errors import ConfigError, GrootboekError, NotFound, Unavailable
from grootboek.types import Epoch
from grootboek.webapi import NodeStatus

__all__ = ["Latest", "read_status"]

PAUSE_SECONDS: Final = 0.05
"""Between two questions to a node whose answer can only change with time."""
PATIENCE_SECONDS: Final = 30.0
"""How long a quorum may take: longer than some view changes."""


def read_status(data: bytes) -> NodeStatus:
    """Where a node says that it is."""
    status: NodeStatus = plain.from_json(NodeStatus, data)
    return status


class _Said:
    """What the replicas of one epoch say."""

    def __init__(self, epoch: Epoch) -> None:
        self.epoch = epoch
        self.news = asyncio.Event()
        self._sizes: dict[str, int] = {}

    def size(self, replica: str, size: int) -> None:
        """A replica has a log of ``size`` entries, and has signed for no longer one."""
        self._sizes[replica] = size
        self.news.set()

    @property
    def wanted(self) -> int | None:
        """How long a log must be to have all that was certified before; None while that is not known.

        More answers never make it longer: a liar's exaggeration ends when a quorum has told the truth.
        """
        return self.epoch.reached(self._sizes.values())


class Latest:
    """Finds the height of a linearizable read."""

    def __init__(self, nodes: Nodes, verifier: Verifier, follower: Follower) -> None:
        self._nodes = nodes
        self._verifier = verifier
        self._follower = follower

    async def height(self) -> int:
        """A certified height at or above that of all that was certified before the call; 0 where nothing was.

        Raises Unavailable where no quorum of the replicas answers, ConfigError where fewer are known.
        """
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (height := await self._in(self._verifier.epochs.last)) is None:
                    pass
                return height
        except TimeoutError as error:
            raise Unavailable("no quorum of the replicas has said how far the ledger is") from error

    async def _in(self, epoch: Epoch) -> int | None:
        """The height, found with the replicas of ``epoch``; None where that is not the last one any more."""
        replicas = [node for node in self._nodes.all if epoch.index(node.name) is not None]
        if len(replicas) < epoch.quorum.quorum:
            detail = f"{len(replicas)} replicas may be asked, a linearizable read needs {epoch.quorum.quorum}"
            raise ConfigError(detail, where="nodes")
        said = _Said(epoch)
        listeners = [asyncio.create_task(self._listen(node, said)) for node in replicas]
        try:
            while self._verifier.epochs.last is epoch:
                said.news.clear()
                height = None if said.wanted is None else await self._certified(said.wanted)
                if height is not None:
                    return height
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(said.news.wait(), PAUSE_SECONDS)
            return None
        finally:
            for listener in listeners:
                listener.cancel()
            await asyncio.gather(*listeners, return_exceptions=True)

    async def _listen(self, node: Node, said: _Said) -> None:
        """Ask one replica until its answer counts."""
        while True:
            with contextlib.suppress(GrootboekError):
                status = await self._follower.ask(node, "/v1/status", read_status)
                if status.epoch > said.epoch.number:
                    await self._follower.learn(node)
                elif status.complete:
                    said.size(node.name, status.size)
                    return
            await asyncio.sleep(PAUSE_SECONDS)

    async def _certified(self, size: int) -> int | None:
        """The height that some node has certified, of a log of at least ``size`` entries; None where it is
        not that far.
        """
        node = self._nodes.pick(asyncio.get_running_loop().time())
        check = partial(verify_certificate, self._verifier)
        try:
            certificate, block = await self._follower.ask(node, "/v1/certificate", check, webapi.MSGPACK)
        except NotFound:
            return None if size else 0
        except GrootboekError:
            return None
        return block.height if certificate.size >= size else None
