"""CPU time by stage, while the parts of a replica call each other.

``Stages`` stands around methods of the node's own classes. What one of them spends inside another counts
for the inner one alone, so that the stages add up to the whole and nothing counts twice.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, Final, Self

from grootboek.consensus import Replica
from grootboek.ledger import Ledger
from grootboek.ledger.execution import Executor
from grootboek.ledger.log import EntryLog
from grootboek.ledger.store import Store
from grootboek.node.engine import Engine
from grootboek.node.gate import Gate
from grootboek.node.intake import Intake
from grootboek.node.journal import Journal
from grootboek.node.signers import Signers

__all__ = ["WATCHED", "Stages"]

WATCHED: Final[Sequence[tuple[str, type, Sequence[str]]]] = (
    ("pool and batches", Intake, ("submit", "cut", "executed", "certified")),
    ("journal", Journal, ("append", "sync")),
    ("votes checked", Gate, ("events",)),
    ("votes counted", Replica, ("handle",)),
    ("votes signed", Signers, ("message", "cosign")),
    ("index lookups", Store, ("index_get_many",)),
    ("execution", Executor, ("run",)),
    ("state and index commit", Store, ("commit",)),
    ("log append", EntryLog, ("append",)),
    ("block entry and roots", Ledger, ("execute", "certify")),
    ("log sync", Ledger, ("sync",)),
    ("state flush", Ledger, ("flush",)),
    ("proofs of answers", Engine, ("answer",)),
    ("turns between them", Engine, ("submit", "body", "frames", "stored")),
)
"""Which methods are which stage."""


class Stages:
    """Watches those methods inside a ``with`` block, in one thread."""

    def __init__(self) -> None:
        """Nothing is counted yet."""
        self.spent_ns: Counter[str] = Counter()
        """CPU time of this process, all its threads included, by stage."""
        self.calls: Counter[str] = Counter()
        self._open: list[str] = []
        self._since = 0
        self._originals: list[tuple[type, str, Callable[..., Any]]] = []

    def __enter__(self) -> Self:
        for stage, owner, methods in WATCHED:
            for method in methods:
                original = getattr(owner, method)
                self._originals.append((owner, method, original))
                setattr(owner, method, self._watched(stage, original))
        return self

    def __exit__(self, *_: object) -> None:
        for owner, method, original in self._originals:
            setattr(owner, method, original)
        self._originals.clear()

    def clear(self) -> None:
        """Count anew."""
        self.spent_ns.clear()
        self.calls.clear()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """The block is of this stage."""
        self._switch()
        self._open.append(name)
        self.calls[name] += 1
        try:
            yield
        finally:
            self._switch()
            self._open.pop()

    def _switch(self) -> None:
        """What has passed belongs to the innermost open stage."""
        now = time.process_time_ns()
        if self._open:
            self.spent_ns[self._open[-1]] += now - self._since
        self._since = now

    def _watched(self, stage: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self.stage(stage):
                return method(*args, **kwargs)

        return call
