"""The garbage collector's part in a process that makes many objects and few cycles."""

import gc
from typing import Final

__all__ = ["GARBAGE_OBJECTS", "settle"]

GARBAGE_OBJECTS: Final = 100_000
"""How many more objects there may be before cycles among them are looked for. A block makes tens of thousands
that go by themselves; to go through them each time would be a tenth of a busy replica's work.
"""


def settle() -> None:
    """What is there now stays to the end of the process: the collector need not look at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS)
