"""What Linux counts about processes, disks and this machine."""

import os
import platform
from pathlib import Path

from msgspec import Struct

from grootboek._core import backend

__all__ = ["Host", "Usage", "disk_bytes", "host", "loopback_bytes", "pss_bytes", "rss_bytes", "usage"]

PROC = Path("/proc")
_TICK = os.sysconf("SC_CLK_TCK")
_BLOCK = 512
"""The unit of st_blocks (POSIX)."""


class Host(Struct, frozen=True):
    """The machine that a figure was measured on."""

    cpu: str
    cores: int
    memory_mb: int
    kernel: str
    python: str
    backend: str
    """The Ed25519 backend: compiled in / chosen."""


class Usage(Struct, frozen=True):
    """What a process has used since it started."""

    cpu_us: int
    written_bytes: int
    """What it made the block layer write (``write_bytes`` of /proc/PID/io)."""


def host() -> Host:
    """The facts of this machine."""
    return Host(
        cpu=_field(PROC / "cpuinfo", "model name", platform.processor() or "unknown"),
        cores=len(os.sched_getaffinity(0)),
        memory_mb=int(_field(PROC / "meminfo", "MemTotal", "0").split()[0]) // 1024,
        kernel=platform.release(),
        python=platform.python_version(),
        backend="/".join(backend()),
    )


def usage(pid: int) -> Usage:
    """CPU time of all threads, and bytes written, of process ``pid``."""
    # The command name stands in parentheses and may hold blanks: fields count from after it.
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    user, system = int(fields[11]), int(fields[12])
    written = int(_field(PROC / str(pid) / "io", "write_bytes", "0"))
    return Usage(cpu_us=(user + system) * 1_000_000 // _TICK, written_bytes=written)


def rss_bytes(pid: int) -> int:
    """Resident memory of process ``pid``; 0 where it has ended."""
    return _memory(pid, "status", "VmRSS")


def pss_bytes(pid: int) -> int:
    """As ``rss_bytes``, with a page that k processes share counting for a k-th."""
    return _memory(pid, "smaps_rollup", "Pss")


def loopback_bytes() -> int:
    """Bytes that the loopback device has received since the machine started."""
    for line in (PROC / "net/dev").read_text().splitlines():
        name, _, counters = line.partition(":")
        if name.strip() == "lo":
            return int(counters.split()[0])
    return 0


def disk_bytes(folder: Path) -> int:
    """Disk blocks that the files below ``folder`` take up, in bytes."""
    return sum(path.stat().st_blocks * _BLOCK for path in folder.rglob("*") if path.is_file())


def _memory(pid: int, file: str, key: str) -> int:
    """A field of a process in bytes, which Linux gives in KiB; 0 where the process has ended."""
    try:
        return int(_field(PROC / str(pid) / file, key, "0").split()[0]) * 1024
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _field(path: Path, name: str, default: str) -> str:
    for line in path.read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return default
