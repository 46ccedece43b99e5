"""`FolderDrive`: files in a folder of this machine, for its user alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from attrs import frozen

from sweepstake.folders import own_folder, sync_file, sync_folder, usable, write_whole

__all__ = ["FolderDrive"]

_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)


@frozen
class FolderDrive:
    """A folder with folders below; see `sweepstake.files.shelf.Drive`.

    Args:
        root: an absolute path; it is made when something is kept.
    """

    root: Path

    def size(self, *name: str) -> int | None:
        """See `Drive.size`."""
        with self._usable():
            try:
                return self.root.joinpath(*name).lstat().st_size
            except (FileNotFoundError, NotADirectoryError):
                return None

    def append(self, offset: int, data: bytes, *name: str) -> None:
        """See `Drive.append`."""
        with self._usable():
            path = own_folder(self.root, *name[:-1]) / name[-1]
            descriptor = os.open(path, os.O_WRONLY | _NO_LINK | (0 if offset else os.O_CREAT), 0o600)
            try:
                view = memoryview(data)
                while view:
                    written = os.pwrite(descriptor, view, offset)
                    view, offset = view[written:], offset + written
            finally:
                os.close(descriptor)

    def read(self, offset: int, length: int, *name: str) -> bytes:
        """See `Drive.read`."""
        with self._usable():
            descriptor = os.open(self.root.joinpath(*name), os.O_RDONLY | _NO_LINK)
            try:
                return os.pread(descriptor, length, offset)
            finally:
                os.close(descriptor)

    def move(self, name: tuple[str, ...], to: tuple[str, ...]) -> None:
        """See `Drive.move`."""
        with self._usable():
            folder = own_folder(self.root, *to[:-1])
            path = self.root.joinpath(*name)
            descriptor = os.open(path, os.O_RDONLY | _NO_LINK)
            try:
                sync_file(descriptor)
            finally:
                os.close(descriptor)
            path.replace(folder / to[-1])

    def settle(self, *folder: str) -> None:
        """See `Drive.settle`."""
        with self._usable():
            sync_folder(self.root.joinpath(*folder))

    def replace(self, data: bytes, *name: str) -> None:
        """See `Drive.replace`."""
        with self._usable():
            write_whole(own_folder(self.root, *name[:-1], sync=True) / name[-1], data, sync=True)

    def names(self, *folder: str) -> list[str]:
        """See `Drive.names`."""
        with self._usable():
            try:
                return sorted(each.name for each in self.root.joinpath(*folder).iterdir())
            except (FileNotFoundError, NotADirectoryError):
                return []

    def remove(self, *name: str) -> None:
        """See `Drive.remove`."""
        path = self.root.joinpath(*name)
        with self._usable():
            try:
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
            except FileNotFoundError:
                return

    @contextmanager
    def _usable(self) -> Iterator[None]:
        with usable(self.root, "SWEEPSTAKE_FILES"):
            yield
