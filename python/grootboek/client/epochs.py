"""Following a ledger from epoch to epoch: its nodes change, and who signs for it."""

from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from grootboek import proofs, webapi, wire
from grootboek.client.nodes import UNREADABLE, Node, Nodes, Overloaded
from grootboek.client.verifier import Verifier
from grootboek.errors import BadAnswer, BadCertificate, BadFrame, GrootboekError, Unavailable

__all__ = ["Follower"]

T = TypeVar("T")

ANSWER_SECONDS: Final = 15.0
"""How long one node may take to answer a read."""
FIND_SECONDS: Final = 3.0
"""And to tell a new client which epochs there are."""


class Follower:
    """Judges what nodes answer; where an epoch is unknown it asks for the hand-overs that lead to it.

    A hand-over needs no trust in the node that gives it: the replicas before it have signed it.
    """

    def __init__(self, nodes: Nodes, verifier: Verifier) -> None:
        """``nodes`` become those of each epoch that ``verifier`` learns of."""
        self._nodes = nodes
        self._verifier = verifier
        self._followed = verifier.epochs.last.number

    async def ask(self, node: Node, path: str, check: Callable[[bytes], T], accept: str = webapi.JSON) -> T:
        """What ``check`` makes of a node's answer to a read.

        Raises the error that the node names, Unavailable where it has none or asks to wait, BadAnswer, and
        as ``check`` does.
        """
        try:
            data = await self._nodes.request(node, "GET", path, accept=accept, seconds=ANSWER_SECONDS)
            return await self.judge(node, data, check)
        except Overloaded as busy:
            raise Unavailable(str(busy.error), where=node.name) from busy
        except (BadFrame, *UNREADABLE) as error:
            raise BadAnswer(str(error), where=node.name) from error

    async def judge(self, node: Node, data: bytes, check: Callable[[bytes], T]) -> T:
        """What ``check`` makes of a node's answer; raises as it does."""
        try:
            result = check(data)
        except BadCertificate:
            if not await self.learn(node):
                raise
            result = check(data)
        self._follow()
        return result

    async def find(self) -> None:
        """Find the chosen nodes as they are now: some may have joined since the founding, or have other keys.

        Raises ConfigError where there is no such node.
        """
        if self._nodes.names:
            for node in self._who_may_know():
                if await self._ask_for_epochs(node, FIND_SECONDS) and self._nodes.missing is None:
                    return
            self._nodes.require()

    def _who_may_know(self) -> Iterator[Node]:
        """The chosen nodes; where they do not answer, any other, which costs nothing before that."""
        yield from self._nodes.found
        yield from Nodes(self._verifier.epochs.last).all

    async def learn(self, node: Node) -> bool:
        """Ask a node for epochs that are new here: whether there are any."""
        before = self._verifier.epochs.last.number
        answered = await self._ask_for_epochs(node, ANSWER_SECONDS)
        return answered and self._verifier.epochs.last.number > before

    async def _ask_for_epochs(self, node: Node, seconds: float) -> bool:
        """Whether it answered; what it told is known then."""
        epochs = self._verifier.epochs
        path = f"/v1/handovers?epoch={epochs.last.number}"
        try:
            data = await self._nodes.request(node, "GET", path, accept=webapi.MSGPACK, seconds=seconds)
            epochs.learn(wire.decode(proofs.handover_lists, data).handovers)
        except (GrootboekError, Overloaded):
            return False
        self._follow()
        return True

    def _follow(self) -> None:
        last = self._verifier.epochs.last
        if last.number > self._followed:
            self._followed = last.number
            self._nodes.follow(last)
