"""The write-ahead log of a SQLite file, and when what stands in it is on the disk."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path
from typing import Final

__all__ = ["SqliteLog"]

_sync: Final = getattr(os, "fdatasync", os.fsync)


class SqliteLog:
    """The log as one connection sees it.

    SQLite would sync the log within the transaction, while all other writers wait. It need not: the log is only ever
    appended to, so whoever syncs it after its own transaction has all before it on the disk too, and several can do so
    at the same time. SQLite itself syncs the log before it copies it to the file and begins a new one.

    Args:
        connection: an open connection; the log is there, and is the same file, for as long as it is open.
        path: the file whose log it is.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = os.path.realpath(path) + "-wal"
        self._descriptor: int | None = None
        self._doubtful = False

    def sync(self) -> None:
        """Return when whatever was committed before is on the disk.

        A system that failed to write says so once, and may have forgotten by the next time what it did not write. So
        after a failure the log is copied to the file, and that is synced.

        Raises:
            OSError: the disk failed.
            sqlite3.Error: the disk failed, and so did SQLite.
        """
        try:
            if not self._doubtful:
                _sync(self._open())
                return
        except OSError:
            self._doubtful = True
        busy, length, copied = self._connection.execute("pragma wal_checkpoint(passive)").fetchone()
        if busy or copied < length:
            raise OSError(errno.EIO, f"{self._path} cannot be synced, nor copied just now, because it is in use")
        self._doubtful = False

    def _open(self) -> int:
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        return self._descriptor

    def close(self) -> None:
        """Give the descriptor back."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
