"""Changes of a good trace, each with the step at which the model must refuse it."""

from collections.abc import Callable

from msgspec.structs import replace

from grootboek.simulation.tracing import Step, Wish

Corrupted = tuple[list[Step], int]
OTHER = b"another value"


def find(steps: list[Step], kind: str, start: int = 0) -> int:
    return next(i for i in range(start, len(steps)) if steps[i].kind == kind)


def votes(steps: list[Step], kind: str, like: Step) -> list[int]:
    """Where the votes of a kind for the number and view of a step are."""
    return [i for i, s in enumerate(steps) if s.kind == kind and (s.view, s.seq) == (like.view, like.seq)]


def vote_changed(steps: list[Step]) -> Corrupted:
    at = find(steps, "prepare")
    return [*steps[:at], replace(steps[at], value=OTHER), *steps[at + 1 :]], at


def vote_repeated(steps: list[Step]) -> Corrupted:
    at = find(steps, "prepare")
    return [*steps[: at + 1], steps[at], *steps[at + 1 :]], at + 1


def proposal_removed(steps: list[Step]) -> Corrupted:
    at = find(steps, "propose")
    first = votes(steps, "prepare", steps[at])[0]
    return [*steps[:at], *steps[at + 1 :]], first - 1


def commit_without_quorum(steps: list[Step]) -> Corrupted:
    """Of the PREPAREs before the first COMMIT only the committing replica's own is left."""
    at = find(steps, "commit")
    prepares = votes(steps, "prepare", steps[at])
    gone = [i for i in prepares if i < at and steps[i].replica != steps[at].replica]
    if len(gone) == len([i for i in prepares if i < at]):
        gone = gone[1:]
    return [step for i, step in enumerate(steps) if i not in gone], at - len(gone)


def execution_without_quorum(steps: list[Step]) -> Corrupted:
    """It comes before the second COMMIT."""
    at = find(steps, "execute")
    second = [i for i, s in enumerate(steps) if s.kind == "commit" and s.seq == steps[at].seq][1]
    return [*steps[:second], steps[at], *steps[second:at], *steps[at + 1 :]], second


def values_swapped(steps: list[Step]) -> Corrupted:
    at = find(steps, "execute")
    later = next(s for s in steps if s.kind == "execute" and s.value not in {b"", steps[at].value})
    return [*steps[:at], replace(steps[at], value=later.value), *steps[at + 1 :]], at


def checkpoint_without_quorum(steps: list[Step]) -> Corrupted:
    """L moves as soon as one replica has executed the block."""
    at = find(steps, "stabilize")
    mine = next(
        i for i, s in enumerate(steps) if s.kind == "execute" and (s.replica, s.seq) == _of(steps[at])
    )
    first = next(i for i, s in enumerate(steps) if s.kind == "execute" and s.seq == steps[at].seq)
    lonely = [s for i, s in enumerate(steps) if not (first <= i < mine and s.kind == "execute")]
    place = lonely.index(steps[mine]) + 1
    return [*lonely[:place], steps[at], *lonely[place:]], place


def _of(step: Step) -> tuple[int, int]:
    return step.replica, step.seq


def wish_without_its_certificate(steps: list[Step]) -> Corrupted:
    at = next(i for i, s in enumerate(steps) if s.kind == "leave" and s.wishes[0].prepared)
    return [
        *steps[:at],
        replace(steps[at], wishes=(replace(steps[at].wishes[0], prepared=()),)),
        *steps[at + 1 :],
    ], at


def wish_removed(steps: list[Step]) -> Corrupted:
    """The new primary counts a VIEW-CHANGE that nobody sent."""
    opened = find(steps, "open")
    sender = next(w.sender for w in steps[opened].wishes if w.sender != steps[opened].replica)
    at = next(
        i
        for i, s in enumerate(steps)
        if s.kind == "leave" and (s.replica, s.view) == (sender, steps[opened].view)
    )
    return [*steps[:at], *steps[at + 1 :]], opened - 1


def order_changed(steps: list[Step]) -> Corrupted:
    at = next(i for i, s in enumerate(steps) if s.kind == "open" and s.order)
    return [*steps[:at], replace(steps[at], order=(OTHER, *steps[at].order[1:])), *steps[at + 1 :]], at


def opening_removed(steps: list[Step]) -> Corrupted:
    opened = find(steps, "open")
    entered = next(
        i
        for i, s in enumerate(steps)
        if i > opened and s.view == steps[opened].view and s.kind in {"enter", "propose"}
    )
    return [*steps[:opened], *steps[opened + 1 :]], entered - 1


def vote_in_a_view_that_is_left(steps: list[Step]) -> Corrupted:
    """The replica leaves before its first vote, which stays."""
    vote = next(i for i, s in enumerate(steps) if s.kind == "prepare")
    me, view = steps[vote].replica, steps[vote].view + 1
    leave = Step(kind="leave", replica=me, view=view, wishes=(Wish(me, view, 0, ()),))
    return [*steps[:vote], leave, *steps[vote:]], vote + 1


def transfer_of_what_is_not_certified(steps: list[Step]) -> Corrupted:
    at = find(steps, "execute")
    return [*steps[:at], replace(steps[at], kind="catch up"), *steps[at + 1 :]], at


CORRUPTIONS: list[Callable[[list[Step]], Corrupted]] = [
    vote_changed,
    vote_repeated,
    proposal_removed,
    commit_without_quorum,
    execution_without_quorum,
    values_swapped,
    checkpoint_without_quorum,
    wish_without_its_certificate,
    wish_removed,
    order_changed,
    opening_removed,
    vote_in_a_view_that_is_left,
    transfer_of_what_is_not_certified,
]
