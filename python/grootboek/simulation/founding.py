"""A genesis file with keys that follow from a number: for the simulator and for unit tests only."""

import base64
from collections.abc import Callable, Sequence
from typing import Final

from grootboek import notes
from grootboek._core import SigningKey, digest
from grootboek.ledger import Ledger
from grootboek.node.signers import Keys, PrivateKey
from grootboek.simulation.heap import EPOCH_MS
from grootboek.types import Genesis, Limits, Party, ReplicaInfo
from grootboek.wire import Certificate, Cosignature

__all__ = ["certify", "found", "info_of", "keys_of", "known_key", "log_signature", "name_of", "place_of"]

_NAME: Final = "replica-"
_ROTATED: Final = 3
"""A voting key lasts so many epochs: with each some replicas have another."""


def name_of(place: int) -> str:
    """The replica at a place of the simulated network."""
    return f"{_NAME}{place}"


def place_of(name: str) -> int:
    """The way back."""
    return int(name.removeprefix(_NAME))


def keys_of(place: int, epoch: int = 0, voting: Callable[[bytes], PrivateKey] = SigningKey) -> Keys:
    """The keys of the replica at ``place``; its cosigning key is another in each epoch, its voting key in
    every third one.
    """
    cosigning = ("replica", place, "cosigning", *((epoch,) if epoch else ()))
    rotated = (place + epoch) // _ROTATED - place // _ROTATED
    return Keys(
        voting(_seed("replica", place, "voting", *((rotated,) if rotated else ()))),
        known_key(*cosigning),
        known_key("replica", place, "log"),
    )


def info_of(place: int, epoch: int = 0, voting: Callable[[bytes], PrivateKey] = SigningKey) -> ReplicaInfo:
    """How it presents itself; certificates are placeholders."""
    keys = keys_of(place, epoch, voting)
    placeholder = base64.b64encode(b"simulated").decode()
    return ReplicaInfo(
        name=name_of(place),
        address=f"{name_of(place)}.invalid:1",
        api=f"{name_of(place)}.invalid:2",
        voting=keys.voting.public.hex(),
        cosigning=keys.cosigning.public.hex(),
        log=keys.log.public.hex(),
        transport_certificate=placeholder,
        api_certificate=placeholder,
    )


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
    voting: Callable[[bytes], PrivateKey] = SigningKey,
) -> tuple[Genesis, list[Keys]]:
    """The genesis of ``n`` replicas and their keys; ``voting`` makes a voting key from its seed.

    Certificates are placeholders.
    """
    keys = [keys_of(place, voting=voting) for place in range(n)]
    replicas = tuple(info_of(place, voting=voting) for place in range(n))
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


def certify(ledger: Ledger, keys: Sequence[Keys]) -> Certificate:
    """A quorum's certificate of the newest block, which the ledger learns of; ``keys``: by replica."""
    seconds = ledger.time // 1_000
    message = notes.cosigned_bytes(ledger.chain.origin, ledger.size, ledger.root, seconds)
    cosigners = enumerate(keys[: ledger.genesis.quorum.quorum])
    made = Certificate(
        size=ledger.size,
        root=ledger.root,
        block=ledger.block(ledger.height).raw,
        path=ledger.inclusion(ledger.size - 1, ledger.size),
        cosignatures=tuple(Cosignature(i, seconds, one.cosigning.sign(message)) for i, one in cosigners),
    )
    ledger.certify(made)
    return made


def log_signature(ledger: Ledger, keys: Sequence[Keys], certificate: Certificate) -> tuple[int, bytes]:
    """Replica 0's, over a certified checkpoint."""
    body = notes.checkpoint_body(ledger.chain.origin, certificate.size, certificate.root)
    return 0, keys[0].log.sign(body)
