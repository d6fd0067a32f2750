"""Reports: medians, settings, what Linux counts, and what is promised to be there."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from grootboek.bench.host import disk_bytes, host, loopback_bytes, pss_bytes, rss_bytes, usage
from grootboek.bench.report import Report, median_of
from tests.bench.reports import REPORT, SETTING


def test_medians_take_the_worst_verdict() -> None:
    runs = [
        msgspec.structs.replace(REPORT, tput=tput, fsync=fsync, errors=errors, view_changes=views)
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
        "records_per_s",
        "p50_ms",
        "p90_ms",
        "p99_ms",
        "p999_ms",
        "max_ms",
        "outage_ms",
        "fairness",
        "cpu_us_per_tx",
        "rss_mb",
        "pss_mb",
        "disk_written_bytes_per_tx",
        "disk_kept_bytes_per_tx",
        "loopback_bytes_per_tx",
        "signatures_verified_per_replica",
        "fsync",
        "errors",
        "view_changes",
        "backend",
        "host",
        "version",
        "setting",
    }
    assert promised <= set(Report.__struct_fields__)


@pytest.mark.parametrize(
    ("window", "rate", "in_request"), [(4_000, 0.0, 250), (0, 100.0, 1), (100_000, 0.0, 1_000), (16, 0.0, 1)]
)
def test_requests_share_the_window(window: int, rate: float, in_request: int) -> None:
    assert msgspec.structs.replace(SETTING, window=window, rate=rate).in_request == in_request


def test_enough_is_signed_before_the_clock_starts() -> None:
    assert msgspec.structs.replace(SETTING, window=0, rate=100.0, ceiling=9).prepared >= 2_300


def test_linux_counts_about_this_process(tmp_path: Path) -> None:
    sum(range(10**6))
    assert usage(os.getpid()).cpu_us > 0
    assert rss_bytes(os.getpid()) > 1 << 20
    assert 1 << 20 < pss_bytes(os.getpid()) <= rss_bytes(os.getpid()) + (1 << 20)
    assert loopback_bytes() >= 0
    assert host().cores >= 1
    (tmp_path / "file").write_bytes(bytes(100_000))
    assert disk_bytes(tmp_path) >= 0


def test_a_process_that_has_ended_has_no_memory() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert rss_bytes(child.pid) == pss_bytes(child.pid) == 0
