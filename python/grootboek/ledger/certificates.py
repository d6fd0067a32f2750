"""Checkpoint certificates: whether one is a quorum's word, and the file of the newest one."""

from typing import Final

from grootboek import notes, wire
from grootboek._core import leaf_hashes, verify_inclusion, verify_many
from grootboek.disk import Disk
from grootboek.errors import BadCertificate, BadFrame, Damaged
from grootboek.ledger.files import frame
from grootboek.types import Genesis
from grootboek.wire import BlockEntry, Certificate

__all__ = ["CERTIFICATE", "EPOCH", "check_certificate", "read_certificate"]

CERTIFICATE: Final = "log/certificate"
EPOCH: Final = 0
"""The founding epoch: the one whose keys the genesis file names."""


def check_certificate(genesis: Genesis, certificate: Certificate) -> BlockEntry:
    """The block that a certificate ends with; raises BadCertificate unless a quorum has cosigned it.

    Signatures must satisfy the cofactorless equation too, because foreign verifiers of the same
    checkpoint use that one.
    """
    try:
        block = wire.block_of(certificate)
        leaf = leaf_hashes(frame([certificate.block]))
    except (BadFrame, OverflowError) as error:
        raise BadCertificate(str(error)) from error
    if block.epoch != EPOCH:
        raise BadCertificate(f"epoch {block.epoch} is not the founding one")
    size, root = certificate.size, certificate.root
    if not verify_inclusion(root, size, size - 1, leaf, certificate.path):
        raise BadCertificate("the block is not the last entry of the checkpoint")
    signers = [cosignature.replica for cosignature in certificate.cosignatures]
    if len(signers) != genesis.quorum.quorum:
        raise BadCertificate(f"{len(signers)} cosignatures, a quorum is {genesis.quorum.quorum}")
    if signers != sorted(set(signers)) or signers[-1] >= genesis.quorum.n:
        raise BadCertificate("the cosigners are not different replicas in order")
    _check_signatures(genesis, certificate)
    return block


def _check_signatures(genesis: Genesis, certificate: Certificate) -> None:
    items = [
        (
            genesis.replicas[c.replica].cosigning_key,
            notes.cosigned_bytes(genesis.chain.origin, certificate.size, certificate.root, c.time),
            c.signature,
        )
        for c in certificate.cosignatures
    ]
    for cosignature, good in zip(
        certificate.cosignatures, verify_many(items, cofactorless=True), strict=True
    ):
        if not good:
            name = genesis.replicas[cosignature.replica].name
            raise BadCertificate(f"the cosignature of {name} does not verify")


def read_certificate(genesis: Genesis, disk: Disk) -> Certificate | None:
    """The certificate on the disk, checked; None where there is none. Raises Damaged."""
    data = disk.read(CERTIFICATE)
    if not data:
        return None
    try:
        certificate = wire.decode(wire.certificates, data)
        check_certificate(genesis, certificate)
    except (BadFrame, BadCertificate) as error:
        raise Damaged(error.detail, where=CERTIFICATE) from error
    return certificate
