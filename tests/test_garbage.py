"""What a process frees goes back to the system."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from grootboek import garbage
if sys.argv[1] == "give back":
    assert garbage.give_back()
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
bytes(16 << 20)  # freed at once: by itself glibc then takes all that is smaller from the heap
before = resident()
large, small = [], []
for _ in range(64):
    large.append(bytearray(b"x") * (2 * garbage.LARGE_BYTES))
    small.append(bytearray(4_000))
large.clear()
print(resident() - before)
"""


def _kept(how: str) -> int:
    """Bytes that a process keeps of 32 MiB that it has freed, among small objects that it needs."""
    command = [sys.executable, "-c", PROGRAM, how]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_large_buffers_go_back_although_small_ones_stay() -> None:
    assert _kept("give back") < 4 << 20 < _kept("as it is")
