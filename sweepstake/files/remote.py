"""`RemoteDrive`: files at a URL that fsspec knows, such as a bucket.

What is there cannot grow, so whatever grows is a folder of parts, each named by where it begins.
"""

from __future__ import annotations

import posixpath
from contextlib import suppress
from typing import Any, Final

import fsspec

__all__ = ["RemoteDrive"]

#: A part that is shorter is written again with what follows, so that output in small pieces has few parts.
_SMALL: Final = 1024 * 1024


class RemoteDrive:
    """A place below a URL; see `sweepstake.files.shelf.Drive`.

    Args:
        url: as fsspec reads it. What it needs beside the URL, such as keys, it finds where its own documentation says.
    """

    def __init__(self, url: str) -> None:
        self._files: Any
        self._files, self._root = fsspec.core.url_to_fs(url, use_listings_cache=False)

    def size(self, *name: str) -> int | None:
        """See `Drive.size`."""
        parts = self._parts(*name)
        return None if not parts else parts[-1][0] + parts[-1][1]

    def append(self, offset: int, data: bytes, *name: str) -> None:
        """See `Drive.append`."""
        parts = self._parts(*name)
        if parts and 0 < parts[-1][1] < _SMALL:
            first = parts[-1][0]
            data, offset = self._files.cat_file(self._part(first, *name)) + data, first
        self._write(data, self._part(offset, *name))

    def read(self, offset: int, length: int, *name: str) -> bytes:
        """See `Drive.read`."""
        parts = self._parts(*name)
        if not parts:
            raise FileNotFoundError(self._path(*name))
        found = bytearray()
        for begin, size in parts:
            low, high = max(offset, begin), min(offset + length, begin + size)
            if low < high:
                found += self._files.cat_file(self._part(begin, *name), start=low - begin, end=high - begin)
        return bytes(found)

    def move(self, name: tuple[str, ...], to: tuple[str, ...]) -> None:
        """See `Drive.move`: the last part goes last, so that what is not whole is not taken for it."""
        parts = self._parts(*name)
        for begin, _ in parts:
            self._files.makedirs(self._path(*to), exist_ok=True)
            self._files.copy(self._part(begin, *name), self._part(begin, *to))
        self.remove(*name)

    def settle(self, *folder: str) -> None:
        """See `Drive.settle`: an object is there once it is written."""

    def replace(self, data: bytes, *name: str) -> None:
        """See `Drive.replace`: a place that keeps objects writes each as a whole."""
        self._write(data, self._part(0, *name))

    def names(self, *folder: str) -> list[str]:
        """See `Drive.names`."""
        try:
            found = self._files.ls(self._path(*folder), detail=False)
        except FileNotFoundError:
            return []
        return sorted(posixpath.basename(each.rstrip("/")) for each in found)

    def remove(self, *name: str) -> None:
        """See `Drive.remove`."""
        with suppress(FileNotFoundError):
            self._files.rm(self._path(*name), recursive=True)

    def _parts(self, *name: str) -> list[tuple[int, int]]:
        """Return where each part begins, and how long it is."""
        try:
            found = self._files.ls(self._path(*name), detail=True)
        except FileNotFoundError:
            return []
        return sorted((int(posixpath.basename(each["name"]), 16), each["size"]) for each in found)

    def _write(self, data: bytes, path: str) -> None:
        self._files.makedirs(posixpath.dirname(path), exist_ok=True)
        self._files.pipe_file(path, data)

    def _part(self, offset: int, *name: str) -> str:
        return self._path(*name, f"{offset:016x}")

    def _path(self, *name: str) -> str:
        return posixpath.join(self._root, *name)
