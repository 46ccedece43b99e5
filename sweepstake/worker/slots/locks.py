"""A lock for each GPU of a host, so that two workers do not share one."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from sweepstake.folders import own_folder
from sweepstake.worker.locking import locked, open_lock

__all__ = ["GpuLocks", "lock_folder"]


#: Folders of a host on which every user may make one, best first: that for locks is never tidied by age.
_ROOTS: Final = ("/run/lock", "/tmp")  # noqa: S108 -- the folder below is made, or found, as this user's own


def lock_folder() -> Path:
    """Return the folder for locks of this user on this host, whatever the home and the state folder are.

    Raises:
        OSError: it cannot be made, or it is another user's.
    """
    root = next((root for root in map(Path, _ROOTS) if os.access(root, os.W_OK | os.X_OK)), Path(tempfile.gettempdir()))
    return own_folder(root / f"sweepstake-{os.geteuid()}", "gpus")


class GpuLocks:
    """Locks GPUs against all other workers of this user on this host.

    The kernel holds the locks, and lets go of one when every process that has its descriptor is gone. Commands inherit
    the descriptors of their GPUs, so that a GPU stays locked while a command lives whose worker was killed. When the
    worker unlocks it, it is free whoever has the descriptor.

    Args:
        folder: one that all of them share, and no other host; see `lock_folder`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}

    def lock(self, gpu: str) -> bool:
        """Lock a GPU that this worker has not locked, unless another has; tell whether it did.

        Raises:
            OSError: the file cannot be opened or locked.
        """
        assert gpu not in self._held
        descriptor, free = open_lock(self._folder / _name(gpu)), False
        try:
            free = locked(descriptor)
        finally:
            if not free:
                os.close(descriptor)
        if free:
            self._held[gpu] = descriptor
            self.touch()
        return free

    def touch(self) -> None:
        """Make the files look new, because what is old is removed from folders for temporary files."""
        for descriptor in self._held.values():
            with suppress(OSError):
                os.utime(descriptor)

    def unlock(self, gpu: str) -> None:
        """Let others have a GPU, if it is locked by this worker."""
        descriptor = self._held.pop(gpu, None)
        if descriptor is not None:
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def descriptor(self, gpu: str) -> int:
        """Return the descriptor of a lock that is held, for a command to inherit."""
        return self._held[gpu]

    def close(self) -> None:
        """Unlock all; a command that still lives keeps nothing."""
        for gpu in list(self._held):
            self.unlock(gpu)


def _name(text: str) -> str:
    plain = all(each.isalnum() or each in "-_" for each in text) and text.isascii() and 0 < len(text) <= 100
    return text if plain else hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]
