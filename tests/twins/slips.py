"""Defects of the consensus core and its checks, each a small change of the code that ships.

``patch(owner, name, value)`` is pytest's ``monkeypatch.setattr``.
"""

from collections.abc import Callable, Sequence
from typing import Any

from grootboek._core import digest
from grootboek.consensus import newview, viewchange
from grootboek.consensus.checks import Checks
from grootboek.consensus.core import Core
from grootboek.consensus.newview import proposal_in, stable_of
from grootboek.consensus.ordering import Ordering
from grootboek.consensus.slots import Slot
from grootboek.consensus.viewchange import ViewChanging
from grootboek.types import Quorum
from grootboek.wire import PrePrepare, Signed, ViewChange, block_of

Patch = Callable[[object, str, Any], None]


def quorum_minus_one(patch: Patch) -> None:
    """Certificates of one vote too few, everywhere."""

    def smaller(cls: type[Quorum], n: int) -> Quorum:
        faults = (n - 1) // 3
        return cls(n=n, faults=faults, quorum=(n + faults + 2) // 2 - 1, weak=faults + 1)

    patch(Quorum, "of", classmethod(smaller))


def lower_view_preferred(patch: Patch) -> None:
    """O carries the value that was prepared first, not the one that was prepared last."""

    def oldest(view: int, view_changes: Sequence[ViewChange]) -> list[PrePrepare]:
        stable = stable_of(view_changes)
        low = 0 if stable is None else block_of(stable).seq
        best: dict[int, PrePrepare] = {}
        for message in view_changes:
            for certificate in message.prepared:
                value = proposal_in(certificate.pre_prepare)
                if value.seq > low and (value.seq not in best or value.view < best[value.seq].view):
                    best[value.seq] = value
        return [
            PrePrepare(view, seq, best[seq].time, best[seq].batches)
            if seq in best
            else PrePrepare(view, seq, 0, ())
            for seq in range(low + 1, max(best, default=low) + 1)
        ]

    patch(newview, "proposals", oldest)
    patch(viewchange, "proposals", oldest)


def gaps_are_closed(patch: Patch) -> None:
    """O is renumbered instead of filled with NULLs."""
    proposals = newview.proposals

    def renumbered(view: int, view_changes: Sequence[ViewChange]) -> list[PrePrepare]:
        found = proposals(view, view_changes)
        values = [value for value in found if value.batches]
        return [
            PrePrepare(view, at.seq, value.time, value.batches)
            for at, value in zip(found, values, strict=False)
        ]

    patch(viewchange, "proposals", renumbered)


def commits_count_alone(patch: Patch) -> None:
    """COMMITs count whatever digest they name."""
    patch(Slot, "committed", lambda self, quorum: self.voted and len(self.commits) >= quorum)


def join_on_one_wish(patch: Patch) -> None:
    """A single replica takes the others along into any view."""
    consider = ViewChanging.consider

    def eager(self: ViewChanging, sender: int, message: ViewChange, signed: Signed) -> None:
        before = self.quorum
        self.quorum = Quorum(before.n, before.faults, before.quorum, 1)
        consider(self, sender, message, signed)
        self.quorum = before

    patch(ViewChanging, "consider", eager)


def o_is_believed(patch: Patch) -> None:
    """The proposals of a NEW-VIEW are not recomputed."""

    def believing(self: ViewChanging, message: Any, signed: Signed) -> None:
        if message.view > self.view or (message.view == self.view and not self.active):
            self.enter(message, signed)

    patch(ViewChanging, "on_new_view", believing)


def prepares_are_not_verified(patch: Patch) -> None:
    """A prepared certificate is a PRE-PREPARE and any signatures."""
    prepared = Checks._prepared

    def lenient(self: Checks, certificate: Any) -> Any:
        value, obligations = prepared(self, certificate)
        return value, obligations[:1]

    patch(Checks, "_prepared", lenient)


def one_vote_short(patch: Patch) -> None:
    """A slot is prepared on q - 2 PREPAREs, and the checks take such certificates."""
    prepared, vote = Slot.prepared, Ordering.vote

    def at_once(self: Ordering, slot: Slot) -> None:
        vote(self, slot)
        self.progress(slot)  # one's own PREPARE may be enough

    patch(Ordering, "vote", at_once)
    patch(Slot, "prepared", lambda self, quorum: prepared(self, quorum - 1))
    patch(Checks, "_prepared", _with_quorum(Checks._prepared, -1))


def _with_quorum(method: Callable[..., Any], more: int) -> Callable[..., Any]:
    def changed(self: Checks, value: Any) -> Any:
        before = self._quorum
        self._quorum = Quorum(before.n, before.faults, before.quorum + more, before.weak)
        try:
            return method(self, value)
        finally:
            self._quorum = before

    return changed


def certificates_forgotten_in_a_view(patch: Patch) -> None:
    """Entering a view drops what was prepared before it."""
    enter = Slot.enter_view

    def forgetful(self: Slot) -> None:
        enter(self)
        self.certificate, self.certificate_view = None, -1

    patch(Slot, "enter_view", forgetful)


def o_is_ignored(patch: Patch) -> None:
    """O is not accepted: the new primary proposes what it likes."""
    enter = ViewChanging.enter

    def blank(self: ViewChanging, message: Any, signed: Signed) -> None:
        accept, self.accept = self.accept, lambda *_: None  # type: ignore[method-assign]  # for this call
        enter(self, message, signed)
        self.accept = accept  # type: ignore[method-assign]  # put back

    patch(ViewChanging, "enter", blank)


def value_without_its_number(patch: Patch) -> None:
    """The digest of a value leaves out where it stands."""
    patch(Core, "digest", lambda _self, value: digest(b"".join(value.batches)))


SLIPS: dict[str, Callable[[Patch], None]] = {
    name: value
    for name, value in list(globals().items())
    if callable(value) and getattr(value, "__module__", "") == __name__ and not name.startswith("_")
}
