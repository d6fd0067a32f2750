"""From a plan that fails to the smallest one that still does: what remains is what matters."""

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from grootboek.simulation.network import Weather
from grootboek.simulation.run import Plan
from grootboek.types import Quorum

__all__ = ["shrink"]

_SIZES = (4, 7, 10)


def shrink(plan: Plan, fails: Callable[[Plan], bool]) -> Plan:
    """Make ``plan`` smaller step by step, as long as it ``fails``. The same plan shrinks to the same one.

    Each step is the first of ``_smaller`` that still fails; none is left at the end.
    """
    while (better := next(filter(fails, _smaller(plan)), None)) is not None:
        plan = better
    return plan


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Plans with less in them, the largest steps first."""
    for replicas in _SIZES:
        if replicas < plan.replicas:
            yield _with(plan, replicas=replicas, spares=plan.spares)
    if plan.weather != Weather():
        yield replace(plan, weather=Weather())
    if plan.spares:
        yield _with(plan, replicas=plan.replicas, spares=plan.spares - 1)
    if plan.snapshots:
        yield replace(plan, snapshots=0)
    yield from _without_liars(plan)
    yield from _without_faults(plan)
    if plan.rate > 1:
        yield replace(plan, rate=max(1, plan.rate // 2))
    for seconds in (plan.seconds // 2, plan.seconds - 1):
        if 0 < seconds < plan.seconds:
            yield replace(plan, seconds=seconds)


def _with(plan: Plan, *, replicas: int, spares: int) -> Plan:
    """With fewer replicas or spares, and no more liars than they put up with."""
    kept = [(me, lie) for me, lie in plan.liars.items() if me < replicas + spares]
    liars = dict(kept[: Quorum.of(replicas).faults])
    return replace(plan, replicas=replicas, spares=spares, liars=liars)


def _without_liars(plan: Plan) -> Iterator[Plan]:
    for liar in plan.liars:
        yield replace(plan, liars={me: lie for me, lie in plan.liars.items() if me != liar})


def _without_faults(plan: Plan) -> Iterator[Plan]:
    """Without all that happen by chance, or one of them, or one of those that are sure."""
    if len(plan.faults) > 1:
        yield replace(plan, faults={})
    for name in plan.faults:
        yield replace(plan, faults={kind: chance for kind, chance in plan.faults.items() if kind != name})
    for i in range(len(plan.sure)):
        yield replace(plan, sure=plan.sure[:i] + plan.sure[i + 1 :])
