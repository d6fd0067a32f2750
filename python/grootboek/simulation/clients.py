"""The simulated clients: they submit, wait, and submit the same bytes again until they are answered."""

import random
from collections.abc import Callable, Sequence

import msgspec

from grootboek._core import SigningKey
from grootboek.modules.records import Anchor, DocumentKey
from grootboek.node import submitting
from grootboek.node.intake import Request
from grootboek.simulation.founding import known_key
from grootboek.simulation.heap import EPOCH_MS, Heap
from grootboek.simulation.history import History
from grootboek.simulation.membership import GOVERNOR_KEY
from grootboek.simulation.monitor import Monitor
from grootboek.simulation.replica import SimulatedReplica
from grootboek.types import Chain
from grootboek.wire import Command

__all__ = ["Clients", "transaction"]

CLIENTS = 8
RETRY_US = 1_000_000
AGAIN_AT_ONCE = 100
"""How many unanswered transactions are submitted again in a second, the oldest first."""
VALID_MS = 500_000


class Clients:
    """All clients together. ``make(i)`` gives the command of the i-th transaction: an Anchor of digest i."""

    def __init__(
        self,
        heap: Heap,
        rng: random.Random,
        replicas: Sequence[SimulatedReplica],
        monitor: Monitor,
        make: Callable[[int], Command],
    ) -> None:
        self.submitted = 0
        self.waiting: dict[int, tuple[bytes, bytes]] = {}
        """By number: the id and the bytes of what has no answer yet."""
        genesis = replicas[0].genesis
        self.history = History(heap, genesis.founding, replicas, monitor.faulty)
        self._chain = genesis.chain
        self._heap = heap
        self._rng = rng
        self._replicas = replicas
        self._monitor = monitor
        self._make = make
        self._keys = [known_key("client", i) for i in range(CLIENTS)]

    def start(self, period_us: int, until_us: int) -> None:
        """Submit one transaction every ``period_us`` (0: none), and repeat what stays unanswered."""
        if period_us:
            self._heap.after(period_us, lambda: self._next(period_us, until_us))
        self._heap.after(RETRY_US, self._again)

    def burst(self, count: int) -> None:
        """Many at once."""
        for _ in range(count):
            self._submit_new()

    def govern(self, command: Command) -> None:
        """The governor's command, submitted until it is answered."""
        number = self.submitted
        self.submitted += 1
        self.waiting[number] = transaction(self._chain, GOVERNOR_KEY, number, command)
        self._submit(number)

    def garbage(self, target: SimulatedReplica) -> None:
        """A request that is half good: a new transaction, and one with a broken signature."""
        if not target.alive:
            return
        good, bad = (self._written(self.submitted + 1_000_000 + i)[1] for i in range(2))
        target.submit(good + bad[:-200] + bytes([bad[-200] ^ 1]) + bad[-199:], lambda _request: None)

    def _next(self, period_us: int, until_us: int) -> None:
        if self._heap.now_us < until_us:
            self._submit_new()
            self.history.doubt()
            self._heap.after(period_us, lambda: self._next(period_us, until_us))

    def _again(self) -> None:
        for number in list(self.waiting)[:AGAIN_AT_ONCE]:
            self._submit(number)
        self.history.doubt()
        self._heap.after(RETRY_US, self._again)

    def _submit_new(self) -> None:
        number = self.submitted
        self.submitted += 1
        self.waiting[number] = self._written(number)
        self._submit(number)

    def _written(self, number: int) -> tuple[bytes, bytes]:
        """A new transaction, which is a write from now on, whether it is answered or not."""
        command, client = self._make(number), number % CLIENTS
        identity, body = self._signed(number, command)
        anchor = msgspec.msgpack.decode(command.body, type=Anchor)
        document = DocumentKey(owner=self._keys[client].public, key=anchor.key)
        self.history.submitted(number, client, identity, document)
        return identity, body

    def _signed(self, number: int, command: Command) -> tuple[bytes, bytes]:
        key, expiry = self._keys[number % CLIENTS], self._heap.now_ms + VALID_MS
        return transaction(self._chain, key, number, command, expiry)

    def _submit(self, number: int) -> None:
        """To a random live replica."""
        alive = [replica for replica in self._replicas if replica.alive]
        if not alive or number not in self.waiting:
            return
        identity, body = self.waiting[number]

        def done(request: Request) -> None:
            if self._monitor.answered([identity], request):
                self.waiting.pop(number, None)
                self.history.answers.append((number, request))

        self._rng.choice(alive).submit(body, done)


def transaction(
    chain: Chain, key: SigningKey, nonce: int, command: Command, expiry: int = EPOCH_MS + VALID_MS
) -> tuple[bytes, bytes]:
    """The id and the framed bytes of a transaction of one command, valid for a whole run by default."""
    return submitting.transaction(chain, key, nonce, command, expiry=expiry, atomic=True)
