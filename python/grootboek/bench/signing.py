"""From drafts to the bytes of requests, before the clock starts."""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from grootboek._core import SigningKey
from grootboek.bench.workloads import Draft
from grootboek.client.transactions import Prepared, prepare_many
from grootboek.types import Genesis, Millis

__all__ = ["Request", "expiry_of", "requests_of", "sign"]

EXPIRY_MARGIN_MS: Final = 30_000
"""Expiries stay this far below the limit: the ledger's time may be behind this clock."""


class Request(Struct, frozen=True):
    """Some prepared transactions, as they are sent."""

    number: int
    sent: list[Prepared]
    body: bytes


def expiry_of(genesis: Genesis) -> Millis:
    """The latest that a transaction signed now may have."""
    return time.time_ns() // 1_000_000 + genesis.limits.validity_ms - EXPIRY_MARGIN_MS


def sign(genesis: Genesis, drafts: Iterable[Draft], expiry: Millis) -> list[Prepared]:
    """The drafts as transactions, in their order; each key signs all of its own in one call."""
    keys: dict[bytes, SigningKey] = {}
    commands: defaultdict[bytes, list[Sequence[bytes]]] = defaultdict(list)
    order = []
    for draft in drafts:
        signer = draft.signer.public
        keys[signer] = draft.signer
        commands[signer].append(draft.commands)
        order.append(signer)
    signed = {
        signer: iter(prepare_many(genesis.chain, keys[signer], own, expiry=expiry))
        for signer, own in commands.items()
    }
    return [next(signed[signer]) for signer in order]


def requests_of(prepared: Sequence[Prepared], in_request: int) -> list[Request]:
    """The prepared transactions in requests of so many."""
    groups = (list(prepared[at : at + in_request]) for at in range(0, len(prepared), in_request))
    return [
        Request(number, group, b"".join(item.frame for item in group)) for number, group in enumerate(groups)
    ]
