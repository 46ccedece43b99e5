"""The folder in which an attempt leaves its results, kept while it changes and at the end."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import stat
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, Protocol

from attrs import field, frozen

from sweepstake.folders import new_file, own_folder, sync_file

__all__ = ["INTERVAL", "FolderShelf", "KeptFile", "Manifest", "Shelf", "keeping"]

#: Seconds between two looks for what has changed.
INTERVAL: Final = 30.0
_CHUNK: Final = 1024 * 1024
#: The name of a manifest on a shelf that is a folder; the files lie in a folder beside it.
_MANIFEST: Final = "manifest.json"
_FILES: Final = "files"

_logger = logging.getLogger(__name__)


@frozen
class KeptFile:
    """A file as it was when it was kept.

    Attributes:
        path: below the folder of results, with slashes.
        size: bytes.
        sha256: of its content, as hexadecimal digits.
    """

    path: str
    size: int
    sha256: str


@frozen(kw_only=True)
class Manifest:
    """What is kept of an attempt.

    Attributes:
        files: by their paths.
        left_out: what is not kept, and why: links, which may lead anywhere, and what is no file.
        complete: whether the attempt has ended, and this is all that it left.
    """

    files: tuple[KeptFile, ...]
    left_out: Mapping[str, str] = field(factory=dict)
    complete: bool = False


class Shelf(Protocol):
    """Where the results of one attempt are kept."""

    def put(self, path: str, content: IO[bytes]) -> KeptFile:
        """Keep a file, in the place of what was kept under this path.

        Raises:
            OSError: there is no room.
        """
        ...

    def list(self, manifest: Manifest) -> None:
        """Say what is kept; what it does not name is not a part of the results any more.

        Raises:
            OSError: there is no room.
        """
        ...


class FolderShelf:
    """A shelf that is a folder: files in one below it, and beside them a manifest.

    Args:
        folder: of the attempt; it is made when there is something to keep.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = folder / _FILES

    def put(self, path: str, content: IO[bytes]) -> KeptFile:
        """Copy a file; it is whole or as it was before."""
        own_folder(self._folder, _FILES, shared=True)
        target = self._files / path
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self._folder / ".draft"
        digest, size = hashlib.sha256(), 0
        with new_file(draft) as file:
            while chunk := content.read(_CHUNK):
                digest.update(chunk)
                size += file.write(chunk)
            file.flush()
            sync_file(file.fileno())
        draft.replace(target)
        return KeptFile(path, size, digest.hexdigest())

    def list(self, manifest: Manifest) -> None:
        """Write the manifest, and remove files that it does not name."""
        if not manifest.files and not manifest.left_out and not self._files.exists():
            return
        own_folder(self._folder, _FILES, shared=True)
        named = {self._files / file.path for file in manifest.files}
        for here, _, names in os.walk(self._files):
            for path in (Path(here, name) for name in names):
                if path not in named:
                    path.unlink()
        draft = self._folder / ".draft"
        with new_file(draft) as file:
            file.write(_text(manifest).encode())
            file.flush()
            sync_file(file.fileno())
        draft.replace(self._folder / _MANIFEST)


def _text(manifest: Manifest) -> str:
    files = [{"path": file.path, "size": file.size, "sha256": file.sha256} for file in manifest.files]
    return json.dumps({"complete": manifest.complete, "files": files, "leftOut": dict(manifest.left_out)}, indent=1)


@contextmanager
def keeping(folder: Path, shelf: Shelf, interval: float = INTERVAL) -> Iterator[None]:
    """Keep the files of a folder while the block runs, and all of them at its end.

    What cannot be kept on the way is tried again at the next look.

    Args:
        folder: in which an attempt leaves its results.
        shelf: where they are kept.
        interval: seconds between two looks.

    Raises:
        OSError: at the end, there is no room for them.
    """
    keeper = _Keeper(folder, shelf)
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(interval):
            try:
                keeper.keep(complete=False)
            except OSError as error:
                _logger.warning("The results in %s cannot be kept now: %s", folder, error)

    thread = threading.Thread(target=go_on, name="sweepstake-results", daemon=True)
    thread.start()
    try:
        yield
    except BaseException as error:  # the user's own goes on; what cannot be kept becomes a note on it
        try:
            _end(over, thread, keeper)
        except OSError as problem:
            error.add_note(f"the results in {folder} could not be kept: {problem}")
        raise
    _end(over, thread, keeper)


def _end(over: threading.Event, thread: threading.Thread, keeper: _Keeper) -> None:
    over.set()
    thread.join()
    keeper.keep(complete=True)


class _Keeper:
    """Keeps what has changed since the last look."""

    def __init__(self, folder: Path, shelf: Shelf) -> None:
        self._folder = folder
        self._shelf = shelf
        #: For each path when it was changed last, its size and its number, and how it was kept.
        self._kept: dict[str, tuple[tuple[int, int, int], KeptFile]] = {}
        self._listed: Manifest | None = None

    def keep(self, *, complete: bool) -> None:
        """Look once."""
        left_out: dict[str, str] = {}
        kept: dict[str, tuple[tuple[int, int, int], KeptFile]] = {}
        for path, descriptor in _files(self._folder, left_out):
            found = os.fstat(descriptor)
            version = (found.st_mtime_ns, found.st_size, found.st_ino)
            before = self._kept.get(path)
            if before is not None and before[0] == version:
                kept[path] = before
                continue
            with os.fdopen(os.dup(descriptor), "rb") as content:
                kept[path] = version, self._shelf.put(path, content)
            self._kept[path] = kept[path]
        self._kept = kept
        files = tuple(file for _, file in sorted(kept.values(), key=lambda each: each[1].path))
        manifest = Manifest(files=files, left_out=left_out, complete=complete)
        if manifest != self._listed:
            self._shelf.list(manifest)
            self._listed = manifest


def _files(folder: Path, left_out: dict[str, str]) -> Iterator[tuple[str, int]]:
    """Yield all files below a folder, opened, without following a link; what is none is noted.

    Folders are walked by their descriptors: whoever writes there may put a link in the place of one meanwhile.
    """
    for here, folders, names, descriptor in os.fwalk(folder, follow_symlinks=False):
        below = Path(here).relative_to(folder)
        for name in (*folders, *names):
            path = str(below / name)
            try:
                kind = os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode
            except FileNotFoundError:  # it is gone again
                continue
            if stat.S_ISDIR(kind):
                continue
            if not stat.S_ISREG(kind):
                left_out[path] = "a link" if stat.S_ISLNK(kind) else "no file"
                continue
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            try:
                file = os.open(name, flags, dir_fd=descriptor)
            except FileNotFoundError:
                continue
            except OSError as error:
                left_out[path] = error.strerror or str(error)
                continue
            try:
                yield path, file
            finally:
                os.close(file)
