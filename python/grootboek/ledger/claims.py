"""What the files of a data directory say of its log, held against the log itself.

Certificates, ``log/synced`` and the journal each name roots of the log at some size. A root that is right
vouches for every entry below it. So a wrong one below a right one is a fault of the file that names it;
one above all right ones is a fault of the entries in between.
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from grootboek.disk import Disk
from grootboek.errors import Damaged
from grootboek.ledger.certificates import CERTIFICATE
from grootboek.ledger.epochs import Epochs, name_of
from grootboek.ledger.files import BUNDLE, BUNDLES, FOLDER, ROW_BYTES, SYNCED
from grootboek.ledger.log import EntryLog
from grootboek.ledger.snapshots import SnapshotHead, head_name
from grootboek.wire import Certificate

__all__ = ["contradictions"]


class _Claim(Struct, frozen=True):
    """The log had this root at this size; ``source``, a file, says so."""

    size: int
    root: bytes
    source: str


def contradictions(
    disk: Disk,
    log: EntryLog,
    epochs: Epochs,
    certificate: Certificate | None,
    snapshots: Iterable[SnapshotHead],
    *,
    cosigned: Iterable[tuple[int, bytes]],
    durable: Iterable[tuple[int, bytes]],
) -> Iterator[Damaged]:
    """Each claim that the log does not bear out, with the place to look at.

    ``snapshots`` are heads; certificates are checked already. ``cosigned`` and ``durable`` are the
    journal's: the latter it wrote once the log was synced so far.
    """
    claims = [
        _Claim(claim.size, claim.root, head_name(head.manifest.height))
        for head in snapshots
        for claim in (head.certificate, head.manifest)
    ]
    for epoch, handover in zip(epochs.all[1:], epochs.handovers, strict=True):
        claims.append(_Claim(epoch.start, handover.certificate.root, name_of(epoch.number)))
    if certificate:
        claims.append(_Claim(certificate.size, certificate.root, CERTIFICATE))
    if log.mark:
        claims.append(_Claim(log.mark.size, log.mark.root, SYNCED))
    claims += [_Claim(size, root, "the journal") for size, root in durable]
    yield from _empty(disk)
    own = [_Claim(size, root, "the journal") for size, root in cosigned]
    yield from _beyond(log, claims)
    yield from _torn(log, own)
    yield from _wrong(log, [claim for claim in claims + own if claim.size <= log.size])
    yield from _position(log, certificate)
    yield from _bundles(disk, log)


def _empty(disk: Disk) -> Iterator[Damaged]:
    """These are written whole or not at all, so no crash leaves one without a byte."""
    present = {f"{FOLDER}/{name}" for name in disk.names(FOLDER)}
    for name in (CERTIFICATE, SYNCED):
        if name in present and not disk.size(name):
            yield Damaged("the file is empty", where=name)


def _beyond(log: EntryLog, claims: list[_Claim]) -> Iterator[Damaged]:
    for claim in claims:
        if claim.size > log.size:
            detail = f"the log ends after {log.size} whole entries; {claim.source} names {claim.size}"
            yield Damaged(detail, where=log.files.place(log.position(log.size)))


def _torn(log: EntryLog, own: list[_Claim]) -> Iterator[Damaged]:
    """An end that no whole block is made of is a crash's, unless this replica has cosigned it."""
    last = max((claim.size for claim in own), default=0)
    if log.tail_bytes and last > log.size:
        detail = (
            f"entry {log.size} or one soon after it is broken, and this replica has cosigned {last} entries; "
            "after a loss of power start the replica, which makes them again from its journal"
        )
        yield Damaged(detail, where=log.files.place(log.position(log.size)))
    stray = log.stray_segment()
    if stray:
        yield Damaged("the file does not continue the log", where=stray)


def _wrong(log: EntryLog, claims: list[_Claim]) -> Iterator[Damaged]:
    wrong = [claim for claim in claims if log.root(claim.size) != claim.root]
    good = max((claim.size for claim in claims if claim not in wrong), default=0)
    for claim in sorted(wrong, key=lambda claim: claim.size):
        if claim.size <= good:
            yield Damaged(f"it names another root for {claim.size} entries", where=claim.source)
        else:
            detail = f"the entries {good} to {claim.size - 1} are not those that {claim.source} names"
            yield Damaged(detail, where=log.files.place(log.position(good)))


def _position(log: EntryLog, certificate: Certificate | None) -> Iterator[Damaged]:
    """``log/synced`` is written before the certificate, and not behind it."""
    mark = log.mark
    if certificate and (not mark or mark.size < certificate.size):
        yield Damaged(f"it is missing, or older than {CERTIFICATE}", where=SYNCED)
    elif mark and log.position(mark.size) != mark.end:
        yield Damaged(f"{mark.size} entries end at byte {log.position(mark.size)}", where=SYNCED)


def _bundles(disk: Disk, log: EntryLog) -> Iterator[Damaged]:
    rows, computed = log.files.rows(), log.unwritten_rows()
    needed = log.synced_size // BUNDLE
    if disk.size(BUNDLES) != len(rows) * ROW_BYTES or not needed <= len(rows) <= len(computed):
        yield Damaged(f"{needed} to {len(computed)} rows of {ROW_BYTES} bytes are expected", where=BUNDLES)
    for i, (row, right) in enumerate(zip(rows, computed, strict=False)):
        if row != right:
            detail = f"the row of bundle {i} is not what its entries give"
            yield Damaged(detail, where=f"{BUNDLES}, byte {i * ROW_BYTES}")
