"""`Spool`: the folder of the reports that wait for one store."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from sweepstake.domain.names import file_name
from sweepstake.errors import InvalidInputError, NotFoundError, SpoolError
from sweepstake.folders import check_own, own_folder, write_whole
from sweepstake.spool.entry import Entry

if sys.platform != "win32":
    import fcntl

__all__ = ["Spool", "every_spool"]

_ENDING: Final = ".json"
_LOCK: Final = "lock"


class Spool:
    """Reports that wait for one store, a JSON file each, which only their owner can read.

    Args:
        folder: where the files are; it is made with the first of them.
        store: the store's address; see `address_of`.

    Attributes:
        news: an entry was put here through this object, and nobody has looked since.
    """

    def __init__(self, folder: Path, store: str) -> None:
        self.folder: Final = folder
        self.store: Final = store
        self.news = False

    @classmethod
    def of(cls, root: Path, store: str) -> Spool:
        """Return the spool of a store, among those of all stores in `root`."""
        folder = root / file_name(store)
        former = folder.with_name(folder.name.replace("+", "."))  # as releases before named it, if the name is long
        return cls(former if former.is_dir() else folder, store)

    def path(self, key: str) -> Path:
        """Return the file of an entry."""
        return self.folder / f"{key}{_ENDING}"

    def waiting(self) -> list[str]:
        """Return the keys of all entries, oldest first.

        Raises:
            SpoolError: the folder is somebody else's, whose reports would be delivered as this user's.
        """
        try:
            check_own(self.folder, link=False)
            files = list(self.folder.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise SpoolError(f"{error.filename or self.folder} cannot be used: {error.strerror}") from error
        return sorted(file.stem for file in files if file.suffix == _ENDING and file.name[0] != ".")

    def keep(self, entry: Entry) -> Path:
        """Write an entry, whole or not at all; when this returns, it survives a power cut.

        Raises:
            SpoolError: the disk is full, or the folder cannot be written.
        """
        self._write(entry)
        self.news = True
        return self.path(entry.key)

    def update(self, entry: Entry) -> None:
        """Write an entry again, unless it is gone meanwhile.

        Raises:
            SpoolError: as for `keep`.
        """
        if self.path(entry.key).exists():
            self._write(entry)

    def read(self, key: str) -> Entry:
        """Return an entry.

        Raises:
            NotFoundError: it is gone: delivered, or dropped.
            SpoolError: its file cannot be read.
        """
        path = self.path(key)
        try:
            return Entry.of_text(path.read_bytes())
        except FileNotFoundError:
            raise NotFoundError(f"there is no entry {key!r} in the spool; see `sweepstake spool list`") from None
        except (OSError, InvalidInputError) as error:
            raise SpoolError(f"{path} cannot be read ({error}); mend it, or remove it") from None

    def drop(self, key: str) -> bool:
        """Remove an entry; False when it was gone already."""
        try:
            self.path(key).unlink()
        except FileNotFoundError:
            return False
        return True

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Tell whether no other process delivers from this spool; until the block ends, none will.

        It only spares others the work: what is delivered twice is still recorded once. So where there are no locks, as
        on some network file systems, everybody delivers.
        """
        try:
            descriptor = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            yield True
            return
        try:
            yield _lock(descriptor)
        finally:
            os.close(descriptor)

    def _write(self, entry: Entry) -> None:
        path = self.path(entry.key)
        try:
            own_folder(self.folder.parents[1], self.folder.parent.name, self.folder.name, sync=True)
            write_whole(path, entry.text().encode(), sync=True)
        except OSError as error:
            raise SpoolError(f"{path} cannot be written: {error.strerror or error}") from error


def _lock(descriptor: int) -> bool:
    """Take the lock of a file; False if another process has it."""
    if sys.platform == "win32":
        return True
    try:
        # Not flock, which a child forked meanwhile would hold on to.
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EAGAIN, errno.EACCES)
    return True


def every_spool(root: Path) -> list[Spool]:
    """Return the spools of all stores, also of those that are empty by now."""
    try:
        folders = sorted(folder for folder in root.iterdir() if folder.is_dir())
    except FileNotFoundError:
        return []
    return [Spool(folder, _store_of(folder)) for folder in folders]


def _store_of(folder: Path) -> str:
    """Return the address for which a folder was made; a long one is cut in the folder's name, but not in the files."""
    spool = Spool(folder, unquote(folder.name))
    for key in spool.waiting():
        with suppress(SpoolError, NotFoundError):
            return spool.read(key).store
    return spool.store
