"""Who is at the other end: Hello and HelloProof, both ways, inside the TLS connection. Pure.

TLS has shown that the peer holds the transport key of one replica of the genesis file. The proof
shows that it holds that replica's voting key too, here and now: it is signed over both nonces, both
certificates, both replicas and the sender's role, so it fits no other connection and no other
direction.
"""

import hashlib
from base64 import b64decode
from typing import Final, Self

from msgspec import Struct

from grootboek._core import SigningKey, verify
from grootboek.errors import BadHello, GenesisError
from grootboek.types import Chain, Genesis
from grootboek.wire import Frame, Hello, HelloProof, domain

__all__ = ["ACCEPTED", "DIALLED", "VERSION", "Handshake", "Roll", "proof_bytes"]

VERSION: Final = 1
"""Of the transport protocol."""
DIALLED: Final = 0
ACCEPTED: Final = 1


class Roll(Struct, frozen=True):
    """Who may take part in an epoch, and how each is known."""

    chain: Chain
    epoch: int
    names: tuple[str, ...]
    voting_keys: tuple[bytes, ...]
    certificates: tuple[bytes, ...]
    """DER."""

    @classmethod
    def of(cls, genesis: Genesis, epoch: int) -> Self:
        """The roll of the founding epoch; raises GenesisError where two replicas share a certificate."""
        certificates = tuple(b64decode(replica.transport_certificate) for replica in genesis.replicas)
        if len(set(certificates)) != len(certificates):
            raise GenesisError("two replicas have the same transport certificate", where="$.replicas")
        return cls(
            chain=genesis.chain,
            epoch=epoch,
            names=tuple(replica.name for replica in genesis.replicas),
            voting_keys=tuple(replica.voting_key for replica in genesis.replicas),
            certificates=certificates,
        )

    def who(self, certificate: bytes | None) -> int:
        """The replica whose certificate this is; raises BadHello."""
        if certificate not in self.certificates:
            raise BadHello("the certificate is none of the genesis file's")
        return self.certificates.index(certificate)


def proof_bytes(roll: Roll, role: int, sender: Hello, receiver: Hello) -> bytes:
    """What the voting key of ``sender`` signs; every field after the domain has a fixed length."""
    parts = [
        domain("hello", roll.chain, roll.epoch),
        role.to_bytes(1, "big"),
        VERSION.to_bytes(2, "big"),
        sender.replica.to_bytes(2, "big"),
        receiver.replica.to_bytes(2, "big"),
        hashlib.sha256(roll.certificates[sender.replica]).digest(),
        hashlib.sha256(roll.certificates[receiver.replica]).digest(),
        sender.nonce,
        receiver.nonce,
    ]
    return b"".join(parts)


class Handshake:
    """One side of one connection. Send ``hello``, feed each frame to ``receive`` until ``done``."""

    def __init__(
        self, roll: Roll, *, me: int, peer: int, role: int, voting: SigningKey, nonce: bytes
    ) -> None:
        """``peer``: whose certificate TLS has seen. ``nonce``: 32 random bytes, never used before."""
        self.done = False
        self.hello = Hello(VERSION, roll.chain.digest, roll.epoch, me, nonce)
        self._roll = roll
        self._peer = peer
        self._role = role
        self._voting = voting
        self._theirs: Hello | None = None

    def receive(self, frame: Frame) -> HelloProof | None:
        """What to answer; raises BadHello for everything that does not belong here."""
        if isinstance(frame, Hello) and self._theirs is None:
            self._judge(frame)
            self._theirs = frame
            return HelloProof(self._voting.sign(proof_bytes(self._roll, self._role, self.hello, frame)))
        if isinstance(frame, HelloProof) and self._theirs is not None:
            signed = proof_bytes(self._roll, 1 - self._role, self._theirs, self.hello)
            if not verify(self._roll.voting_keys[self._peer], signed, frame.signature, cofactorless=True):
                raise BadHello("the proof is not by the voting key of the replica that it names")
            self.done = True
            return None
        raise BadHello(f"{type(frame).__name__} came before the handshake was over")

    def _judge(self, theirs: Hello) -> None:
        mine = self.hello
        for what, got, want in (
            ("version", theirs.version, mine.version),
            ("chain", theirs.chain.hex(), mine.chain.hex()),
            ("epoch", theirs.epoch, mine.epoch),
            ("replica", theirs.replica, self._peer),
        ):
            if got != want:
                raise BadHello(f"{what} {got}, expected {want}")
        if theirs.replica == mine.replica or theirs.nonce == mine.nonce:
            raise BadHello("this replica was connected to itself")
