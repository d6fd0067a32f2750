"""Clients, and the offline verifier.

``AsyncClient`` and ``Client`` are twins with the same names. ``Verifier`` needs no network.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grootboek.client.answers import Result
    from grootboek.client.client import AsyncClient
    from grootboek.client.drafts import Draft
    from grootboek.client.sync import Client
    from grootboek.client.transactions import Prepared
    from grootboek.client.verifier import Verifier

__all__ = ["AsyncClient", "Client", "Draft", "Prepared", "Result", "Verifier"]

_HOMES = {
    "AsyncClient": "client",
    "Client": "sync",
    "Draft": "drafts",
    "Prepared": "transactions",
    "Result": "answers",
    "Verifier": "verifier",
}


def __getattr__(name: str) -> Any:
    """Load what is asked for: verifying a receipt must not load the HTTP client."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
