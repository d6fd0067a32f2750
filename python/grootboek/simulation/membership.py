"""Epochs in the simulator: its one governor, the command that opens the next one, and whom that names."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from grootboek._core import SigningKey
from grootboek.ledger.members import GOVERNOR
from grootboek.modules.replicas import OpenEpoch, Replicas
from grootboek.node.seating import sign_seat
from grootboek.node.signers import PrivateKey
from grootboek.simulation.founding import info_of, keys_of, known_key
from grootboek.simulation.hunting import front
from grootboek.types import Party
from grootboek.wire import Command, Member, encode

if TYPE_CHECKING:
    from grootboek.simulation.run import Simulation

__all__ = ["GOVERNOR_KEY", "add", "exchange", "governor", "open_epoch", "remove", "rotate"]

FEWEST: Final = 4
"""With fewer members nobody may fail."""
BURST: Final = 20
GOVERNOR_KEY: Final[SigningKey] = known_key("governor")


def governor() -> Party:
    """Who decides about the replicas of a simulated ledger."""
    return Party(id="00" * 16, keys=(GOVERNOR_KEY.public.hex(),), roles=(GOVERNOR,))


def open_epoch(
    origin: str,
    epoch: int,
    heights: Mapping[int, int],
    voting: Callable[[bytes], PrivateKey] = SigningKey,
) -> Command:
    """The command that opens ``epoch`` with the replicas at the places that ``heights`` names, in their
    order; each has executed the log up to its height. ``voting``: see ``keys_of``.
    """
    seats = tuple(
        sign_seat(
            origin,
            epoch,
            Member.of(info_of(place, epoch, voting)),
            keys_of(place, epoch, voting),
            height,
        )
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


# --- who takes part from the next epoch on ---------------------------------------------------------


def add(run: "Simulation", rng: random.Random) -> str | None:
    """37: some that only follow the ledger take part, too."""
    members, outside = _members(run), _outside(run)
    if not outside:
        return None
    return _propose(run, rng, members + rng.sample(outside, rng.randint(1, len(outside))))


def remove(run: "Simulation", rng: random.Random) -> str | None:
    """37: some members only follow the ledger from then on."""
    members = _members(run)
    if len(members) <= FEWEST:
        return None
    return _propose(run, rng, rng.sample(members, rng.randrange(FEWEST, len(members))))


def exchange(run: "Simulation", rng: random.Random) -> str | None:
    """37: some go, as many others come."""
    members, outside = _members(run), _outside(run)
    if not outside:
        return None
    count = rng.randint(1, min(len(outside), len(members)))
    return _propose(run, rng, rng.sample(members, len(members) - count) + rng.sample(outside, count))


def rotate(run: "Simulation", rng: random.Random) -> str | None:
    """37: the same ones, with other keys and other indexes."""
    return _propose(run, rng, _members(run))


def _members(run: "Simulation") -> list[int]:
    return front(run).members


def _outside(run: "Simulation") -> list[int]:
    """Those that could join: they run, since they sign for their seats."""
    members = _members(run)
    return [replica.me for replica in run.replicas if replica.alive and replica.me not in members]


def _propose(run: "Simulation", rng: random.Random, members: Sequence[int]) -> str | None:
    """In any order, so that places and indexes differ; with other transactions before and behind, which
    the closing block makes void where they are proposed.
    """
    if Replicas.name not in run.genesis.modules or not run.bear(run.lost, members):
        return None
    run.clients.burst(rng.randrange(BURST))
    words = run.reconfigure(rng.sample(members, len(members)))
    run.clients.burst(rng.randrange(BURST))
    return words
