"""The ledger that governments run together: PBFT, a transparency log, typed modules.

What programs need is here by name, loaded when it is first used::

    from grootboek import AsyncClient, Genesis

    async with AsyncClient(Genesis.load("genesis.json"), key) as client:
        result = await client.submit("records", Anchor(key="file/1", digest=sha256))

The layers beneath are packages of their own; docs/architecture.md says what each may know.
"""

import importlib
from typing import TYPE_CHECKING

try:
    import grootboek._core  # noqa: F401  # asked for first, so that its absence gets an answer
except ImportError as error:
    raise ImportError(
        "the Rust core of grootboek is not built: run `make environment` in the checkout, or `pip install .`"
    ) from error

if TYPE_CHECKING:
    from importlib.metadata import version

    from grootboek._core import SigningKey
    from grootboek.client import AsyncClient, Client, Verifier
    from grootboek.errors import GrootboekError
    from grootboek.ledger.module import Context, Module, Rejected, Table, View, command, query
    from grootboek.types import Genesis, Limits

    __version__ = version("grootboek")

__all__ = [
    "AsyncClient",
    "Client",
    "Context",
    "Genesis",
    "GrootboekError",
    "Limits",
    "Module",
    "Rejected",
    "SigningKey",
    "Table",
    "Verifier",
    "View",
    "__version__",
    "command",
    "query",
]

_HOME = {
    "AsyncClient": "grootboek.client",
    "Client": "grootboek.client",
    "Verifier": "grootboek.client",
    "Context": "grootboek.ledger.module",
    "Module": "grootboek.ledger.module",
    "Rejected": "grootboek.ledger.module",
    "Table": "grootboek.ledger.module",
    "View": "grootboek.ledger.module",
    "command": "grootboek.ledger.module",
    "query": "grootboek.ledger.module",
    "Genesis": "grootboek.types",
    "Limits": "grootboek.types",
    "GrootboekError": "grootboek.errors",
    "SigningKey": "grootboek._core",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415  # 20 ms that few programs need

        value: object = version("grootboek")
    elif name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module 'grootboek' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
