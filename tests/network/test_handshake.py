"""A proof of the handshake fits one connection, one direction and one replica."""

import base64
import hashlib

import msgspec
import pytest
from msgspec.structs import replace

from grootboek._core import SigningKey
from grootboek.errors import BadHello, GenesisError
from grootboek.network.handshake import ACCEPTED, DIALLED, Handshake, Roll, proof_bytes
from grootboek.wire import Batch, Hello, HelloProof, Status
from tests.network.sites import Site

SITE = Site(3)
ROLL = Roll(SITE.genesis.chain, SITE.genesis.founding)
KEYS = [SigningKey(keys.voting) for keys in SITE.keys]


def side(me: int, peer: int, role: int, *, fill: int = 0, roll: Roll = ROLL) -> Handshake:
    nonce = bytes([me + 1, role, fill]) + bytes(29)
    return Handshake(roll, me=me, peer=peer, role=role, voting=KEYS[me], nonce=nonce)


def proof_of(sender: Handshake, hello: Hello) -> HelloProof:
    proof = sender.receive(hello)
    assert proof is not None
    return proof


def test_both_sides_prove_themselves() -> None:
    dialler, acceptor = side(1, 0, DIALLED), side(0, 1, ACCEPTED)
    to_acceptor, to_dialler = proof_of(dialler, acceptor.hello), proof_of(acceptor, dialler.hello)
    assert not dialler.done
    assert acceptor.receive(to_acceptor) is None
    assert dialler.receive(to_dialler) is None
    assert acceptor.done
    assert dialler.done


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("version", 2, "version"),
        ("chain", bytes(32), "chain"),
        ("chain", ROLL.chain.digest[:31] + bytes([ROLL.chain.digest[31] ^ 1]), "chain"),
        ("replica", 2, "replica"),
        ("replica", 0, "replica"),
        ("replica", 999, "replica"),
    ],
)
def test_a_hello_that_differs_is_refused(field: str, value: object, says: str) -> None:
    hello = msgspec.structs.replace(side(1, 0, DIALLED).hello, **{field: value})
    with pytest.raises(BadHello, match=says):
        side(0, 1, ACCEPTED).receive(hello)


def test_a_replayed_proof_is_refused() -> None:
    dialler = side(1, 0, DIALLED)
    proof = proof_of(dialler, side(0, 1, ACCEPTED).hello)
    later = side(0, 1, ACCEPTED, fill=1)
    later.receive(dialler.hello)
    with pytest.raises(BadHello, match="voting key"):
        later.receive(proof)


def test_a_proof_of_the_other_role_is_refused() -> None:
    liar, acceptor = side(1, 0, ACCEPTED), side(0, 1, ACCEPTED)
    proof = proof_of(liar, acceptor.hello)
    acceptor.receive(liar.hello)
    with pytest.raises(BadHello, match="voting key"):
        acceptor.receive(proof)


def test_a_proof_for_another_replica_is_refused() -> None:
    """Replica 2 hands on to replica 0 what replica 1 proved to it."""
    honest, victim = side(1, 2, DIALLED), side(0, 1, ACCEPTED)
    proof = proof_of(honest, msgspec.structs.replace(victim.hello, replica=2))
    victim.receive(honest.hello)
    with pytest.raises(BadHello, match="voting key"):
        victim.receive(proof)


def test_a_proof_by_another_voting_key_is_refused() -> None:
    thief = Handshake(ROLL, me=1, peer=0, role=DIALLED, voting=KEYS[2], nonce=bytes(32))
    acceptor = side(0, 1, ACCEPTED)
    proof = proof_of(thief, acceptor.hello)
    acceptor.receive(thief.hello)
    with pytest.raises(BadHello, match="voting key"):
        acceptor.receive(proof)


@pytest.mark.parametrize("epoch", [0, 1])
def test_a_proof_of_another_epoch_is_refused(epoch: int) -> None:
    other = Roll(SITE.genesis.chain, replace(SITE.genesis.founding, number=1 - epoch))
    dialler, acceptor = (
        side(1, 0, DIALLED, roll=other),
        side(0, 1, ACCEPTED, roll=Roll(SITE.genesis.chain, replace(SITE.genesis.founding, number=epoch))),
    )
    proof = proof_of(dialler, msgspec.structs.replace(acceptor.hello, epoch=1 - epoch))
    acceptor.receive(msgspec.structs.replace(dialler.hello, epoch=epoch))
    with pytest.raises(BadHello, match="voting key"):
        acceptor.receive(proof)


def test_every_flipped_bit_of_a_proof_is_refused() -> None:
    dialler = side(1, 0, DIALLED)
    proof = proof_of(dialler, side(0, 1, ACCEPTED).hello).signature
    for bit in range(0, 512, 7):
        changed = bytearray(proof)
        changed[bit // 8] ^= 1 << bit % 8
        acceptor = side(0, 1, ACCEPTED)
        acceptor.receive(dialler.hello)
        with pytest.raises(BadHello):
            acceptor.receive(HelloProof(bytes(changed)))


@pytest.mark.parametrize(
    "frame", [HelloProof(bytes(64)), Batch(b""), Status(0, active=True, executed=0, stable=None)]
)
def test_nothing_else_may_come_first(frame: HelloProof | Batch | Status) -> None:
    with pytest.raises(BadHello, match="before the handshake was over"):
        side(0, 1, ACCEPTED).receive(frame)


def test_a_second_hello_is_refused() -> None:
    dialler, acceptor = side(1, 0, DIALLED), side(0, 1, ACCEPTED)
    acceptor.receive(dialler.hello)
    with pytest.raises(BadHello, match="before the handshake was over"):
        acceptor.receive(dialler.hello)


def test_a_reflected_nonce_is_refused() -> None:
    acceptor = side(0, 1, ACCEPTED)
    with pytest.raises(BadHello, match="itself"):
        acceptor.receive(msgspec.structs.replace(acceptor.hello, replica=1))


def test_two_replicas_with_one_certificate_are_refused() -> None:
    first, second, third = SITE.genesis.replicas
    twin = msgspec.structs.replace(second, transport_certificate=first.transport_certificate)
    genesis = msgspec.structs.replace(SITE.genesis, replicas=(first, twin, third))
    with pytest.raises(GenesisError, match="same transport certificate"):
        Roll(genesis.chain, genesis.founding)


def test_only_certificates_of_the_genesis_file_are_known() -> None:
    assert ROLL.who(base64.b64decode(SITE.genesis.replicas[2].transport_certificate)) == 2
    for unknown in (None, b"", b"certificate"):
        with pytest.raises(BadHello):
            ROLL.who(unknown)


def test_the_signed_bytes_are_those_of_the_specification() -> None:
    sender, receiver = side(1, 0, DIALLED), side(0, 1, ACCEPTED)
    signed = b"".join(
        [
            b"grootboek/1 hello\n",
            SITE.genesis.chain.digest,
            bytes(8),  # the epoch
            b"\x00",  # dialled
            b"\x00\x01",  # the version
            b"\x00\x01",
            b"\x00\x00",
            hashlib.sha256(ROLL.certificates[1]).digest(),
            hashlib.sha256(ROLL.certificates[0]).digest(),
            sender.hello.nonce,
            receiver.hello.nonce,
        ]
    )
    assert (
        proof_bytes(
            ROLL.chain, DIALLED, sender.hello, receiver.hello, ROLL.certificates[1], ROLL.certificates[0]
        )
        == signed
    )
    assert proof_of(sender, receiver.hello) == HelloProof(KEYS[1].sign(signed))
