"""A disk in memory that loses what was not synced: the Disk of the simulator and of crash tests."""

import random
from collections.abc import Callable
from enum import IntEnum
from typing import Self

from grootboek.errors import StorageError

__all__ = ["Fate", "SimulatedDisk"]

SECTOR = 512
"""What a real disk writes at once or not at all; a tear lies at such a border or inside it."""
BLOCK = 4_096
"""What a file system writes in one piece; what the order of the pieces is, nobody knows."""


class Fate(IntEnum):
    """What becomes of a file's unsynced change when the power goes."""

    KEPT = 0
    LOST = 1
    TORN = 2
    """The new bytes up to a cut, beyond it the old ones."""
    HOLED = 3
    """The file grew, but one of its new sectors was never written."""
    RAGGED = 4
    """Each block holds the first half of its own change: a disk writes blocks in any order."""


class _File:
    """What readers see, and what is certain to survive a crash."""

    __slots__ = ("changed", "durable", "named", "now")

    def __init__(self) -> None:
        self.now = bytearray()
        self.durable = bytearray()
        self.changed = 0
        """Where the two may begin to differ."""
        self.named = False
        """Whether the file's name survives a crash."""

    def change(self, offset: int, data: bytes) -> None:
        self.now[offset : offset + len(data)] = data
        self.changed = min(self.changed, offset)

    def sync(self) -> None:
        self.durable[self.changed :] = self.now[self.changed :]
        self.changed = len(self.now)
        self.named = True

    def replace(self, data: bytes) -> None:
        self.now, self.durable = bytearray(data), bytearray(data)
        self.changed = len(data)
        self.named = True

    def copy(self) -> "_File":
        twin = _File()
        twin.now, twin.durable = self.now.copy(), self.durable.copy()
        twin.changed, twin.named = self.changed, self.named
        return twin


class SimulatedDisk:
    """Files in memory. After ``crash`` only what was synced is certain.

    Faults are switched on by attributes: ``space`` (bytes until it is full), ``fail_after`` (so many
    more changes succeed, then each call fails: 0 fails at once), ``fail_syncs``, ``misread(name, offset,
    right)`` (what a read gives). Counters: ``writes``, ``syncs``, ``bytes_written``.
    """

    def __init__(self) -> None:
        self.space: int | None = None
        self.fail_after: int | None = None
        self.fail_syncs = False
        self.misread: Callable[[str, int, bytes], bytes] | None = None
        self.writes = 0
        self.syncs = 0
        self.bytes_written = 0
        self._files: dict[str, _File] = {}

    # --- the operations of Disk ------------------------------------------------------------------

    def append(self, name: str, data: bytes) -> None:
        """See Disk. A full disk takes the part that fits, then refuses."""
        self._change(name)
        fits = self._take_space(len(data))
        file = self._file(name)
        file.change(len(file.now), data[:fits])
        if fits < len(data):
            raise StorageError("No space left on device", where=name)

    def overwrite(self, name: str, offset: int, data: bytes) -> None:
        """See Disk."""
        self._change(name)
        self.bytes_written += len(data)
        self._file(name).change(offset, data)

    def sync(self, name: str) -> None:
        """See Disk."""
        self._change(name)
        self.syncs += 1
        if self.fail_syncs:
            raise StorageError("Input/output error", where=name)
        self._file(name).sync()

    def write(self, name: str, data: bytes) -> None:
        """See Disk."""
        self._change(name)
        self.syncs += 1
        if self._take_space(len(data)) < len(data):
            raise StorageError("No space left on device", where=name)
        self._file(name).replace(data)

    def read(self, name: str, offset: int = 0, size: int = -1) -> bytes:
        """See Disk."""
        if name not in self._files:
            return b""
        end = None if size < 0 else offset + size
        right = bytes(self._files[name].now[offset:end])
        return right if self.misread is None else self.misread(name, offset, right)

    def size(self, name: str) -> int:
        """See Disk."""
        return len(self._files[name].now) if name in self._files else 0

    def truncate(self, name: str, size: int) -> None:
        """See Disk."""
        self._change(name)
        self.syncs += 1
        file = self._files[name]
        file.replace(bytes(file.now[:size]))

    def remove(self, name: str) -> None:
        """See Disk."""
        self._change(name)
        self._files.pop(name, None)

    def names(self, folder: str) -> list[str]:
        """See Disk."""
        prefix = folder.rstrip("/") + "/"
        return sorted(name[len(prefix) :] for name in self._files if name.startswith(prefix))

    # --- what may happen to it -------------------------------------------------------------------

    def crash(self, rng: random.Random) -> None:
        """Loss of power: each unsynced change is lost, torn or kept. Faults are switched off."""
        self.mend()
        for name, file in sorted(self._files.items()):
            if not file.named and rng.random() < 1 / 3:
                del self._files[name]
                continue
            fate = Fate(rng.randrange(Fate.RAGGED))
            file.replace(_survivor(bytes(file.durable), bytes(file.now), fate, rng.randint))

    def lose_power(self, fate_of: Callable[[str], Fate]) -> None:
        """Loss of power with a chosen fate for each file by its name; tears are in the middle."""
        for name, file in sorted(self._files.items()):
            fate = fate_of(name)
            if fate is Fate.LOST and not file.named:
                del self._files[name]
            else:
                file.replace(_survivor(bytes(file.durable), bytes(file.now), fate, _middle))

    @property
    def unsynced(self) -> list[str]:
        """The files of which a loss of power may take something."""
        files = sorted(self._files.items())
        return [name for name, file in files if not file.named or file.now != file.durable]

    def mend(self) -> None:
        """Switch the faults off."""
        self.space, self.fail_after, self.fail_syncs, self.misread = None, None, False, None

    def flip(self, name: str, offset: int, bit: int = 0) -> None:
        """Change one bit at rest."""
        file = self._files[name]
        file.change(offset, bytes([file.now[offset] ^ 1 << bit]))
        file.sync()

    def copy(self) -> Self:
        """An independent disk with the same files, and no faults."""
        twin = type(self)()
        twin._files = {  # noqa: SLF001  # a disk of the same type
            name: file.copy() for name, file in self._files.items()
        }
        return twin

    def files(self) -> dict[str, bytes]:
        """All files as a reader sees them now."""
        return {name: bytes(file.now) for name, file in sorted(self._files.items())}

    def _file(self, name: str) -> _File:
        file = self._files.get(name)
        if file is None:
            file = self._files[name] = _File()
        return file

    def _change(self, name: str) -> None:
        if self.fail_after is not None:
            if self.fail_after <= 0:
                raise StorageError("Input/output error", where=name)
            self.fail_after -= 1
        self.writes += 1

    def _take_space(self, size: int) -> int:
        if self.space is not None:
            size = min(size, self.space)
            self.space -= size
        self.bytes_written += size
        return size


def _middle(first: int, last: int) -> int:
    return (first + last) // 2


def _survivor(durable: bytes, now: bytes, fate: Fate, cut_between: Callable[[int, int], int]) -> bytes:
    """What of the unsynced change from ``durable`` to ``now`` is found after a crash."""
    if durable == now or fate is Fate.KEPT:
        return now
    if fate is Fate.LOST:
        return durable
    if fate is Fate.RAGGED:
        return b"".join(
            _half_written(durable[at : at + BLOCK], now[at : at + BLOCK])
            for at in range(0, max(len(durable), len(now)), BLOCK)
        )
    first = next((i for i, (a, b) in enumerate(zip(durable, now, strict=False)) if a != b), len(durable))
    cut = cut_between(min(first, len(now)), len(now))
    if fate is Fate.TORN:
        return now[:cut] + durable[cut:]
    start = max(cut - cut % SECTOR, len(durable))
    return now[:start] + bytes(max(0, min(SECTOR, len(now) - start))) + now[start + SECTOR :]


def _half_written(durable: bytes, now: bytes) -> bytes:
    """One block with the first half of its change; what it grew by and was not written is zeros."""
    durable = durable.ljust(len(now), b"\0")
    changed = [i for i, (a, b) in enumerate(zip(durable, now, strict=False)) if a != b]
    cut = _middle(changed[0], changed[-1] + 1) if changed else 0
    return now[:cut] + durable[cut:]
