"""Catching up: certified entries of others, executed again, give the very same ledger."""

from collections.abc import Callable
from typing import ClassVar

import pytest
from msgspec.structs import replace

from grootboek import wire
from grootboek._core import State, verify_consistency
from grootboek.errors import BadProof, Diverged
from grootboek.ledger import Context, Ledger, Module, Registry, View, command
from grootboek.ledger.blocks import parse
from grootboek.ledger.files import frame
from grootboek.wire import Certificate
from tests.ledger.disks import CrashDisk
from tests.ledger.world import GENESIS, REGISTRY, Put, Shelf, World, batch, certify, rows, value_of

Proven = Callable[[int, bytes], bool]


def always(_: int, __: bytes) -> bool:
    return True


def never(_: int, __: bytes) -> bool:
    return False


@pytest.fixture(scope="module")
def ahead() -> World:
    """Six blocks with duplicates, expired transactions and refusals."""
    world = World()
    world.fill(5)
    frame_ = world.transaction(Put("twice", b""))
    world.execute(frame_, frame_, world.transaction(Put("late", b""), expiry=1))
    certify(world.ledger)
    return world


def behind() -> Ledger:
    return Ledger.open(GENESIS, CrashDisk(), State(), REGISTRY)


def proven_by(ahead: Ledger, certificate: Certificate) -> Proven:
    """As catch-up checks: by a consistency proof from the end of the body."""

    def proven(size: int, root: bytes) -> bool:
        if size == certificate.size:
            return root == certificate.root
        proof = ahead.consistency(size, certificate.size)
        return verify_consistency(size, root, certificate.size, certificate.root, proof)

    return proven


@pytest.mark.parametrize("limit", [1, 200, 700, 1_500, 1 << 20])
def test_replay_equals_execution_in_pieces_of_any_size(ahead: World, limit: int) -> None:
    ledger, certificate = behind(), ahead.ledger.certificate
    assert certificate is not None
    proven = proven_by(ahead.ledger, certificate)
    blocks = []
    while ledger.fetched < certificate.size:
        body, end = ahead.ledger.entries(ledger.fetched, certificate.size, limit)
        blocks += ledger.replay(ledger.fetched, body, proven)
        assert ledger.fetched == end
    assert ledger.head == ahead.ledger.head
    assert ledger.state_root == ahead.ledger.state_root
    assert [block.entry for block in blocks] == [ahead.ledger.block(h).entry for h in range(1, 7)]
    assert blocks[-1].path == ahead.ledger.inclusion(certificate.size - 1, certificate.size)
    ledger.certify(certificate)
    assert ledger.certificate == certificate


def test_a_replayed_block_settles_its_transactions(ahead: World) -> None:
    ledger = behind()
    body, _ = ahead.ledger.entries(0, ahead.ledger.size, 1 << 20)
    blocks = ledger.replay(0, body, always)
    for identity, final in blocks[0].results:
        assert ahead.ledger.final(identity) == final


def test_what_is_not_proven_changes_nothing(ahead: World) -> None:
    ledger = behind()
    ledger.execute(1, GENESIS.time, [batch(ahead.transaction(Put("own", b"")))])
    before, tree = ledger.head, ledger.tile(0, 0, ledger.size)
    body, _ = ahead.ledger.entries(0, ahead.ledger.size, 1 << 20)
    for start, sent, proven in [
        (before.size, body, never),
        (0, body, always),
        (before.size, b"", always),
        (before.size, body + b"\0", always),
        (before.size, body[:-1], always),
        (before.size, b"\0\0", always),
        (before.size + 1, body, always),
    ]:
        with pytest.raises(BadProof):
            ledger.replay(start, sent, proven)
        assert ledger.head == before
        assert (ledger.fetched, ledger.tile(0, 0, ledger.size)) == (before.size, tree)


def test_any_changed_byte_is_unproven(ahead: World) -> None:
    ledger, certificate = behind(), ahead.ledger.certificate
    assert certificate is not None
    body, _ = ahead.ledger.entries(0, ahead.ledger.size, 1 << 20)
    for offset in range(0, len(body), 7):
        changed = bytearray(body)
        changed[offset] ^= 1 << offset % 8
        with pytest.raises(BadProof):
            ledger.replay(0, bytes(changed), proven_by(ahead.ledger, certificate))
    assert ledger.size == 0


def test_ordering_drops_the_beginning_of_a_block_that_was_fetched(ahead: World) -> None:
    ledger = behind()
    body, end = ahead.ledger.entries(0, 4, 1 << 20)
    assert ledger.replay(0, body, always) == []
    assert (ledger.fetched, ledger.size) == (4, 0) == (end, 0)
    ledger.execute(1, GENESIS.time, [batch(ahead.transaction(Put("own", b"")))])
    assert ledger.fetched == ledger.size


def changed_entry(ledger: Ledger, at: int, **changes: object) -> bytes:
    """The first block, with fields of one of its entries changed."""
    entries = ledger._log.read(0, ledger.block(1).index + 1)
    entries[at] = entries[at][:1] + wire.encode(replace(parse(entries[at]), **changes))
    return frame(entries)


@pytest.mark.parametrize(
    ("at", "changes", "said"),
    [
        (1, {"outcome": "other"}, r"shelf\.Put: other"),
        (1, {"events": ()}, "with Changed"),
        (1, {"index": 1}, "command 1"),
        (1, {"command": b"\xc0"}, "is malformed"),
        (0, {"header": b""}, "is malformed"),
        (-1, {"height": 2}, "does not follow"),
        (-1, {"seq": 0}, "does not follow"),
        (-1, {"time": 5}, "does not follow"),
        (-1, {"records": 1}, "block entry"),
        (-1, {"epoch": 1}, "block entry"),
        (-1, {"modules": ()}, "block entry"),
        (-1, {"time": GENESIS.time + 10**9}, "outside its validity"),
    ],
)
def test_proven_entries_that_do_not_execute_are_divergence(
    ahead: World, at: int, changes: dict[str, object], said: str
) -> None:
    """A quorum of other programs would have to certify this; it is not the peer's fault."""
    ledger = behind()
    before = ledger.head
    with pytest.raises(Diverged, match=said):
        ledger.replay(0, changed_entry(ahead.ledger, at, **changes), always)
    assert ledger.head == before
    assert ledger.state_root == behind().state_root


def test_another_state_names_block_module_and_key(ahead: World) -> None:
    ledger = behind()
    with pytest.raises(Diverged, match=r"block 1: the state's root is .* writes shelf:"):
        ledger.replay(0, changed_entry(ahead.ledger, -1, state=bytes(32)), always)


def test_a_module_that_behaves_otherwise_is_found_at_its_command(ahead: World) -> None:
    class Other(Module):
        name: ClassVar[str] = "shelf"
        version: ClassVar[int] = 3

        @command
        def put(self, _: Context, state: View, cmd: Put) -> None:
            rows.put(state, rows.row(cmd.value), cmd.key)

    assert Shelf.version == Other.version
    ledger = Ledger.open(GENESIS, CrashDisk(), State(), Registry.of(Other))
    body, _ = ahead.ledger.entries(0, ahead.ledger.size, 1 << 20)
    with pytest.raises(Diverged, match=r"command 0 shelf\.Put: applied with Changed\) comes out as"):
        ledger.replay(0, body, always)
    assert value_of(ledger, "k0") is None


def test_a_certificate_of_another_root_is_divergence(ahead: World) -> None:
    other = World()
    other.run(Put("other", b""))
    with pytest.raises(Diverged, match="another root"):
        other.ledger.certify(Certificate(2, bytes(32), b"", (), ()))
    certificate = ahead.ledger.certificate
    assert certificate is not None
    other.ledger.certify(certificate)
    assert other.ledger.certificate is None
    while other.ledger.size + 3 < certificate.size:
        other.run(Put("other", b""))
    with pytest.raises(Diverged, match="another root"):
        other.run(Put("other", b""))


def test_a_certificate_waits_until_the_log_is_there(ahead: World) -> None:
    ledger, certificate = behind(), ahead.ledger.certificate
    assert certificate is not None
    ledger.certify(certificate)
    assert ledger.certificate is None
    body, _ = ahead.ledger.entries(0, ahead.ledger.size, 1 << 20)
    ledger.replay(0, body, always)
    assert ledger.certificate == certificate


def test_a_replayed_ledger_recovers_like_any_other(ahead: World) -> None:
    disk, state = CrashDisk(), State()
    ledger = Ledger.open(GENESIS, disk, state, REGISTRY)
    body, _ = ahead.ledger.entries(0, ahead.ledger.size, 1 << 20)
    ledger.replay(0, body, always)
    ledger.sync()
    ledger.flush()
    state.crash()
    assert Ledger.open(GENESIS, disk.after_cut(0), state, REGISTRY).head == ahead.ledger.head
