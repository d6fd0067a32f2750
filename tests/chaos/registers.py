"""Clients that write and read registers, and the history of what they did.

A register is a document of the module ``records``: writing is to supersede the version that one knows of, and
is refused, without effect, where somebody was faster. Reading is done with a proof as of a height that has
all that anybody was told before: that of a mark of the reader's own in the log, or one that a quorum names.
"""

import asyncio
import contextlib
import itertools
import random
import time
from typing import Final, Literal

from grootboek.client import AsyncClient, Result
from grootboek.errors import GrootboekError
from grootboek.modules.records import Anchor, Document, latest
from grootboek.node.localnet import CLIENT
from grootboek.simulation.linearizability import Operation
from tests.chaos.field import Field, say

__all__ = ["Registers"]

KEYS: Final = 4
CLIENTS: Final = 8
"""The first four use one replica each; the others any."""
THINK_SECONDS: Final = 0.1
"""On average."""
PATIENCE_SECONDS: Final = 6.0
"""After which a client gives up and does not know what has become of its write."""
RETRY_SECONDS: Final = 0.05
READ_DIGEST: Final = bytes(32)


class Registers:
    """All clients and all that they saw."""

    def __init__(self, field: Field, seed: int) -> None:
        self.history: list[Operation] = []
        self.acknowledged: dict[bytes, Result] = {}
        self.refused = 0
        """Writes that came too late."""
        self.owner = field.party(CLIENT)
        self._field = field
        self._seed = seed
        self.values = itertools.count(1)
        self._running = True

    async def run(self) -> None:
        """Until ``stop``."""
        await asyncio.gather(*(self._client(number) for number in range(CLIENTS)))

    def stop(self) -> None:
        """Each client ends what it is at."""
        self._running = False

    async def _client(self, number: int) -> None:
        rng = random.Random(f"{self._seed} {number}")
        node = number if number < len(self._field.pids) else None
        async with self._field.client(node, timeout=PATIENCE_SECONDS) as client:
            one = _Client(self, number, client, alone=node is not None)
            while self._running:
                key = f"register/{rng.randrange(KEYS)}"
                await (one.write(key) if rng.random() < 0.5 else one.read(key))
                await asyncio.sleep(rng.expovariate(1 / THINK_SECONDS))


class _Client:
    def __init__(self, registers: Registers, number: int, client: AsyncClient, *, alone: bool) -> None:
        """``alone``: it knows one replica only, and no quorum."""
        self._all = registers
        self._alone = alone
        self._number = number
        self._client = client
        self._reads = itertools.count(1)

    async def write(self, key: str) -> None:
        """Supersede the version that some replica knows of; the outcome may stay unknown."""
        with contextlib.suppress(GrootboekError):
            document = await self._document(key)
            value, invoked = next(self._all.values), time.monotonic_ns()
            version = document.version if document else 0
            try:
                result = await self._submit(Anchor(key, value.to_bytes(32, "big"), supersedes=version))
            except GrootboekError as error:
                say(f"client {self._number} does not know whether it wrote {value} to {key}: {error}")
                self._record(key, "write", value, invoked, None)
                return
            if result.applied:
                self._record(key, "write", value, invoked, time.monotonic_ns())
            else:
                assert result.outcomes == ("version-mismatch",)
                self._all.refused += 1

    async def read(self, key: str) -> None:
        """A read that is given up tells nothing."""
        invoked = time.monotonic_ns()
        with contextlib.suppress(GrootboekError, TimeoutError):
            height = await (self._mark() if self._alone else self._client.latest_height())
            async with asyncio.timeout(PATIENCE_SECONDS):
                document = await self._document_after(key, height) if height else None
            value = int.from_bytes(document.digest, "big") if document else None
            self._record(key, "read", value, invoked, time.monotonic_ns())

    async def _mark(self) -> int:
        """Order a read: the height of its block."""
        result = await self._submit(Anchor(f"read/{self._number}/{next(self._reads)}", READ_DIGEST))
        return result.require().height

    def _record(
        self,
        key: str,
        kind: Literal["write", "read"],
        value: int | None,
        invoked: int,
        returned: int | None,
    ) -> None:
        self._all.history.append(Operation(self._number, key, kind, value, invoked, returned))

    async def _submit(self, command: Anchor) -> Result:
        result = await self._client.submit(command)
        self._all.acknowledged[result.id] = result
        return result

    async def _document_after(self, key: str, height: int) -> Document | None:
        """The register after the block at ``height``, proven by whichever replica is that far."""
        while True:
            with contextlib.suppress(GrootboekError):
                return await self._document(key, height)
            await asyncio.sleep(RETRY_SECONDS)

    async def _document(self, key: str, height: int | None = None) -> Document | None:
        proven = await self._client.get_state("records", latest.key(self._all.owner, key), as_of=height)
        return None if proven.value is None else latest.decode(proven.value)
