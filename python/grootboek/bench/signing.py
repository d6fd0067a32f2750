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

__all__ = ["Request", "expiry_of", "requests_of", "sign", "sign_ahead"]

EXPIRY_MARGIN_MS: Final = 30_000
"""Expiries stay this far below the limit: the ledger's time may be behind this clock."""


AHEAD_SECONDS: Final = 60
"""What is sent within such a time is signed with one expiry."""


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


def sign_ahead(genesis: Genesis, drafts: Sequence[Draft], rate: float) -> list[Prepared]:
    """As ``sign``, for a run that sends at most ``rate`` of them a second, from now on or later: each expires
    as late as it may when its turn comes, so that a run can be longer than the ledger lets anything wait.
    """
    expiry, portion = expiry_of(genesis), max(1, int(rate * AHEAD_SECONDS))
    signed: list[Prepared] = []
    for start in range(0, len(drafts), portion):
        signed += sign(genesis, drafts[start : start + portion], expiry + int(1_000 * start / rate))
    return signed


def requests_of(prepared: Sequence[Prepared], in_request: int) -> list[Request]:
    """The prepared transactions in requests of so many."""
    groups = (list(prepared[at : at + in_request]) for at in range(0, len(prepared), in_request))
    return [
        Request(number, group, b"".join(item.frame for item in group)) for number, group in enumerate(groups)
    ]
