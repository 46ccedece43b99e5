"""Containers that outlived their worker: found by their names, and ended by the next worker of this user and host."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from sweepstake.folders import own_folder
from sweepstake.worker.containers.arguments import Engine, list_call, remove_call
from sweepstake.worker.containers.engines import answer

__all__ = ["LABEL", "Living", "end_leftovers"]

#: Marks every container that we start; its value is what the name begins with, but for the attempt.
LABEL: Final = "sweepstake.worker"
_NAME: Final = re.compile(r"sweepstake-([0-9]+-[0-9a-f]{12})-([0-9a-f]{16})-[0-9a-z]+")


class Living:
    """The sign that a worker lives: a locked file, which the kernel lets go of when it dies, however that is.

    Args:
        locks: the folder of locks of this user on this host.
    """

    def __init__(self, locks: Path) -> None:
        self._folder = own_folder(locks, "workers")
        self._id = os.urandom(8).hex()
        self._path = self._folder / self._id
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def name(self, attempt: str) -> str:
        """Return the name of the container of an attempt."""
        return f"sweepstake-{_place()}-{self._id}-{_digest(attempt)[:16]}"

    def labels(self) -> Mapping[str, str]:
        """Return what marks the containers of this worker."""
        return {LABEL: f"{_place()}-{self._id}"}

    def touch(self) -> None:
        """Make the file look new, because what is old is removed from folders for temporary files."""
        with suppress(OSError):
            os.utime(self._descriptor)

    def close(self) -> None:
        """Say that this worker has ended, and left nothing."""
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


def end_leftovers(engine: Engine, locks: Path) -> list[str]:
    """End all containers of workers of this user and host that are dead; return their names."""
    call = list_call(engine, LABEL)
    if call is None:
        return []
    ended = []
    for name in answer(call).stdout.split():
        match = _NAME.fullmatch(name)
        if match is None or match[1] != _place():
            continue
        with _dead(own_folder(locks, "workers") / match[2]) as dead:
            remove = remove_call(engine, name)
            if dead and remove is not None and answer(remove).returncode == 0:
                ended.append(name)
    return ended


@contextmanager
def _dead(path: Path) -> Iterator[bool]:
    """Tell whether a worker is dead; within the block nobody else is told so."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield True
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)


def _place() -> str:
    """Return the user and host whose workers can tell by their locks whether one of them lives."""
    return f"{os.geteuid()}-{_digest(socket.gethostname())[:12]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
