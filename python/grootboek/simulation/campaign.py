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
from grootboek.modules.parties import Parties
from grootboek.modules.records import Anchor, Records
from grootboek.simulation.byzantine import SLOW, STRATEGIES
from grootboek.simulation.faults import FAULTS
from grootboek.simulation.run import Report, Simulation
from grootboek.simulation.scenario import plan_of
from grootboek.wire import Command, encode

__all__ = ["Failure", "Summary", "campaign", "outcome_of", "simulation_of"]

AT_ONCE = 64
"""How many seeds are handed to the processes together."""
DOCUMENTS = 40
"""How many keys the transactions of a run write in turn."""


class Failure(Struct, frozen=True):
    """A seed whose run broke an invariant."""

    seed: int
    what: str
    """The invariant's id first, where an invariant noticed it."""


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
    replicas: Counter[int] = msgspec.field(default_factory=Counter)
    """How many seeds had so many replicas."""
    faults: Counter[str] = msgspec.field(default_factory=Counter)
    """How often each kind of fault and each strategy happened."""
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
        self.replicas[outcome.replicas] += 1
        self.faults += outcome.faults

    def close(self) -> None:
        """All seeds are in: name what never happened."""
        self.never = [name for name in (*FAULTS, *STRATEGIES, SLOW) if not self.faults[name]]


def simulation_of(seed: int) -> Simulation:
    """The run that ``seed`` stands for: its plan, over the records module."""
    return Simulation(seed, plan_of(seed), Registry.of(Parties, Records), _anchor)


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


def outcome_of(seed: int) -> Report | Failure:
    """Run one seed to its end, whatever that is."""
    try:
        return simulation_of(seed).run()
    except (GrootboekError, AssertionError) as error:
        return Failure(seed, str(error))
    except Exception as error:  # noqa: BLE001  # whatever ends a replica is a finding
        return Failure(seed, f"{type(error).__name__}: {error}")


def _anchor(number: int) -> Command:
    body = Anchor(key=f"doc-{number % DOCUMENTS}", digest=number.to_bytes(32, "big"))
    salt = number.to_bytes(16, "big")
    return Command(module="records", name="Anchor", version=Records.version, body=encode(body), salt=salt)
