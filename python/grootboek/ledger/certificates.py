"""Checkpoint certificates: whether one is a quorum's word, and the file of the newest one."""

from typing import Final

from grootboek import notes, wire
from grootboek._core import leaf_hashes, verify_inclusion, verify_many
from grootboek.errors import BadCertificate, BadFrame
from grootboek.ledger.files import frame
from grootboek.types import Chain, Epoch
from grootboek.wire import BlockEntry, Certificate

__all__ = ["CERTIFICATE", "check_certificate"]

CERTIFICATE: Final = "log/certificate"


def check_certificate(chain: Chain, epoch: Epoch, certificate: Certificate) -> BlockEntry:
    """The block that a certificate ends with; raises BadCertificate unless a quorum of ``epoch`` has
    cosigned it.

    Signatures must satisfy the cofactorless equation too, because foreign verifiers of the same
    checkpoint use that one.
    """
    try:
        block = wire.block_of(certificate)
        leaf = leaf_hashes(frame([certificate.block]))
    except (BadFrame, OverflowError) as error:
        raise BadCertificate(str(error)) from error
    size, root, quorum = certificate.size, certificate.root, epoch.quorum
    if block.epoch != epoch.number or size <= epoch.start:
        raise BadCertificate(f"the block is of epoch {block.epoch}, not of epoch {epoch.number}")
    if not verify_inclusion(root, size, size - 1, leaf, certificate.path):
        raise BadCertificate("the block is not the last entry of the checkpoint")
    signers = [cosignature.replica for cosignature in certificate.cosignatures]
    if len(signers) != quorum.quorum:
        raise BadCertificate(f"{len(signers)} cosignatures, a quorum is {quorum.quorum}")
    if signers != sorted(set(signers)) or signers[-1] >= quorum.n:
        raise BadCertificate("the cosigners are not different replicas in order")
    _check_signatures(chain, epoch, certificate)
    return block


def _check_signatures(chain: Chain, epoch: Epoch, certificate: Certificate) -> None:
    items = [
        (
            epoch.replicas[c.replica].cosigning_key,
            notes.cosigned_bytes(chain.origin, certificate.size, certificate.root, c.time),
            c.signature,
        )
        for c in certificate.cosignatures
    ]
    for cosignature, good in zip(
        certificate.cosignatures, verify_many(items, cofactorless=True), strict=True
    ):
        if not good:
            name = epoch.replicas[cosignature.replica].name
            raise BadCertificate(f"the cosignature of {name} does not verify")
