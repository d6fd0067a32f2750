"""A local SQLite file of an importing organisation: the vault, and where an import stands."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from grootboek.errors import Damaged, StorageError

__all__ = ["SqliteFile", "make_folder"]


class SqliteFile:
    """One open file, with errors of the catalogue. Not for use by several threads at once."""

    def __init__(self, path: Path | str, schema: str) -> None:
        """Open or make the file (``":memory:"`` for tests); ``schema`` is SQL that may run every time.

        Raises StorageError where the disk refuses, Damaged where the file is another.
        """
        self._where = str(path)
        self._depth = 0
        with self._errors():
            self._db = sqlite3.connect(self._where, check_same_thread=False, isolation_level=None)
            try:
                self._db.execute("PRAGMA synchronous = FULL")
                self._db.executescript(schema)
            except BaseException:
                self._db.close()
                raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Make all changes inside durable together, or none of them; may be nested."""
        with self._errors():
            if self._depth == 0:
                self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
                if self._depth == 1:
                    self._db.execute("COMMIT")
            except BaseException:
                if self._depth == 1:
                    self._undo()
                raise
            finally:
                self._depth -= 1

    def _undo(self) -> None:
        """Forget the changes of the batch that failed."""
        self._db.execute("ROLLBACK")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StorageError(str(error), where=self._where) from error
        except sqlite3.DatabaseError as error:
            raise Damaged(str(error), where=self._where) from error


def make_folder(folder: Path) -> None:
    """Make a folder that only its owner may look into, unless it is there; raises StorageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageError(error.strerror or str(error), where=str(folder)) from error
