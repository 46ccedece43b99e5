"""The queue in which all writers of a file stand, threads and processes: fair, as far as that leaves no turn unused."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from sweepstake.errors import StoreRefusedError, StoreUnavailableError
from sweepstake.stores.forks import Forked

__all__ = ["FileLock", "LockFiles"]

#: How long a call waits for its turn: a process that was stopped during its own turn must not halt all others for ever.
_PATIENCE_SECONDS: Final = 30.0
#: How long after its turn in the line a process may take further turns, unless somebody is just looking for one: to
#: hand the turn over costs as much as a claim.
_HEAD_START: Final = 0.02
#: How long whoever is first looks for the end of a turn without a pause.
_AWAKE_SECONDS: Final = 0.0003
#: How long whoever is first in the line may leave a free turn alone before it counts as stopped, and is overtaken.
_STILL_SECONDS: Final = 1.0
#: Pauses between two looks: of those in the line, and of the first two, unless a turn takes long. The second must be
#: there when the first has its turn, or nobody looks for the next.
_LINE_PAUSE: Final = 0.002
_NEAR_PAUSE: Final = 0.00005
_LONG_TURN: Final = 0.02

# Bytes of the file, each a lock. Whoever has the first has the turn. Beyond it is the line: who waits has the byte of
# the moment at which it came, in microseconds of the machine's monotonic clock, until it has the turn. Only whoever is
# first in the line looks for the turn: those who look take the processor from those who work.
_TURN: Final = 0
_LINE: Final = 1 << 10

#: How file systems say that they have no locks.
_NO_LOCKS: Final = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)

#: The system's `struct flock`.
_LINUX: Final = sys.platform == "linux"
_FLOCK: Final = struct.Struct("hhqqi4x" if _LINUX else "qqihh")


class _Lock(NamedTuple):
    """A lock of some bytes, and the number of the process that has it; 0 or less if it has none here."""

    start: int
    holder: int


class _Still(NamedTuple):
    """Who is first in the line, and since when."""

    place: int
    since: float


class FileLock:
    """A lock between all threads and processes that use one path.

    Made by `LockFiles`, because a process may have only one descriptor of the file: closing any other one
    would let go of its lock.

    Args:
        path: the file; it is made if there is none.
        patience: seconds to wait for a turn.

    Attributes:
        descriptor: of the file. The first byte holds a note to all who use the file, which stays when they have ended;
            to read and write it takes no lock.
    """

    def __init__(self, path: Path, patience: float = _PATIENCE_SECONDS) -> None:
        self.path: Final = path
        self._patience: Final = patience
        self.descriptor: Final = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if _LINUX:
            with suppress(OSError):  # so that there is room for the note, even when the disk is full
                os.posix_fallocate(self.descriptor, 0, 1)
        self._first_until = 0.0
        #: Which process was last seen to have the turn, if one had it, and since when that is so.
        self._turn: int | None = None
        self._turn_since = 0.0
        #: Whoever stands in the line before this byte was stopped there.
        self._line = _LINE
        self.users = 0
        self.forget_threads()

    def forget_threads(self) -> None:
        """Begin anew in a forked child, which has none of the threads that may have held the lock."""
        self._threads = threading.RLock()  # it knows whose it is, so that an interrupted thread lets go of its own only

    def acquire(self) -> None:
        """Wait for our turn; a process that had its turn just now may go on, for a moment, before those who wait.

        Raises:
            StoreUnavailableError: no turn came in time; it names the process that is in the way.
        """
        began = now = time.monotonic()
        try:
            if not self._threads.acquire(blocking=False):
                now = self._wait_for_threads()
            if now < self._first_until:
                try:
                    fcntl.lockf(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _TURN)
                except OSError:
                    pass  # it is asked again below, and the error told
                else:
                    return
            if self._find(self._line, 0) is not None or not self._try(_TURN):
                self._queue(began)
            self._first_until = time.monotonic() + _HEAD_START
        except BaseException:  # such as KeyboardInterrupt, which may come when a byte has just been locked
            if self._threads.acquire(blocking=False):  # it is ours already, or nobody's
                try:
                    with suppress(OSError):  # where there are no locks, which the first error says
                        fcntl.lockf(self.descriptor, fcntl.LOCK_UN)
                finally:
                    self._threads.release()
                    with suppress(RuntimeError):
                        self._threads.release()
            raise

    def release(self) -> None:
        """Let the next one in."""
        try:
            fcntl.lockf(self.descriptor, fcntl.LOCK_UN, 1, _TURN)
        finally:
            self._threads.release()

    def close(self) -> None:
        """Close the descriptor; nobody may be waiting."""
        os.close(self.descriptor)

    def _wait_for_threads(self) -> float:
        """Wait for the other threads of this process, and return the time."""
        if not self._threads.acquire(timeout=self._patience):
            raise self._timeout()
        return time.monotonic()

    def _queue(self, began: float) -> None:
        """Stand in the line, and leave it with the turn."""
        place = _LINE + int(began * 1e6)
        while not self._try(place):  # somebody came in the same microsecond
            place += 1
        self._become_first(place, began)
        self._wait_for_turn(began)
        fcntl.lockf(self.descriptor, fcntl.LOCK_UN, 1, place)

    def _become_first(self, place: int, began: float) -> None:
        """Wait until nobody is before us, apart from those who were found stopped."""
        still = _Still(0, began)
        while (before := self._find(self._line, place - self._line)) is not None:
            now = time.monotonic()
            if now - began > _LONG_TURN:
                still = self._check_line(place, began, still)
            between = place - before.start - 1
            second = not between or self._find(before.start + 1, between) is None
            time.sleep(_NEAR_PAUSE if second and now - began < _LONG_TURN else _LINE_PAUSE)

    def _check_line(self, place: int, began: float, still: _Still) -> _Still:
        """Overtake whoever is first and leaves a free turn alone; return who is first now, and since when."""
        now, first = self._look(), self._first(place)
        if now - began > self._patience:
            raise self._timeout()
        if first != still.place or first == place:
            return _Still(first, now)
        if self._turn is None and now - max(still.since, self._turn_since) > _STILL_SECONDS:
            self._line = max(self._line, first + 1)
        return still

    def _wait_for_turn(self, began: float) -> None:
        """Look for the end of the turn before us, at first without a pause: a turn is mostly shorter than a sleep."""
        since = time.monotonic()
        while not self._try(_TURN):
            now = time.monotonic()
            if now - since < _AWAKE_SECONDS:
                os.sched_yield()  # to whoever can use the processor
                continue
            if self._look() - began > self._patience:
                raise self._timeout()
            time.sleep(_NEAR_PAUSE if now - since < _LONG_TURN else _LINE_PAUSE)

    def _look(self) -> float:
        """See which process has the turn now, and return the time."""
        now, found = time.monotonic(), self._find(_TURN, 1)
        turn = None if found is None else found.holder
        if turn != self._turn:
            self._turn, self._turn_since = turn, now
        return now

    def _first(self, place: int) -> int:
        """Return the first place in the line that somebody has before `place`; else `place`."""
        while place > self._line and (found := self._find(self._line, place - self._line)) is not None:
            place = max(found.start, self._line)
        return place

    def _try(self, byte: int) -> bool:
        """Take a byte if nobody has it."""
        try:
            fcntl.lockf(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                return False
            raise self._refuse(error) from error
        return True

    def _find(self, byte: int, length: int) -> _Lock | None:
        """Return a lock that another process has on one of these bytes (length 0: all to the end), if there is one."""
        try:
            if _LINUX:
                asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, length, 0)
                kind, _, start, _, holder = _FLOCK.unpack(fcntl.fcntl(self.descriptor, fcntl.F_GETLK, asked))
            else:
                asked = _FLOCK.pack(byte, length, 0, fcntl.F_WRLCK, os.SEEK_SET)
                start, _, holder, kind, _ = _FLOCK.unpack(fcntl.fcntl(self.descriptor, fcntl.F_GETLK, asked))
        except OSError as error:
            raise self._refuse(error) from error
        return None if kind == fcntl.F_UNLCK else _Lock(start, holder)

    def _refuse(self, error: OSError) -> OSError | StoreRefusedError:
        """Return our error where there are no locks, without which writers would damage the file."""
        if error.errno not in _NO_LOCKS:
            return error
        return StoreRefusedError(
            f"The file system of {self.path.parent} has no file locks (fcntl: {error.strerror}), without which several "
            "processes would damage a SQLite file. Name a file on a local disk; or run `sweepstake serve` on a machine "
            "that has one, and connect to its http:// URL."
        )

    def _timeout(self) -> StoreUnavailableError:
        """Return the error of a wait that was too long; it names a process only if that one kept the turn all along."""
        message = f"No turn to write came within {self._patience:g} s; the lock is {self.path}."
        kept = self._look() - self._turn_since > _STILL_SECONDS
        if self._turn is None or not kept:
            return StoreUnavailableError(f"{message} Others write all the time.")
        if self._turn <= 0:  # it is in a container of its own
            return StoreUnavailableError(
                f"{message} Another process keeps it; if it was stopped, let it go on or end it."
            )
        return StoreUnavailableError(
            f"{message} Process {self._turn} keeps it; if it was stopped, let it go on (kill -CONT {self._turn}) "
            "or end it."
        )


class LockFiles(Forked):
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
                lock = self._locks[name] = FileLock(Path(name))
            lock.users += 1
            return lock

    def close(self, lock: FileLock) -> None:
        """Say that one of its users needs the lock no more."""
        with self._guard:
            lock.users -= 1
            if lock.users == 0:
                del self._locks[str(lock.path)]
                lock.close()

    def after_fork_in_child(self) -> None:
        """Begin anew in a forked child."""
        self._guard = threading.Lock()
        for lock in self._locks.values():
            lock.forget_threads()
