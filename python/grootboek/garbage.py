"""Memory in a process that makes many objects and few cycles, and frees large buffers all the time."""

import ctypes
import gc
from typing import Final

__all__ = ["GARBAGE_OBJECTS", "LARGE_BYTES", "give_back", "settle"]

GARBAGE_OBJECTS: Final = 100_000
"""How many more objects there may be before cycles among them are looked for. A block makes tens of thousands
that go by themselves; to go through them each time would be a tenth of a busy replica's work.
"""


def settle() -> None:
    """What is there now stays to the end of the process: the collector need not look at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS)


LARGE_BYTES: Final = 256 << 10
"""From this size on a buffer is mapped by itself, so that its memory goes back when it is freed."""
_TRIM_BYTES: Final = 1 << 20
"""So much that is free at the end of the heap goes back, too."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def give_back() -> bool:
    """Give freed buffers back to the system, where the C library is glibc; whether it is.

    By itself it moves its limit up to the largest buffer that was ever freed (mallopt(3)), and keeps the heap
    that bodies and blocks have broken into pieces: a tenth of a busy replica's memory.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES) and mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES))
