"""The epochs of a ledger, followed from the genesis file by what each one's replicas signed.

A hand-over is the certificate of the block that closes an epoch with the epoch entry in front of its
block entry, which names the replicas of the next one. So a chain of hand-overs is believed for the same
reason as any certificate: a quorum of the epoch before has cosigned it. Nothing here needs the log.
"""

from collections.abc import Iterable
from typing import Final

from grootboek import wire
from grootboek._core import leaf_hashes, verify_inclusion
from grootboek.disk import Disk
from grootboek.errors import BadCertificate, BadFrame, Damaged
from grootboek.ledger.certificates import CERTIFICATE, check_certificate
from grootboek.ledger.files import frame
from grootboek.types import Chain, Epoch, Genesis
from grootboek.wire import EPOCH_ENTRY, BlockEntry, Certificate, EpochEntry, Handover

__all__ = ["Epochs", "follow", "name_of", "read_certificate", "read_epochs", "write_handover"]

FOLDER: Final = "epochs"
_DIGITS: Final = 16


class Epochs:
    """All epochs so far, the founding one first."""

    def __init__(self, genesis: Genesis, handovers: Iterable[Handover] = ()) -> None:
        """Raises BadCertificate as ``add`` does."""
        self._chain = genesis.chain
        self.all: list[Epoch] = [genesis.founding]
        self.handovers: list[Handover] = []
        """From each epoch but the last to the next one."""
        for handover in handovers:
            self.add(handover)

    @property
    def last(self) -> Epoch:
        """The newest."""
        return self.all[-1]

    def add(self, handover: Handover) -> Epoch:
        """Follow a hand-over from the last epoch: the next one. Raises BadCertificate."""
        epoch = follow(self._chain, self.last, handover)
        self.handovers.append(handover)
        self.all.append(epoch)
        return epoch

    def learn(self, handovers: Iterable[Handover]) -> None:
        """Follow those of the ``handovers``, which begin at some epoch, that are new here.

        Raises BadCertificate for one that does not follow, and where it contradicts one that is known:
        two quorums of one epoch, of which one has lied.
        """
        for handover in handovers:
            opened = entry_of(handover).epoch
            if opened == len(self.all):
                self.add(handover)
            elif opened > len(self.all) or self.handovers[opened - 1].entry != handover.entry:
                raise BadCertificate(f"the hand-over to epoch {opened} does not follow epoch {opened - 1}")

    def up_to(self, certificate: Certificate) -> tuple[Handover, ...]:
        """The hand-overs that a reader of ``certificate`` needs: see ``proofs.Receipt``."""
        return tuple(one for one in self.handovers if one.certificate.size <= certificate.size)

    def of(self, number: int) -> Epoch:
        """The epoch of that number; raises BadCertificate for one that is not known."""
        if not 0 <= number < len(self.all):
            raise BadCertificate(f"epoch {number} is not known here; {self.last.number} is the last")
        return self.all[number]

    def check(self, certificate: Certificate) -> BlockEntry:
        """The block that a certificate of any known epoch ends with; raises BadCertificate.

        What the replicas of a closed epoch cosign beyond its closing block does not count.
        """
        try:
            number = wire.block_of(certificate).epoch
        except BadFrame as error:
            raise BadCertificate(error.detail) from error
        epoch = self.of(number)
        if number < self.last.number and certificate.size > self.all[number + 1].start:
            raise BadCertificate(f"epoch {number} was closed before that block")
        return check_certificate(self._chain, epoch, certificate)


def entry_of(handover: Handover) -> EpochEntry:
    """The epoch entry in a hand-over; raises BadCertificate."""
    if handover.entry[:1] != EPOCH_ENTRY:
        raise BadCertificate("the hand-over holds no epoch entry")
    try:
        return wire.decode(wire.epoch_entries, handover.entry[1:])
    except BadFrame as error:
        raise BadCertificate(error.detail) from error


def follow(chain: Chain, epoch: Epoch, handover: Handover) -> Epoch:
    """The epoch after ``epoch``; raises BadCertificate unless a quorum of ``epoch`` has cosigned it."""
    certificate = handover.certificate
    check_certificate(chain, epoch, certificate)
    entry = entry_of(handover)
    if entry.epoch != epoch.number + 1:
        raise BadCertificate(f"epoch {entry.epoch} does not follow epoch {epoch.number}")
    try:
        leaf = leaf_hashes(frame([handover.entry]))
    except OverflowError as error:
        raise BadCertificate("the epoch entry is no log entry") from error
    size = certificate.size
    if not verify_inclusion(certificate.root, size, size - 2, leaf, handover.path):
        raise BadCertificate("the epoch entry does not stand before the certified block entry")
    return Epoch(entry.epoch, size, tuple(member.info for member in entry.members))


# --- files ---------------------------------------------------------------------------------------


def name_of(opened: int) -> str:
    """The file of the hand-over that opened that epoch."""
    return f"{FOLDER}/{opened:0{_DIGITS}d}"


def write_handover(disk: Disk, opened: int, handover: Handover) -> None:
    """Make a hand-over durable, before anything is said in the epoch that it opens. Raises StorageError."""
    disk.write(name_of(opened), wire.encode(handover))


def read_epochs(genesis: Genesis, disk: Disk, opened: int = 0) -> Epochs:
    """The epochs that a data directory knows, each hand-over checked; raises Damaged.

    ``opened``: an epoch that is known to have been opened here.
    """
    epochs = Epochs(genesis)
    while data := disk.read(name_of(len(epochs.all))):
        try:
            epochs.add(wire.decode(wire.handovers, data))
        except (BadFrame, BadCertificate) as error:
            raise Damaged(error.detail, where=name_of(len(epochs.all))) from error
    last = max((int(name) for name in disk.names(FOLDER) if name.isdecimal()), default=0)
    _require(epochs, max(last, opened))
    return epochs


def _require(epochs: Epochs, number: int) -> None:
    """Raise Damaged where the hand-over to an epoch is not there and something says that it was."""
    if number > epochs.last.number:
        detail = f"the hand-over is missing, and epoch {number} was opened here"
        raise Damaged(detail, where=name_of(len(epochs.all)))


def read_certificate(epochs: Epochs, disk: Disk) -> Certificate | None:
    """The newest certificate on the disk, checked; None where there is none. Raises Damaged."""
    data = disk.read(CERTIFICATE)
    if not data:
        return None
    try:
        certificate = wire.decode(wire.certificates, data)
        _require(epochs, wire.block_of(certificate).epoch)
        epochs.check(certificate)
    except (BadFrame, BadCertificate) as error:
        raise Damaged(error.detail, where=CERTIFICATE) from error
    return certificate
