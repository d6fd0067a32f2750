"""A replica's key files from epoch to epoch: what waits is found, what is over is erased."""

from pathlib import Path

import pytest

from grootboek.errors import KeyFileError
from grootboek.node import keystore
from grootboek.node.keyfiles import NEXT, KeyFiles
from grootboek.node.keystore import GENERATED, ReplicaKeys
from grootboek.node.seats import Seats
from grootboek.types import Epoch

PASSPHRASE = b"a passphrase"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    keystore.save(tmp_path / "keys", ReplicaKeys.generate("replica-1"), PASSPHRASE, GENERATED)
    keystore.write_private(tmp_path / ".passphrase", PASSPHRASE + b"\n")
    return tmp_path / "keys"


def files(path: Path) -> KeyFiles:
    return KeyFiles(path, None)


def epoch_of(number: int, *keys: ReplicaKeys) -> Epoch:
    return Epoch(number, number, tuple(one.public("a.invalid:1", "a.invalid:2") for one in keys))


OTHER = ReplicaKeys.generate("replica-2")


def test_keys_that_wait_are_taken_again(path: Path) -> None:
    """A seat that was signed with them may be under way: they must not be lost to a second one."""
    first = files(path).seated(4, rotate=True)
    assert files(path).seated(4, rotate=True) == first
    assert files(path).seated(5, rotate=True) == first.at(5)
    assert files(path).seated(4) == files(path).all[0].at(4)
    assert {first.voting, first.log, first.api}.isdisjoint({files(path).all[0].voting})
    assert first.epoch == 4


def test_waiting_keys_are_sealed_as_the_present_ones(path: Path) -> None:
    files(path).seated(1, rotate=True)
    assert keystore.cost_of(path.with_name(NEXT)) == keystore.cost_of(path) == GENERATED
    assert not list(path.parent.glob("*.new"))


def test_a_write_that_a_crash_cut_short_does_no_harm(path: Path) -> None:
    path.with_name(NEXT + ".new").write_bytes(b"{")
    assert files(path).seated(1, rotate=True).epoch == 1


def test_a_running_replica_finds_keys_that_were_made_since(path: Path) -> None:
    running = files(path)
    seats = Seats(running.all, look=running.look)
    fresh = files(path).seated(1, rotate=True)
    assert seats.keys(epoch_of(1, fresh, OTHER)) == fresh
    with pytest.raises(KeyFileError, match="voting key"):
        seats.keys(epoch_of(1, ReplicaKeys.generate("replica-1"), OTHER))


def test_nothing_of_an_epoch_that_is_over_is_kept(path: Path) -> None:
    held = files(path)
    old, fresh = held.all[0], held.seated(1, rotate=True)
    held.erase_before(old.at(1))
    assert files(path).all == [old.at(1), fresh]
    held.erase_before(fresh.at(2))
    assert files(path).all == held.all == [fresh.at(2)]
    assert not path.with_name(NEXT).exists()


def test_a_crash_between_the_two_files_leaves_no_old_key_for_good(path: Path) -> None:
    fresh = files(path).seated(1, rotate=True)
    keystore.put(path, fresh, PASSPHRASE, GENERATED)
    again = files(path)
    again.erase_before(fresh)
    assert not path.with_name(NEXT).exists()
    assert files(path).all == [fresh]


def test_keys_for_a_later_epoch_are_kept(path: Path) -> None:
    held = files(path)
    later = held.seated(7, rotate=True)
    held.erase_before(held.all[0].at(3))
    assert files(path).all[1] == later


def test_whoever_has_left_erases_its_keys_too(path: Path) -> None:
    held = files(path)
    seats, old = Seats(held.all, look=held.look), held.all[0]
    seats.recall([epoch_of(0, old, OTHER)])
    held.erase_before(seats.keys(epoch_of(1, OTHER)))
    assert files(path).all == [old.at(1)]
    held.erase_before(seats.keys(epoch_of(1, OTHER)))
    assert seats.keys(epoch_of(0, OTHER)) == old.at(1)  # one that follows from the start again
