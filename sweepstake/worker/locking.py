"""Files by which workers of one host wait for each other; the kernel lets go of what a dead one held."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["locked", "open_lock", "opened"]


def open_lock(path: Path) -> int:
    """Return the descriptor of a file to lock, which is made if it is not there, for this user alone.

    Raises:
        OSError: it cannot be opened.
    """
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Give the descriptor of a file to lock; at the end of the block it is unlocked. See `open_lock`."""
    descriptor = open_lock(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def locked(descriptor: int, *, shared: bool = False) -> bool:
    """Lock a file, unless others have it; tell whether that went well.

    Args:
        descriptor: of the file.
        shared: whether others may share the lock.

    Raises:
        OSError: files cannot be locked there.
    """
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
