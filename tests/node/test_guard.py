"""The guard signs nothing twice, whatever it is asked, whichever crash or old journal lies between."""

import random

import pytest

from grootboek._core import digest
from grootboek.consensus import Accepted, Amnesia, Cosigned, LeftView, Record, Voted, decode_record
from grootboek.node.guard import NOTHING, Guard, High, Refusal
from grootboek.node.journal import MARKER, Journal
from grootboek.node.signers import Signers
from grootboek.simulation.disk import SimulatedDisk
from grootboek.simulation.founding import found
from grootboek.wire import (
    Commit,
    Cosignature,
    NewView,
    Prepare,
    PrePrepare,
    ProtocolMessage,
    Signed,
    ViewChange,
    encode,
)

A, B = bytes(32), b"\x01" * 32
KEEP = 16
GENESIS, KEYS = found(4, {})


@pytest.fixture
def guard() -> Guard:
    return Guard(0, KEEP)


def refuses(guard: Guard, *messages: ProtocolMessage) -> list[Refusal | None]:
    return [guard.refuses(encode(message)) for message in messages]


# --- its rules -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Prepare, Commit])
def test_one_role_has_one_payload(guard: Guard, kind: type[Prepare | Commit]) -> None:
    assert refuses(guard, kind(0, 1, A), kind(0, 1, A)) == [None, None]
    assert refuses(guard, kind(0, 1, B)) == [Refusal.CONTRADICTION]
    assert refuses(guard, kind(0, 2, B), kind(1, 1, B)) == [None, None]


def test_roles_are_told_apart(guard: Guard) -> None:
    assert refuses(guard, PrePrepare(0, 1, 5, (A,)), Prepare(0, 1, A), Commit(0, 1, B)) == [None] * 3
    assert refuses(guard, PrePrepare(0, 1, 6, (A,))) == [Refusal.CONTRADICTION]


def test_a_view_that_was_left_stays_left(guard: Guard) -> None:
    assert refuses(guard, ViewChange(3, None, ())) == [None]
    lower = (Prepare(2, 9, A), Commit(0, 1, A), ViewChange(2, None, ()), NewView(1, (), ()))
    assert refuses(guard, *lower) == [Refusal.VIEW_LEFT] * 4
    assert refuses(guard, NewView(3, (), ()), Prepare(3, 9, A)) == [None, None]


def test_a_view_is_left_and_opened_once(guard: Guard) -> None:
    other = Signed(1, b"", bytes(64))
    assert refuses(guard, ViewChange(1, None, ()), NewView(1, (), ())) == [None, None]
    assert refuses(guard, NewView(1, (other,), ())) == [Refusal.CONTRADICTION]
    assert refuses(guard, Prepare(2, 1, A), ViewChange(2, None, ())) == [None, Refusal.FORGOTTEN]


def test_its_memory_is_bounded_and_leaves_a_floor(guard: Guard) -> None:
    for seq in range(1, 10 * KEEP):
        assert refuses(guard, Prepare(0, seq, A)) == [None]
    assert len(guard._votes) == KEEP
    oldest = min(guard._votes)
    assert refuses(guard, Prepare(0, oldest, A), Prepare(0, oldest, B)) == [None, Refusal.CONTRADICTION]
    assert refuses(guard, Prepare(0, oldest - 1, A), Commit(0, 1, A)) == [Refusal.FORGOTTEN] * 2


def test_after_a_loss_nothing_up_to_its_high_is_signed(guard: Guard) -> None:
    guard.reach(High(0, 2, 7, 30))
    guard.forget(2, 7)
    below = (Prepare(2, 7, A), NewView(2, (), ()), ViewChange(2, None, ()))
    assert refuses(guard, *below) == [Refusal.FORGOTTEN] * 3
    assert refuses(guard, Prepare(1, 8, A), Prepare(2, 8, A), Prepare(3, 1, A)) == [
        Refusal.VIEW_LEFT,
        None,
        None,
    ]
    assert guard.refuses_checkpoint(29, A) is Refusal.SMALLER
    assert guard.refuses_checkpoint(30, A) is Refusal.FORGOTTEN
    assert guard.refuses_checkpoint(31, A) is None


def test_high_is_the_most_of_each() -> None:
    signers = Signers(GENESIS.chain, 0, 1, KEYS[1])
    assert signers.high == NOTHING
    for message in (Prepare(1, 9, A), ViewChange(2, None, ()), Prepare(2, 3, A)):
        assert signers.message(encode(message)) is not None
    assert signers.cosign(12, A, 1) is not None
    assert signers.high == High(0, 2, 9, 12)


def test_a_refusal_is_counted_and_no_crash() -> None:
    signers = Signers(GENESIS.chain, 0, 1, KEYS[1])
    assert signers.message(encode(Prepare(0, 1, A))) is not None
    assert signers.message(encode(Prepare(0, 1, B))) is None
    assert signers.refused == 1


# --- over crashes and old journals ---------------------------------------------------------------


class Machine:
    """A signer that journals like the engine does: synced before it is said."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.disk, self.guard_disk = SimulatedDisk(), SimulatedDisk()
        Journal.found(self.guard_disk)
        self.said: dict[tuple[str, int, int], bytes] = {}
        self.left = 0
        self.largest = 0
        self.allowed = 0
        self.lost = 0
        self.start()

    def start(self) -> None:
        self.journal, items = Journal.recover(self.disk, self.guard_disk)
        records: list[Record] = [decode_record(item) for item in items]
        self.signers = Signers(GENESIS.chain, 0, 1, KEYS[1], KEEP)
        if not records and self.journal.high != NOTHING:
            assert self.journal.high is not None
            self.lost += 1
            records = [Amnesia(self.journal.high.view, self.journal.high.seq)]
            self.journal.append(encode(records[0]))
        self.signers.restore(records, self.journal.high)
        self.journal.high = self.signers.high
        self.journal.sync()

    def ask(self) -> None:
        high, rng = self.signers.high, self.rng
        view = max(0, high.view + rng.choice((-1, 0, 0, 0, 0, 0, 0, 0, 0, 1)))
        seq = max(1, high.seq + rng.randrange(-KEEP, 3))
        value = digest(b"%d" % rng.randrange(3))
        kind = rng.randrange(8)
        if kind == 0:
            self.cosign(max(1, high.size + rng.randrange(-2, 3)), digest(b"root"))
        elif kind == 1 and not rng.randrange(20):
            self.sign(ViewChange(view, None, ()))
        elif kind == 2:
            self.sign(PrePrepare(view, seq, 1, (value,)))
        else:
            self.sign(rng.choice((Prepare, Commit))(view, seq, value))

    def sign(self, message: ProtocolMessage) -> None:
        payload = encode(message)
        signed = self.signers.message(payload)
        if signed is None:
            return
        record = Accepted(signed) if isinstance(message, PrePrepare) else Voted(signed)
        self.keep(LeftView(signed) if isinstance(message, ViewChange) else record)
        role = (type(message).__name__, message.view, getattr(message, "seq", 0))
        assert self.said.setdefault(role, payload) == payload, role
        assert message.view >= self.left
        if isinstance(message, ViewChange):
            self.left = message.view

    def cosign(self, size: int, root: bytes) -> None:
        made = self.signers.cosign(size, root, 1)
        if made is not None:
            self.keep(Cosigned(size, size, root, Cosignature(1, 1, bytes(64))))
            assert size >= self.largest
            self.largest = size

    def keep(self, record: Record) -> None:
        self.journal.append(encode(record))
        self.journal.high = self.signers.high
        self.journal.sync()
        self.allowed += 1

    def crash(self, image: SimulatedDisk | None) -> None:
        """A kill or a power cut; an old image of the journal may come back, the guard is what it was."""
        if self.rng.randrange(2):
            self.disk.crash(self.rng)
            self.guard_disk.crash(self.rng)
        if image is not None:
            self.disk = image.copy()
        self.start()


def run(seed: int, requests: int) -> Machine:
    machine = Machine(seed)
    image = machine.disk.copy()
    for _ in range(requests):
        machine.ask()
        fate = machine.rng.randrange(1_000)
        if fate == 0:
            image = machine.disk.copy()
        elif fate < 3:
            machine.crash(image if machine.rng.randrange(3) == 0 else None)
    assert machine.allowed > requests // 20
    assert machine.guard_disk.size(MARKER)
    return machine


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_signed_twice(seed: int) -> None:
    assert run(seed, 4_000).lost


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("seed", range(100, 150))
def test_nothing_is_signed_twice_in_a_million_requests(seed: int) -> None:
    run(seed, 20_000)
