"""What a run of the benchmark reports, and the median of several runs."""

import statistics
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from grootboek.bench.host import Host
from grootboek.bench.setting import Setting

__all__ = ["Load", "Report", "Sample", "median_of"]


class Sample(Struct, frozen=True, array_like=True):
    """One request that was answered."""

    at: float
    """When, in seconds after the warm-up."""
    ms: float
    """Its latency: from its scheduled (open loop) or real start to the verified answer."""
    acknowledged: int
    """Transactions in it."""


class Load(Struct, frozen=True, kw_only=True):
    """What the load client saw between warm-up and end."""

    acknowledged: int
    """Transactions whose receipt the client verified, in the measured time."""
    records: int
    """Their commands."""
    total: int
    """Transactions for the whole run, warm-up included."""
    transaction_bytes: float
    """Mean size of a transaction as submitted."""
    seconds: float
    samples: list[Sample]
    by_connection: list[int]
    """Acknowledged transactions of each; connection i begins at replica i modulo their number."""
    moved: int
    """Requests that went on to another replica because one did not answer."""
    keys: int
    """Different keys that signed."""
    distinct_keys: int
    errors: dict[str, int]
    """Transactions that were not acknowledged, by error code or outcome."""


class Report(Struct, frozen=True, kw_only=True):
    """One run, or the medians of several. Sums are over the replicas; the client is apart."""

    version: str
    """Of grootboek."""
    setting: Setting
    host: Host
    runs: int
    tput: float
    """Acknowledged transactions a second, each with a receipt that the client verified."""
    records_per_s: float
    """Their commands."""
    p50_ms: float
    p90_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    p99_corrected_ms: float
    """As if each connection had sent at an even pace (``figures.corrected``); equal in the open loop."""
    p999_corrected_ms: float
    outage_ms: float
    """The longest time without an acknowledged transaction."""
    killed: str
    """The replica that was killed."""
    killed_s: float
    """When, in seconds after the warm-up."""
    p99_before_kill_ms: float
    p99_after_kill_ms: float
    """Of requests that were answered after it, those that were under way then included."""
    moved: int
    """Requests that went on to another replica because one did not answer."""
    fairness: float
    """Jain's index over connections: 1 where each had as many transactions acknowledged."""
    slowest_connection: float
    """Its share of an even share."""
    fastest_connection: float
    slowest_replica: float
    """The same for the clients of one replica, as they were spread at first."""
    fastest_replica: float
    cpu_us_per_tx: float
    rss_mb: float
    """The highest sum of resident memory that was sampled."""
    pss_mb: float
    """The same, with what processes share (code of libraries) counted once."""
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
    in_request: int
    """Transactions in a request."""
    keys: int
    """Different keys that signed."""
    distinct_keys: int
    """Keys of the state that were written in turn; 0 where each transaction writes new ones."""
    client_cpu_us_per_tx: float
    backend: str
    """The Ed25519 backend: compiled in / chosen."""


def median_of(reports: Sequence[Report]) -> Report:
    """Field by field: the median of numbers, the worst of verdicts, the sum of errors."""
    first = reports[0]
    merged: dict[str, Any] = {"runs": len(reports)}
    for field in msgspec.structs.fields(Report):
        values = [getattr(report, field.name) for report in reports]
        if field.type is float:
            merged[field.name] = statistics.median(values)
        elif field.name in {"transactions", "signatures_verified_per_replica", "moved"}:
            merged[field.name] = statistics.median_low(values)
    merged["view_changes"] = max(report.view_changes for report in reports)
    merged["fsync"] = all(report.fsync for report in reports)
    merged["errors"] = _sum([report.errors for report in reports])
    return msgspec.structs.replace(first, **merged)


def _sum(counts: Sequence[dict[str, int]]) -> dict[str, int]:
    names = sorted({name for count in counts for name in count})
    return {name: sum(count.get(name, 0) for count in counts) for name in names}
