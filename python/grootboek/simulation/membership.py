"""Epochs in the simulator: its one governor, and the command with which it opens the next one."""

from collections.abc import Mapping
from typing import Final

from grootboek._core import SigningKey
from grootboek.ledger.members import GOVERNOR
from grootboek.modules.replicas import OpenEpoch, Replicas
from grootboek.node.seating import sign_seat
from grootboek.simulation.founding import info_of, keys_of, known_key
from grootboek.types import Party
from grootboek.wire import Command, Member, encode

__all__ = ["GOVERNOR_KEY", "governor", "open_epoch"]

GOVERNOR_KEY: Final[SigningKey] = known_key("governor")


def governor() -> Party:
    """Who decides about the replicas of a simulated ledger."""
    return Party(id="00" * 16, keys=(GOVERNOR_KEY.public.hex(),), roles=(GOVERNOR,))


def open_epoch(origin: str, epoch: int, heights: Mapping[int, int]) -> Command:
    """The command that opens ``epoch`` with the replicas at the places that ``heights`` names, in their
    order; each has executed the log up to its height.
    """
    seats = tuple(
        sign_seat(origin, epoch, Member.of(info_of(place, epoch)), keys_of(place, epoch), height)
        for place, height in heights.items()
    )
    body = encode(OpenEpoch(epoch, 1, seats))
    return Command(
        module=Replicas.name,
        name="OpenEpoch",
        version=Replicas.version,
        body=body,
        salt=epoch.to_bytes(16, "big"),
    )
