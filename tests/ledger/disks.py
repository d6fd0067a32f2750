"""A disk in memory that stops at a chosen operation, and loses what was not synced."""

from typing import Self


class PowerCut(BaseException):
    """The machine is gone: nothing after this happens."""


class CrashDisk:
    """See ``grootboek.disk.Disk``. ``stop_at``: the operation before which the power goes."""

    def __init__(self) -> None:
        self.now: dict[str, bytes] = {}
        self.durable: dict[str, bytes] = {}
        self.operations = 0
        self.stop_at: int | None = None

    def _step(self) -> None:
        if self.operations == self.stop_at:
            raise PowerCut
        self.operations += 1

    def append(self, name: str, data: bytes) -> None:
        self._step()
        self.now[name] = self.now.get(name, b"") + data

    def overwrite(self, name: str, offset: int, data: bytes) -> None:
        self._step()
        old = self.now[name]
        self.now[name] = old[:offset] + data + old[offset + len(data) :]

    def sync(self, name: str) -> None:
        self._step()
        self.durable[name] = self.now.setdefault(name, b"")

    def write(self, name: str, data: bytes) -> None:
        self._step()
        self.now[name] = self.durable[name] = data

    def read(self, name: str, offset: int = 0, size: int = -1) -> bytes:
        return self.now.get(name, b"")[offset : None if size < 0 else offset + size]

    def size(self, name: str) -> int:
        return len(self.now.get(name, b""))

    def truncate(self, name: str, size: int) -> None:
        self._step()
        self.now[name] = self.durable[name] = self.now[name][:size]

    def remove(self, name: str) -> None:
        self._step()
        self.now.pop(name, None)
        self.durable.pop(name, None)

    def names(self, folder: str) -> list[str]:
        return sorted(name.removeprefix(folder + "/") for name in self.now if name.startswith(folder + "/"))

    # --- what may happen -------------------------------------------------------------------------

    def copy(self) -> Self:
        """The same files, on a disk that does not stop."""
        twin = type(self)()
        twin.now, twin.durable = dict(self.now), dict(self.durable)
        return twin

    def after_cut(self, kept: int | None = None) -> Self:
        """What is found afterwards: each file as it was synced, and ``kept`` bytes (None: all) of what
        was appended since.
        """
        twin = type(self)()
        for name, data in self.now.items():
            safe = len(self.durable.get(name, b""))
            found = data if kept is None else data[: safe + kept]
            if name in self.durable or found:
                twin.now[name] = twin.durable[name] = found
        return twin

    def flipped(self, name: str, offset: int, bit: int = 0) -> Self:
        """The same files with one bit changed."""
        twin = self.copy()
        data = bytearray(twin.now[name])
        data[offset] ^= 1 << bit
        twin.now[name] = twin.durable[name] = bytes(data)
        return twin
