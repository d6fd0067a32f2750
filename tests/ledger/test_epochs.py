"""Hand-overs: what leads from the genesis file to the replicas of a later epoch, and what does not."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from grootboek import notes, wire
from grootboek._core import Log
from grootboek.errors import BadCertificate, BadFrame, Damaged
from grootboek.ledger.certificates import CERTIFICATE
from grootboek.ledger.epochs import Epochs, read_certificate, read_epochs, write_handover
from grootboek.simulation.disk import SimulatedDisk
from grootboek.simulation.founding import found, info_of, keys_of
from grootboek.wire import (
    BLOCK_ENTRY,
    EPOCH_ENTRY,
    BlockEntry,
    Certificate,
    Cosignature,
    EpochEntry,
    Handover,
    Member,
)

GENESIS, _ = found(4, {"replicas": 1})


class History:
    """A log of blocks without transactions, with every replica's keys at hand."""

    def __init__(self) -> None:
        self.log = Log()
        self.height = 0

    def block(self, epoch: int, *before: bytes) -> bytes:
        self.height += 1
        entry = BlockEntry(self.height, self.height, 0, epoch, 0, 0, 0, 0, bytes(32), ())
        raw = BLOCK_ENTRY + wire.encode(entry)
        for one in (*before, raw):
            self.log.append(len(one).to_bytes(2, "big") + one)
        return raw

    def certify(self, raw: bytes, epoch: int, places: tuple[int, ...]) -> Certificate:
        size = self.log.size
        root = self.log.root(size)
        signed = notes.cosigned_bytes(GENESIS.chain.origin, size, root, 1)
        cosignatures = tuple(
            Cosignature(index, 1, keys_of(place, epoch).cosigning.sign(signed))
            for index, place in enumerate(places)
        )
        return Certificate(size, root, raw, tuple(self.log.inclusion(size - 1, size)), cosignatures)

    def hand_over(self, epoch: int, places: tuple[int, ...], signers: tuple[int, ...]) -> Handover:
        """``epoch`` - 1 is closed by a block that names the replicas at ``places``."""
        members = tuple(Member.of(info_of(place, epoch)) for place in places)
        entry = EPOCH_ENTRY + wire.encode(EpochEntry(epoch, members))
        raw = self.block(epoch - 1, entry)
        certificate = self.certify(raw, epoch - 1, signers)
        size = self.log.size
        return Handover(entry, tuple(self.log.inclusion(size - 2, size)), certificate)


def followed() -> tuple[History, list[Handover]]:
    history = History()
    history.block(0)
    first = history.hand_over(1, (0, 1, 2, 3, 4), (0, 1, 2))
    history.block(1)
    second = history.hand_over(2, (1, 2, 3, 4), (0, 1, 2, 3))
    return history, [first, second]


def test_hand_overs_lead_from_the_genesis_file_to_the_last_epoch() -> None:
    history, handovers = followed()
    epochs = Epochs(GENESIS, handovers)
    assert [epoch.quorum.n for epoch in epochs.all] == [4, 5, 4]
    assert [replica.name for replica in epochs.last.replicas] == [f"replica-{i}" for i in (1, 2, 3, 4)]
    certificate = history.certify(history.block(2), 2, (1, 2, 3))
    assert epochs.check(certificate).epoch == 2
    epochs.learn(handovers)
    assert epochs.last.number == 2


def test_without_them_a_later_certificate_is_nobodys() -> None:
    history, handovers = followed()
    certificate = history.certify(history.block(2), 2, (1, 2, 3))
    with pytest.raises(BadCertificate, match="epoch 2 is not known"):
        Epochs(GENESIS).check(certificate)
    with pytest.raises(BadCertificate, match="does not follow"):
        Epochs(GENESIS).learn(handovers[1:])


def test_a_closed_epoch_certifies_nothing_more() -> None:
    """Whoever gets hold of all keys of a closed epoch cannot go on with its log."""
    history = History()
    handover = history.hand_over(1, (0, 1, 2, 3), (0, 1, 2))
    forged = history.certify(history.block(0), 0, (0, 1, 2))
    assert Epochs(GENESIS).check(forged)
    with pytest.raises(BadCertificate, match="closed before"):
        Epochs(GENESIS, [handover]).check(forged)


def test_a_second_hand_over_of_one_epoch_is_no_other_truth() -> None:
    other = History()
    other.block(0)
    _, handovers = followed()
    epochs = Epochs(GENESIS, handovers)
    with pytest.raises(BadCertificate, match="does not follow"):
        epochs.learn([other.hand_over(1, (5, 6, 7, 8), (0, 1, 2))])


def _entry(handover: Handover) -> EpochEntry:
    return wire.decode(wire.epoch_entries, handover.entry[1:])


def _with_entry(handover: Handover, entry: EpochEntry) -> Handover:
    return replace(handover, entry=EPOCH_ENTRY + wire.encode(entry))


@pytest.mark.parametrize(
    "forge",
    [
        lambda h: replace(h, entry=h.entry[:-1] + bytes([h.entry[-1] ^ 1])),
        lambda h: replace(h, entry=b"\x03" + h.entry[1:]),
        lambda h: replace(h, entry=b""),
        lambda h: replace(h, path=h.path[:-1]),
        lambda h: replace(h, path=(bytes(32), *h.path[1:])),
        lambda h: _with_entry(h, replace(_entry(h), epoch=2)),
        lambda h: _with_entry(h, replace(_entry(h), members=_entry(h).members[:4])),
        lambda h: replace(h, certificate=replace(h.certificate, root=bytes(32))),
        lambda h: replace(h, certificate=replace(h.certificate, size=h.certificate.size + 1)),
        lambda h: replace(h, certificate=replace(h.certificate, cosignatures=h.certificate.cosignatures[:2])),
        lambda h: replace(
            h, certificate=replace(h.certificate, cosignatures=h.certificate.cosignatures[:1] * 3)
        ),
    ],
)
def test_a_forged_hand_over_is_refused(forge: Callable[[Handover], Handover]) -> None:
    _, (first, _) = followed()
    with pytest.raises(BadCertificate):
        Epochs(GENESIS).add(forge(first))


def test_every_flipped_bit_of_a_hand_over_is_refused() -> None:
    _, (first, _) = followed()
    data = wire.encode(first)
    for bit in range(0, 8 * len(data), 11):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises((BadCertificate, BadFrame)):
            Epochs(GENESIS).add(wire.decode(wire.handovers, bytes(changed)))


def test_hand_overs_are_read_back_and_a_damaged_one_is_named() -> None:
    _, handovers = followed()
    disk = SimulatedDisk()
    for number, handover in enumerate(handovers, 1):
        write_handover(disk, number, handover)
    assert read_epochs(GENESIS, disk).handovers == handovers
    disk.flip("epochs/0000000000000002", 40)
    with pytest.raises(Exception, match="epochs/0000000000000002"):
        read_epochs(GENESIS, disk)


def test_a_hand_over_that_is_missing_is_named() -> None:
    history, handovers = followed()
    disk = SimulatedDisk()
    for number, handover in enumerate(handovers, 1):
        write_handover(disk, number, handover)
    assert read_epochs(GENESIS, disk, opened=2).last.number == 2
    with pytest.raises(Damaged, match="epochs/0000000000000003: the hand-over is missing"):
        read_epochs(GENESIS, disk, opened=3)
    certificate = history.certify(history.block(2), 2, (1, 2, 3))
    disk.write(CERTIFICATE, wire.encode(certificate))
    disk.remove("epochs/0000000000000002")
    with pytest.raises(Damaged, match="epochs/0000000000000002: the hand-over is missing"):
        read_certificate(read_epochs(GENESIS, disk), disk)
    write_handover(disk, 2, handovers[1])
    disk.remove("epochs/0000000000000001")
    with pytest.raises(Damaged, match="epochs/0000000000000001: the hand-over is missing"):
        read_epochs(GENESIS, disk)
