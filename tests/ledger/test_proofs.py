"""Receipts, answers and state proofs, checked by the core's verifiers alone."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from grootboek import proofs, wire
from grootboek._core import (
    digest,
    leaf_hashes,
    range_paths,
    verify_command,
    verify_inclusion,
    verify_many,
    verify_state,
)
from grootboek.errors import BadCertificate, GrootboekError, NotFound, Pruned, Unavailable
from grootboek.ledger import check_certificate, state_key
from grootboek.ledger.files import frame
from grootboek.proofs import Final, Receipt, Refused
from tests.ledger.world import (
    GENESIS,
    Add,
    Put,
    World,
    certificate_of,
    certify,
    log_signature,
    make_genesis,
    rows,
)


def leaf(entry: bytes) -> bytes:
    return leaf_hashes(frame([entry]))


def receipt_holds(data: bytes) -> bool:
    """The offline check, written once more from the format."""
    receipt = wire.decode(proofs.receipts, data)
    certificate = receipt.certificate
    check_certificate(GENESIS.chain, GENESIS.founding, certificate)
    size, root = certificate.size, certificate.root
    entry = wire.decode(wire.header_entries, receipt.header[1:])
    header = wire.decode(wire.headers, entry.header)
    signed = wire.transaction_bytes(GENESIS.chain, entry.header)
    identity = digest(signed)
    items = [(key, signed, s) for key, s in zip(header.signers, entry.signatures, strict=True)]
    good = receipt.header[:1] == wire.HEADER_ENTRY and all(verify_many(items))
    good &= verify_inclusion(root, size, receipt.index, leaf(receipt.header), receipt.path)
    for proof in receipt.records:
        record = wire.decode(wire.record_entries, proof.entry[1:])
        good &= (record.transaction, record.count) == (identity, header.count)
        at = receipt.index + 1 + record.index
        good &= verify_inclusion(root, size, at, leaf(proof.entry), proof.path)
        good &= verify_command(header.root, header.count, record.index, record.command, proof.command_path)
    replica, signature = receipt.log
    return good and (replica, signature) == log_signature(certificate)


def world_with(count: int) -> tuple[World, bytes]:
    """A world with a transaction of ``count`` commands in the middle: its id."""
    world = World()
    world.fill(3)
    block = world.execute(world.transaction(*(Add("n", i) for i in range(count))))
    world.fill(2)
    return world, block.results[0][0]


def receipt_of(world: World, identity: bytes, records: list[int] | None = None) -> Receipt:
    certificate = certify(world.ledger)
    return world.ledger.receipt(identity, certificate, log_signature(certificate), records)


@pytest.mark.parametrize(("count", "records"), [(1, None), (5, None), (5, [4, 0]), (7, [3])])
def test_a_receipt_holds_and_no_flipped_bit_does(count: int, records: list[int] | None) -> None:
    world, identity = world_with(count)
    data = wire.encode(receipt_of(world, identity, records))
    assert receipt_holds(data)
    for position in range(0, 8 * len(data), 3):
        changed = bytearray(data)
        changed[position // 8] ^= 1 << position % 8
        with suppress(GrootboekError, ValueError):
            assert not receipt_holds(bytes(changed)), position


def test_a_receipt_of_one_record_shows_nothing_of_the_others() -> None:
    world, identity = world_with(5)
    receipt = receipt_of(world, identity, [2])
    (proof,) = receipt.records
    assert wire.decode(wire.record_entries, proof.entry[1:]).index == 2
    others = [entry for _, entry in world.ledger.records(4) if entry != proof.entry]
    assert len(others) == 4
    assert not any(entry in wire.encode(receipt) for entry in others)


def test_receipts_that_cannot_be_given() -> None:
    world, identity = world_with(3)
    certificate = certify(world.ledger)
    signature = log_signature(certificate)
    with pytest.raises(NotFound):
        world.ledger.receipt(bytes(32), certificate, signature)
    for records in ([], [3], [-1]):
        with pytest.raises(NotFound):
            world.ledger.receipt(identity, certificate, signature, records)
    block = world.execute(world.transaction(Put("late", b"")))
    with pytest.raises(Unavailable):
        world.ledger.receipt(block.results[0][0], certificate, signature)


def test_an_old_receipt_is_anchored_in_a_newer_certificate() -> None:
    world, identity = world_with(2)
    first = receipt_of(world, identity)
    world.fill(1)
    second = receipt_of(world, identity)
    assert second.certificate.size > first.certificate.size
    assert receipt_holds(wire.encode(first))
    assert receipt_holds(wire.encode(second))


def test_an_answer_proves_each_final_result() -> None:
    world = World()
    finals = []
    for number in range(40):
        block = world.execute(
            world.transaction(Add("n", 1), Put("a", b"x")), world.transaction(Put("b", b""))
        )
        if number % 9 < 2:
            finals += [result for _, result in block.results]
    certificate = certify(world.ledger)
    refused = Refused("GB-1006", "")
    results = [refused, *reversed(finals), finals[0]]
    answer = world.ledger.answer(results, certificate, log_signature(certificate))  # type: ignore[arg-type]  # all final
    assert wire.decode(proofs.answers, wire.encode(answer)) == answer
    assert answer.results == tuple(results)
    assert 1 < len(answer.ranges) < len(finals)
    leaves: dict[int, bytes] = {}
    for item in answer.ranges:
        root, paths = range_paths(certificate.size, item.start, item.leaves, item.nodes)
        assert root == certificate.root
        leaves |= {item.start + i: item.leaves[32 * i : 32 * i + 32] for i in range(len(paths))}
    for final in finals:
        assert isinstance(final, Final)
        for index in range(final.index, final.index + 1 + len(final.records)):
            assert leaves[index] == leaf(world.ledger._log.read(index, index + 1)[0])


def test_an_answer_of_refusals_needs_no_certificate() -> None:
    world, _ = world_with(1)
    certificate = certify(world.ledger)
    refused = Refused("GB-1006", "")
    answer = world.ledger.answer([refused], certificate, log_signature(certificate))
    assert (answer.results, answer.ranges, answer.certificate, answer.log) == ((refused,), (), None, None)


def state_proof_holds(data: bytes, module: str, key: bytes) -> bool:
    """Whether it answers what was asked: about another absent key it may tell the truth too."""
    proof = wire.decode(proofs.state_proofs, data)
    if (proof.module, proof.key) != (module, key):
        return False
    check_certificate(GENESIS.chain, GENESIS.founding, proof.certificate)
    block = wire.decode_block(proof.block)
    size, root = proof.certificate.size, proof.certificate.root
    return verify_inclusion(root, size, proof.index, leaf(proof.block), proof.path) and verify_state(
        block.state, state_key(proof.module, proof.key), proof.value, proof.proof
    )


@pytest.mark.parametrize("key", ["k1", "k0", "nothing"])
def test_state_proofs_of_presence_and_absence(key: str) -> None:
    world, _ = world_with(1)
    certify(world.ledger)
    raw = rows.key(key)
    for height in range(1, world.ledger.height + 1):
        proof = world.ledger.state_proof("shelf", raw, height)
        assert proof.value == world.ledger.get_at("shelf", raw, height)
        data = wire.encode(proof)
        assert state_proof_holds(data, "shelf", raw)
        for position in range(height, 8 * len(data), 37):
            changed = bytearray(data)
            changed[position // 8] ^= 1 << position % 8
            with suppress(GrootboekError, ValueError):
                assert not state_proof_holds(bytes(changed), "shelf", raw), position


def test_a_state_proof_of_another_value_or_key_fails() -> None:
    world, _ = world_with(1)
    certify(world.ledger)
    proof = world.ledger.state_proof("shelf", rows.key("k1"), 3)
    assert proof.value is not None
    for wrong in (
        replace(proof, value=None),
        replace(proof, key=rows.key("k9")),
        replace(proof, module="shelves"),
    ):
        assert not state_proof_holds(wire.encode(wrong), wrong.module, wrong.key)


def test_state_proofs_that_cannot_be_given() -> None:
    world = World(make_genesis(proof_heights=2))
    with pytest.raises(NotFound):
        world.ledger.state_proof("shelf", b"", 1)
    world.fill(6)
    with pytest.raises(Unavailable):
        world.ledger.state_proof("shelf", b"", 1)
    older = certify(world.ledger)
    world.fill(1)
    certify(world.ledger)
    for height in (0, 8, -1):
        with pytest.raises(NotFound):
            world.ledger.state_proof("shelf", b"", height)
    with pytest.raises(Unavailable):
        world.ledger.state_proof("shelf", b"", 7, older)
    world.save()
    world.ledger.state_proof("shelf", b"", 5)
    with pytest.raises(Pruned, match="from height 5"):
        world.ledger.state_proof("shelf", b"", 4)


def test_certificates_that_are_no_quorums_word() -> None:
    world, _ = world_with(1)
    good = certify(world.ledger)
    assert check_certificate(GENESIS.chain, GENESIS.founding, good) == wire.block_of(good)
    signatures = good.cosignatures
    header = world.ledger._log.read(0, 1)[0]
    for bad in (
        replace(good, cosignatures=()),
        replace(good, cosignatures=signatures[:2]),
        replace(good, cosignatures=signatures[::-1]),
        replace(good, cosignatures=(signatures[0], *signatures[:2])),
        replace(good, cosignatures=(*signatures[:2], wire.Cosignature(4, 1, bytes(64)))),
        replace(good, cosignatures=(*signatures[:2], wire.Cosignature(3, 1, bytes(64)))),
        replace(good, size=good.size - 1),
        replace(good, root=bytes(32)),
        replace(good, path=good.path[:-1]),
        replace(good, block=header),
        replace(good, block=b""),
        replace(good, block=bytes(70_000)),
        certificate_of(world.ledger, world.ledger.block(3).raw, world.ledger.size),
    ):
        with pytest.raises(BadCertificate):
            check_certificate(GENESIS.chain, GENESIS.founding, bad)


@settings(max_examples=20)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=12))
def test_every_receipt_holds_under_every_later_certificate(counts: list[int]) -> None:
    world = World()
    identities = []
    for count in counts:
        block = world.execute(world.transaction(*(Add("n", i) for i in range(count))))
        identities.append(block.results[0][0])
    for identity in identities:
        assert receipt_holds(wire.encode(receipt_of(world, identity)))
    assert world.ledger.finals(identities)[-1] is not None
