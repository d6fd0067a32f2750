"""A flood delays nobody but its sender: over clients at one replica, and over replicas (PL6)."""

from grootboek.node.intake import Request
from grootboek.node.judging import judge_request
from grootboek.proofs import Final
from grootboek.simulation.founding import known_key
from grootboek.types import Limits
from grootboek.wire import Batch
from tests.node.cluster import Cluster

LIMITS = Limits(window=16, batch_transactions=10, block_batches=4, pool_transactions=200)
"""So small that a flood fills everything."""
TICK_MS = 20
TICKS = 40
QUOTA = 2
"""What each client submits in a tick."""
FLOOD = 10
"""How many times that much one of them submits, if it floods."""
CLIENTS = ("a", "b", "c", "d")


class Offered:
    """Clients of replica 1 that submit at a steady pace, and what each of them got."""

    def __init__(self) -> None:
        self.cluster = Cluster(limits=LIMITS).start()
        self.done = dict.fromkeys(CLIENTS, 0)
        self.refused = dict.fromkeys(CLIENTS, 0)
        self._number = 0
        for replica in self.cluster.replicas:
            replica.slow_us = 15_000

    def frame(self, client: str) -> bytes:
        self._number += 1
        return self.cluster.prepared(self._number, key=known_key("flood", client)).frame

    def submit(self, client: str) -> None:
        target = self.cluster.replicas[1]

        def done(request: Request) -> None:
            final = isinstance(request.settled[0], Final)
            (self.done if final else self.refused)[client] += 1

        batch = judge_request(self.frame(client), self.cluster.genesis)
        target._do(target.engine.submit(batch, self.cluster.heap.now_ms, done))

    def run(self, flooding: str = "") -> "Offered":
        for _ in range(TICKS):
            for client in CLIENTS:
                for _ in range(QUOTA * (FLOOD if client == flooding else 1)):
                    self.submit(client)
            self.cluster.run(TICK_MS)
        return self


def test_a_client_at_ten_times_its_quota_leaves_the_others_their_share() -> None:
    calm, flooded = Offered().run(), Offered().run("d")
    assert flooded.refused["d"] > TICKS  # the flood is more than the ledger takes
    for client in CLIENTS[:3]:
        assert 10 * flooded.done[client] >= 8 * calm.done[client] > 0
    assert sum(flooded.done.values()) > sum(calm.done.values())


def test_a_replica_that_floods_batches_leaves_the_other_origins_their_share() -> None:
    calm, flooded = Offered().run(), Offered()
    for _ in range(TICKS):
        for client in CLIENTS:
            for _ in range(QUOTA):
                flooded.submit(client)
        for _ in range(20):
            body = Batch(flooded.frame("flood"))
            for replica in flooded.cluster.replicas[:3]:
                replica.receive(3, body)
        flooded.cluster.run(TICK_MS)
    assert flooded.cluster.engine(0).counters.batches_refused  # more than one origin may have waiting
    for client in CLIENTS:
        assert 10 * flooded.done[client] >= 8 * calm.done[client] > 0
    assert {replica.engine.replica.view for replica in flooded.cluster.replicas} == {0}
