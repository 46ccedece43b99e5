"""The write-ahead log of a SQLite file, and when what stands in it is on the disk."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from sweepstake.stores.sqlite.filelock import FileLock

__all__ = ["FAILED", "SqliteLog", "sync_file"]

_logger = logging.getLogger(__name__)

#: Bytes that are written again at a time.
_PART: Final = 1 << 20

#: Notes in the lock's file: a sync failed, and the log was not rewritten since; or all is well.
FAILED: Final = b"1"
_WELL: Final = b"0"

sync_file: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)


class SqliteLog:
    """The log as one connection sees it.

    SQLite would sync the log within the transaction, while all other writers wait. It need not: the log is only ever
    appended to, so whoever syncs it after its own transaction has all before it on the disk too, and several can do so
    at the same time. SQLite itself syncs the log before it copies it to the file and begins a new one.

    Args:
        connection: an open connection; the log is there, and is the same file, for as long as it is open.
        path: the file whose log it is.
        lock: that of the file's writers.
        sync: syncs a descriptor.

    Attributes:
        lock: as given.
        read_note: returns what all who use the file know of its log, such as `FAILED`.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path, lock: FileLock, sync: Callable[[int], None] = sync_file
    ) -> None:
        self.lock: Final = lock
        self.read_note: Final = partial(os.pread, lock.descriptor, 1, 0)
        self._connection = connection
        self._path = os.path.realpath(path) + "-wal"
        self._sync = sync
        # A failure is told only to descriptors that were open before it, so ours is before there is anything to sync.
        self._descriptor: Final = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)

    def sync(self) -> None:
        """Return when whatever was committed before is on the disk; the caller needs no turn for it.

        Raises:
            OSError: the disk failed.
            sqlite3.Error: the disk failed, and so did SQLite.
            StoreUnavailableError: the disk failed, and no turn came in which to rewrite the log.
        """
        try:
            self._sync(self._descriptor)
        except OSError as error:
            self._note_failure()
            _logger.warning("%s could not be synced (%s); it is written again.", self._path, error)
            self._repair()
        else:
            if self.read_note() == FAILED:
                self._repair()

    def rewrite(self) -> None:
        """Write the log's content over itself, so that the system has to write it to the disk again, and sync that.

        A system that failed to write says so once, to those who had the file open, and believes afterwards that all
        was written. What follows a hole in the log is lost with it, so this is done before anybody says that
        anything is kept, and before anything is built on it. The caller has the turn and has begun a transaction.

        Raises:
            OSError: the disk still fails.
        """
        self._note_failure()  # what is written again is not safe before it is synced, whoever had seen to it before
        at = 0
        while part := os.pread(self._descriptor, _PART, at):
            at += os.pwrite(self._descriptor, part, at)
        self._sync(self._descriptor)
        os.pwrite(self.lock.descriptor, _WELL, 0)

    def close(self) -> None:
        """Sync once more after the connection was closed, as SQLite hides a last sync that failed; close the log."""
        try:
            if os.fstat(self._descriptor).st_nlink:  # the log is still there, so somebody may need it
                self._sync(self._descriptor)
        except OSError:
            self._note_failure()
        self.forget()

    def forget(self) -> None:
        """Close the log without a sync, in a forked child: the connection is its parent's."""
        os.close(self._descriptor)

    def _note_failure(self) -> None:
        with suppress(OSError):  # such as a file system that has no room even for what was there before
            os.pwrite(self.lock.descriptor, FAILED, 0)

    def _repair(self) -> None:
        """Write the log again in a turn and a transaction of its own."""
        self.lock.acquire()
        try:
            self._connection.execute("begin immediate")
            self.rewrite()
        finally:
            if self._connection.in_transaction:
                self._connection.execute("rollback")
            self.lock.release()
