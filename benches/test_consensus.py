"""The consensus core: decisions of four replicas in memory, votes signed and checked, nothing stored."""

from collections import deque
from itertools import count

import pytest

from benches.ledgers import CHAIN
from benches.measuring import Measure
from grootboek import wire
from grootboek._core import SigningKey, digest, verify_many
from grootboek.consensus import (
    Broadcast,
    Checks,
    Config,
    Effect,
    Event,
    Execute,
    Executed,
    Heard,
    Position,
    Received,
    Replica,
    Send,
    Stored,
    Submitted,
)
from grootboek.types import Limits

pytestmark = pytest.mark.benchmark(group="consensus")

NOW = 1_700_000_000_000
DECISIONS = 200
NO_SIGNATURE = bytes(64)


class Member:
    """One replica with its keys, its checks, and a ledger that only counts."""

    def __init__(self, me: int, n: int, voting: list[SigningKey], *, check: bool) -> None:
        self._key = voting[me]
        self._me = me
        self._check = check
        public = [key.public for key in voting]
        self._checks = Checks(CHAIN, 0, public, public, Limits().window)
        self.replica = Replica(Config(CHAIN, 0, me, n, Limits()), self._sign)
        self.blocks = 0
        self.events: list[Event] = []
        """All that its core was told."""

    def handle(self, event: Event) -> list[Effect]:
        self.events.append(event)
        return self.replica.handle(event, NOW)

    def _sign(self, payload: bytes) -> wire.Signed:
        return wire.Signed(self._me, payload, self._key.sign(wire.message_bytes(CHAIN, 0, self._me, payload)))

    def receive(self, sender: int, frame: wire.Frame) -> list[Effect]:
        if isinstance(frame, wire.Checkpoint | wire.Status):
            return self.handle(Heard(sender, frame))
        if not isinstance(frame, wire.Envelope):
            return []
        if self._check:
            message, obligations = self._checks.signed(frame.signed)
            assert all(verify_many(obligations, cofactorless=True))
        else:
            message = wire.decode(wire.protocol_messages, frame.signed.payload)
        return self.handle(Received(sender, message, frame.signed))

    def execute(self, seq: int) -> list[Effect]:
        self.blocks += 1
        block = wire.BLOCK_ENTRY + wire.encode(
            wire.BlockEntry(
                height=self.blocks,
                seq=seq,
                time=NOW,
                epoch=0,
                transactions=0,
                records=0,
                duplicates=0,
                expired=0,
                state=bytes(32),
                modules=(),
            )
        )
        cosignature = wire.Cosignature(self._me, NOW // 1_000, bytes(64))
        executed = Executed(seq, self.blocks, digest(block), block, (), cosignature)
        return self.handle(executed) + self.handle(Stored(seq))


class Cluster:
    """Members joined by a queue that loses nothing."""

    def __init__(self, n: int, *, check: bool) -> None:
        voting = [SigningKey(digest(b"bench voting key %d" % me)) for me in range(n)]
        self.members = [Member(me, n, voting, check=check) for me in range(n)]
        self._queue: deque[tuple[int, int, wire.Frame]] = deque()
        for me, member in enumerate(self.members):
            self._perform(me, member.replica.start(Position(None, None), (), NOW))
        self._deliver()

    def decide(self, batch: bytes) -> None:
        """Order and execute one batch everywhere."""
        for me, member in enumerate(self.members):
            self._perform(me, member.handle(Submitted(batch, 1_000, 250_000, own=me == 0)))
        self._deliver()

    def _deliver(self) -> None:
        while self._queue:
            sender, to, frame = self._queue.popleft()
            self._perform(to, self.members[to].receive(sender, frame))

    def _perform(self, me: int, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Broadcast(frame):
                    self._queue.extend((me, to, frame) for to in range(len(self.members)) if to != me)
                case Send(to, frame):
                    self._queue.append((me, to, frame))
                case Execute(seq):
                    self._perform(me, self.members[me].execute(seq))


@pytest.mark.parametrize("check", [True, False], ids=["signatures-checked", "rules-only"])
@pytest.mark.parametrize("n", [4, 7])
def test_decisions(measure: Measure, n: int, *, check: bool) -> None:
    cluster = Cluster(n, check=check)
    numbers = count()
    measure(lambda: cluster.decide(digest(b"batch %d" % next(numbers))), of="decisions")
    assert {member.blocks for member in cluster.members} == {next(numbers)}


@pytest.mark.parametrize("me", [0, 1], ids=["primary", "backup"])
def test_core_alone(measure: Measure, me: int) -> None:
    """The core's own share of ``DECISIONS`` sequence numbers at one replica of four: no signature, no codec.

    A pure function can be told again what it was told: the time of a run by the number of decisions is
    what one decision costs one replica.
    """
    cluster = Cluster(4, check=False)
    for number in range(DECISIONS):
        cluster.decide(digest(b"batch %d" % number))
    events = cluster.members[me].events

    def unsigned(payload: bytes) -> wire.Signed:
        return wire.Signed(me, payload, NO_SIGNATURE)

    def again() -> int:
        replica = Replica(Config(CHAIN, 0, me, 4, Limits()), unsigned)
        replica.start(Position(None, None), (), NOW)
        for event in events:
            replica.handle(event, NOW)
        return replica.executed

    assert again() == DECISIONS
    measure(again, items=DECISIONS, of="decisions")
