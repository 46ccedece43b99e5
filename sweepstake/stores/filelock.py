"""The queue in which all writers of a file stand, threads and processes: fair, but not at the price of idling."""

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
#: How long a process may go before those who wait, counted from its own turn in the line: to hand the turn over costs
#: more than a claim, since whoever is next must be woken.
_HEAD_START: Final = 0.005
#: How long whoever is next stays awake: a turn is mostly shorter than it takes to wake up.
_WATCH_SECONDS: Final = 0.0005
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
        self._first_until = 0.0
        self.users = 0

    def acquire(self) -> None:
        """Wait for our turn; a process that had its turn just now may go on, for a moment, before those who wait."""
        self._threads.acquire()
        try:
            if time.monotonic() < self._first_until and self._try():
                return
            self._wait(_NEXT)
            if not self._watch():
                self._wait(_TURN)
            self._first_until = time.monotonic() + _HEAD_START
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, _NEXT)
        except BaseException:  # such as KeyboardInterrupt, which may come when a byte has just been locked
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN)
            self._threads.release()
            raise

    def _try(self) -> bool:
        """Take the turn if nobody has it."""
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _TURN)
        except BlockingIOError:
            return False
        return True

    def _watch(self) -> bool:
        """Look for the end of the turn before us for a moment, leaving the processor to whoever can use it."""
        until = time.monotonic() + _WATCH_SECONDS
        while not self._try():
            if time.monotonic() > until:
                return False
            os.sched_yield()
        return True

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
