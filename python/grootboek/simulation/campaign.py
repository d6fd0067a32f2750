"""Many seeds, in several processes: what happened in all of them together."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice

import msgspec
from msgspec import Struct

from grootboek.errors import GrootboekError
from grootboek.ledger import Registry
from grootboek.modules.conduct import Conduct
from grootboek.modules.parties import Parties
from grootboek.modules.records import Anchor, Records
from grootboek.modules.replicas import Replicas
from grootboek.simulation.byzantine import SLOW, STRATEGIES
from grootboek.simulation.faults import FAULTS
from grootboek.simulation.run import CRASH, PARTITION, Plan, Report, Simulation
from grootboek.simulation.scenario import plan_of
from grootboek.simulation.shrink import shrink
from grootboek.wire import Command, encode

__all__ = [
    "Failure",
    "Summary",
    "anchor",
    "campaign",
    "ended",
    "outcome_of",
    "simulation_of",
    "smallest_plan",
]


WINDOWS = 2
"""How many windows each seed must pass."""
AT_ONCE = 64
"""How many seeds are handed to the processes together."""
DOCUMENTS = 40
"""How many keys the transactions of a run write in turn."""


class Failure(Struct, frozen=True):
    """A seed whose run broke an invariant."""

    seed: int
    what: str
    """The invariant's id first, where an invariant noticed it."""

    @property
    def kind(self) -> str:
        """Which invariant, or which rule, without what is of this run alone."""
        return self.what.split(":")[0]


class Summary(Struct, kw_only=True):
    """Of a campaign."""

    seeds: int = 0
    failures: list[Failure] = msgspec.field(default_factory=list)
    blocks: int = 0
    transactions: int = 0
    """Acknowledged."""
    events: int = 0
    simulated_seconds: float = 0.0
    views: int = 0
    epochs: int = 0
    """Opened after the founding ones."""
    leaps: int = 0
    """Snapshots that replicas took over."""
    replicas: Counter[int] = msgspec.field(default_factory=Counter)
    """How many seeds had so many replicas."""
    faults: Counter[str] = msgspec.field(default_factory=Counter)
    """How often each kind of fault and each strategy happened."""
    real_signatures: int = 0
    """Seeds in which all signatures were Ed25519 and verified wherever they arrived."""
    fewest_windows: int | None = None
    """Windows of sequence numbers that each seed has passed at least."""
    slowest_recovery_ms: int = 0
    """How long after a heal the first block was made, at the most."""
    without: Counter[str] = msgspec.field(default_factory=Counter)
    """Seeds in which there was no crash, no partition or no view change."""
    never: list[str] = msgspec.field(default_factory=list)
    """Kinds that never did."""

    def add(self, outcome: Report | Failure) -> None:
        """One seed more."""
        self.seeds += 1
        if isinstance(outcome, Failure):
            self.failures.append(outcome)
            return
        self.blocks += outcome.height
        self.transactions += outcome.acknowledged
        self.events += outcome.events
        self.simulated_seconds += outcome.seconds
        self.views += outcome.views
        self.epochs += outcome.epochs
        self.leaps += outcome.leaps
        self.replicas[outcome.replicas] += 1
        self.faults += outcome.faults
        self.real_signatures += outcome.real_signatures
        fewest = outcome.windows if self.fewest_windows is None else self.fewest_windows
        self.fewest_windows = min(fewest, outcome.windows)
        self.slowest_recovery_ms = max(self.slowest_recovery_ms, outcome.recovery_ms)
        happened = {
            "crash": outcome.faults[CRASH],
            "partition": outcome.faults[PARTITION],
            "view": outcome.views,
        }
        self.without.update(name for name, times in happened.items() if not times)

    @property
    def complete(self) -> bool:
        """Whether nothing failed, and each seed had what each seed must have."""
        enough = self.fewest_windows is None or self.fewest_windows >= WINDOWS
        return not self.failures and not self.without and enough

    def close(self) -> None:
        """All seeds are in: name what never happened."""
        rare = {"epoch opened": self.epochs, "snapshot taken over": self.leaps}
        times = self.faults + Counter(rare)
        self.never = [name for name in (*FAULTS, *STRATEGIES, SLOW, *rare) if not times[name]]


def simulation_of(seed: int, plan: Plan | None = None) -> Simulation:
    """The run that ``seed`` stands for, or another ``plan`` for it, over the records module."""
    registry = Registry.of(Conduct, Parties, Records, Replicas)
    return Simulation(seed, plan or plan_of(seed), registry, anchor)


def campaign(seeds: Iterable[int], done: Callable[[Report | Failure], None]) -> Summary:
    """Run all ``seeds`` on all processors; ``done`` is told of each, in their order."""
    summary = Summary()
    for outcome in _outcomes(seeds):
        summary.add(outcome)
        done(outcome)
    summary.close()
    return summary


def _outcomes(seeds: Iterable[int]) -> Iterator[Report | Failure]:
    seeds = iter(seeds)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        while some := list(islice(seeds, AT_ONCE)):  # they may be endless
            yield from pool.map(outcome_of, some)


def outcome_of(seed: int, plan: Plan | None = None) -> Report | Failure:
    """Run one seed to its end, whatever that is."""
    return ended(simulation_of(seed, plan))


def ended(run: Simulation) -> Report | Failure:
    """Run to the end, whatever that is."""
    try:
        return run.run()
    except (GrootboekError, AssertionError) as error:
        return Failure(run.report.seed, str(error))
    except Exception as error:  # noqa: BLE001  # whatever ends a replica is a finding
        return Failure(run.report.seed, f"{type(error).__name__}: {error}")


def smallest_plan(seed: int) -> Plan:
    """The smallest plan under which ``seed`` fails in the way in which it does; its own if it does not."""
    plan, outcome = plan_of(seed), outcome_of(seed)
    if not isinstance(outcome, Failure):
        return plan
    kind = outcome.kind

    def fails(smaller: Plan) -> bool:
        found = outcome_of(seed, smaller)
        return isinstance(found, Failure) and found.kind == kind

    return shrink(plan, fails)


def anchor(number: int) -> Command:
    """The command of a run's transaction of that number: see ``Clients``."""
    body = Anchor(key=f"doc-{number % DOCUMENTS}", digest=number.to_bytes(32, "big"))
    salt = number.to_bytes(16, "big")
    return Command(module="records", name="Anchor", version=Records.version, body=encode(body), salt=salt)
