"""Keeping the files and the output of the attempt that runs here, again and again while they change."""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from attrs import frozen

from sweepstake.domain.files import MAX_FILE, MAX_FILES, PIECE, KeptFile, Manifest, check_path
from sweepstake.domain.records import Claim
from sweepstake.errors import InvalidInputError
from sweepstake.queue.call import Patience, usual_patience
from sweepstake.queue.queue import Queue

__all__ = ["FilesKeeper", "OutputKeeper"]

#: How many folders may lie in each other.
_MAX_DEPTH: Final = 64
#: What the folder is called in what is told, in which everything else has its path from there.
_TOP: Final = "the folder itself"
#: Clocks of file systems stand still for some milliseconds, in which a file may change and still look as before.
_SETTLED: Final = 1_000_000_000

_logger = logging.getLogger(__name__)


@frozen
class _Seen:
    """What tells that a file has changed; nobody can set when its inode did."""

    size: int
    changed: int
    number: int

    @classmethod
    def of(cls, found: os.stat_result) -> _Seen:
        return cls(found.st_size, found.st_ctime_ns, found.st_ino)


class FilesKeeper:
    """Keeps the files below a folder; each call of `copy` keeps what has changed since the one before.

    Only regular files are kept, and no link is followed: whoever writes there may put one in the place of anything.
    What is left out is logged once. Not for several threads at once.

    Args:
        queue: where they are kept.
        claim: the attempt.
        folder: that of its results.
        keep: of how many earlier attempts the files stay in the end; None: of all.

    Attributes:
        left_out: why something was not kept by the last copy, by its path.
        unsettled: whether a file changed while the last copy read it, so that another copy would keep more.
    """

    def __init__(self, queue: Queue, claim: Claim, folder: Path, keep: int | None = None) -> None:
        self.left_out: dict[str, str] = {}
        self.unsettled = False
        self._queue = queue
        self._claim = claim
        self._folder = folder
        self._keep = keep
        #: By path: how a file looked, unless it may have changed since without looking so, and how it is kept.
        self._known: dict[str, tuple[_Seen | None, KeptFile]] = {}
        self._stated: tuple[KeptFile, ...] = ()
        self._told: set[str] = set()

    def copy(self, patience: Patience = usual_patience, *, last: bool = False) -> Manifest | None:
        """Keep the files as they are now; None if nothing has changed.

        A file that changes while it is read stays as it was kept before, until the next time.

        Args:
            patience: how long each call is tried while the store is away.
            last: the attempt has ended, so that files of earlier ones may go.

        Raises:
            StoreUnavailableError: the store was away for longer than that.
            UnusableFolderError: the disk of a store on a file is full.
            SweepstakeError: the store does not take it.
        """
        self.left_out, self.unsettled = {}, False
        files: list[KeptFile] = []
        for path, descriptor in _regular_files(self._folder, self.left_out):
            try:
                check_path(path, "path")
            except InvalidInputError as error:
                self.left_out[path] = error.problems[0][1]
                continue
            if len(files) == MAX_FILES:
                self.left_out[path] = f"is one of more than {MAX_FILES:,} files; keep an archive of them"
                break
            kept = self._file(path, descriptor, patience)
            if kept is not None:
                files.append(kept)
        for path in self.left_out.keys() - self._told:
            _logger.warning("%r is not kept: it %s", path, self.left_out[path])
        self._told |= self.left_out.keys()
        stated = tuple(sorted(files, key=lambda each: each.path))
        self._known = {each.path: self._known[each.path] for each in stated}
        job = self._claim.job
        keep = self._keep if last and job.attempt > 1 else None
        if stated == self._stated and keep is None:
            return None
        try:
            manifest = self._queue.keep_files(job.reference, job.id, self._claim.key, stated, keep, patience=patience)
        except InvalidInputError:  # what was kept is gone from there
            self._known.clear()
            raise
        self._stated = stated
        return manifest

    def _file(self, path: str, descriptor: int, patience: Patience) -> KeptFile | None:
        """Return a file as it is kept now."""
        before = self._known.get(path)
        now = time.time_ns()
        with os.fdopen(os.dup(descriptor), "rb", buffering=0) as file:
            found = os.fstat(descriptor)
            seen = _Seen.of(found)
            if before is not None and before[0] == seen:
                return before[1]
            if seen.size > MAX_FILE:
                self.left_out[path] = f"has more than {MAX_FILE:,} bytes"
                return None
            try:
                kept = KeptFile(path=path, size=seen.size, sha256=_digest(file, seen.size))
                if before is None or before[1] != kept:
                    self._put(file, kept, patience)
            except _UnreadableError as error:
                self.left_out[path] = str(error)
                return None
            except _ChangedError:
                self.unsettled = True
                return None if before is None else before[1]
        self._known[path] = (seen if now - found.st_ctime_ns > _SETTLED else None), kept
        return kept

    def _put(self, file: IO[bytes], kept: KeptFile, patience: Patience) -> None:
        """Put a content, from where the store has it; a store is not asked about what is sent at once."""
        held = self._send(kept, 0, b"", patience) if kept.size > PIECE else 0
        while held < kept.size or kept.size == 0:
            piece = _read(file, held, min(PIECE, kept.size - held))
            now = self._send(kept, held, piece, patience)
            if now == held:
                break
            held = now

    def _send(self, kept: KeptFile, offset: int, piece: bytes, patience: Patience) -> int:
        job, key = self._claim.job, self._claim.key
        try:
            held = self._queue.put_content(
                job.reference, job.id, key, kept.sha256, kept.size, offset, piece, patience=patience
            )
        except InvalidInputError:  # it is no longer what it was when its sha256 was made
            raise _ChangedError from None
        return held.size


class OutputKeeper:
    """Keeps the output of an attempt from a file that only grows; each call of `copy` keeps what is new.

    Args:
        queue: where it is kept.
        claim: the attempt.
        file: where the output goes.

    Attributes:
        held: how many bytes are kept.
    """

    def __init__(self, queue: Queue, claim: Claim, file: Path) -> None:
        self.held = 0
        self._queue = queue
        self._claim = claim
        self._file = file

    def copy(self, patience: Patience = usual_patience) -> int:
        """Keep what was printed so far, and return how many bytes of it are kept: no more than `MAX_FILE`.

        Args:
            patience: how long each call is tried while the store is away.

        Raises:
            StoreUnavailableError: the store was away for longer than that.
            UnusableFolderError: the disk of a store on a file is full.
            SweepstakeError: the store does not take it.
        """
        job, key = self._claim.job, self._claim.key
        try:
            file = self._file.open("rb", buffering=0)
        except FileNotFoundError:
            return self.held
        with file:
            while True:
                file.seek(self.held)
                piece = file.read(min(PIECE, MAX_FILE - self.held))
                if not piece:
                    return self.held
                held = self._queue.append_log(job.reference, job.id, key, self.held, piece, patience=patience)
                self.held = held.size


class _ChangedError(Exception):
    """A file is not what it was when it was looked at."""


class _UnreadableError(Exception):
    """A file cannot be read; says why."""


def _read(file: IO[bytes], offset: int, length: int) -> bytes:
    """Return so many bytes of a file."""
    found = bytearray()
    try:
        file.seek(offset)
        while len(found) < length:
            part = file.read(length - len(found))
            if not part:
                raise _ChangedError
            found += part
    except OSError as error:
        raise _UnreadableError(f"cannot be read: {error.strerror}") from None
    return bytes(found)


def _digest(file: IO[bytes], size: int) -> str:
    """Return the sha256 of the first bytes of a file."""
    digest, at = hashlib.sha256(), 0
    while at < size:
        part = _read(file, at, min(size - at, PIECE // 4))
        digest.update(part)
        at += len(part)
    return digest.hexdigest()


def _regular_files(folder: Path, left_out: dict[str, str]) -> Iterator[tuple[str, int]]:
    """Yield the files below a folder, opened, with their paths from it; note what else is there.

    Folders are walked by their descriptors, and what goes meanwhile is passed over, be it the folder itself.
    """
    top = _opened(str(folder), None, _TOP, left_out)
    if top is None:
        return
    try:
        if stat.S_ISDIR(os.fstat(top).st_mode):
            yield from _below(top, "", left_out)
        else:
            left_out[_TOP] = "is a file"
    finally:
        os.close(top)


def _below(folder: int, above: str, left_out: dict[str, str]) -> Iterator[tuple[str, int]]:
    """Yield the files in an open folder, then those below; `above` is its path, with a slash behind it."""
    if above.count("/") > _MAX_DEPTH:
        left_out[above[:200]] = f"is more than {_MAX_DEPTH} folders deep"
        return
    try:
        with os.scandir(folder) as entries:
            found = sorted((entry.is_dir(follow_symlinks=False), entry.name) for entry in entries)
    except OSError as error:
        left_out[above.rstrip("/") or _TOP] = f"cannot be read: {error.strerror}"
        return
    for _, name in found:
        opened = _opened(name, folder, above + name, left_out)
        if opened is None:
            continue
        try:
            if stat.S_ISDIR(os.fstat(opened).st_mode):
                yield from _below(opened, f"{above}{name}/", left_out)
            else:
                yield above + name, opened
        finally:
            os.close(opened)


def _opened(name: str, folder: int | None, path: str, left_out: dict[str, str]) -> int | None:
    """Open what stands in a folder if it is a file or a folder; anything else is noted, but what is gone."""
    try:
        kind = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            left_out[path] = "is a link" if stat.S_ISLNK(kind) else "is no regular file"
            return None
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        left_out[path] = f"cannot be read: {error.strerror}"
        return None
