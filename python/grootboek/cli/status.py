"""``grootboek status``: one row for each replica."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from grootboek.cli.exits import Exit, health_of
from grootboek.cli.options import Json, Ledger
from grootboek.cli.output import Outcome, table
from grootboek.errors import GrootboekError
from grootboek.webapi import NodeStatus, body_of

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["roots_equal", "status", "view"]

Answers = Mapping[str, NodeStatus | GrootboekError]

HEADINGS = ("replica", "height", "view", "lag", "pool", "peers", "state", "backend")
ROOT_DIGITS = 8


async def status(*, ledger: Ledger | None = None, json: Json = False) -> Outcome:
    """Show every replica: height, view, lag, state root, and what is wrong.

    Exit code 0 where all that were asked are well, 6 where a quorum can be, 5 where none can, 1 where
    two replicas at one height have different states.
    """
    ledger = (ledger or Ledger()).resolved()
    async with ledger.client() as client:
        answers = await client.status()
        epoch = client.verifier.epochs.last
    equal = roots_equal(answers)
    well = sum(isinstance(a, NodeStatus) and not a.reasons for a in answers.values())
    code = health_of(epoch.quorum, len(answers), well) if equal else Exit.FAILED
    value = {
        "chain": client.genesis.chain.origin,
        "epoch": epoch.number,
        "health": code.name.lower(),
        "roots_equal": equal,
        "replicas": {name: _value(answer) for name, answer in answers.items()},
    }
    return Outcome(value, lambda: view(answers), code)


def roots_equal(answers: Answers) -> bool:
    """Whether replicas at the same height have the same state."""
    roots: dict[int, bytes] = {}
    for answer in answers.values():
        if isinstance(answer, NodeStatus) and roots.setdefault(answer.height, answer.root) != answer.root:
            return False
    return True


def view(answers: Answers) -> "RenderableType":
    """The table for people; below it, what is wrong with whom."""
    from rich.console import Group
    from rich.text import Text

    notes = [Text(f"{name}: {note}") for name, answer in answers.items() for note in _notes(answer)]
    return Group(table(HEADINGS, [_row(name, answer) for name, answer in answers.items()]), *notes)


def _notes(answer: NodeStatus | GrootboekError) -> tuple[str, ...]:
    if isinstance(answer, GrootboekError):
        return (f"{answer.code} {answer.title}: {answer.detail}",)
    return (*answer.reasons, *answer.errors)


def _row(name: str, answer: NodeStatus | GrootboekError) -> tuple[object, ...]:
    if isinstance(answer, GrootboekError):
        return (name, *["-"] * (len(HEADINGS) - 1))
    connected = sum(peer.connected for peer in answer.peers)
    return (
        name,
        answer.height,
        f"{answer.view} primary" if answer.primary == name else str(answer.view),
        answer.lag,
        answer.pool,
        f"{connected}/{len(answer.peers)}",
        answer.root.hex()[:ROOT_DIGITS],
        answer.backend,
    )


def _value(answer: NodeStatus | GrootboekError) -> object:
    return {"error": body_of(answer)} if isinstance(answer, GrootboekError) else answer
