"""Twins: a Byzantine replica as two honest ones with the same keys, between which the network chooses.

After Bano et al., "Twins: BFT systems made robust" (OPODIS 2021). A scenario says, round by round, who
hears whom, which timers have run out and what is lost. Then the network heals, and the run must go on.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache

import msgspec
from msgspec import Struct

from grootboek._core import digest
from grootboek.consensus import Timer
from grootboek.errors import GrootboekError
from grootboek.simulation.cores import LIMITS, Cores, Desk, Image, Instance
from grootboek.simulation.monitor import Violation
from grootboek.simulation.space import GROUPS, KINDS, Loss, Restart, Round, Scenario, Space
from grootboek.types import Quorum
from grootboek.wire import Envelope, Frame, decode, protocol_messages

__all__ = ["Failure", "Run", "Summary", "campaign", "desk_of", "outcome_of"]

BODIES = 2
"""How many batches each group is given in a round: two sequence numbers are under way at once."""
TIMEOUTS = 400
"""More timers than this after the heal means that nothing moves."""
AT_ONCE = 50
"""How many scenarios a process is handed together."""


class Run:
    """A scenario, from its first round to the common height after the heal."""

    def __init__(self, scenario: Scenario, desk: Desk, liars: tuple[int, ...] = ()) -> None:
        self.scenario = scenario
        self.cores = Cores(desk, scenario.n, scenario.twins, liars)
        self.cores.rule = self.passes
        self.loss: Loss | None = None
        self.counts: Counter[str] = Counter()
        self.trace: list[str] = []
        """What each round came to: view, executed and L of each instance."""
        self._images: list[list[Image]] = []

    def run(self) -> Counter[str]:
        """What happened how often; raises Violation."""
        for i, each in enumerate(self.scenario.rounds):
            self._round(i, each)
            self.trace.append(f"round {i}: {self._state()}")
        self.counts["views"] = max(i.core.view for i in self.cores.correct)
        self.counts["blocks before the heal"] = max(i.ledger.size for i in self.cores.correct)
        self.heal()
        self.trace.append(f"healed: {self._state()}")
        self.counts["accusations"] = self.cores.safety.accusations
        return self.counts

    def _round(self, at: int, each: Round) -> None:
        cores = self.cores
        self._images.append([instance.image() for instance in cores.instances])
        cores.now += LIMITS.view_timer_ms
        self.loss = each.loss
        cores.partition(each.groups, late=each.late)
        restart = self.scenario.restart
        if restart is not None and restart.at == at:
            self._restart(cores.instances[restart.instance], restart)
        for instance in self._impatient(each):
            instance.fire(Timer.PROGRESS)
            instance.fire(Timer.NEW_VIEW)
        for instance in cores.instances:
            instance.fire(Timer.STATUS)
        cores.settle()
        for instance in cores.instances:
            for number in range(BODIES):
                cores.give(instance, digest(b"%d %d %d" % (at, each.groups[instance.number], number)))
        cores.settle()

    def _restart(self, instance: Instance, restart: Restart) -> None:
        if restart.image != restart.at:
            instance.revert(self._images[restart.image][restart.instance])
        self.cores.safety.restarted(instance)
        instance.boot()

    def _impatient(self, each: Round) -> list[Instance]:
        if each.fires in {"nobody", "everybody"}:
            return self.cores.instances if each.fires == "everybody" else []
        quorum = Quorum.of(self.scenario.n).quorum
        members = [
            {i.me for i, g in zip(self.cores.instances, each.groups, strict=True) if g == group}
            for group in range(GROUPS)
        ]
        has = {group for group, replicas in enumerate(members) if len(replicas) >= quorum}
        wanted = each.fires == "quorum"
        return [i for i in self.cores.instances if (each.groups[i.number] in has) == wanted]

    def passes(self, _sender: Instance, to: Instance, frame: Frame) -> Sequence[Frame]:
        """The rule of the network: what the round loses is lost."""
        loss = self.loss
        return () if loss is not None and loss.reaches != to.number and _hit(loss, frame) else (frame,)

    def heal(self) -> None:
        """All hear each other again, a batch more comes in, and timers run out when they are due."""
        cores, last = self.cores, digest(b"after the heal")
        self.loss = None
        cores.now += LIMITS.view_timer_ms
        began = max(i.core.view for i in cores.instances)
        cores.partition([0] * len(cores.instances))
        for instance in cores.instances:
            cores.send(instance, None, instance.core.status())
            cores.give(instance, last)
        cores.settle()
        fired = 0
        while not self._settled(last):
            due = cores.next_timer()
            if due is None or fired == TIMEOUTS:
                raise Violation(f"PL2: no common height after the heal: {self._state()}")
            at, number, timer = due
            cores.now = max(cores.now, at)
            cores.instances[number].fire(timer)
            cores.settle()
            fired += 1
        changes = max(i.core.view for i in cores.correct) - began
        self.counts["timers after the heal"] = fired
        self.counts["views after the heal"] = max(0, changes)
        if changes > self.scenario.n:
            raise Violation(f"PL1: {changes} view changes after the heal")

    def _settled(self, last: bytes) -> bool:
        correct = self.cores.correct
        return len({i.ledger.size for i in correct}) == 1 and all(
            any(last in batches for _, batches, _ in i.ledger.blocks) for i in correct
        )

    def _state(self) -> str:
        return " ".join(
            f"{i.me}:v{i.core.view}{'' if i.core.active else '?'}/{i.core.executed}/{i.core.low}"
            for i in self.cores.instances
        )


def _hit(loss: Loss, frame: Frame) -> bool:
    message: object = frame
    if isinstance(frame, Envelope):
        message = decode(protocol_messages, frame.signed.payload)
    at = getattr(message, "seq", getattr(message, "size", 0))
    return isinstance(message, KINDS[loss.kind]) and (loss.which == "all" or at % 2 == (loss.which == "odd"))


# --- many runs -----------------------------------------------------------------------------------


@cache
def desk_of(n: int) -> Desk:
    """One for all runs of a process: equal bytes are checked once."""
    return Desk(n)


class Failure(Struct, frozen=True):
    """A scenario whose run broke an invariant."""

    n: int
    number: int
    what: str


def failed(run: Run) -> Counter[str] | str:
    """Run to the end, whatever that is: what happened, or what broke."""
    try:
        return run.run()
    except (GrootboekError, AssertionError) as error:
        return str(error)
    except Exception as error:  # noqa: BLE001  # whatever ends a replica is a finding
        return f"{type(error).__name__}: {error}"


def outcome_of(n: int, number: int) -> Counter[str] | Failure:
    """Run one scenario to its end."""
    outcome = failed(Run(Space(n).scenario(number), desk_of(n)))
    return Failure(n, number, outcome) if isinstance(outcome, str) else outcome


class Summary(Struct, kw_only=True):
    """Of many scenarios."""

    scenarios: int = 0
    replicas: Counter[int] = msgspec.field(default_factory=Counter)
    """How many scenarios had so many replicas."""
    failures: list[Failure] = msgspec.field(default_factory=list)
    happened: Counter[str] = msgspec.field(default_factory=Counter)
    """How often, in all scenarios together."""
    scenarios_with: Counter[str] = msgspec.field(default_factory=Counter)
    """In how many scenarios it happened at all."""

    def add(self, n: int, outcome: Counter[str] | Failure) -> None:
        """One scenario more."""
        self.scenarios += 1
        self.replicas[n] += 1
        if isinstance(outcome, Failure):
            self.failures.append(outcome)
            return
        self.happened += outcome
        self.scenarios_with.update(name for name, times in outcome.items() if times)


def campaign(named: Iterable[tuple[int, int]], done: Callable[[Counter[str] | Failure], None]) -> Summary:
    """Run scenarios, each (n, number), on all processors; ``done`` is told of each, in their order."""
    summary = Summary()
    pairs = list(named)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        outcomes = pool.map(outcome_of, *zip(*pairs, strict=True), chunksize=AT_ONCE)
        for (n, _), outcome in zip(pairs, outcomes, strict=True):
            summary.add(n, outcome)
            done(outcome)
    return summary
