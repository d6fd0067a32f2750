"""A primary that is slow, but within the time-out, is replaced; the ledger is as fast as before (PL5)."""

from pathlib import Path

import pytest

from grootboek.modules import conduct
from grootboek.types import Limits
from tests.bad_input.preloading import NEEDS_PRELOADING
from tests.chaos.field import REPLICAS, Field, field, say, until
from tests.chaos.steady import Steady

pytestmark = [*NEEDS_PRELOADING, pytest.mark.timeout(600)]

LIMITS = Limits(view_timer_ms=2_000)
"""More than a busy machine stands still for, so that no view changes without a fault."""
LATE_SECONDS = 1.5
"""Whatever the slow one says comes so late."""
WITHIN_SECONDS = 30.0


@pytest.mark.parametrize("seconds", [6, pytest.param(60, marks=pytest.mark.long)])
async def test_a_slow_primary_is_replaced(tmp_path: Path, libraries: list[Path], seconds: int) -> None:
    async with field(tmp_path / "net", libraries, LIMITS) as here:
        slow = await here.primary()
        # The slow replica's own clients would wait for it however fast the others are.
        others = [k for k in REPLICAS if k != slow]
        async with Steady(here, others, clients=40, every=1.0).under_way() as clients:
            fault_free = await clients.rate(seconds, "without a fault")
            view = await here.view()
            assert await here.primary() == slow, "the machine is too slow: a view changed without a fault"

            async def replaced() -> bool:
                return await here.view() > view

            async with here.proxy.changed([(slow, k) for k in others], delay=LATE_SECONDS):
                during = await clients.rate(1, f"replica {slow} is slow")
                took = 1 + await until("the slow primary is replaced", replaced, WITHIN_SECONDS)
                say(f"replaced after {took:.1f} s")
                after = await clients.rate(seconds, f"{await here.primary()} is primary, {slow} still slow")
                assert during < fault_free / 2
                assert after >= 0.9 * fault_free
                assert await passed_over(here) == (slow,)


async def passed_over(here: Field) -> tuple[int, ...]:
    """Who is no primary any more because the ledger holds f + 1 complaints."""
    async with here.client() as client:
        proven = await client.get_state("conduct", conduct.passed.key(0))
    return () if proven.value is None else conduct.passed.decode(proven.value).replicas
