"""The few disk operations that the journal and the log need, in a real form.

The simulator gives the same operations over a simulated disk that tears, loses and flips writes
(``grootboek.simulation.disk``), so both run the same code above this line.
"""

import fcntl
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from grootboek.errors import Locked, StorageError

__all__ = ["Disk", "FolderLock", "RealDisk"]


class Disk(Protocol):
    """Flat files by name inside one folder; names may hold one ``/``.

    Each call raises StorageError where the disk refuses; a failed sync is never retried.
    """

    def append(self, name: str, data: bytes) -> None:
        """Add ``data`` at the end of the file, which is made if missing. Not durable by itself."""

    def overwrite(self, name: str, offset: int, data: bytes) -> None:
        """Replace bytes of an existing file in place. Not durable by itself, and may tear."""

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
    """A Disk over a folder of the file system, which one process writes at a time (FolderLock)."""

    def __init__(self, root: Path) -> None:
        """Use the folder ``root``, which is made if missing."""
        self._root = root
        self._open: dict[str, int] = {}
        self._unsynced_names: set[str] = set()
        self._opening = threading.Lock()
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

    def overwrite(self, name: str, offset: int, data: bytes) -> None:
        """See Disk."""
        try:
            fd = self._descriptor(name)
            view = memoryview(data)
            while view:
                written = os.pwrite(fd, view, offset)
                offset += written
                view = view[written:]
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
        except OSError as error:
            raise _refused(error, self._root / name) from error

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
        try:
            if not path.is_dir():
                return []
            return sorted(entry.name for entry in path.iterdir() if not entry.name.endswith(".new"))
        except OSError as error:
            raise _refused(error, path) from error

    def close(self) -> None:
        """Close every file; nothing is synced."""
        for name in list(self._open):
            self._close(name)

    def _descriptor(self, name: str) -> int:
        """The file, open for writing at its end; made if missing.

        An earlier process may have made the file and died before it synced the folder, so the name
        counts as unsynced until the first sync of this process. Without O_APPEND, because on Linux
        that flag makes pwrite ignore its offset. One file has one descriptor even where one thread
        appends while another syncs: a second one would write at a place of its own.
        """
        with self._opening:
            fd = self._open.get(name)
            if fd is None:
                path = self._root / name
                path.parent.mkdir(exist_ok=True)
                fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
                os.lseek(fd, 0, os.SEEK_END)
                self._open[name] = fd
                self._unsynced_names.add(name)
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


class FolderLock:
    """Keeps a second process out of a data folder: two replicas with the same keys would double-sign.

    The operating system lets go of the lock when the process ends, however it ends.
    """

    def __init__(self, folder: Path) -> None:
        """Take the lock; raises Locked where another process holds it, StorageError on a bad disk."""
        path = folder / "lock"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _refused(error, path) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._fd)
            raise Locked(where=str(folder)) from error

    def release(self) -> None:
        """Let go."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _refused(error: OSError, path: Path) -> StorageError:
    return StorageError(error.strerror or str(error), where=str(path))
