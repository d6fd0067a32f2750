"""From the seats of replicas to an epoch: what ``grootboek replica`` and ``localnet`` do alike.

Each replica signs its own seat, beside its own keys; whoever governs collects them, and sees here that
they make an epoch before anything is submitted.
"""

import asyncio
from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from grootboek import plain
from grootboek._core import verify_many
from grootboek.client import AsyncClient
from grootboek.errors import ConfigError, GenesisError, NotFound, SeatError, Unavailable
from grootboek.ledger.members import REPLICAS, EpochRow, epochs, founding_row
from grootboek.modules.replicas import CAUGHT_UP, OpenEpoch, Seat
from grootboek.node.keyfiles import KeyFiles, own_info
from grootboek.node.seating import seat_of
from grootboek.types import Chain, Quorum, ReplicaInfo
from grootboek.webapi import NodeStatus
from grootboek.wire import Member, seat_bytes

__all__ = [
    "Changes",
    "Present",
    "SeatFile",
    "arrange",
    "open_epoch",
    "opening",
    "present",
    "read",
    "take",
    "write",
]


class SeatFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A seat on its way from its replica to those who govern; it holds no secret."""

    ledger: str
    """The log's origin."""
    epoch: int
    seat: Seat


class Present(Struct, frozen=True):
    """The epoch that the next block belongs to."""

    row: EpochRow
    height: int
    """The state that says so is that after this block."""
    proven: bool

    def info(self, name: str) -> ReplicaInfo | None:
        """Where a replica or observer is reached now."""
        known = [one.info for one in self.row.members + self.row.observers if one.name == name]
        return known[0] if known else None

    def require_governors(self) -> EpochRow:
        """The row, where anybody can change it; raises ConfigError."""
        if not self.row.approvals:
            detail = f"no party has the role {REPLICAS}.governor: the replicas are those of the genesis file"
            raise ConfigError(detail, where="$.parties")
        return self.row


async def present(client: AsyncClient) -> Present:
    """The present epoch: proven, or the founding one where nothing is certified yet. Raises Unavailable."""
    row = founding_row(client.genesis)
    if REPLICAS not in client.genesis.modules:
        return Present(row, 0, proven=True)
    try:
        proof = await client.get_state(REPLICAS, epochs.key())
    except NotFound:
        return Present(row, 0, proven=False)
    return Present(row if proof.value is None else epochs.decode(proof.value), proof.height, proven=True)


# --- a replica's own seat ------------------------------------------------------------------------


async def take(
    client: AsyncClient,
    now: Present,
    data: Path,
    keys: KeyFiles,
    *,
    rotate: bool = False,
    address: str | None = None,
    api: str | None = None,
) -> SeatFile:
    """The seat in the next epoch of the replica whose data directory and keys these are.

    How far it is it says itself. ``rotate``: with other keys; ``address`` and ``api``: where it will be
    reached. Raises SeatError where it does not run or is behind, KeyFileError, GenesisError.
    """
    name = keys.all[0].name
    info = now.info(name) or own_info(data, name)
    if info is None:
        raise GenesisError(
            "no epoch names this replica, and there is no such file", where=f"{data}/{name}.json"
        )
    status = await _status(client, now, info)
    signing = await asyncio.to_thread(keys.seated, now.row.number + 1, rotate=rotate)
    reached = msgspec.structs.replace(info, address=address or info.address, api=api or info.api)
    chain = client.genesis.chain
    return SeatFile(chain.origin, now.row.number + 1, seat_of(chain, signing, reached, status.height))


async def _status(client: AsyncClient, now: Present, info: ReplicaInfo) -> NodeStatus:
    """Where a replica is; raises SeatError unless it can take part in the next epoch."""
    try:
        status = await client.status_of(info)
    except Unavailable as error:
        raise SeatError(f"it does not answer at {info.api}: {error.detail}", where=info.name) from error
    behind = now.height - status.height
    if status.epoch < now.row.number or behind > CAUGHT_UP // 2:
        detail = f"it is at height {status.height} in epoch {status.epoch}, and the ledger at {now.height}"
        raise SeatError(detail, where=info.name)
    return status


def write(path: Path, file: SeatFile) -> None:
    """Raises OSError."""
    path.write_bytes(msgspec.json.format(plain.to_json(file), indent=2) + b"\n")


def read(path: Path) -> SeatFile:
    """Raises SeatError, OSError."""
    try:
        file: SeatFile = plain.from_json(SeatFile, path.read_bytes())
    except msgspec.DecodeError as error:
        raise SeatError(f"this is no seat: {error}", where=str(path)) from error
    return file


# --- those of all --------------------------------------------------------------------------------


def arrange(
    chain: Chain,
    now: Present,
    files: Sequence[tuple[str, SeatFile]],
    approvals: int | None,
    without: Collection[str] = (),
) -> OpenEpoch:
    """The command that opens the next epoch with these seats; ``files``: each with where it comes from.

    Those who stay keep their order, and others come behind. ``without``: who leaves; a seat that was
    forgotten removes nobody. Raises SeatError naming the seat that will not do.
    """
    number = now.row.number + 1
    owners: dict[str, str] = {}
    for place, file in files:
        _check(chain, number, now, place, file)
        name = file.seat.member.name
        if name in owners:
            raise SeatError(f"{name} has another seat in {owners[name]}", where=place)
        owners[name] = place
    order = [member.name for member in now.row.members]
    _check_leaving(set(order), set(owners), set(without))
    seats = [file.seat for _, file in files]
    seats.sort(key=lambda seat: order.index(seat.member.name) if seat.member.name in order else len(order))
    return OpenEpoch(number, approvals or now.row.approvals, tuple(seats))


def _check_leaving(before: set[str], after: set[str], without: set[str]) -> None:
    wrong = {
        "has no seat; name who is to leave": before - after - without,
        "is to leave, and has a seat": after & without,
        "is to leave, and is not there": without - before - after,
    }
    for what, names in wrong.items():
        if names:
            raise SeatError(f"{', '.join(sorted(names))} {what}", where="--without")


def _check(chain: Chain, number: int, now: Present, place: str, file: SeatFile) -> None:
    seat, member = file.seat, file.seat.member
    if file.ledger != chain.origin:
        raise SeatError(f"it is of another ledger, {file.ledger}", where=place)
    if file.epoch != number:
        raise SeatError(f"it is of epoch {file.epoch}, and the next one is {number}", where=place)
    if seat.height < now.height - CAUGHT_UP:
        detail = f"{member.name} was at height {seat.height} then, and the ledger is at {now.height}"
        raise SeatError(f"it is out of date: {detail}", where=place)
    signed = seat_bytes(chain.origin, number, seat.height, member)
    keys = ((member.voting, seat.voting), (member.cosigning, seat.cosigning), (member.log, seat.log))
    if not all(verify_many([(key, signed, signature) for key, signature in keys], cofactorless=True)):
        raise SeatError("its signatures do not verify", where=place)


async def _check_present(client: AsyncClient, now: Present, seats: Sequence[Seat]) -> None:
    """Raise SeatError unless a quorum of the new epoch runs and has caught up: else the ledger would stop."""
    quorum = Quorum.of(len(seats))
    infos = [now.info(seat.member.name) or seat.member.info for seat in seats]
    answers = await asyncio.gather(*(_status(client, now, info) for info in infos), return_exceptions=True)
    missing = [answer for answer in answers if isinstance(answer, BaseException)]
    for error in missing:
        if not isinstance(error, SeatError):
            raise error
    if len(seats) - len(missing) < quorum.quorum:
        said = "; ".join(str(error) for error in missing)
        detail = (
            f"{len(seats) - len(missing)} of {len(seats)} replicas are there, a quorum is {quorum.quorum}"
        )
        raise SeatError(f"{detail}: {said}")


async def open_epoch(
    client: AsyncClient,
    now: Present,
    files: Sequence[tuple[str, SeatFile]],
    approvals: int | None = None,
    without: Collection[str] = (),
) -> "Changes":
    """Close the present epoch, and say what the next one changes; ``client`` has the governors' keys.

    The other parameters are those of ``arrange``. Raises SeatError before anything is submitted, Rejected,
    Unavailable.
    """
    command = await opening(client, now, files, approvals, without)
    (await client.submit(command)).require()
    return Changes.of(now.row, command)


async def opening(
    client: AsyncClient,
    now: Present,
    files: Sequence[tuple[str, SeatFile]],
    approvals: int | None = None,
    without: Collection[str] = (),
) -> OpenEpoch:
    """The command that opens the next epoch, whose replicas are there; as ``arrange``. Raises SeatError."""
    command = arrange(client.genesis.chain, now, files, approvals, without)
    await _check_present(client, now, command.seats)
    return command


class Changes(Struct, frozen=True, kw_only=True):
    """What an epoch does to the one before, by the replicas' names."""

    epoch: int
    approvals: int
    replicas: tuple[str, ...]
    """In the order of their indexes."""
    added: tuple[str, ...]
    removed: tuple[str, ...]
    rekeyed: tuple[str, ...]
    moved: tuple[str, ...]
    """Reached elsewhere."""

    @classmethod
    def of(cls, row: EpochRow, command: OpenEpoch) -> "Changes":
        """From ``row`` to what ``command`` opens."""
        before = {member.name: member for member in row.members}
        after = {seat.member.name: seat.member for seat in command.seats}
        both = [(before[name], after[name]) for name in after if name in before]
        return cls(
            epoch=command.epoch,
            approvals=command.approvals,
            replicas=tuple(after),
            added=tuple(name for name in after if name not in before),
            removed=tuple(name for name in before if name not in after),
            rekeyed=tuple(new.name for old, new in both if _keys(new) != _keys(old)),
            moved=tuple(new.name for old, new in both if (new.address, new.api) != (old.address, old.api)),
        )


def _keys(member: Member) -> tuple[bytes, bytes]:
    """Those that stay the same from epoch to epoch unless they are rotated."""
    return member.voting, member.log
