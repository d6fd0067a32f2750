"""The figures: percentiles, medians, what a plan prepares."""

import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grootboek.bench.cluster import Setting
from grootboek.bench.host import Host, disk_bytes, host, loopback_bytes, rss_bytes, usage
from grootboek.bench.load import Plan, requests_of, transactions
from grootboek.bench.report import Report, median_of, percentile
from grootboek.simulation.founding import found

HERE = Host("cpu", 2, 1_000, "6.1", "3.11", "auto/auto")
BASE = Report(
    replicas=4,
    seconds=20.0,
    window=4_000,
    rate=0.0,
    runs=1,
    tput=1.0,
    p50_ms=1.0,
    p99_ms=1.0,
    cpu_us_per_tx=1.0,
    rss_mb=1.0,
    disk_written_bytes_per_tx=1.0,
    disk_kept_bytes_per_tx=1.0,
    loopback_bytes_per_tx=1.0,
    signatures_verified_per_replica=10,
    fsync=True,
    errors={},
    view_changes=0,
    transactions=20,
    transaction_bytes=250.0,
    keys=1_000,
    connections=16,
    client_cpu_us_per_tx=1.0,
    backend="auto/auto",
    host=HERE,
)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200), st.sampled_from([0.5, 0.9, 0.99]))
def test_a_percentile_is_a_measured_value_that_enough_do_not_exceed(
    values: list[float], share: float
) -> None:
    found_value = percentile(values, share)
    assert found_value in values
    assert sum(value <= found_value for value in values) >= share * len(values)
    below = [value for value in values if value < found_value]
    assert len(below) < share * len(values)


def test_the_percentile_of_nothing() -> None:
    assert percentile([], 0.5) == 0.0


def test_medians_take_the_worst_verdict() -> None:
    runs = [
        msgspec.structs.replace(BASE, tput=tput, fsync=fsync, errors=errors, view_changes=views)
        for tput, fsync, errors, views in [
            (5.0, True, {"GB-1009": 1}, 0),
            (1.0, False, {}, 2),
            (3.0, True, {"GB-1009": 2}, 0),
        ]
    ]
    merged = median_of(runs)
    assert (merged.runs, merged.tput) == (3, 3.0)
    assert merged.fsync is False
    assert merged.errors == {"GB-1009": 3}
    assert merged.view_changes == 2


def test_the_reports_fields_are_those_that_are_promised() -> None:
    promised = {
        "tput",
        "p50_ms",
        "p99_ms",
        "cpu_us_per_tx",
        "rss_mb",
        "disk_written_bytes_per_tx",
        "disk_kept_bytes_per_tx",
        "loopback_bytes_per_tx",
        "signatures_verified_per_replica",
        "fsync",
        "errors",
        "view_changes",
        "backend",
    }
    assert promised <= set(Report.__struct_fields__)


def test_transactions_are_of_different_keys_and_of_250_bytes() -> None:
    genesis, _ = found(4, {"records": 1})
    made = transactions(genesis, 2_500, 1_000, genesis.time + 1_000)
    assert len({one.id for one in made}) == len(made) == 2_500
    assert all(245 <= len(one.frame) - 4 <= 255 for one in made)
    assert len({one.transaction.header for one in made[:1_000]}) == 1_000
    requests = requests_of(made, 250)
    assert [len(request.sent) for request in requests] == [250] * 10


@pytest.mark.parametrize(
    ("window", "rate", "in_request"), [(4_000, 0.0, 250), (0, 100.0, 1), (100_000, 0.0, 1_000), (16, 0.0, 1)]
)
def test_requests_share_the_window(window: int, rate: float, in_request: int) -> None:
    plan = Plan(
        genesis="", seconds=1, warm_up=1, window=window, rate=rate, connections=16, keys=1, prepared=1
    )
    assert plan.in_request == in_request


def test_enough_is_signed_before_the_clock_starts() -> None:
    setting = Setting(
        replicas=4, seconds=20, warm_up=3, window=0, rate=100, connections=16, keys=1_000, ceiling=9
    )
    assert setting.prepared >= 2_300


def test_linux_counts_about_this_process(tmp_path: Path) -> None:
    sum(range(10**6))
    assert usage(os.getpid()).cpu_us > 0
    assert rss_bytes(os.getpid()) > 1 << 20
    assert loopback_bytes() >= 0
    assert host().cores >= 1
    (tmp_path / "file").write_bytes(bytes(100_000))
    assert disk_bytes(tmp_path) >= 0
