"""The queue in which all writers of a file stand, threads and processes: fair, but not at the price of idling."""

from __future__ import annotations

import fcntl
import os
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Final

from sweepstake.errors import StoreUnavailableError

__all__ = ["FileLock", "LockFiles"]

#: How long a call waits for its turn: a process that was stopped while it had its own must not halt all for ever.
_PATIENCE_SECONDS: Final = 30.0
#: How long a process may go on before those who wait, if nobody is awake to take the turn from it, counted from its
#: own turn in the line: to hand the turn over costs as much as a claim.
_HEAD_START: Final = 0.02
#: How long whoever is next looks for the end of a turn without a pause.
_AWAKE_SECONDS: Final = 0.0005
#: How long the others in the line are waited for: whoever was stopped there is overtaken.
_LINE_SECONDS: Final = 1.0
#: Pauses between two looks: of those in the line, of the second, and of whoever is next, unless a turn takes long.
_LINE_PAUSE: Final = 0.002
_SECOND_PAUSE: Final = 0.0001
_NEXT_PAUSE: Final = 0.00005
_LONG_TURN: Final = 0.02

# Bytes of the file, each a lock. Whoever has the first has the turn, and whoever has the second is next and looks for
# the turn, alone, since those who look take the processor from those who work. Beyond them is the line: who waits has
# the byte of the moment at which it came, in microseconds of the machine's monotonic clock.
_TURN: Final = 0
_NEXT: Final = 1
_LINE: Final = 1 << 10

#: The system's `struct flock`, and where in it are kind and process.
_LINUX: Final = sys.platform == "linux"
_FLOCK: Final = struct.Struct("hhqqi4x" if _LINUX else "qqihh")


class FileLock:
    """A lock between all threads and processes that use one path.

    Made by `LockFiles`, because a process may have only one descriptor of the file: closing any other one
    would let go of its lock.

    Args:
        path: the file; it is made if there is none.
        patience: seconds to wait for a turn.
    """

    def __init__(self, path: Path, patience: float = _PATIENCE_SECONDS) -> None:
        self.path: Final = path
        self._patience: Final = patience
        self._descriptor: Final = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._threads = threading.Lock()
        self._first_until = 0.0
        self.users = 0

    def acquire(self) -> None:
        """Wait for our turn; a process that had its turn just now may go on, for a moment, before those who wait.

        Raises:
            StoreUnavailableError: no turn came in time; it names the process that is in the way.
        """
        began = time.monotonic()
        if not self._threads.acquire(timeout=self._patience):
            raise self._stuck()
        try:
            if began < self._first_until and self._try(_TURN):
                return
            if self._holder(_LINE, 0) is not None or not self._try(_TURN):
                self._queue(began)
            self._first_until = time.monotonic() + _HEAD_START
        except BaseException:  # such as KeyboardInterrupt, which may come when a byte has just been locked
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN)
            self._threads.release()
            raise

    def release(self) -> None:
        """Let the next one in."""
        try:
            self._let_go(_TURN)
        finally:
            self._threads.release()

    def forget_threads(self) -> None:
        """Begin anew in a forked child, which has none of the threads that may have held the lock."""
        self._threads = threading.Lock()

    def close(self) -> None:
        """Give the descriptor back; nobody may be waiting."""
        os.close(self._descriptor)

    def _queue(self, began: float) -> None:
        """Stand in the line, and leave it with the turn."""
        place = _LINE + int(began * 1e6)
        while not self._try(place):  # somebody came in the same microsecond
            place += 1
        self._become_next(place, began)
        self._take_turn(began)
        self._let_go(_NEXT)
        self._let_go(place)

    def _become_next(self, place: int, began: float) -> None:
        """Wait until nobody is before us, and only a while for those who do not move: they may have been stopped."""
        while time.monotonic() - began < _LINE_SECONDS:
            if self._holder(_LINE, place - _LINE) is not None:
                time.sleep(_LINE_PAUSE)
            elif self._try(_NEXT):
                return
            else:
                time.sleep(_SECOND_PAUSE)

    def _take_turn(self, began: float) -> None:
        """Look for the end of the turn before us, at first without a pause: a turn is mostly shorter than a sleep."""
        since = time.monotonic()
        while not self._try(_TURN):
            now = time.monotonic()
            if now - began > self._patience:
                raise self._stuck()
            if now - since < _AWAKE_SECONDS:
                os.sched_yield()  # to whoever can use the processor
            else:
                time.sleep(_NEXT_PAUSE if now - since < _LONG_TURN else _LINE_PAUSE)

    def _try(self, byte: int) -> bool:
        """Take a byte if nobody has it."""
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
        except BlockingIOError:
            return False
        return True

    def _let_go(self, byte: int) -> None:
        fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, byte)

    def _holder(self, byte: int, length: int) -> int | None:
        """Return the number of another process that has one of these bytes (0 for all to the end), if one has."""
        if _LINUX:
            asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, length, 0)
            kind, _, _, _, process = _FLOCK.unpack(fcntl.fcntl(self._descriptor, fcntl.F_GETLK, asked))
        else:
            asked = _FLOCK.pack(byte, length, 0, fcntl.F_WRLCK, os.SEEK_SET)
            _, _, process, kind, _ = _FLOCK.unpack(fcntl.fcntl(self._descriptor, fcntl.F_GETLK, asked))
        return None if kind == fcntl.F_UNLCK else process

    def _stuck(self) -> StoreUnavailableError:
        holder = self._holder(_TURN, 1)
        # One in a container of its own has no number here.
        who, how = (f"Process {holder}", f" (kill -CONT {holder})") if holder and holder > 0 else ("Somebody", "")
        return StoreUnavailableError(
            f"{who} has kept all others from writing for {self._patience:g} s; it holds the lock {self.path}. "
            f"If it was stopped, let it go on{how} or end it."
        )


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
