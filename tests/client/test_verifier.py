"""What the offline verifier accepts, and that nothing else is accepted."""

import base64
import subprocess
import sys
from collections.abc import Callable

import pytest
from msgspec import structs

from grootboek import receipts, wire
from grootboek.client.transactions import Prepared
from grootboek.client.verifier import REMEMBERED, Verifier
from grootboek.errors import BadCertificate, BadProof, BadReceipt, ProofError
from grootboek.proofs import Receipt, StateProof
from grootboek.wire import Certificate, Cosignature
from tests.client.small_ledger import EPOCH_MS, SmallLedger, found, key


def test_a_receipt_proves_what_it_holds(
    ledger: SmallLedger, verifier: Verifier, transactions: list[Prepared]
) -> None:
    proven = verifier.verify_receipt(ledger.receipt(transactions[0]))
    assert proven.transaction == transactions[0].id
    assert proven.signers == (key("citizen", "a", 0).public, key("citizen", "a", 1).public)
    assert [record.outcome for record in proven.records] == ["applied"] * 3
    assert [(record.module, record.name) for record in proven.records] == [("records", "Anchor")] * 3
    assert (proven.height, proven.time, proven.epoch, proven.count) == (3, EPOCH_MS + 3_000, 0, 3)
    assert proven.checkpoint.replicas == ("replica-0", "replica-1", "replica-3")


def test_a_refused_command_is_proven_refused(
    ledger: SmallLedger, verifier: Verifier, transactions: list[Prepared]
) -> None:
    proven = verifier.verify_receipt(ledger.receipt(transactions[2]))
    assert {record.outcome for record in proven.records} == {"version-mismatch"}
    assert not any(record.applied for record in proven.records)


def test_a_receipt_may_show_some_records_only(
    ledger: SmallLedger, verifier: Verifier, transactions: list[Prepared]
) -> None:
    proven = verifier.verify_receipt(ledger.receipt(transactions[2], records=(1, 4)))
    assert [record.index for record in proven.records] == [1, 4]
    assert proven.count == 5


@pytest.mark.parametrize("records", [(), (4, 1), (1, 1)])
def test_records_are_some_different_ones_in_order(
    ledger: SmallLedger, verifier: Verifier, transactions: list[Prepared], records: tuple[int, ...]
) -> None:
    with pytest.raises(BadReceipt):
        verifier.verify_receipt(ledger.receipt(transactions[2], records=records))


def test_every_single_bit_of_a_receipt_matters(
    ledger: SmallLedger, verifier: Verifier, transactions: list[Prepared]
) -> None:
    """PS12, exhaustively."""
    data = receipts.encode(ledger.receipt(transactions[1]))
    accepted = [bit for bit in range(8 * len(data)) if verifies(verifier, flipped(data, bit))]
    assert verifies(verifier, data)
    assert accepted == []


def test_every_single_bit_of_a_state_proof_matters(
    ledger: SmallLedger, verifier: Verifier, transactions: list[Prepared]
) -> None:
    """PS12, exhaustively."""
    data = wire.encode(ledger.state_proof(transactions[0].id, 2))

    def proves(raw: bytes) -> bool:
        try:
            verifier.verify_state_proof(raw)
        except ProofError:
            return False
        return True

    assert proves(data)
    assert [bit for bit in range(8 * len(data)) if proves(flipped(data, bit))] == []


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def verifies(verifier: Verifier, data: bytes) -> bool:
    try:
        verifier.verify_receipt(data)
    except ProofError:
        return False
    return True


def drop_cosignature(receipt: Receipt) -> Receipt:
    return with_cosignatures(receipt, receipt.certificate.cosignatures[:-1])


def double_cosignature(receipt: Receipt) -> Receipt:
    first, _, third = receipt.certificate.cosignatures
    return with_cosignatures(receipt, (first, first, third))


def reorder_cosignatures(receipt: Receipt) -> Receipt:
    return with_cosignatures(receipt, receipt.certificate.cosignatures[::-1])


def unknown_cosigner(receipt: Receipt) -> Receipt:
    *rest, last = receipt.certificate.cosignatures
    return with_cosignatures(receipt, (*rest, structs.replace(last, replica=4)))


def with_cosignatures(receipt: Receipt, cosignatures: tuple[Cosignature, ...]) -> Receipt:
    certificate = structs.replace(receipt.certificate, cosignatures=cosignatures)
    return structs.replace(receipt, certificate=certificate)


def another_log_key(receipt: Receipt) -> Receipt:
    return structs.replace(receipt, log=(0, receipt.log[1]))


def record_of_another_transaction(receipt: Receipt) -> Receipt:
    other = wire.decode(wire.record_entries, receipt.records[0].entry[1:])
    entry = wire.RECORD_ENTRY + wire.encode(structs.replace(other, transaction=bytes(32)))
    return structs.replace(receipt, records=(structs.replace(receipt.records[0], entry=entry),))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (drop_cosignature, BadCertificate),
        (double_cosignature, BadCertificate),
        (reorder_cosignatures, BadCertificate),
        (unknown_cosigner, BadCertificate),
        (another_log_key, BadCertificate),
        (record_of_another_transaction, BadReceipt),
    ],
)
def test_parts_that_do_not_belong_together(
    ledger: SmallLedger,
    verifier: Verifier,
    transactions: list[Prepared],
    change: Callable[[Receipt], Receipt],
    error: type[ProofError],
) -> None:
    with pytest.raises(error):
        verifier.verify_receipt(change(ledger.receipt(transactions[1])))


def test_a_receipt_of_another_chain_is_refused(ledger: SmallLedger, transactions: list[Prepared]) -> None:
    other = Verifier(found(name="example.org/other"))
    with pytest.raises(BadCertificate):
        other.verify_receipt(ledger.receipt(transactions[0]))


def test_a_certificate_is_as_fresh_as_its_second_newest_time(ledger: SmallLedger, verifier: Verifier) -> None:
    """One liar (f = 1) cannot make an old checkpoint look new."""
    certificate = ledger.certificate(times=(100, 2**40, 300))
    verifier.verify_certificate(certificate)
    assert verifier.checkpoint(certificate).fresh == 300


def test_a_small_order_trick_does_not_pass_for_a_cosignature(ledger: SmallLedger, verifier: Verifier) -> None:
    """Replicas' keys must satisfy the cofactorless equation: foreign verifiers use it."""
    certificate = ledger.certificate()
    first, *rest = certificate.cosignatures
    identity = (1).to_bytes(32, "little") + bytes(32)
    forged = structs.replace(certificate, cosignatures=(structs.replace(first, signature=identity), *rest))
    with pytest.raises(BadCertificate):
        verifier.verify_certificate(forged)


def test_a_certificate_must_end_with_its_block(ledger: SmallLedger, verifier: Verifier) -> None:
    certificate = ledger.certificate()
    block, index = ledger.blocks[0]
    older = structs.replace(
        certificate, block=block, path=tuple(ledger.log.inclusion(index, certificate.size))
    )
    with pytest.raises(BadCertificate):
        verifier.verify_certificate(older)


def test_the_state_is_proven_at_each_height(
    ledger: SmallLedger, verifier: Verifier, transactions: list[Prepared]
) -> None:
    late = transactions[3].id
    assert verifier.verify_state_proof(ledger.state_proof(late, 2)).value is None
    proven = verifier.verify_state_proof(ledger.state_proof(late, 3))
    assert (proven.value, proven.height, proven.module, proven.key) == (b"row", 3, "records", late)


def test_a_state_proof_of_another_height_is_refused(
    ledger: SmallLedger, verifier: Verifier, transactions: list[Prepared]
) -> None:
    newer, older = ledger.state_proof(transactions[3].id, 3), ledger.state_proof(transactions[3].id, 2)
    mixed = StateProof(
        newer.module,
        newer.key,
        newer.value,
        newer.proof,
        older.block,
        older.index,
        older.path,
        newer.certificate,
    )
    with pytest.raises(BadProof):
        verifier.verify_state_proof(mixed)


def served(ledger: SmallLedger, certificate: Certificate) -> bytes:
    return receipts.note(ledger.genesis, certificate, ledger.log_signature())


def test_a_served_checkpoint_is_verified(ledger: SmallLedger, verifier: Verifier) -> None:
    proven = verifier.verify_note(served(ledger, ledger.certificate()))
    assert (proven.size, proven.root) == (ledger.log.size, ledger.log.root(ledger.log.size))
    assert proven.replicas == ("replica-0", "replica-1", "replica-3")


def test_lines_of_unknown_keys_are_passed_over(ledger: SmallLedger, verifier: Verifier) -> None:
    note = served(ledger, ledger.certificate())
    line = f"— example.com/witness {base64.b64encode(bytes(76)).decode()}\n"
    assert verifier.verify_note(note + line.encode()).size == ledger.log.size


@pytest.mark.parametrize("missing", [2, 3, 4])
def test_a_checkpoint_without_a_quorum_is_refused(
    ledger: SmallLedger, verifier: Verifier, missing: int
) -> None:
    lines = served(ledger, ledger.certificate()).decode().split("\n")
    del lines[missing + 2]
    with pytest.raises(BadCertificate):
        verifier.verify_note("\n".join(lines).encode())


def test_every_single_bit_of_a_checkpoint_matters(ledger: SmallLedger, verifier: Verifier) -> None:
    data = served(ledger, ledger.certificate())

    def accepts(raw: bytes) -> bool:
        try:
            verifier.verify_note(raw)
        except ProofError:
            return False
        return True

    assert accepts(data)
    assert [bit for bit in range(8 * len(data)) if accepts(flipped(data, bit))] == []


def test_verifying_needs_no_network_packages() -> None:
    code = "import sys; from grootboek.client import Verifier; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert not {"aiohttp", "cryptography", "structlog", "uvloop"} & set(loaded.split())


def test_the_last_certificates_are_verified_once(
    ledger: SmallLedger, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, log = ledger.certificate(), ledger.log_signature()
    block, epoch = verifier.verify_certificate(certificate), verifier.verify_log_signature(certificate, log)
    monkeypatch.setattr(Verifier, "_signer", None)
    monkeypatch.setattr(type(verifier.epochs), "check", None)
    assert verifier.verify_certificate(certificate) == block
    assert verifier.verify_log_signature(certificate, log) == epoch
    with pytest.raises(TypeError):
        verifier.verify_certificate(structs.replace(certificate, root=bytes(32)))
    with pytest.raises(TypeError):
        verifier.verify_log_signature(certificate, (log[0], bytes(64)))


def test_only_so_many_certificates_are_remembered(
    ledger: SmallLedger, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(verifier.epochs), "check", lambda _self, one: one.size)
    for size in range(1, 3 * REMEMBERED):
        verifier.verify_certificate(structs.replace(ledger.certificate(), size=size))
    assert len(verifier._blocks) == REMEMBERED
