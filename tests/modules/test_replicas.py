"""Who runs the ledger: what opens an epoch, and what does not."""

from collections.abc import Callable, Sequence

import pytest
from msgspec import Struct
from msgspec.structs import replace

from grootboek.ledger.members import GOVERNOR, EpochRow, UsedRow, epochs, used
from grootboek.ledger.module import Context, Signer
from grootboek.modules.replicas import (
    CAUGHT_UP,
    OBSERVERS_MAX,
    Admit,
    Dismiss,
    OpenEpoch,
    Replicas,
    Seat,
)
from grootboek.node.seating import sign_seat
from grootboek.simulation.founding import info_of, keys_of
from grootboek.wire import Member
from tests.modules.memory_view import APPLIED, Host, signer

CHAIN = "example.org/test/00"

GOVERNORS = [signer(bytes([i]) * 16, GOVERNOR) for i in range(3)]
CITIZEN = signer(b"c" * 16)
HEIGHT = CAUGHT_UP + 500
"""Of the block that the commands are in."""


def member(place: int, epoch: int = 0) -> Member:
    return Member.of(info_of(place, epoch))


def founded(approvals: int = 2) -> Host:
    host = Host(Replicas())
    members = tuple(member(place) for place in range(4))
    epochs.put(host.state, EpochRow(0, 0, approvals, members))
    for one in members:
        used.put(host.state, UsedRow(0), one.cosigning)
    return host


def run(host: Host, cmd: Struct, *signers: Signer, height: int = HEIGHT) -> str:
    return host.run(cmd, context=Context(CHAIN, height, host.time, bytes(32), 0, signers))


def seat(place: int, epoch: int = 1, height: int = HEIGHT - 1, chain: str = CHAIN) -> Seat:
    return sign_seat(chain, epoch, member(place, epoch), keys_of(place, epoch), height)


def opening(places: Sequence[int], epoch: int = 1, approvals: int = 2) -> OpenEpoch:
    return OpenEpoch(epoch, approvals, tuple(seat(place, epoch) for place in places))


@pytest.mark.parametrize("places", [(0, 1, 2, 3), (3, 2, 1, 0), (0, 1, 2, 3, 4), (1, 2, 3), (7,)])
def test_governors_open_an_epoch_with_any_replicas(places: tuple[int, ...]) -> None:
    host = founded()
    assert run(host, opening(places), *GOVERNORS[:2]) == APPLIED
    row = host.ask("epoch")
    assert (row.number, row.height) == (1, HEIGHT)
    assert [one.name for one in row.members] == [f"replica-{place}" for place in places]
    assert all(holds for _, holds in host.module.invariants(host.state))


def altered(**fields: object) -> Callable[[], OpenEpoch]:
    """The first seat says something that its keys have not signed."""

    def make() -> OpenEpoch:
        first, *rest = opening(range(4)).seats
        return OpenEpoch(1, 2, (replace(first, **fields), *rest))

    return make


def same_key_twice() -> OpenEpoch:
    """Two replicas would cosign with one key."""
    seats = opening(range(4)).seats
    twin = replace(member(1, 1), cosigning=seats[0].member.cosigning)
    return OpenEpoch(1, 2, (seats[0], replace(seats[1], member=twin), *seats[2:]))


def old_key() -> OpenEpoch:
    """A replica keeps the cosigning key of the epoch before."""
    kept = sign_seat(CHAIN, 1, member(0), keys_of(0), HEIGHT - 1)
    return OpenEpoch(1, 2, (kept, *opening((1, 2, 3)).seats))


@pytest.mark.parametrize(
    ("make", "outcome"),
    [
        (lambda: opening(range(4), epoch=2), "other-epoch"),
        (lambda: OpenEpoch(1, 2, tuple(seat(i, epoch=2) for i in range(4))), "seat-unsigned"),
        (lambda: OpenEpoch(1, 2, tuple(seat(i, chain="other/0011") for i in range(4))), "seat-unsigned"),
        (lambda: OpenEpoch(1, 2, (seat(0), seat(0))), "bad-member"),
        (lambda: OpenEpoch(1, 2, (seat(0, height=HEIGHT - CAUGHT_UP - 1),)), "not-caught-up"),
        (lambda: OpenEpoch(1, 2, (seat(0, height=HEIGHT),)), "not-caught-up"),
        (altered(height=HEIGHT - 2), "seat-unsigned"),
        (altered(voting=bytes(64)), "seat-unsigned"),
        (altered(cosigning=bytes(64)), "seat-unsigned"),
        (altered(log=bytes(64)), "seat-unsigned"),
        (altered(member=member(5, 1)), "seat-unsigned"),
        (same_key_twice, "bad-member"),
        (old_key, "key-used"),
        (lambda: OpenEpoch(1, 2, ()), "bad-command"),
        (lambda: OpenEpoch(1, 0, opening(range(4)).seats), "bad-command"),
    ],
)
def test_what_opens_no_epoch(make: Callable[[], OpenEpoch], outcome: str) -> None:
    host = founded()
    assert run(host, make(), *GOVERNORS) == outcome
    assert host.ask("epoch").number == 0


def test_as_many_governors_as_the_epoch_before_has_laid_down() -> None:
    host = founded()
    assert run(host, opening(range(4)), GOVERNORS[0]) == "approvals-missing"
    assert run(host, opening(range(4)), GOVERNORS[0], GOVERNORS[0], CITIZEN) == "approvals-missing"
    assert run(host, opening(range(4), approvals=3), *GOVERNORS[:2]) == APPLIED
    second = OpenEpoch(2, 1, tuple(seat(i, 2, HEIGHT) for i in range(4)))
    assert run(host, second, *GOVERNORS[:2], height=HEIGHT + 1) == "approvals-missing"
    assert run(host, second, *GOVERNORS, height=HEIGHT + 1) == APPLIED


def test_a_block_opens_one_epoch_at_most() -> None:
    host = founded()
    assert run(host, opening(range(4)), *GOVERNORS) == APPLIED
    assert run(host, opening(range(4), epoch=2), *GOVERNORS) == "epoch-closing"


def test_a_ledger_without_governors_keeps_its_replicas() -> None:
    host = founded(approvals=0)
    assert run(host, opening(range(4)), *GOVERNORS) == "no-governor"
    assert run(Host(Replicas()), opening(range(4)), *GOVERNORS) == "no-governor"


def test_observers_come_and_go() -> None:
    host = founded()
    assert run(host, Admit(member(4)), GOVERNORS[0]) == "approvals-missing"
    assert run(host, Admit(member(3)), *GOVERNORS) == "name-taken"
    assert run(host, Admit(replace(member(4), name="a b")), *GOVERNORS) == "bad-member"
    for place in range(4, 4 + OBSERVERS_MAX):
        assert run(host, Admit(member(place)), *GOVERNORS) == APPLIED
    assert run(host, Admit(member(99)), *GOVERNORS) == "too-many"
    assert run(host, Dismiss("replica-99"), *GOVERNORS) == "name-unknown"
    assert run(host, Dismiss("replica-5"), *GOVERNORS) == APPLIED
    assert run(host, opening(range(5)), *GOVERNORS) == APPLIED
    assert [one.name for one in host.ask("epoch").observers] == [f"replica-{i}" for i in range(6, 12)]
