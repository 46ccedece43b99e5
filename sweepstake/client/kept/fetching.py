"""Fetching the files of an attempt into a folder, in which no path of somebody else's leads anywhere else."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path
from typing import Final

from sweepstake.domain.files import PIECE, KeptFile, Manifest, Span, check_path, check_paths
from sweepstake.domain.records import JobRecord
from sweepstake.errors import StoreUnavailableError, UnusableFolderError
from sweepstake.folders import new_file
from sweepstake.queue.queue import Queue

__all__ = ["fetch"]

_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)


def fetch(queue: Queue, job: JobRecord, folder: Path, attempt: int | None = None) -> Manifest:
    """Write the files of an attempt into a folder, and return what they are.

    A file that is there already with the same content is left as it is, so that a fetch that broke goes on; one with
    another content is replaced. Files that the attempt does not have stay.

    Args:
        queue: where they are kept.
        job: the job.
        folder: is made if it is not there.
        attempt: the number of the attempt; None: the one that is DONE, else the latest.

    Raises:
        UnusableFolderError: a file cannot be written, or a link or something else is in its way.
        StoreUnavailableError: a content is not what its sha256 says.
    """
    manifest = queue.list_files(job.reference, job.id, attempt)
    check_paths(manifest.files, "files")
    folder.mkdir(parents=True, exist_ok=True)
    for each in manifest.files:
        try:
            path = _place(folder, each.path)
            if not _is_there(path, each):
                _write(queue, job, manifest.attempt, each, path)
        except UnusableFolderError:
            raise
        except OSError as error:
            if isinstance(error, StoreUnavailableError):
                raise
            reason = error.strerror or str(error)
            raise UnusableFolderError(f"{folder / each.path} cannot be written: {reason}") from error
    return manifest


def _place(folder: Path, path: str) -> Path:
    """Return where a file goes; the folders above are made, and none of them is a link."""
    *above, name = check_path(path, "path").split("/")
    for each in above:
        folder /= each
        folder.mkdir(exist_ok=True)
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise UnusableFolderError(f"{folder} is a link, or no folder; nothing is written through it")
    return folder / name


def _is_there(path: Path, wanted: KeptFile) -> bool:
    """Tell whether a file has the content already."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_LINK | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link, which is replaced and not followed
            return False
        raise
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size != wanted.size:
            return False
        return hashlib.file_digest(file, "sha256").hexdigest() == wanted.sha256


def _write(queue: Queue, job: JobRecord, attempt: int, wanted: KeptFile, path: Path) -> None:
    """Write a file beside its place, and put it there when it is whole and what it should be."""
    draft = path.with_name(f".{hashlib.sha256(path.name.encode()).hexdigest()[:24]}.part")
    digest = hashlib.sha256()
    try:
        with new_file(draft) as file:
            at = 0
            while at < wanted.size:
                piece = queue.get_content(job.reference, job.id, attempt, wanted.sha256, Span(at, at + PIECE - 1))
                if not piece.content or piece.offset != at:
                    raise StoreUnavailableError(f"{wanted.path!r} ended at {at:,} of {wanted.size:,} bytes")
                digest.update(piece.content)
                file.write(piece.content)
                at += len(piece.content)
        if at != wanted.size or digest.hexdigest() != wanted.sha256:
            raise StoreUnavailableError(f"{wanted.path!r} did not arrive as it was kept")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
