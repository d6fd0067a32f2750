"""Seats become an epoch, or the one that will not do is named. No network is needed for that."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from grootboek.cli.seats import Changes, Present, SeatFile, arrange, read, write
from grootboek.errors import ConfigError, SeatError
from grootboek.ledger.members import EpochRow, founding_row
from grootboek.node.keystore import ReplicaKeys
from grootboek.node.seating import seat_of
from grootboek.simulation.founding import found
from grootboek.types import ReplicaInfo
from grootboek.wire import Member

CHAIN = found(4, {"replicas": 1})[0].chain
EPOCH, HEIGHT = 3, 5_000
KEYS = [ReplicaKeys.generate(f"replica-{i}") for i in range(5)]


def info(keys: ReplicaKeys, port: int = 1) -> ReplicaInfo:
    return keys.public(f"{keys.name}.invalid:{port}", f"{keys.name}.invalid:9")


NOW = Present(
    EpochRow(EPOCH - 1, 9, 2, tuple(Member.of(info(keys.at(EPOCH - 1))) for keys in KEYS[:4])),
    HEIGHT,
    proven=True,
)


def seat(keys: ReplicaKeys, *, epoch: int = EPOCH, height: int = HEIGHT, port: int = 1) -> SeatFile:
    signed = seat_of(CHAIN, keys.at(epoch), info(keys, port), height)
    return SeatFile(CHAIN.origin, epoch, signed)


def named(*files: SeatFile) -> list[tuple[str, SeatFile]]:
    return [(f"{i}.json", file) for i, file in enumerate(files)]


def test_who_stays_keeps_its_order_and_others_come_behind() -> None:
    fresh = ReplicaKeys.generate("replica-2")
    files = named(seat(KEYS[4]), seat(KEYS[3], port=7), seat(fresh), seat(KEYS[0]))
    command = arrange(CHAIN, NOW, files, None, ["replica-1"])
    assert (command.epoch, command.approvals) == (EPOCH, 2)
    assert [one.member.name for one in command.seats] == [f"replica-{i}" for i in (0, 2, 3, 4)]
    assert Changes.of(NOW.row, command) == Changes(
        epoch=EPOCH,
        approvals=2,
        replicas=("replica-0", "replica-2", "replica-3", "replica-4"),
        added=("replica-4",),
        removed=("replica-1",),
        rekeyed=("replica-2",),
        moved=("replica-3",),
    )
    assert arrange(CHAIN, NOW, files, 1, ["replica-1"]).approvals == 1


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (seat(KEYS[1], epoch=EPOCH + 1), "it is of epoch 4, and the next one is 3"),
        (seat(KEYS[1], epoch=EPOCH - 1), "it is of epoch 2"),
        (seat(KEYS[1], height=HEIGHT - 1_001), "it is out of date: replica-1 was at height 3999"),
        (seat(KEYS[0]), "replica-0 has another seat in 0.json"),
        (replace(seat(KEYS[1]), ledger="other.invalid/1"), "it is of another ledger"),
        (replace(seat(KEYS[1], epoch=EPOCH + 1), epoch=EPOCH), "its signatures do not verify"),
    ],
)
def test_the_seat_that_will_not_do_is_named(bad: SeatFile, reason: str) -> None:
    with pytest.raises(SeatError, match=f"1.json: {reason}"):
        arrange(CHAIN, NOW, named(seat(KEYS[0]), bad, seat(KEYS[2])), None)


@pytest.mark.parametrize(
    ("without", "reason"),
    [
        ((), "replica-1, replica-3 has no seat; name who is to leave"),
        (("replica-1", "replica-2", "replica-3"), "replica-2 is to leave, and has a seat"),
        (("replica-1", "replica-3", "replica-7"), "replica-7 is to leave, and is not there"),
    ],
)
def test_nobody_leaves_by_an_oversight(without: tuple[str, ...], reason: str) -> None:
    with pytest.raises(SeatError, match=reason):
        arrange(CHAIN, NOW, named(seat(KEYS[0]), seat(KEYS[2])), None, without)


def test_without_governors_the_replicas_are_those_of_the_genesis_file() -> None:
    genesis = found(4, {"replicas": 1}, parties=())[0]
    now = Present(founding_row(genesis), 0, proven=True)
    with pytest.raises(ConfigError, match=r"no party has the role replicas\.governor"):
        now.require_governors()


def test_a_seat_is_a_file_for_people(tmp_path: Path) -> None:
    file, path = seat(KEYS[1]), tmp_path / "seat.json"
    write(path, file)
    assert read(path) == file
    assert '"name": "replica-1"' in path.read_text()


@pytest.mark.parametrize("change", [lambda t: t[:-9], lambda t: t.replace("epoch", "e"), lambda _: "[]"])
def test_a_file_that_is_no_seat(tmp_path: Path, change: Callable[[str], str]) -> None:
    path = tmp_path / "seat.json"
    write(path, seat(KEYS[1]))
    path.write_text(change(path.read_text()))
    with pytest.raises(SeatError, match=r"seat.json: this is no seat"):
        read(path)
