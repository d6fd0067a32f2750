"""One faulty peer sends each kind of frame far above any quota: what is held stays below its cap."""

import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from grootboek.transfer import Chunk, FetchChunk, FetchSnapshot, Manifest, Offer
from grootboek.types import Limits
from grootboek.wire import (
    Batch,
    Checkpoint,
    Commit,
    Entries,
    Envelope,
    Evidence,
    FetchBatch,
    FetchEntries,
    Frame,
    NewView,
    Prepare,
    PrePrepare,
    ProtocolMessage,
    Status,
    Suspect,
    ViewChange,
    encode,
)
from tests.hostile.faulty import FAULTY, VICTIM, D, Faulty
from tests.hostile.test_table import assert_sound
from tests.node.cluster import Cluster

WINDOW = 8
COUNT = 1_000
LIMITS = Limits(window=WINDOW, pool_bytes=20_000, pool_transactions=200)
GROWTH_BYTES = 2_000_000
"""By how much the victim may grow while it is flooded with some ten times that."""


def digest(number: int) -> bytes:
    return number.to_bytes(32, "big")


def enveloped(f: Faulty, build: Callable[[int], ProtocolMessage]) -> Iterator[Frame]:
    return (Envelope(f.sign(build(number))) for number in range(COUNT))


FLOODS: dict[type, Callable[[Faulty], Iterator[Frame]]] = {
    PrePrepare: lambda f: enveloped(
        f, lambda n: PrePrepare(2 + 4 * n, f.next + n % (2 * WINDOW), f.now, (digest(n),) * 16)
    ),
    Prepare: lambda f: enveloped(f, lambda n: Prepare(n % 7, f.next + n % (9 * WINDOW), digest(n))),
    Commit: lambda f: enveloped(f, lambda n: Commit(n % 7 * 2**40, f.next + n % (9 * WINDOW), digest(n))),
    ViewChange: lambda f: enveloped(f, lambda n: ViewChange(n * 2**20, f.certificate, ())),
    NewView: lambda f: enveloped(f, lambda n: NewView(2 + 4 * n, f.wishes(2 + 4 * n)[:1] * 3, ())),
    Checkpoint: lambda f: (f.checkpoint(100 + number * 2**20, D) for number in range(COUNT)),
    Status: lambda f: (Status(n % 3 * 2**40, n % 2 == 0, n, f.certificate) for n in range(COUNT)),
    Batch: lambda f: (Batch(f.body(10_000 + number, commands=2)) for number in range(COUNT)),
    FetchBatch: lambda _: (FetchBatch(tuple(digest(64 * n + i) for i in range(64))) for n in range(COUNT)),
    FetchEntries: lambda f: (FetchEntries(0, f.certificate.size) for _ in range(COUNT)),
    Suspect: lambda _: (Suspect(n % 3) for n in range(COUNT)),
    Evidence: lambda f: (f.evidence(ahead=n) for n in range(COUNT)),
    FetchSnapshot: lambda f: (FetchSnapshot(f.certificate.size + n % 2) for n in range(COUNT)),
    Offer: lambda _: (Offer(n, ((Manifest(1, n + 1, D, n, (D,) * 900), (D,) * 60),)) for n in range(COUNT)),
    FetchChunk: lambda _: (FetchChunk(1 + n % 2, n) for n in range(COUNT)),
    Chunk: lambda _: (Chunk(1, n, bytes(30_000)) for n in range(COUNT)),
    Entries: lambda f: (Entries(n, f.certificate.size + n, bytes(30_000), (D,) * 60) for n in range(COUNT)),
}


def test_there_is_a_flood_of_every_kind() -> None:
    """HELLO and its proof are the handshake's, which the mesh bounds (tests/network)."""
    kinds = {*Frame.__args__, *ProtocolMessage.__args__}
    assert {kind.__name__ for kind in kinds - set(FLOODS)} == {"Envelope", "Hello", "HelloProof"}


def assert_caps(cluster: Cluster) -> None:
    """PS13, by counting: each structure of the victim that a peer can fill."""
    engine, n = cluster.engine(VICTIM), len(cluster.replicas)
    replica = engine.replica
    assert len(replica.slots) <= 2 * WINDOW
    assert all(len(s.prepares) <= n and len(s.commits) <= n for s in replica.slots.values())
    assert len(replica.early) <= 3 * n * WINDOW
    assert len(replica.wanted) <= n
    assert len(replica.answered) <= n
    assert len(replica.reopened) <= n
    ballots = replica.checkpoints._ballots
    cosigned = Counter(sender for ballot in ballots.values() for sender in ballot.cosigned)
    assert max(cosigned.values(), default=0) <= 2 * WINDOW
    assert len(ballots) <= 2 * WINDOW * n
    assert sum(len(body.batch.buffer) for body in engine.bodies.held()) <= LIMITS.pool_bytes + 20_000
    assert len(engine.bodies) <= LIMITS.pool_transactions + 20
    assert len(replica.known) <= LIMITS.pool_transactions
    assert len(engine._wanted) <= WINDOW * LIMITS.block_batches
    assert len(engine.testimony.evidence) <= 16 * n
    assert engine.catchup._target is None


@pytest.mark.parametrize("kind", FLOODS, ids=lambda kind: kind.__name__)
def test_a_flood_fills_no_memory_and_stops_nobody(kind: type) -> None:
    cluster = Cluster(limits=LIMITS).start()
    cluster.commit(1)
    cluster.run()
    faulty = Faulty(cluster)
    payloads = [encode(frame) for frame in FLOODS[kind](faulty)]
    answered = cluster.submit(0, cluster.prepared(2).frame)
    cluster.lost = lambda sender, to, _frame: sender == VICTIM and to == FAULTY
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for position, payload in enumerate(payloads):
        cluster.hand(VICTIM, FAULTY, payload)
        cluster.sent.clear()
        if position % 50 == 0:
            cluster.run(1)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answered, "the votes of the others passed meanwhile"
    assert_caps(cluster)
    assert after - before < GROWTH_BYTES
    cluster.lost = lambda _sender, _to, _frame: False
    assert_sound(cluster)
