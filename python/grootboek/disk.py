"""The few disk operations that the journal and the log need, in a real form.

The simulator gives the same operations over a simulated disk that tears, loses and flips writes
(``grootboek.simulation.disk``), so both run the same code above this line.
"""

import os
from pathlib import Path
from typing import Protocol

from grootboek.errors import StorageError

__all__ = ["Disk", "RealDisk"]


class Disk(Protocol):
    """Flat files by name inside one folder; names may hold one ``/``.

    Each call raises StorageError where the disk refuses; a failed sync is never retried.
    """

    def append(self, name: str, data: bytes) -> None:
        """Add ``data`` at the end of the file, which is made if missing. Not durable by itself."""

    def sync(self, name: str) -> None:
        """Make all that was appended to or written in the file durable, its name included."""

    def write(self, name: str, data: bytes) -> None:
        """Replace the whole file atomically and durably (temporary file, sync, rename, sync)."""

    def read(self, name: str, offset: int = 0, size: int = -1) -> bytes:
        """Up to ``size`` bytes (-1: all) from ``offset``; empty where the file is missing."""

    def size(self, name: str) -> int:
        """The file's length in bytes; 0 where it is missing."""

    def truncate(self, name: str, size: int) -> None:
        """Cut the file to ``size`` bytes, durably."""

    def remove(self, name: str) -> None:
        """Delete the file, durably; no error where it is missing."""

    def names(self, folder: str) -> list[str]:
        """The names of the files in ``folder``, sorted."""


class RealDisk:
    """A Disk over a folder of the file system."""

    def __init__(self, root: Path) -> None:
        """Use the folder ``root``, which is made if missing."""
        self._root = root
        self._open: dict[str, int] = {}
        self._unsynced_names: set[str] = set()
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _refused(error, root) from error

    def append(self, name: str, data: bytes) -> None:
        """See Disk."""
        try:
            fd = self._descriptor(name)
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
        except OSError as error:
            raise _refused(error, self._root / name) from error

    def sync(self, name: str) -> None:
        """See Disk."""
        try:
            os.fdatasync(self._descriptor(name))
            if name in self._unsynced_names:
                self._sync_folder(name)
                self._unsynced_names.discard(name)
        except OSError as error:
            raise _refused(error, self._root / name) from error

    def write(self, name: str, data: bytes) -> None:
        """See Disk."""
        path = self._root / name
        temporary = path.with_name(path.name + ".new")
        try:
            self._close(name)
            path.parent.mkdir(exist_ok=True)
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            self._sync_folder(name)
        except OSError as error:
            raise _refused(error, path) from error

    def read(self, name: str, offset: int = 0, size: int = -1) -> bytes:
        """See Disk."""
        try:
            with (self._root / name).open("rb") as file:
                file.seek(offset)
                return file.read(size)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise _refused(error, self._root / name) from error

    def size(self, name: str) -> int:
        """See Disk."""
        try:
            return (self._root / name).stat().st_size
        except FileNotFoundError:
            return 0

    def truncate(self, name: str, size: int) -> None:
        """See Disk."""
        try:
            self._close(name)
            with (self._root / name).open("r+b") as file:
                file.truncate(size)
                os.fsync(file.fileno())
        except OSError as error:
            raise _refused(error, self._root / name) from error

    def remove(self, name: str) -> None:
        """See Disk."""
        try:
            self._close(name)
            (self._root / name).unlink(missing_ok=True)
            self._sync_folder(name)
        except OSError as error:
            raise _refused(error, self._root / name) from error

    def names(self, folder: str) -> list[str]:
        """See Disk."""
        path = self._root / folder
        if not path.is_dir():
            return []
        return sorted(entry.name for entry in path.iterdir() if not entry.name.endswith(".new"))

    def close(self) -> None:
        """Close every file; nothing is synced."""
        for name in list(self._open):
            self._close(name)

    def _descriptor(self, name: str) -> int:
        fd = self._open.get(name)
        if fd is None:
            path = self._root / name
            path.parent.mkdir(exist_ok=True)
            if not path.exists():
                self._unsynced_names.add(name)
            fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._open[name] = fd
        return fd

    def _close(self, name: str) -> None:
        fd = self._open.pop(name, None)
        if fd is not None:
            os.close(fd)

    def _sync_folder(self, name: str) -> None:
        for folder in {(self._root / name).parent, self._root}:
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)


def _refused(error: OSError, path: Path) -> StorageError:
    return StorageError(error.strerror or str(error), where=str(path))
