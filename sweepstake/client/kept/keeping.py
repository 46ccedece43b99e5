"""Keeping the files and the output of the attempt that runs here, again and again while they change."""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from attrs import frozen

from sweepstake.domain.files import MAX_FILE, MAX_FILES, PIECE, KeptFile, Manifest, check_path
from sweepstake.domain.records import Claim
from sweepstake.errors import InvalidInputError
from sweepstake.queue.queue import Queue

__all__ = ["FilesKeeper", "OutputKeeper"]

_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)

_logger = logging.getLogger(__name__)


@frozen
class _Seen:
    """What tells that a file has changed."""

    size: int
    changed: int
    number: int

    @classmethod
    def of(cls, found: os.stat_result) -> _Seen:
        return cls(found.st_size, found.st_mtime_ns, found.st_ino)


class FilesKeeper:
    """Keeps the files below a folder; each call of `copy` keeps what has changed since the one before.

    Only regular files are kept, and no link is followed. What cannot be kept is logged once and left out. Not for
    several threads at once.

    Args:
        queue: where they are kept.
        claim: the attempt.
        folder: that of its results.
        keep: of how many earlier attempts the files stay; None: of all.
    """

    def __init__(self, queue: Queue, claim: Claim, folder: Path, keep: int | None = None) -> None:
        self._queue = queue
        self._claim = claim
        self._folder = folder
        self._keep = keep
        self._known: dict[str, tuple[_Seen, KeptFile]] = {}
        self._stated: tuple[KeptFile, ...] | None = None
        self._told: set[str] = set()

    def copy(self) -> Manifest | None:
        """Keep the files as they are now; None if nothing has changed.

        A file that changes while it is read stays as it was kept before, until the next time.

        Raises:
            StoreUnavailableError: the store was away for longer than calls are tried.
            SweepstakeError: the store does not take it.
        """
        files: list[KeptFile] = []
        for path, entry in sorted(_regular_files(self._folder, "")):
            try:
                check_path(path, "path")
            except InvalidInputError as error:
                self._leave_out(path, error.problems[0][1])
                continue
            if len(files) == MAX_FILES:
                self._leave_out(path, f"is one of more than {MAX_FILES:,} files; keep an archive of them")
                break
            kept = self._file(path, entry)
            if kept is not None:
                files.append(kept)
        if tuple(files) == self._stated:
            return None
        job = self._claim.job
        manifest = self._queue.keep_files(job.reference, job.id, self._claim.key, files, self._keep)
        self._stated = tuple(files)
        return manifest

    def _file(self, path: str, entry: Path) -> KeptFile | None:
        """Return a file as it is kept now."""
        before = self._known.get(path)
        try:
            with os.fdopen(os.open(entry, os.O_RDONLY | _NO_LINK | os.O_NONBLOCK), "rb") as file:
                found = os.fstat(file.fileno())
                seen = _Seen.of(found)
                if not stat.S_ISREG(found.st_mode):
                    return None
                if before is not None and before[0] == seen:
                    return before[1]
                if seen.size > MAX_FILE:
                    self._leave_out(path, f"has more than {MAX_FILE:,} bytes")
                    return None
                kept = KeptFile(path=path, size=seen.size, sha256=_digest(file, seen.size))
                self._put(file, kept)
        except (OSError, _ChangedError) as error:
            if isinstance(error, ConnectionError):  # the store's, not the file's
                raise
            return None if before is None else before[1]
        self._known[path] = seen, kept
        return kept

    def _put(self, file: IO[bytes], kept: KeptFile) -> None:
        """Put a content, from where the store has it."""
        job, key = self._claim.job, self._claim.key
        ask = (job.reference, job.id, key, kept.sha256, kept.size)
        held = self._queue.put_content(*ask, 0, b"").size
        while held < kept.size:
            file.seek(held)
            piece = file.read(min(PIECE, kept.size - held))
            if not piece:
                raise _ChangedError
            try:
                now = self._queue.put_content(*ask, held, piece).size
            except InvalidInputError:
                raise _ChangedError from None
            held = now

    def _leave_out(self, path: str, reason: str) -> None:
        if path not in self._told:
            self._told.add(path)
            _logger.warning("%r is not kept: it %s", path, reason)


class OutputKeeper:
    """Keeps the output of an attempt from a file that only grows; each call of `copy` keeps what is new.

    Args:
        queue: where it is kept.
        claim: the attempt.
        file: where the output goes.
    """

    def __init__(self, queue: Queue, claim: Claim, file: Path) -> None:
        self._queue = queue
        self._claim = claim
        self._file = file
        self._held: int | None = None

    def copy(self) -> int:
        """Keep what was printed so far, and return how many bytes of it are kept."""
        job, key = self._claim.job, self._claim.key
        held = self._held
        if held is None:
            held = self._queue.append_log(job.reference, job.id, key, 0, b"").size
        try:
            file = self._file.open("rb")
        except FileNotFoundError:
            return held
        with file:
            file.seek(held)
            while piece := file.read(PIECE):
                held = self._queue.append_log(job.reference, job.id, key, held, piece).size
                file.seek(held)
        self._held = held
        return held


class _ChangedError(Exception):
    """A file is not what it was when it was looked at."""


def _digest(file: IO[bytes], size: int) -> str:
    """Return the sha256 of the first bytes of a file."""
    digest, left = hashlib.sha256(), size
    while left:
        part = file.read(min(left, PIECE // 4))
        if not part:
            raise _ChangedError
        digest.update(part)
        left -= len(part)
    return digest.hexdigest()


def _regular_files(folder: Path, above: str) -> Iterator[tuple[str, Path]]:
    """Yield the files below a folder, with their paths from it; what goes meanwhile is passed over."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for each in entries:
        try:
            if each.is_dir(follow_symlinks=False):
                yield from _regular_files(Path(each.path), f"{above}{each.name}/")
            elif each.is_file(follow_symlinks=False):
                yield above + each.name, Path(each.path)
        except OSError:
            continue
