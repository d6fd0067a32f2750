"""A replica's word that it takes part in an epoch, by all keys that it will sign with."""

from grootboek.modules.replicas import Seat
from grootboek.node.keystore import ReplicaKeys
from grootboek.node.signers import Keys
from grootboek.types import Chain, ReplicaInfo
from grootboek.wire import Member, seat_bytes

__all__ = ["seat_of", "sign_seat"]


def seat_of(chain: Chain, keys: ReplicaKeys, info: ReplicaInfo, height: int) -> Seat:
    """The seat, in the epoch to which the keys belong, of the replica that has executed ``height`` blocks.

    ``info``: where it is reached; its keys are those of ``keys``.
    """
    member = Member.of(keys.public(info.address, info.api))
    return sign_seat(chain.origin, keys.epoch, member, keys.signing(), height)


def sign_seat(origin: str, epoch: int, member: Member, keys: Keys, height: int) -> Seat:
    """The seat of ``member`` in ``epoch`` of the ledger with that log origin, by its keys of that epoch."""
    signed = seat_bytes(origin, epoch, height, member)
    return Seat(
        member=member,
        height=height,
        voting=keys.voting.sign(signed),
        cosigning=keys.cosigning.sign(signed),
        log=keys.log.sign(signed),
    )
