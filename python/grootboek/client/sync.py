"""The synchronous client: the asynchronous one on a loop of its own, in a background thread."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from msgspec import Struct

from grootboek._core import SigningKey
from grootboek.client.answers import Result
from grootboek.client.client import AsyncClient
from grootboek.client.drafts import Draft
from grootboek.client.transactions import Prepared
from grootboek.client.verifier import ProvenCheckpoint, ProvenState, Verifier
from grootboek.errors import ConfigError, GrootboekError
from grootboek.ledger.module import Module
from grootboek.proofs import Receipt
from grootboek.types import Genesis, Millis, ReplicaInfo
from grootboek.webapi import LedgerEvent, NodeStatus, QueryAnswer
from grootboek.wire import BlockEntry, Certificate, Handover

__all__ = ["Client"]

T = TypeVar("T")


class Client:
    """``AsyncClient`` for code without an event loop: the same names, the same behaviour.

    ::

        with Client("genesis.json", key=key) as client:
            receipt = client.submit(Anchor(key="file/1", digest=digest)).require().receipt()
    """

    def __init__(
        self,
        genesis: Genesis | Path | str,
        nodes: Sequence[str] = (),
        key: SigningKey | Sequence[SigningKey] = (),
        *,
        timeout: float | None = None,
        modules: Iterable[Module | type[Module]] | None = None,
        connections: int = 64,
        handovers: Iterable[Handover] = (),
    ) -> None:
        """As AsyncClient."""
        self._client = AsyncClient(
            genesis,
            nodes,
            key,
            timeout=timeout,
            modules=modules,
            connections=connections,
            handovers=handovers,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="grootboek-client", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        try:
            self._run(self._client.__aenter__())
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close connections and end the thread; harmless when repeated."""
        if self._loop.is_closed():
            return
        self._run(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def genesis(self) -> Genesis:
        """The ledger's founding document."""
        return self._client.genesis

    @property
    def verifier(self) -> Verifier:
        """The offline verifier for this ledger."""
        return self._client.verifier

    def prepare(
        self, commands: Sequence[Struct], *, atomic: bool = False, expiry: Millis | None = None
    ) -> Prepared:
        """See AsyncClient."""
        return self._client.prepare(commands, atomic=atomic, expiry=expiry)

    def draft(
        self,
        commands: Sequence[Struct],
        cosigners: Sequence[bytes],
        *,
        atomic: bool = False,
        expiry: Millis | None = None,
    ) -> Draft:
        """See AsyncClient."""
        return self._client.draft(commands, cosigners, atomic=atomic, expiry=expiry)

    def submit(self, *commands: Struct, atomic: bool = False, expiry: Millis | None = None) -> Result:
        """See AsyncClient."""
        return self._run(self._client.submit(*commands, atomic=atomic, expiry=expiry))

    def submit_many(
        self, commands: Iterable[Struct | Sequence[Struct]], *, atomic: bool = False
    ) -> Iterator[Result | GrootboekError]:
        """See AsyncClient."""
        return self._iterate(self._client.submit_many(commands, atomic=atomic))

    def send_prepared(self, prepared: Sequence[Prepared]) -> list[Result]:
        """See AsyncClient."""
        return self._run(self._client.send_prepared(prepared))

    def receipt(self, transaction: bytes) -> Receipt:
        """See AsyncClient."""
        return self._run(self._client.receipt(transaction))

    def get_state(self, module: str, key: bytes, *, as_of: int | str | None = None) -> ProvenState:
        """See AsyncClient."""
        return self._run(self._client.get_state(module, key, as_of=as_of))

    def latest_height(self) -> int:
        """See AsyncClient."""
        return self._run(self._client.latest_height())

    def certificate(self) -> tuple[Certificate, BlockEntry]:
        """See AsyncClient."""
        return self._run(self._client.certificate())

    def checkpoint(self) -> ProvenCheckpoint:
        """See AsyncClient."""
        return self._run(self._client.checkpoint())

    def query(
        self, module: str, name: str, *, as_of: int | str | None = None, **arguments: Any
    ) -> QueryAnswer:
        """See AsyncClient."""
        return self._run(self._client.query(module, name, as_of=as_of, **arguments))

    def query_as(
        self, result: type[T], module: str, name: str, *, as_of: int | str | None = None, **arguments: Any
    ) -> T:
        """See AsyncClient."""
        return self._run(self._client.query_as(result, module, name, as_of=as_of, **arguments))

    def status(self) -> dict[str, NodeStatus | GrootboekError]:
        """See AsyncClient."""
        return self._run(self._client.status())

    def status_of(self, replica: ReplicaInfo) -> NodeStatus:
        """See AsyncClient."""
        return self._run(self._client.status_of(replica))

    def events(self, cursor: str = "", *, module: str = "") -> Iterator[LedgerEvent]:
        """See AsyncClient."""
        return self._iterate(self._client.events(cursor, module=module))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop.is_closed():
            work.close()
            raise ConfigError("the client is closed", where="client")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _iterate(self, items: AsyncGenerator[T, None]) -> Iterator[T]:
        """Pull one item at a time through the loop."""
        end = object()
        try:
            while True:
                item: Any = self._run(_next(items, end))
                if item is end:
                    return
                yield item
        finally:
            if not self._loop.is_closed():
                self._run(items.aclose())


async def _next(items: AsyncGenerator[T, None], end: object) -> T | object:
    return await anext(items, end)
