"""A genesis file with keys that follow from a number: for the simulator and for unit tests only."""

import base64
from collections.abc import Callable, Sequence

from grootboek._core import SigningKey, digest
from grootboek.node.signers import Keys, VotingKey
from grootboek.simulation.heap import EPOCH_MS
from grootboek.types import Genesis, Limits, Party, ReplicaInfo

__all__ = ["found", "known_key"]


def known_key(*names: str | int) -> SigningKey:
    """A private key that everybody can compute from ``names``."""
    return SigningKey(_seed(*names))


def _seed(*names: str | int) -> bytes:
    return digest("/".join(["simulation", *map(str, names)]).encode())


def found(
    n: int,
    modules: dict[str, int],
    *,
    limits: Limits | None = None,
    parties: Sequence[Party] = (),
    voting: Callable[[bytes], VotingKey] = SigningKey,
) -> tuple[Genesis, list[Keys]]:
    """The genesis of ``n`` replicas and their keys; ``voting`` makes a voting key from its seed.

    Certificates are placeholders.
    """
    keys = [
        Keys(
            voting(_seed("replica", i, "voting")),
            known_key("replica", i, "cosigning"),
            known_key("replica", i, "log"),
        )
        for i in range(n)
    ]
    placeholder = base64.b64encode(b"simulated").decode()
    replicas = tuple(
        ReplicaInfo(
            name=f"replica-{i}",
            address=f"replica-{i}.invalid:1",
            api=f"replica-{i}.invalid:2",
            voting=key.voting.public.hex(),
            cosigning=key.cosigning.public.hex(),
            log=key.log.public.hex(),
            transport_certificate=placeholder,
            api_certificate=placeholder,
        )
        for i, key in enumerate(keys)
    )
    genesis = Genesis(
        name="simulation.invalid/ledger",
        time=EPOCH_MS,
        limits=limits or Limits(),
        modules=modules,
        replicas=replicas,
        parties=tuple(parties),
    )
    genesis.check()
    return genesis, keys
