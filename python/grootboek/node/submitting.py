"""A transaction of one command under one key: what a replica itself submits, and simulated clients do."""

from grootboek._core import command_root, digest
from grootboek.node.signers import PrivateKey
from grootboek.types import Chain, Millis
from grootboek.wire import Command, Header, Transaction, encode, transaction_bytes

__all__ = ["transaction"]


def transaction(
    chain: Chain, key: PrivateKey, nonce: int, command: Command, *, expiry: Millis, atomic: bool
) -> tuple[bytes, bytes]:
    """Its id and its framed bytes."""
    raw = encode(command)
    header = encode(
        Header(
            chain=chain.id,
            signers=(key.public,),
            nonce=nonce,
            expiry=expiry,
            atomic=atomic,
            count=1,
            root=command_root([raw]),
        )
    )
    signed = transaction_bytes(chain, header)
    body = encode(Transaction(header=header, signatures=(key.sign(signed),), commands=(raw,)))
    return digest(signed), len(body).to_bytes(4, "big") + body
