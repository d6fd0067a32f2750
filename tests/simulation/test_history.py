"""PS9 in the simulator: what clients read is checked, and a stale read would be found."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from grootboek.ledger import Ledger, Registry
from grootboek.ledger.reading import Reader
from grootboek.modules.parties import Parties
from grootboek.modules.records import Records
from grootboek.node.engine import Engine
from grootboek.simulation import Plan, Simulation, Weather
from grootboek.simulation.campaign import anchor
from grootboek.simulation.disk import Fate
from grootboek.simulation.monitor import Violation
from grootboek.simulation.run import SECOND
from grootboek.types import Quorum
from tests.simulation.test_runs import CALM

SHORT = replace(CALM, seconds=3, rate=20)
ONE_LIES = replace(SHORT, weather=Weather(loss=20), liars={3: "4 silent primary"})
Patch = Callable[[object, str, Any], None]


def simulation(plan: Plan, seed: int = 1) -> Simulation:
    return Simulation(seed, plan, Registry.of(Parties, Records), anchor)


def state_below_the_certificate(patch: Patch) -> None:
    """A replica answers from the state before the block that it names."""
    query = Reader.query

    def older(self: Ledger, module: str, name: str, args: Any, height: int) -> Any:
        return query(self, module, name, args, height - 1)

    patch(Reader, "query", older)


def one_replica_less_is_asked(patch: Patch) -> None:
    """What q - 1 replicas say is taken for what a quorum says."""

    def less(self: Quorum, said: Any) -> int | None:
        lowest = sorted(said)
        return lowest[self.quorum - 2] if len(lowest) >= self.quorum else None

    patch(Quorum, "reached", less)


def test_each_answer_is_read_and_read_again() -> None:
    report = simulation(SHORT).run()
    assert report.reads >= 2 * report.acknowledged > 100


@pytest.mark.parametrize(
    ("defect", "plan"), [(state_below_the_certificate, SHORT), (one_replica_less_is_asked, ONE_LIES)]
)
def test_stale_reads_are_found(
    defect: Callable[[Patch], None], plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert simulation(plan).run().reads
    defect(monkeypatch.setattr)
    with pytest.raises(Violation, match="PS9"):
        simulation(plan).run()


def submit_one(run: Simulation) -> int:
    """The index of a transaction that was answered at this moment."""
    run.clients.burst(1)
    while run.clients.waiting:
        run.heap.step(run.heap.now_us + 1_000)
    return max(run.monitor.acknowledged.values())


def after_a_loss_of_power() -> tuple[Simulation, int]:
    """All replicas run again, and none holds the block that a client was told of a moment ago: its index."""
    run = simulation(CALM)
    for replica in run.replicas:
        run.boot(replica)
    submit_one(run)
    synced = run.heap.now_us + 2 * SECOND
    while run.heap.step(synced):
        pass
    index = submit_one(run)
    for replica in run.replicas:
        replica.kill()
        replica.disk.lose_power(lambda _: Fate.LOST)
    for replica in run.replicas:
        run.boot(replica)
        assert replica.engine.ledger.size <= index
    return run, index


def test_a_replica_that_has_lost_the_end_of_its_log_does_not_count() -> None:
    run, index = after_a_loss_of_power()
    while not all(replica.engine.complete for replica in run.replicas):
        for replica in run.replicas:
            assert replica.engine.ledger.size > index or not replica.engine.complete
        run.heap.step(run.heap.now_us + 1_000)


def test_if_it_counted_clients_would_read_what_is_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "complete", property(lambda self: not self.replica.silent))
    run, _ = after_a_loss_of_power()
    while not all(replica.engine.complete for replica in run.replicas):
        run.clients.history.doubt()
        run.heap.step(run.heap.now_us + 1_000)
    with pytest.raises(Violation, match="PS9"):
        run.clients.history.check()
