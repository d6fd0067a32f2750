"""One sequence number: the proposal accepted in the current view and the votes for it."""

from msgspec import Struct

from grootboek.wire import Commit, Prepare, Prepared, PrePrepare, ReplicaId, Signature, Signed

__all__ = ["Slot"]


class Slot(Struct, eq=False):
    """Counts votes, and does nothing else with them.

    Votes are kept by sender, one of each kind: a second, different one is returned to the caller as
    evidence and changes nothing.
    """

    seq: int
    certificate: Prepared | None = None
    """The prepared certificate of the highest view, kept across views."""
    certificate_view: int = -1
    decided: PrePrepare | None = None
    """The committed value."""
    pre_prepare: Signed | None = None
    """The proposal accepted in this view; ``value`` is what it says, ``digest`` what votes call it."""
    value: PrePrepare | None = None
    digest: bytes = b""
    held: bool = False
    """Whether the bodies are held, so that it can be executed."""
    voted: bool = False
    """Whether this replica holds the bodies and has voted for the proposal."""
    committing: bool = False
    """Whether its COMMIT is out."""
    prepares: dict[int, tuple[Prepare, Signed]] = {}
    commits: dict[int, tuple[Commit, Signed]] = {}

    def enter_view(self) -> None:
        """Forget proposal and votes of the view that is left."""
        self.pre_prepare = self.value = None
        self.digest = b""
        self.held = self.voted = self.committing = False
        self.prepares, self.commits = {}, {}

    @property
    def unvoted(self) -> PrePrepare | None:
        """The proposal, as long as this replica has not voted for it."""
        return None if self.voted else self.value

    def accept(self, signed: Signed, value: PrePrepare, digest: bytes) -> None:
        """The proposal of this view."""
        self.pre_prepare = signed
        self.value = value
        self.digest = digest

    def add_prepare(self, sender: int, message: Prepare, signed: Signed) -> Signed | None:
        """Count a PREPARE; the earlier one if it differs."""
        first = self.prepares.setdefault(sender, (message, signed))
        return None if first[0] == message else first[1]

    def add_commit(self, sender: int, message: Commit, signed: Signed) -> Signed | None:
        """Count a COMMIT; the earlier one if it differs."""
        first = self.commits.setdefault(sender, (message, signed))
        return None if first[0] == message else first[1]

    def prepared(self, quorum: int) -> Prepared | None:
        """The certificate, once the PRE-PREPARE and q - 1 backups' PREPAREs agree (PBFT section 4.2)."""
        if len(self.prepares) < quorum - 1 or self.pre_prepare is None or not self.voted:
            return None
        primary = self.pre_prepare.sender
        votes: list[tuple[ReplicaId, Signature]] = [
            (sender, signed.signature)
            for sender, (message, signed) in sorted(self.prepares.items())
            if message.digest == self.digest and sender != primary
        ]
        if len(votes) < quorum - 1:
            return None
        return Prepared(self.pre_prepare, tuple(votes[: quorum - 1]))

    def committed(self, quorum: int) -> bool:
        """Whether q COMMITs name the proposal."""
        if len(self.commits) < quorum or not self.held:
            return False
        return [commit.digest for commit, _ in self.commits.values()].count(self.digest) >= quorum

    def signed_by(self, sender: int) -> list[Signed]:
        """What ``sender`` has signed of this slot in this view."""
        votes = (self.prepares.get(sender), self.commits.get(sender))
        proposal = [self.pre_prepare] if self.pre_prepare is not None else []
        return [s for s in proposal if s.sender == sender] + [vote[1] for vote in votes if vote is not None]

    def told_by(self, me: int) -> list[Signed]:
        """What this replica can tell again: the proposal, and its own votes."""
        votes = (self.prepares.get(me), self.commits.get(me))
        proposal = [self.pre_prepare] if self.pre_prepare is not None and self.voted else []
        return proposal + [vote[1] for vote in votes if vote is not None]
