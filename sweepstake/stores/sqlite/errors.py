"""Our errors for those of SQLite and of the disk below it."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path
from typing import Final

from sweepstake.errors import StoreRefusedError, StoreUnavailableError, SweepstakeError
from sweepstake.stores.engine import DuplicateError

__all__ = ["is_damage", "translate"]

#: What file systems may lack, by SQLite's names of the calls that fail.
_LACKING: Final = {"SQLITE_IOERR_SHMMAP": "shared memory (mmap)", "SQLITE_IOERR_LOCK": "file locks (fcntl)"}


def translate(error: sqlite3.Error | OSError, path: Path) -> SweepstakeError | DuplicateError:
    """Return our error for one of the library's or the disk's."""
    name = getattr(error, "sqlite_errorname", None) or ""
    if name.startswith(("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY")):
        return DuplicateError(str(error))
    if is_damage(error):
        return StoreRefusedError(
            f"{path} is not a healthy SQLite database ({error}). Put back a backup, or name another file."
        )
    if name == "SQLITE_ERROR":
        return StoreRefusedError(
            f"{path} does not hold the tables of a store ({error}). Name another file, or one that is new."
        )
    if name.startswith("SQLITE_FULL") or (isinstance(error, OSError) and error.errno == errno.ENOSPC):
        return StoreUnavailableError(
            f"The disk that holds {path} is full ({error}). Make room; the call is then repeated."
        )
    if name in _LACKING:
        return StoreRefusedError(
            f"The file system of {path} lacks what SQLite needs to share a file between processes: {_LACKING[name]} "
            f"({error}). Name a file on a local disk, or use a server: `sweepstake serve`."
        )
    if name.startswith("SQLITE_READONLY"):
        return StoreRefusedError(f"{path} may not be written ({error}). Check its permissions, and its folder's.")
    return StoreUnavailableError(f"The store {path} could not answer: {error}.")


def is_damage(error: sqlite3.Error | OSError) -> bool:
    """Tell whether the file is no whole SQLite database."""
    return (getattr(error, "sqlite_errorname", None) or "").startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))
