"""Workloads of the benchmark, one a file."""

from typing import Final

from grootboek.bench.workloads.anchor import AnchorWorkload
from grootboek.bench.workloads.bulk import BulkWorkload
from grootboek.bench.workloads.mixed import MixedWorkload
from grootboek.bench.workloads.supply_chain import SupplyChainWorkload
from grootboek.bench.workloads.tax import TaxWorkload
from grootboek.bench.workloads.transfer import TransferWorkload
from grootboek.bench.workloads.welfare import WelfareWorkload
from grootboek.bench.workloads.workload import Draft, Roles, Workload

__all__ = ["WORKLOADS", "Draft", "Roles", "Workload"]

WORKLOADS: Final[dict[str, type[Workload]]] = {
    AnchorWorkload.name: AnchorWorkload,
    TransferWorkload.name: TransferWorkload,
    TaxWorkload.name: TaxWorkload,
    WelfareWorkload.name: WelfareWorkload,
    SupplyChainWorkload.name: SupplyChainWorkload,
    MixedWorkload.name: MixedWorkload,
    BulkWorkload.name: BulkWorkload,
}
