"""Memory that runs out: a call somewhere in a replica's turn fails."""

import sys
from types import FrameType, TracebackType
from typing import Self

__all__ = ["Shortage"]

_OURS = "grootboek."


class Shortage:
    """While it is entered, function calls of this package are counted; one of them has no memory.

    Comprehensions are not counted: whether they are calls depends on the version of Python.
    """

    def __init__(self, calls: int) -> None:
        """So many calls succeed."""
        self.left = calls
        self.struck = False

    def __enter__(self) -> Self:
        self._before = sys.getprofile()
        if not self.struck:
            sys.setprofile(self._count)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.setprofile(self._before)

    def _count(self, frame: FrameType, event: str, _argument: object) -> None:
        named = event == "call" and not frame.f_code.co_name.startswith("<")
        if not named or not frame.f_globals.get("__name__", "").startswith(_OURS):
            return
        self.left -= 1
        if self.left < 0:
            self.struck = True
            sys.setprofile(None)
            raise MemoryError
