"""Payers that share a scheme's money: never more is paid than it has (W1), and nothing is paid twice (W5).

Each benefit is granted by two clerks at once, with different amounts, and its payment is instructed by
two. At the end the money is counted from proofs of one block's state and compared with what was told.
"""

import asyncio
import contextlib
import itertools
import random
from collections import Counter
from collections.abc import Coroutine, Sequence
from typing import Any, Final

from msgspec import Struct

from grootboek.client import AsyncClient, Result
from grootboek.ledger.module import Table
from grootboek.modules.budget import LineRow
from grootboek.modules.welfare.rows import EntitlementRow, budget, entitlements
from grootboek.modules.welfare.terms import (
    Appropriate,
    BulkDisburse,
    DisburseLine,
    Enrol,
    GrantEntitlement,
    LinkAccount,
    OpenScheme,
    Settle,
)
from tests.chaos.field import Field

__all__ = ["Benefits"]

SCHEME: Final = "chaos"
PERIOD: Final = "2026-01"
PERSON: Final = bytes(16)
ACCOUNT: Final = bytes(32)
PAYERS: Final = 2
APPROPRIATION: Final = 600
AMOUNTS: Final = range(400, 1_200)
"""Of one benefit: on average more than is appropriated for it."""
THINK_SECONDS: Final = 0.3
"""On average."""


class Benefits:
    """What was appropriated, granted and paid, as far as the ledger has said so."""

    def __init__(self, field: Field, seed: int) -> None:
        self.acknowledged: dict[bytes, Result] = {}
        self.outcomes: Counter[str] = Counter()
        self._field = field
        self._seed = seed
        self._appropriated = 0
        self._asked: list[str] = []
        self._granted: dict[str, int] = {}
        """Component -> amount."""
        self._paid: set[str] = set()
        self._running = True

    def stop(self) -> None:
        """Each payer ends what it is at."""
        self._running = False

    async def run(self) -> None:
        """Open the scheme, and pay until ``stop``; every outcome is waited for."""
        async with self._as("administrator") as administrator, self._as("registrar") as registrar:
            await self._applied(administrator.submit(OpenScheme(SCHEME, "EUR", "month")))
            await self._applied(registrar.submit(Enrol(SCHEME, PERSON, PERIOD, PERIOD)))
            await self._applied(registrar.submit(LinkAccount(SCHEME, PERSON, ACCOUNT)))
        await asyncio.gather(*(self._payer(number) for number in range(PAYERS)))

    def _as(self, role: str) -> AsyncClient:
        return self._field.client(who=f"welfare-{role}")

    async def _payer(self, payer: int) -> None:
        rng = random.Random(f"{self._seed} {payer}")
        async with contextlib.AsyncExitStack() as stack:
            roles = ("treasury", "provider", "officer", "officer")
            treasury, provider, *officers = [await stack.enter_async_context(self._as(r)) for r in roles]
            number = itertools.count()
            while self._running:
                component = f"{payer}-{next(number)}"
                await self._appropriate(treasury, component)
                await self._grant(officers, component, rng)
                if component in self._granted:
                    await self._pay(treasury, provider, component)
                await asyncio.sleep(rng.expovariate(1 / THINK_SECONDS))

    async def _appropriate(self, treasury: AsyncClient, reference: str) -> None:
        await self._applied(treasury.submit(Appropriate(SCHEME, APPROPRIATION, reference)))
        self._appropriated += APPROPRIATION

    async def _grant(self, officers: Sequence[AsyncClient], component: str, rng: random.Random) -> None:
        self._asked.append(component)
        amounts = [rng.choice(AMOUNTS) for _ in officers]
        outcomes = await self._outcomes(
            officer.submit(GrantEntitlement(SCHEME, PERSON, PERIOD, component, amount))
            for officer, amount in zip(officers, amounts, strict=True)
        )
        granted = [amount for amount, outcome in zip(amounts, outcomes, strict=True) if outcome == "applied"]
        assert len(granted) <= 1, f"{component} was granted twice"
        if granted:
            self._granted[component] = granted[0]

    async def _pay(self, treasury: AsyncClient, provider: AsyncClient, component: str) -> None:
        line = DisburseLine(PERSON, PERIOD, component, self._granted[component], ACCOUNT)
        batches = (BulkDisburse(SCHEME, f"{component}/{turn}", (line,)) for turn in range(2))
        outcomes = await self._outcomes(treasury.submit(batch) for batch in batches)
        assert sorted(outcomes) == ["already-instructed", "applied"]
        await self._applied(provider.submit(Settle(SCHEME, PERSON, PERIOD, component, 1, "ok", "2026-01-31")))
        self._paid.add(component)

    async def _applied(self, submitted: Coroutine[Any, Any, Result]) -> None:
        assert await self._outcomes([submitted]) == ["applied"]

    async def _outcomes(self, submitted: Any) -> list[str]:
        results = await asyncio.gather(*submitted)
        self.acknowledged |= {result.id: result for result in results}
        outcomes = [outcome for result in results for outcome in result.outcomes]
        self.outcomes.update(outcomes)
        return outcomes

    # --- afterwards ------------------------------------------------------------------------------

    async def check(self) -> str:
        """Count the money as it is after one block, by proofs: what was found."""
        async with self._field.client() as client:
            height = (await client.certificate())[1].height
            line = await _proven(client, height, budget._lines, SCHEME)
            assert isinstance(line, LineRow)
            rows = [
                await _proven(client, height, entitlements, SCHEME, PERSON, PERIOD, component)
                for component in self._asked
            ]
        granted = {row.component: row.amount for row in rows if isinstance(row, EntitlementRow)}
        paid = {row.component for row in rows if isinstance(row, EntitlementRow) and row.status == "paid"}
        assert granted == self._granted
        assert paid == self._paid == set(granted)
        assert line.granted == self._appropriated
        assert line.consumed == sum(granted.values())
        assert line.reserved == 0
        assert line.free >= 0
        return f"{line.consumed} of {line.granted} paid for {len(paid)} benefits; {dict(self.outcomes)}"


async def _proven(client: AsyncClient, height: int, table: Table[Any], *key: str | bytes) -> Struct | None:
    proven = await client.get_state("welfare", table.key(*key), as_of=height)
    return None if proven.value is None else table.decode(proven.value)
