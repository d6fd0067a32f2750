"""What a run of the benchmark reports, and the median of several runs."""

import statistics
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from grootboek.bench.host import Host

__all__ = ["Load", "Report", "median_of", "percentile"]


class Load(Struct, frozen=True, kw_only=True):
    """What the load client saw between warm-up and end."""

    acknowledged: int
    """Transactions whose receipt the client verified, in the measured time."""
    total: int
    """The same for the whole run, warm-up included."""
    transaction_bytes: float
    """Mean size of a transaction as submitted."""
    seconds: float
    latencies_ms: list[float]
    """One for each request: from its scheduled (open loop) or real start to the verified answer."""
    errors: dict[str, int]
    """Transactions that were not acknowledged, by error code or outcome."""


class Report(Struct, frozen=True, kw_only=True):
    """One run, or the medians of several. Sums are over the replicas; the client is apart."""

    replicas: int
    seconds: float
    window: int
    """Transactions under way in the closed loop; 0 in the open loop."""
    rate: float
    """Transactions a second in the open loop; 0 in the closed loop."""
    runs: int
    tput: float
    """Acknowledged transactions a second, each with a receipt that the client verified."""
    p50_ms: float
    p99_ms: float
    cpu_us_per_tx: float
    rss_mb: float
    """The highest sum of resident memory that was sampled."""
    disk_written_bytes_per_tx: float
    disk_kept_bytes_per_tx: float
    """What the data directories grew by, after a flush and a clean stop."""
    loopback_bytes_per_tx: float
    """All that passed the loopback device, the client's traffic included."""
    signatures_verified_per_replica: int
    """The least of the replicas: at least the transactions that were ordered while it was counted."""
    fsync: bool
    """Each replica synced its journal for real while it acknowledged."""
    errors: dict[str, int]
    view_changes: int
    transactions: int
    """Acknowledged in the measured time."""
    transaction_bytes: float
    """Mean size of a transaction as submitted."""
    keys: int
    """Different signing keys."""
    connections: int
    client_cpu_us_per_tx: float
    backend: str
    host: Host


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that ``share`` (0..1) of all values do not exceed; 0 where there is none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    # The nearest-rank definition: no value is invented between two measured ones.
    rank = -(-len(ordered) * share // 1)
    return ordered[max(0, min(len(ordered), int(rank)) - 1)]


def median_of(reports: Sequence[Report]) -> Report:
    """Field by field: the median of numbers, the worst of verdicts, the sum of errors."""
    first = reports[0]
    merged: dict[str, Any] = {"runs": len(reports)}
    for field in msgspec.structs.fields(Report):
        values = [getattr(report, field.name) for report in reports]
        if field.type is float:
            merged[field.name] = statistics.median(values)
        elif field.name in {"transactions", "signatures_verified_per_replica"}:
            merged[field.name] = statistics.median_low(values)
    merged["view_changes"] = max(report.view_changes for report in reports)
    merged["fsync"] = all(report.fsync for report in reports)
    merged["errors"] = _sum([report.errors for report in reports])
    return msgspec.structs.replace(first, **merged)


def _sum(counts: Sequence[dict[str, int]]) -> dict[str, int]:
    names = sorted({name for count in counts for name in count})
    return {name: sum(count.get(name, 0) for count in counts) for name in names}
