"""Who is at the other end: Hello and HelloProof, both ways, inside the TLS connection. Pure.

TLS has shown that the peer holds the transport key of one replica of the epoch, or of a guest. The proof
shows that it holds that replica's voting key too, here and now: it is signed over both nonces, both
certificates, both replicas and the sender's role, so it fits no other connection and no other
direction.
"""

import hashlib
from base64 import b64decode
from collections.abc import Sequence
from typing import Final

from grootboek._core import SigningKey, verify
from grootboek.errors import BadHello, GenesisError
from grootboek.types import Chain, Epoch, ReplicaInfo
from grootboek.wire import Frame, Hello, HelloProof, domain

__all__ = ["ACCEPTED", "DIALLED", "VERSION", "Handshake", "Roll", "proof_bytes"]

VERSION: Final = 1
"""Of the transport protocol."""
DIALLED: Final = 0
ACCEPTED: Final = 1


class Roll:
    """Who may connect in an epoch, and how each is known: its replicas, then guests."""

    def __init__(self, chain: Chain, epoch: Epoch, guests: Sequence[ReplicaInfo] = ()) -> None:
        """Raises GenesisError where two replicas share a certificate."""
        self.chain = chain
        self.epoch = epoch.number
        self.replicas = epoch.quorum.n
        """How many of those that follow are replicas; the others listen and ask."""
        self.names: list[str] = []
        self.voting_keys: list[bytes] = []
        self.certificates: list[bytes] = []
        """DER."""
        self.admit(epoch.replicas)
        if len(self.certificates) != self.replicas:
            raise GenesisError("two replicas have the same transport certificate", where="$.replicas")
        self.admit(guests)

    def admit(self, infos: Sequence[ReplicaInfo]) -> list[bytes]:
        """Add those that are new; their certificates."""
        before = len(self.certificates)
        for info in infos:
            certificate = b64decode(info.transport_certificate)
            if certificate not in self.certificates:
                self.names.append(info.name)
                self.voting_keys.append(info.voting_key)
                self.certificates.append(certificate)
        return self.certificates[before:]

    def who(self, certificate: bytes | None) -> int:
        """Whose certificate this is: the index of a replica, or n and above; raises BadHello."""
        if certificate not in self.certificates:
            raise BadHello("the certificate is of no replica of this epoch")
        return self.certificates.index(certificate)


def proof_bytes(  # noqa: PLR0917  # what is signed, in its order
    chain: Chain, role: int, sender: Hello, receiver: Hello, sent_by: bytes, received_by: bytes
) -> bytes:
    """What the voting key of ``sender`` signs, in its own epoch; ``sent_by`` and ``received_by`` are the
    transport certificates. Every field after the domain has a fixed length.
    """
    parts = [
        domain("hello", chain, sender.epoch),
        role.to_bytes(1, "big"),
        VERSION.to_bytes(2, "big"),
        sender.replica.to_bytes(2, "big"),
        receiver.replica.to_bytes(2, "big"),
        hashlib.sha256(sent_by).digest(),
        hashlib.sha256(received_by).digest(),
        sender.nonce,
        receiver.nonce,
    ]
    return b"".join(parts)


class Handshake:
    """One side of one connection. Send ``hello``, feed each frame to ``receive`` until ``done``."""

    def __init__(
        self,
        roll: Roll,
        *,
        me: int,
        peer: int,
        role: int,
        voting: SigningKey,
        nonce: bytes,
        own: bytes | None = None,
    ) -> None:
        """``peer``: whose certificate TLS has seen. ``nonce``: 32 random bytes, never used before.
        ``own``: this side's certificate, where the roll does not have it (an observer's).
        """
        self._own = own or roll.certificates[me]
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
            return HelloProof(self._voting.sign(self._signed(self._role, self.hello, frame)))
        if isinstance(frame, HelloProof) and self._theirs is not None:
            signed = self._signed(1 - self._role, self._theirs, self.hello)
            if not verify(self._roll.voting_keys[self._peer], signed, frame.signature, cofactorless=True):
                raise BadHello("the proof is not by the voting key of the replica that it names")
            self.done = True
            return None
        raise BadHello(f"{type(frame).__name__} came before the handshake was over")

    def _signed(self, role: int, sender: Hello, receiver: Hello) -> bytes:
        mine = sender is self.hello
        peer = self._roll.certificates[self._peer]
        sent_by, received_by = (self._own, peer) if mine else (peer, self._own)
        return proof_bytes(self._roll.chain, role, sender, receiver, sent_by, received_by)

    def _judge(self, theirs: Hello) -> None:
        """A peer of another epoch is welcome: it may have to be told how that one ended."""
        mine = self.hello
        wanted = [
            ("version", theirs.version, mine.version),
            ("chain", theirs.chain.hex(), mine.chain.hex()),
        ]
        if theirs.epoch == mine.epoch and self._peer < self._roll.replicas:
            wanted.append(("replica", theirs.replica, self._peer))
        for what, got, want in wanted:
            if got != want:
                raise BadHello(f"{what} {got}, expected {want}")
        if theirs.nonce == mine.nonce or self._roll.certificates[self._peer] == self._own:
            raise BadHello("this replica was connected to itself")
