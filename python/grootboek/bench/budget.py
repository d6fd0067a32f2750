"""What one transaction costs in CPU time, stage by stage, beside what a real cluster spends on it.

Three things are measured, each by the node's own code in this process: the replicas without a network
(``rehearsal``), the API's thread under a client whose answer is there already, and a link of the
replicas' network (``sockets``). How often a stage happens is counted where the replicas are rehearsed.
"""

import gc
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from grootboek import garbage, wire
from grootboek._core import TransactionBatch
from grootboek.bench.host import Host, host
from grootboek.bench.rehearsal import JUDGED, Rehearsal
from grootboek.bench.signing import Request, expiry_of, requests_of, sign
from grootboek.bench.sockets import Link, request_us
from grootboek.bench.stages import WATCHED, Stages
from grootboek.bench.workloads.anchor import AnchorWorkload
from grootboek.errors import ConfigError
from grootboek.modules.records import Records
from grootboek.network import Lane
from grootboek.node.keystore import ReplicaKeys
from grootboek.node.localnet import free_ports
from grootboek.proofs import Answer
from grootboek.types import Genesis
from grootboek.wire import Batch, Commit, Envelope, Signed

__all__ = ["Budget", "Stage", "measure"]

KEYS = 1_000
"""Different signers."""
WARM_UP = 2
"""Rounds that are not counted."""
VOTE = Envelope(Signed(0, wire.encode(Commit(view=1, seq=1_000, digest=bytes(32))), bytes(64)))
"""As large as most messages of the protocol."""


class Stage(Struct, frozen=True):
    """One stage of a transaction's way."""

    stage: str
    us_per_tx: float
    """CPU time of doing it once, in microseconds, by the transactions of a round."""
    times: float
    """How often all replicas together do it in a round."""
    total_us_per_tx: float
    """The product."""


class Budget(Struct, frozen=True, kw_only=True):
    """The stages, the dearest first, and what a cluster of daemons was measured to spend."""

    replicas: int
    batch: int
    """Transactions in a round: what is under way at any time."""
    request: int
    """Transactions in one request of a client."""
    transactions_per_block: float
    stages: list[Stage]
    sum_us_per_tx: float
    cluster_us_per_tx: float | None = None
    """What ``bench cluster`` measured; None where it was not run."""
    not_accounted_us_per_tx: float | None = None
    """The cluster's less the sum."""
    backend: str
    host: Host

    def beside(self, cluster_us_per_tx: float) -> "Budget":
        """The same beside what a cluster was measured to spend."""
        rest = cluster_us_per_tx - self.sum_us_per_tx
        return replace(self, cluster_us_per_tx=cluster_us_per_tx, not_accounted_us_per_tx=rest)


def measure(replicas: int = 4, batch: int = 4_000, request: int = 250, rounds: int = 4) -> Budget:
    """Measure all stages in a temporary folder, in ``rounds`` rounds of ``batch`` transactions.

    Raises ConfigError for fewer than two replicas, or where ``batch`` is not made of whole requests.
    """
    if replicas <= 1 or request <= 0 or rounds <= 0 or batch <= 0 or batch % request:
        raise ConfigError("there must be two replicas or more, and whole requests in a batch", where="flags")
    with tempfile.TemporaryDirectory(prefix="grootboek-budget-") as folder:
        measured = _Measurement(replicas, batch, request, rounds, Path(folder))
        stages = [*measured.judging(), *measured.engines(), *measured.network(), measured.api()]
    facts = host()
    return Budget(
        replicas=replicas,
        batch=batch,
        request=request,
        transactions_per_block=batch * rounds / measured.blocks,
        stages=sorted(stages, key=lambda stage: -stage.total_us_per_tx),
        sum_us_per_tx=sum(stage.total_us_per_tx for stage in stages),
        backend=facts.backend,
        host=facts,
    )


class _Measurement:
    """A rehearsal, and the stages that follow from it."""

    def __init__(self, replicas: int, batch: int, request: int, rounds: int, folder: Path) -> None:
        self._folder = folder
        self._batch = batch
        self._rounds = rounds
        self._keys = [ReplicaKeys.generate(f"replica-{k}") for k in range(replicas)]
        self._genesis = _found(self._keys)
        self._turns = _turns(self._genesis, batch, request, WARM_UP + rounds)
        self._stages = Stages()
        with self._stages:
            rehearsal = Rehearsal(self._genesis, self._keys, folder, self._stages)
            self._order(rehearsal, self._turns[:WARM_UP])
            self._stages.clear()
            rehearsal.sent.clear()
            before = rehearsal.height
            with _garbage_as_in_the_daemon():
                self._answer = self._order(rehearsal, self._turns[WARM_UP:])
            self.blocks = rehearsal.height - before
        self._batches = rehearsal.sent.pop(Batch)
        self._votes = rehearsal.sent.total()

    @staticmethod
    def _order(rehearsal: Rehearsal, turns: Sequence[Sequence[Request]]) -> Answer:
        """The answer to the last request."""
        for turn in turns:
            answers = rehearsal.order([request.body for request in turn])
        return answers[-1]

    def judging(self) -> list[Stage]:
        """Parsing is measured alone; what judging takes above that are the signatures."""
        judged = self._watched(JUDGED)
        bodies = [request.body for request in self._turns[-1]]
        before = time.process_time()
        for _ in range(self._rounds):
            for body in bodies:
                TransactionBatch(body, self._genesis.chain.digest, check_signatures=False)
        once = (time.process_time() - before) * 1e6 / self._rounds
        replicas = len(self._keys)
        parsing = self._stage("parsing and ids", once, replicas)
        signatures = (judged.total_us_per_tx - parsing.total_us_per_tx) * self._batch / replicas
        return [self._stage("client signatures", signatures, replicas), parsing]

    def engines(self) -> list[Stage]:
        """What was watched inside the replicas."""
        return [self._watched(name) for name, _, _ in WATCHED]

    def network(self) -> list[Stage]:
        """What they sent to one another."""
        times = self._batches / self._rounds
        size = sum(len(request.body) for request in self._turns[-1]) * (len(self._keys) - 1) / times
        with Link(self._genesis, self._keys[:2]) as link:
            batch_us, vote_us = (
                link.frame_us(Batch(bytes(round(size))), Lane.BATCH),
                link.frame_us(VOTE, Lane.VOTE),
            )
        return [
            self._stage("batches over TLS", batch_us, times),
            self._stage("votes over TLS", vote_us, self._votes / self._rounds),
        ]

    def api(self) -> Stage:
        """Requests of clients and their answers."""
        last = self._turns[-1]
        once = request_us(self._genesis, self._keys[0], self._folder / "api", last[-1].body, self._answer)
        return self._stage("API: TLS, HTTP, encoding", once, len(last))

    def _watched(self, name: str) -> Stage:
        calls = self._stages.calls[name]
        once = self._stages.spent_ns[name] / 1_000 / calls if calls else 0.0
        return self._stage(name, once, calls / self._rounds)

    def _stage(self, name: str, once_us: float, times: float) -> Stage:
        each = once_us / self._batch
        return Stage(name, each, times, each * times)


@contextmanager
def _garbage_as_in_the_daemon() -> Iterator[None]:
    """Garbage is looked for as rarely as in a replica's process."""
    before = gc.get_threshold()
    garbage.settle()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _found(keys: Sequence[ReplicaKeys]) -> Genesis:
    """A ledger of these replicas on loopback ports."""
    ports = [f"127.0.0.1:{port}" for port in free_ports(2 * len(keys))]
    return Genesis(
        name="localnet/budget",
        time=time.time_ns() // 1_000_000,
        modules={Records.name: Records.version},
        replicas=tuple(one.public(ports[2 * k], ports[2 * k + 1]) for k, one in enumerate(keys)),
    )


def _turns(genesis: Genesis, batch: int, request: int, rounds: int) -> list[list[Request]]:
    """Signed transactions, as the requests of each round."""
    drafts = AnchorWorkload(KEYS).transactions(batch * rounds)
    requests = requests_of(sign(genesis, drafts, expiry_of(genesis)), request)
    each = batch // request
    return [requests[at : at + each] for at in range(0, len(requests), each)]
