"""A disk that once answers a read with what was asked for elsewhere, or long ago."""

import random

from grootboek.simulation.disk import SimulatedDisk

__all__ = ["Misread"]


class Misread:
    """``SimulatedDisk.misread``: some reads are right, then one is wrong, then all are right again."""

    def __init__(self, disk: SimulatedDisk, right: int, rng: random.Random) -> None:
        """So many reads of ``disk`` are right."""
        self._disk = disk
        self._old = disk.copy()
        self._left = right
        self._rng = rng
        self.stale = bool(rng.randrange(2))
        """Whether the wrong read gives an old content of the right place, or that of another place."""

    def __call__(self, name: str, offset: int, right: bytes) -> bytes:
        """What the disk gives in place of ``right``; its length is the file system's word, and right."""
        self._left -= 1
        if self._left >= 0 or not right:
            return right
        self._disk.misread = None
        wrong = self._old.read(name, offset, len(right)) if self.stale else self._elsewhere(len(right))
        return wrong.ljust(len(right), b"\x00")

    def _elsewhere(self, size: int) -> bytes:
        data = self._rng.choice(list(self._disk.files().values()))
        start = self._rng.randrange(max(1, len(data) - size + 1))
        return data[start : start + size]
