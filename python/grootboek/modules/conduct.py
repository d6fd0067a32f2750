"""Conduct: what replicas did that no correct one does, and which of them are too slow to lead.

Replicas submit these commands themselves, as ordinary transactions under their voting keys; the signed
bytes of transactions and of protocol messages start differently, so neither can pass for the other.
Anybody may report evidence, since it proves itself. Complaints are opinions: f + 1 replicas must share one.
"""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final

from msgspec import Meta, Struct

from grootboek.errors import BadMessage
from grootboek.evidence import Role, convicts, role_of
from grootboek.ledger.founding import CONDUCT, Members, members
from grootboek.ledger.module import Context, Module, Rejected, Table, View, command, query
from grootboek.types import Chain, Quorum
from grootboek.wire import Evidence, ReplicaId, Said

__all__ = ["CONVICTIONS_MAX", "Complain", "Conduct", "Report", "passed_over", "report_of"]

CONVICTIONS_MAX: Final = 16
"""So many are recorded of one replica in one epoch: more would tell nothing new."""

Number = Annotated[int, Meta(ge=0, lt=2**53)]


class Complain(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The signing replica left a view because it found its primary slow."""

    epoch: Number
    view: Number


class Report(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Two signed statements of one replica that contradict each other."""

    epoch: Number
    replica: ReplicaId
    first: Said
    second: Said


class Epoch(Struct, frozen=True, forbid_unknown_fields=True):
    """Names an epoch."""

    epoch: Number


class Complaint(Struct, frozen=True, array_like=True):
    """The latest complaint of one replica."""

    replica: int
    view: int


class Passed(Struct, frozen=True, array_like=True):
    """The replicas that are passed over as primaries, in the order they were listed."""

    replicas: tuple[int, ...]


class Conviction(Struct, frozen=True, array_like=True):
    """A replica contradicted itself; the log entry that says so holds both signatures."""

    epoch: int
    replica: int
    kind: str
    """``preprepare``, ``prepare``, ``commit`` or ``checkpoint``."""
    view: int
    number: int
    """The sequence number; for a checkpoint the size of the log."""


class Convictions(Struct, frozen=True):
    """What is recorded of an epoch's replicas."""

    convictions: tuple[Conviction, ...]


complaints: Final = Table("complaint", Complaint)
passed: Final = Table("passed", Passed)
convictions: Final = Table("conviction", Conviction)


def passed_over(state: View, epoch: int) -> tuple[int, ...]:
    """The replicas that are not to be primaries in what is left of the epoch, at most f of them."""
    row = passed.get(state, epoch)
    return () if row is None else row.replicas


def report_of(evidence: Evidence) -> Report:
    """The command that reports ``evidence``."""
    return Report(evidence.epoch, evidence.replica, evidence.first, evidence.second)


class Conduct(Module):
    """The register of misconduct."""

    name: ClassVar[str] = CONDUCT
    version: ClassVar[int] = 1
    reasons: ClassVar[dict[str, str]] = {
        "epoch-unknown": "the ledger has had no such epoch",
        "not-a-replica": "the signer is no replica of the epoch",
        "own-view": "a replica does not complain of itself",
        "complaint-stale": "the replica has complained of this view or a later one before",
        "replica-unknown": "the epoch has no such replica",
        "no-contradiction": "a correct replica may have said both",
        "bad-signature": "one of the signatures is not the replica's",
        "reported-already": "this contradiction is recorded",
        "too-many": f"{CONVICTIONS_MAX} contradictions of the replica are recorded for the epoch",
    }

    @command
    def complain(self, ctx: Context, state: View, cmd: Complain) -> None:
        """Count a complaint; f + 1 of one view put its primary on the list."""
        epoch = members.require(state, "epoch-unknown", cmd.epoch)
        if ctx.sender.key not in epoch.voting:
            raise Rejected("not-a-replica")
        mine = epoch.voting.index(ctx.sender.key)
        primary = cmd.view % len(epoch.voting)
        if mine == primary:
            raise Rejected("own-view")
        before = complaints.get(state, cmd.epoch, mine)
        if before is not None and before.view >= cmd.view:
            raise Rejected("complaint-stale")
        complaints.put(state, Complaint(mine, cmd.view), cmd.epoch, mine)
        agreeing = sum(row.view == cmd.view for row in complaints.every(state, cmd.epoch))
        quorum = Quorum.of(len(epoch.voting))
        if agreeing == quorum.weak:
            _list(state, cmd.epoch, primary, quorum.faults)

    @command
    def report(self, _ctx: Context, state: View, cmd: Report) -> None:
        """Record evidence, once for each role in which the replica contradicted itself."""
        epoch = members.require(state, "epoch-unknown", cmd.epoch)
        if cmd.replica >= len(epoch.voting):
            raise Rejected("replica-unknown")
        role = _proven(epoch, Evidence(cmd.epoch, cmd.replica, cmd.first, cmd.second))
        if convictions.get(state, *role) is not None:
            raise Rejected("reported-already")
        if sum(1 for _ in convictions.every(state, cmd.epoch, cmd.replica)) >= CONVICTIONS_MAX:
            raise Rejected("too-many")
        conviction = Conviction(*role)
        convictions.put(state, conviction, *role)
        state.emit(conviction)

    @query
    def passed_over(self, state: View, args: Epoch) -> Passed:
        """The replicas that are passed over as primaries in an epoch."""
        return Passed(passed_over(state, args.epoch))

    @query
    def convicted(self, state: View, args: Epoch) -> Convictions:
        """The contradictions that are recorded of an epoch."""
        return Convictions(tuple(convictions.every(state, args.epoch)))

    def invariants(self, state: View) -> Iterator[tuple[str, bool]]:
        """C1: the list names at most f replicas, each once; C2: convictions are bounded."""
        epochs = list(enumerate(members.every(state)))
        listed = [(passed_over(state, e), Quorum.of(len(row.voting)).faults) for e, row in epochs]
        yield "C1", all(len(set(names)) == len(names) <= faults for names, faults in listed)
        counts = [
            sum(1 for _ in convictions.every(state, e, replica))
            for e, row in epochs
            for replica in range(len(row.voting))
        ]
        yield "C2", all(count <= CONVICTIONS_MAX for count in counts)


def _list(state: View, epoch: int, primary: int, faults: int) -> None:
    """The list holds f at most, so that a primary is left; who was listed first comes off it first."""
    others = [replica for replica in passed_over(state, epoch) if replica != primary]
    newest = (*others, primary)
    passed.put(state, Passed(newest[max(0, len(newest) - faults) :]), epoch)


def _proven(epoch: Members, evidence: Evidence) -> Role:
    chain = Chain(epoch.name, epoch.digest)
    try:
        role = role_of(evidence)
        keys = (epoch.voting[evidence.replica], epoch.cosigning[evidence.replica])
        if not convicts(evidence, chain, *keys):
            raise Rejected("bad-signature")
    except BadMessage as error:
        raise Rejected("no-contradiction", error.detail) from error
    return role
