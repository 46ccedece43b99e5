"""Whether a SQLite file, and the log beside it, are still the ones that were opened."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import quote

from sweepstake.errors import StoreUnavailableError

__all__ = ["SqlitePlace", "another_store", "clear_leftovers", "file_uri", "refuse_gone", "refuse_torn"]

#: Which file stands under a name.
_Identity: TypeAlias = tuple[int, int]

#: The start of a log: it differs between any two.
_LOG_HEADER: Final = 32
#: How long somebody who has just closed the file may take to let go of it, and the pause between two looks.
_CLOSING_SECONDS: Final = 1.0
_CLOSING_PAUSE: Final = 0.01


class SqlitePlace:
    """The files at a store's address, as they were when the first connection of this process was made.

    A file that was removed or renamed can be written to for as long as somebody has it open, but nobody who comes
    later finds it. So a write counts only if its file still stands at the address after the write. Neither the file's
    number nor the log's is given to another one while we have them open.

    Args:
        address: by which the store is reached; it may be a link.
        path: the file that the address led to.

    Attributes:
        lost: other files stand there now; connections that were made before must not be used any more.
    """

    def __init__(self, address: Path, path: Path) -> None:
        self._address: Final = os.fspath(address)
        self._wal: Final = f"{path}-wal"
        self._file = _identity(self._address)
        self._log = _identity(self._wal)
        self._size = 0
        self._left = b""
        self.lost = False

    def confirm(self) -> None:
        """See that the files are still there; if not, the place is lost.

        Raises:
            StoreUnavailableError: says what became of them.
        """
        least = self._size  # as of a look before this one: others see it grow while we look
        try:
            file = os.stat(self._address)  # noqa: PTH116 -- a `Path` takes twice as long
            log = os.stat(self._wal)  # noqa: PTH116
        except (FileNotFoundError, NotADirectoryError):
            raise self._lose() from None
        if (file.st_dev, file.st_ino) != self._file or file.st_size < least or (log.st_dev, log.st_ino) != self._log:
            raise self._lose()
        if file.st_size > least:
            self._size = file.st_size

    def look(self) -> str | None:
        """Return what became of the files if they are not there any more; then the place is lost."""
        try:
            self.confirm()
        except StoreUnavailableError as error:
            return str(error)
        return None

    def refuse_old_log(self) -> None:
        """Raise if the file was replaced, but not the log beside it, which SQLite would then take for the new file's.

        Raises:
            StoreUnavailableError: says what to remove.
        """
        if self._left and self._left == _log_header(self._wal):
            raise StoreUnavailableError(
                f"The store {self._address} was replaced while it was in use, but {self._wal} still belongs to the "
                "file before. Remove it, and the -shm file beside it, before anybody opens the store."
            )

    def _lose(self) -> StoreUnavailableError:
        self.lost = True
        now = _identity(self._address)
        if now is None:
            return gone(self._address)
        if now != self._file:
            self._left = _log_header(self._wal) if _identity(self._wal) == self._log else b""
            problem = f"The store {self._address} was replaced by another file while it was in use."
        elif _identity(self._wal) != self._log:
            problem = f"{self._wal} was removed or replaced while the store was in use."
        else:
            problem = f"The store {self._address} was truncated while it was in use."
        return StoreUnavailableError(problem)


def gone(address: str | Path) -> StoreUnavailableError:
    """Return the error of a file that is not there any more."""
    return StoreUnavailableError(
        f"The store {address} is gone: the file was removed or renamed while it was in use. "
        "Put it back under this name; until then nothing can be written."
    )


def another_store(address: Path) -> StoreUnavailableError:
    """Return the error of a file that is whole, but is not the store that this process began with."""
    return StoreUnavailableError(
        f"Another store is at {address} now: the file was replaced or begun anew while it was in use. "
        "Put the former one back, or end this process to work with the new one."
    )


def refuse_gone(address: Path) -> None:
    """Raise unless a file that was in use is there still, with something in it."""
    try:
        size = address.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        raise gone(address) from None
    if size == 0:
        raise another_store(address)


def refuse_torn(path: Path) -> None:
    """Raise if others have the file open, and its log or the log's index is not at its place any more.

    Whoever opens it then would see and write half of a store. Nobody who writes may begin meanwhile.

    Raises:
        StoreUnavailableError: until all who have the file open have closed it; then SQLite puts the rest in order.
    """
    if path.stat().st_size == 0 or (Path(f"{path}-wal").exists() and Path(f"{path}-shm").exists()):
        return
    until = time.monotonic() + _CLOSING_SECONDS
    while not _is_ours_alone(path):
        if time.monotonic() > until:
            raise StoreUnavailableError(
                f"{path}-wal or {path}-shm was removed while processes had the store open. "
                "It can be opened again when all of them have ended, or made their next call."
            )
        time.sleep(_CLOSING_PAUSE)


def clear_leftovers(path: Path) -> None:
    """Remove what a file of the same name left behind; the one that is there now was made a moment ago."""
    for ending in ("-wal", "-shm"):
        Path(f"{path}{ending}").unlink(missing_ok=True)


def file_uri(path: Path) -> str:
    """Return how SQLite is told to open a file, and never to make it."""
    return f"file:{quote(os.fspath(path))}?mode=rw"


def _is_ours_alone(path: Path) -> bool:
    """Tell whether nobody has the file open; SQLite copies to it what its log holds, if there is one."""
    connection = sqlite3.connect(file_uri(path), uri=True, timeout=0.0, isolation_level=None)
    try:
        connection.execute("pragma locking_mode = exclusive")
        connection.execute("select count(*) from sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        if (getattr(error, "sqlite_errorname", None) or "").startswith("SQLITE_BUSY"):
            return False
        raise
    finally:
        connection.close()
    return True


def _identity(path: str) -> _Identity | None:
    try:
        found = os.stat(path)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


def _log_header(wal: str) -> bytes:
    """Return the beginning of a log; SQLite has no locks on it that closing a descriptor could let go of."""
    try:
        with open(wal, "rb") as file:  # noqa: PTH123
            return file.read(_LOG_HEADER)
    except OSError:
        return b""
