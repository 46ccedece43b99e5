"""The sign that a worker lives, by which the next one on its host tells what a dead one left."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from sweepstake.folders import own_folder
from sweepstake.worker.locking import locked

__all__ = ["Living"]

_NAME: Final = re.compile(r"sweepstake-([0-9]+-[0-9a-f]{12})-([0-9a-f]{16})-[0-9a-z]+")


class Living:
    """The sign that a worker lives: a locked file, which the kernel lets go of when it dies, however that is.

    Whoever looks after its commands when it is dead inherits the descriptor, and so it counts as living until then.
    Workers look after what is left of others of this user and host that have the same state folder.

    Args:
        locks: the folder of locks of this user on this host.
        state: the state folder.

    Attributes:
        descriptor: of the file.
    """

    def __init__(self, locks: Path, state: Path) -> None:
        self._folder = own_folder(locks, "workers")
        self._place = f"{os.geteuid()}-{_digest(f'{socket.gethostname()} {state}')[:12]}"
        self._id = os.urandom(8).hex()
        self._path = self._folder / self._id
        self.descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self.descriptor, fcntl.LOCK_EX)  # whoever looks at it just now has it for a moment

    def __str__(self) -> str:
        """Return what the names of all of this worker's runs begin with, but for their first word."""
        return f"{self._place}-{self._id}"

    def name(self, attempt: str) -> str:
        """Return the name of what runs for an attempt, by its op key, which the name does not tell."""
        return f"sweepstake-{self}-{_digest(attempt)[:16]}"

    @contextmanager
    def was_left(self, name: str) -> Iterator[bool]:
        """Tell whether what has this name runs for a dead worker; within the block no other worker is told so."""
        match = _NAME.fullmatch(name)
        if match is None or match[1] != self._place:
            yield False
            return
        with _unlocked(self._folder / match[2]) as dead:
            yield dead

    def dead(self) -> list[Path]:
        """Return the files of workers of this user and host that are dead, and were not forgotten."""
        dead = []
        for path in self._folder.iterdir():
            with _unlocked(path) as free:
                if free:
                    dead.append(path)
        return dead

    def forget(self, dead: Iterable[Path], age: float) -> None:
        """Remove the files of workers that have been dead for so many seconds: nothing is left of them."""
        for path in dead:
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > age:
                    path.unlink()

    def touch(self) -> None:
        """Make the file look new, because what is old is removed from folders for temporary files."""
        with suppress(OSError):
            os.utime(self.descriptor)

    def close(self) -> None:
        """Say that this worker has ended, and left nothing."""
        self._path.unlink(missing_ok=True)
        os.close(self.descriptor)


@contextmanager
def _unlocked(path: Path) -> Iterator[bool]:
    """Tell whether nobody has locked a file, which may be gone; within the block nobody else is told so."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield True
        return
    try:
        yield locked(descriptor)
    finally:
        os.close(descriptor)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
