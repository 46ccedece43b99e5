"""The queue in which all writers of a file stand: first come, first served, among threads and processes."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from pathlib import Path
from typing import Final

__all__ = ["FileLock", "LockFiles"]

#: How soon a lock is asked for again that the kernel refused to wait for.
_RETRY_SECONDS: Final = 0.001
# Two bytes of the file, each a lock. The kernel wakes everybody who waits for a byte when it is let go of, so only one,
# who is next, waits for the turn itself: all others would wake to no avail, and delay whoever has it.
_TURN: Final = 0
_NEXT: Final = 1


class FileLock:
    """A lock between all threads and processes that use one path.

    Made by `LockFiles`, because a process may have only one descriptor of the file: closing any other one
    would let go of its lock.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._descriptor: Final = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._threads = threading.Lock()
        self.users = 0

    def acquire(self) -> None:
        """Wait for our turn."""
        self._threads.acquire()
        try:
            self._wait(_NEXT)
            self._wait(_TURN)
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, _NEXT)
        except BaseException:  # such as KeyboardInterrupt, which may come when a byte has just been locked
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN)
            self._threads.release()
            raise

    def _wait(self, byte: int) -> None:
        while True:
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX, 1, byte)
            except OSError as error:
                # The kernel takes two processes, whose threads use the same two stores, for a deadlock: it does not
                # see that each thread wants one store only. The other one is let go of in a moment.
                if error.errno != errno.EDEADLK:
                    raise
                time.sleep(_RETRY_SECONDS)
            else:
                return

    def release(self) -> None:
        """Let the next one in."""
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, _TURN)
        finally:
            self._threads.release()

    def forget_threads(self) -> None:
        """Begin anew in a forked child, which has none of the threads that may have held the lock."""
        self._threads = threading.Lock()

    def close(self) -> None:
        """Give the descriptor back; nobody may be waiting."""
        os.close(self._descriptor)


class LockFiles:
    """The lock files that this process has open, one descriptor for each."""

    def __init__(self) -> None:
        self._locks: dict[str, FileLock] = {}
        self._guard = threading.Lock()

    def open(self, path: Path) -> FileLock:
        """Return the lock of `path`; `close` it as often as it was opened."""
        with self._guard:
            name = os.path.realpath(path)
            lock = self._locks.get(name)
            if lock is None:
                lock = self._locks[name] = FileLock(path)
            lock.users += 1
            return lock

    def close(self, lock: FileLock) -> None:
        """Say that one of its users needs the lock no more."""
        with self._guard:
            lock.users -= 1
            if lock.users == 0:
                del self._locks[os.path.realpath(lock.path)]
                lock.close()

    def after_fork(self) -> None:
        """Begin anew in a forked child."""
        self._guard = threading.Lock()
        for lock in self._locks.values():
            lock.forget_threads()
