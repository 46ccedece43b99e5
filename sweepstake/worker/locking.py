"""Files by which workers of one host wait for each other; the kernel lets go of what a dead one held."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["locked", "opened"]


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Give the descriptor of a file to lock, which is made if it is not there; at the end of the block it is unlocked.

    Raises:
        OSError: it cannot be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def locked(descriptor: int, *, shared: bool = False) -> bool:
    """Lock a file, unless others have it; tell whether that went well.

    Args:
        descriptor: of the file.
        shared: whether others may share the lock.
    """
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
