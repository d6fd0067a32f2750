"""Runs in which a liar sends one changed message: in which phase, which message, and to whom."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product

from msgspec import Struct

from grootboek.simulation.cores import Desk, Instance
from grootboek.simulation.mutation import Change, Forger, encodable, name_of
from grootboek.simulation.space import Loss, Round, Scenario
from grootboek.simulation.twins import AT_ONCE, Run, desk_of, failed
from grootboek.wire import Frame

__all__ = ["MODES", "PHASES", "Case", "Tally", "cases", "mutations", "outcome_of_case", "told"]

N = 4
MODES = ("instead", "to some", "beside")
"""The changed message comes instead of the true one, to every other replica only, or before it."""


def _round(fires: str = "nobody", lost: str | None = None, away: int | None = None) -> Round:
    """What is lost reaches replica 2 alone: a COMMIT commits there, and nowhere else."""
    groups = tuple(int(i == away) for i in range(N))
    return Round(groups, fires, None if lost is None else Loss(lost, "all", 2), late=False)


PHASES = {
    "ordering": (_round(), _round()),
    "view change": (_round(lost="COMMIT"), _round("everybody"), _round()),
    "checkpoint": (_round(lost="CHECKPOINT"), _round(), _round(lost="CHECKPOINT"), _round()),
    "catch-up": (_round(away=2), _round(away=2), _round(lost="COMMIT"), _round("everybody"), _round()),
}
"""The rounds of each phase, four honest replicas but for what one of them sends."""
LIARS = (0, 1, 3)


class Case(Struct, frozen=True):
    """One changed message in one run."""

    phase: str
    liar: int
    message: str
    """Its type."""
    sent: int
    """Which of the frames that the liar sends it is."""
    mode: str
    change: Change


class Rehearsal(Run):
    """The run without a change: what the liar sends, and what can be seen of the others."""

    def __init__(self, phase: str, liar: int, desk: Desk, wanted: Iterable[int] = ()) -> None:
        """``wanted`` are the places, in what the liar sends, of the frames whose changes are kept."""
        super().__init__(Scenario(N, (), PHASES[phase], None), desk, (liar,))
        self.forger = Forger(liar)
        self.sent: list[Frame] = []
        self.changes = {at: list[Change]() for at in wanted}
        self._last: Frame | None = None

    def passes(self, sender: Instance, to: Instance, frame: Frame) -> Sequence[Frame]:
        """Note it; what is sent to several is one frame."""
        if frame is not self._last:
            self._last = frame
            self.forger.watch(frame)
            if sender.faulty:
                self._sent(frame)
        return super().passes(sender, to, frame)

    def _sent(self, frame: Frame) -> None:
        """Changes are made at once, of what was seen so far: nobody can send what will be signed later."""
        if len(self.sent) in self.changes:
            self.changes[len(self.sent)] = [c for c in self.forger.changes(frame) if encodable(c)]
        self.sent.append(frame)


class Altered(Rehearsal):
    """The same run with one message changed."""

    def __init__(self, case: Case, desk: Desk) -> None:
        super().__init__(case.phase, case.liar, desk)
        self.case = case

    def passes(self, sender: Instance, to: Instance, frame: Frame) -> Sequence[Frame]:
        """As the case has it."""
        true = super().passes(sender, to, frame)
        if not sender.faulty or len(self.sent) != self.case.sent + 1:
            return true
        changed: tuple[Frame, ...] = (self.case.change.value,)  # type: ignore[assignment]  # a Change of a Frame
        if self.case.mode == "to some":
            return changed if to.number % 2 else true
        return changed if self.case.mode == "instead" else (*changed, *true)


def cases() -> Iterator[Case]:
    """Every change of the first and of the last message of each type that each liar sends in each phase."""
    for phase in PHASES:
        for liar in LIARS:
            first = Rehearsal(phase, liar, desk_of(N))
            first.run()
            again = Rehearsal(phase, liar, desk_of(N), _chosen(first.sent))
            again.run()
            for at, changes in again.changes.items():
                for change, mode in product(changes, MODES):
                    yield Case(phase, liar, name_of(again.sent[at]), at, mode, change)


def _chosen(sent: list[Frame]) -> list[int]:
    names = [name_of(frame) for frame in sent]
    last = {name: at for at, name in enumerate(names)}
    return sorted({*last.values(), *map(names.index, last)})


class Tally(Struct, kw_only=True):
    """Of many cases."""

    cases: int
    """How many there are."""
    run: int
    phases: tuple[str, ...]
    table: dict[str, dict[str, int]]
    """How many ran, by message and phase."""
    changed: dict[str, int]
    """How many ran, by the field that was changed."""
    failures: list[str]


def mutations(every: int) -> Tally:
    """Run each ``every``-th case, on all processors."""
    everything = list(cases())
    some = everything[::every]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        outcomes = list(pool.map(outcome_of_case, some, chunksize=AT_ONCE))
    counts = Counter((case.message, case.phase) for case in some)
    changed = Counter(case.change.field for case in some)
    return Tally(
        cases=len(everything),
        run=len(some),
        phases=tuple(PHASES),
        table={name: {p: counts[name, p] for p in PHASES} for name in sorted({c.message for c in some})},
        changed=dict(sorted(changed.items())),
        failures=[f"{told(c)}: {o}" for c, o in zip(some, outcomes, strict=True) if isinstance(o, str)],
    )


def told(case: Case) -> str:
    """A case in words."""
    change = case.change
    return (
        f"{case.phase}, liar {case.liar}, frame {case.sent} ({case.message}), {case.mode}: "
        f"{change.field} {change.how}"
    )


def outcome_of_case(case: Case) -> Counter[str] | str:
    """Run it to its end: what happened, or which invariant broke."""
    return failed(Altered(case, desk_of(N)))
