"""``mixed``: a third each of ``tax``, ``welfare`` and ``supply_chain``."""

from collections.abc import Iterator, Sequence
from itertools import islice, zip_longest

from grootboek.bench.workloads.supply_chain import SupplyChainWorkload
from grootboek.bench.workloads.tax import TaxWorkload
from grootboek.bench.workloads.welfare import WelfareWorkload
from grootboek.bench.workloads.workload import Draft, Roles, Workload

__all__ = ["MixedWorkload"]

PARTS = (TaxWorkload, WelfareWorkload, SupplyChainWorkload)


class MixedWorkload(Workload):
    """The three take turns; each has a third of the keys."""

    name = "mixed"
    modules = tuple(sorted({module for part in PARTS for module in part.modules}))

    def __init__(self, keys: int) -> None:
        self._parts = [part(-(-keys // len(PARTS))) for part in PARTS]

    def prepare(self, roles: Roles, count: int) -> Iterator[Sequence[Draft]]:
        """The rounds of all three side by side."""
        share = -(-count // len(self._parts))
        for rounds in zip_longest(*(part.prepare(roles, share) for part in self._parts), fillvalue=()):
            yield [draft for drafts in rounds for draft in drafts]

    def transactions(self, count: int) -> Iterator[Draft]:
        """See Workload."""
        share = -(-count // len(self._parts))
        turns = zip(*(part.transactions(share) for part in self._parts), strict=True)
        return islice((draft for turn in turns for draft in turn), count)
