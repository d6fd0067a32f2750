"""Replicas: who runs the ledger, from one epoch to the next.

The genesis file founds epoch 0. ``OpenEpoch`` closes the present epoch with the block that it is in; the
replicas that it names run the ledger from the next block on. So one command adds, removes and replaces
replicas, gives them other keys or addresses, and with their number changes f (``types.Quorum``).

Governors decide it, as many as the epoch before has laid down; every replica of the new epoch agrees with
its own keys (a ``Seat``), and says up to which height it has executed the log: nobody votes before it is
caught up. A cosigning key belongs to one epoch and is never used again, so whoever later steals the keys of
a closed epoch cannot sign another history of it that a verifier would follow.
"""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final

from msgspec import Meta, Struct
from msgspec.structs import replace

from grootboek._core import verify_many
from grootboek.errors import GenesisError
from grootboek.ledger.members import GOVERNOR, REPLICAS, EpochRow, UsedRow, epochs, used
from grootboek.ledger.module import Context, Module, Rejected, View, command, query
from grootboek.types import check_replicas
from grootboek.wire import MEMBERS, Member, Name, Signature, seat_bytes

__all__ = ["CAUGHT_UP", "Admit", "Dismiss", "EpochOpened", "EpochQuery", "OpenEpoch", "Replicas", "Seat"]

CAUGHT_UP: Final = 1_000
"""How many heights a new replica may be behind when its seat is taken."""
OBSERVERS_MAX: Final = 8
"""Observers at a time."""
APPROVALS_MAX: Final = 16
"""A transaction has no more signers."""


class Seat(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One replica's word that it takes part in an epoch, by all keys that it will sign with."""

    member: Member
    height: Annotated[int, Meta(ge=0, lt=2**53)]
    """Of the newest block that it has executed."""
    voting: Signature
    """Each over ``wire.seat_bytes``."""
    cosigning: Signature
    log: Signature


class OpenEpoch(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Close the present epoch with this block; these run the ledger from the next block on."""

    epoch: Annotated[int, Meta(ge=1, lt=2**53)]
    """The number of the new epoch: one more than the present one's."""
    approvals: Annotated[int, Meta(ge=1, le=APPROVALS_MAX)]
    """How many governors must sign to open the epoch after it."""
    seats: Annotated[tuple[Seat, ...], Meta(min_length=1, max_length=MEMBERS)]
    """In the order of their indexes: the primary of view v has index v modulo their number."""


class Admit(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Let a replica follow the ledger over the replicas' network, so that it can join in a later epoch."""

    member: Member


class Dismiss(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Let an observer follow no longer."""

    name: Name


class EpochOpened(Struct, frozen=True, array_like=True):
    """The next block is the first of this epoch."""

    epoch: int
    replicas: tuple[str, ...]


class EpochQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Asks for the present epoch."""


class Replicas(Module):
    """The replicas of the ledger itself."""

    name: ClassVar[str] = REPLICAS
    version: ClassVar[int] = 1
    roles: ClassVar[dict[str, str]] = {GOVERNOR: "decides, with others, which replicas run the ledger"}
    reasons: ClassVar[dict[str, str]] = {
        "no-governor": "the genesis file names no governor: the replicas are those that it names, for good",
        "approvals-missing": "too few governors have signed",
        "name-taken": "a replica or an observer has that name",
        "name-unknown": "no observer has that name",
        "too-many": f"there are at most {OBSERVERS_MAX} observers",
        "other-epoch": "the number is not one more than the present epoch's",
        "epoch-closing": "another command of this block has opened an epoch already",
        "bad-member": "a name, key or certificate is malformed or named twice",
        "key-used": "a cosigning key has belonged to an epoch already",
        "not-caught-up": f"a replica has not executed the last {CAUGHT_UP} blocks, or names one to come",
        "seat-unsigned": "a replica's keys have not signed for its seat",
    }

    @command
    def open_epoch(self, ctx: Context, state: View, cmd: OpenEpoch) -> None:
        """Hand the ledger over to the replicas of another epoch."""
        row = _approved(ctx, state)
        if row.height == ctx.height:
            raise Rejected("epoch-closing")
        if cmd.epoch != row.number + 1:
            raise Rejected("other-epoch", f"the present one is {row.number}")
        _check_seats(ctx, state, cmd)
        for seat in cmd.seats:
            used.put(state, UsedRow(cmd.epoch), seat.member.cosigning)
        members = tuple(seat.member for seat in cmd.seats)
        names = {member.name for member in members}
        observers = tuple(observer for observer in row.observers if observer.name not in names)
        epochs.put(state, EpochRow(cmd.epoch, ctx.height, cmd.approvals, members, observers))
        state.emit(EpochOpened(cmd.epoch, tuple(member.name for member in members)))

    @command
    def admit(self, ctx: Context, state: View, cmd: Admit) -> None:
        """Admit an observer."""
        row = _approved(ctx, state)
        if cmd.member.name in {one.name for one in row.members + row.observers}:
            raise Rejected("name-taken")
        if len(row.observers) == OBSERVERS_MAX:
            raise Rejected("too-many")
        if not _fits((cmd.member,)):
            raise Rejected("bad-member")
        epochs.put(state, replace(row, observers=(*row.observers, cmd.member)))

    @command
    def dismiss(self, ctx: Context, state: View, cmd: Dismiss) -> None:
        """Dismiss an observer."""
        row = _approved(ctx, state)
        left = tuple(observer for observer in row.observers if observer.name != cmd.name)
        if left == row.observers:
            raise Rejected("name-unknown")
        epochs.put(state, replace(row, observers=left))

    @query
    def epoch(self, state: View, args: EpochQuery) -> EpochRow | None:  # noqa: ARG002  # asks for the one row
        """The epoch that the next block belongs to."""
        return epochs.get(state)

    def invariants(self, state: View) -> Iterator[tuple[str, bool]]:
        """E1: an epoch's replicas can run a ledger together; E2: their cosigning keys are of no other."""
        row = epochs.get(state)
        if row is not None:
            yield "E1", _fits(row.members)
            owners = [used.get(state, member.cosigning) for member in row.members]
            yield "E2", owners == [UsedRow(row.number)] * len(row.members)


def _approved(ctx: Context, state: View) -> EpochRow:
    """The present epoch; raises Rejected unless enough governors have signed."""
    row = epochs.require(state, "no-governor")
    if not row.approvals:
        raise Rejected("no-governor")
    governors = {signer.party for signer in ctx.signers if GOVERNOR in signer.roles}
    if len(governors) < row.approvals:
        raise Rejected("approvals-missing", f"{len(governors)} of {row.approvals}")
    return row


def _check_seats(ctx: Context, state: View, cmd: OpenEpoch) -> None:
    if not _fits(tuple(seat.member for seat in cmd.seats)):
        raise Rejected("bad-member")
    for seat in cmd.seats:
        if used.get(state, seat.member.cosigning) is not None:
            raise Rejected("key-used", seat.member.name)
        if not ctx.height - CAUGHT_UP <= seat.height < ctx.height:
            raise Rejected("not-caught-up", seat.member.name)
    items = []
    for seat in cmd.seats:
        signed = seat_bytes(ctx.chain, cmd.epoch, seat.height, seat.member)
        items += [
            (seat.member.voting, signed, seat.voting),
            (seat.member.cosigning, signed, seat.cosigning),
            (seat.member.log, signed, seat.log),
        ]
    if not all(verify_many(items, cofactorless=True)):
        raise Rejected("seat-unsigned")


def _fits(members: tuple[Member, ...]) -> bool:
    try:
        check_replicas([member.info for member in members], set())
    except GenesisError:
        return False
    return True
