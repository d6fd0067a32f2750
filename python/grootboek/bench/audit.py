"""How fast a ledger is audited: ``grootboek verify`` on a data directory, as an auditor runs it."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from grootboek import __version__
from grootboek.bench.host import Host, host
from grootboek.errors import BenchFailed

__all__ = ["AuditReport", "audit"]


class AuditReport(Struct, frozen=True, kw_only=True):
    """What one audit took, from the start of its process to the end. Everything is executed again."""

    version: str
    """Of grootboek."""
    host: Host
    entries: int
    """Of the log."""
    transactions: int
    records: int
    signatures: int
    """Of clients."""
    seconds: float
    tx_per_s: float
    records_per_s: float
    cpu_us_per_tx: float
    rss_mb: float
    """The highest resident memory."""


def audit(folder: Path) -> AuditReport:
    """Audit a replica's data directory; raises BenchFailed where it does not verify."""
    command = [sys.executable, "-m", "grootboek.cli", "verify", str(folder), "--json"]
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=output)  # noqa: S603  # our own interpreter and command
        _, status, used = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        found = output.read()
    if child.returncode != 0:
        raise BenchFailed(f"the audit failed: {found.decode()}", where=str(folder))
    value: dict[str, Any] = msgspec.json.decode(found)
    count = max(1, value["transactions"])
    return AuditReport(
        version=__version__,
        host=host(),
        entries=value["size"],
        transactions=value["transactions"],
        records=value["records"],
        signatures=value["signatures"],
        seconds=seconds,
        tx_per_s=value["transactions"] / seconds,
        records_per_s=value["records"] / seconds,
        cpu_us_per_tx=1e6 * (used.ru_utime + used.ru_stime) / count,
        rss_mb=used.ru_maxrss / 1e3,
    )
