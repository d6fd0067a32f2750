"""A replica's word that it takes part in an epoch, by all keys that it will sign with."""

from grootboek.modules.replicas import Seat
from grootboek.node.keystore import ReplicaKeys
from grootboek.types import Chain, ReplicaInfo
from grootboek.wire import Member, seat_bytes

__all__ = ["seat_of"]


def seat_of(chain: Chain, keys: ReplicaKeys, info: ReplicaInfo, height: int) -> Seat:
    """The seat, in the epoch to which the keys belong, of the replica that has executed ``height`` blocks.

    ``info``: where it is reached; its keys are those of ``keys``.
    """
    member = Member.of(keys.public(info.address, info.api))
    signing = keys.signing()
    signed = seat_bytes(chain.origin, keys.epoch, height, member)
    return Seat(
        member=member,
        height=height,
        voting=signing.voting.sign(signed),
        cosigning=signing.cosigning.sign(signed),
        log=signing.log.sign(signed),
    )
