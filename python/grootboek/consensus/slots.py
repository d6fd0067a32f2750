"""One sequence number: the proposal accepted in the current view and the votes for it."""

from msgspec import Struct

from grootboek.wire import Commit, Prepare, Prepared, PrePrepare, ReplicaId, Signature, Signed, encode

__all__ = ["Slot"]


class Slot(Struct, eq=False, gc=False):
    """Holds votes and counts them, and does nothing else with them.

    The first vote of each kind and sender is kept (``setdefault``): a second, different one is evidence and
    changes nothing. A message has one encoding, so a vote is for the proposal if its payload is the very one
    that such a vote has.
    """

    certificate: Prepared | None = None
    """The prepared certificate of the highest view, kept across views."""
    certificate_view: int = -1
    decided: PrePrepare | None = None
    """The committed value."""
    pre_prepare: Signed | None = None
    """The proposal accepted in this view; ``value`` is what it says."""
    value: PrePrepare | None = None
    prepare: bytes = b""
    """The payload of a PREPARE for it, and of a COMMIT."""
    commit: bytes = b""
    held: bool = False
    """Whether the bodies are held, so that it can be executed."""
    voted: bool = False
    """Whether this replica holds the bodies and has voted for the proposal."""
    committing: bool = False
    """Whether its COMMIT is out."""
    prepares: dict[int, Signed] = {}
    """Those of backups, by sender."""
    commits: dict[int, Signed] = {}

    def enter_view(self) -> None:
        """Forget proposal and votes of the view that is left."""
        self.pre_prepare = self.value = None
        self.prepare = self.commit = b""
        self.held = self.voted = self.committing = False
        self.prepares, self.commits = {}, {}

    @property
    def unvoted(self) -> PrePrepare | None:
        """The proposal, as long as this replica has not voted for it."""
        return None if self.voted else self.value

    def accept(self, signed: Signed, value: PrePrepare, digest: bytes) -> None:
        """The proposal of this view, with its value digest."""
        self.pre_prepare, self.value = signed, value
        self.prepare = encode(Prepare(value.view, value.seq, digest))
        self.commit = encode(Commit(value.view, value.seq, digest))

    def prepared(self, quorum: int) -> Prepared | None:
        """The certificate, once the PRE-PREPARE and q - 1 backups' PREPAREs agree (PBFT section 4.2)."""
        if len(self.prepares) < quorum - 1 or self.pre_prepare is None or not self.voted:
            return None
        votes: list[tuple[ReplicaId, Signature]] = []
        for sender in sorted(self.prepares):
            vote = self.prepares[sender]
            if vote.payload == self.prepare:
                votes.append((sender, vote.signature))
        if len(votes) < quorum - 1:
            return None
        return Prepared(self.pre_prepare, tuple(votes[: quorum - 1]))

    def committed(self, quorum: int) -> bool:
        """Whether q COMMITs name the proposal."""
        if len(self.commits) < quorum or not self.held:
            return False
        agreed = 0
        for vote in self.commits.values():
            if vote.payload == self.commit:
                agreed += 1
        return agreed >= quorum

    def signed_by(self, sender: int) -> list[Signed]:
        """What ``sender`` has signed of this slot in this view."""
        votes = (self.prepares.get(sender), self.commits.get(sender))
        proposal = [self.pre_prepare] if self.pre_prepare is not None else []
        return [s for s in proposal if s.sender == sender] + [vote for vote in votes if vote is not None]

    def told_by(self, me: int) -> list[Signed]:
        """What this replica can tell again: the proposal, and its own votes."""
        votes = (self.prepares.get(me), self.commits.get(me))
        proposal = [self.pre_prepare] if self.pre_prepare is not None and self.voted else []
        return proposal + [vote for vote in votes if vote is not None]
