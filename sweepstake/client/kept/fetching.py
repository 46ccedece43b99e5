"""Fetching the files of an attempt into a folder, in which no path of somebody else's leads anywhere else."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sweepstake.domain.files import PIECE, KeptFile, Manifest, Span, check_path, check_paths
from sweepstake.domain.records import JobRecord
from sweepstake.errors import StoreUnavailableError, UnusableFolderError
from sweepstake.folders import new_file
from sweepstake.queue.queue import Queue

__all__ = ["fetch"]

_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)


def _go_on() -> None:
    return None


def fetch(
    queue: Queue, job: JobRecord, folder: Path, attempt: int | None = None, before: Callable[[], None] = _go_on
) -> Manifest:
    """Write the files of an attempt into a folder, and return what they are.

    A file that is there already with the same content is left as it is, so that a fetch that broke goes on; one with
    another content is replaced. Files that the attempt does not have stay.

    Args:
        queue: where they are kept.
        job: the job.
        folder: is made if it is not there.
        attempt: the number of the attempt; None: the one that is DONE, else the latest.
        before: called before each file and each piece; what it raises ends the fetch.

    Raises:
        UnusableFolderError: a file cannot be written, a link or something else is in its way, or the file system takes
            the names of two for one; then nothing is written.
        StoreUnavailableError: a content is not what its sha256 says.
    """
    manifest = queue.list_files(job.reference, job.id, attempt)
    check_paths(manifest.files, "files")
    with _told(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _check_apart(folder, (each.path for each in manifest.files))
    for each in manifest.files:
        before()
        with _told(folder / each.path):
            path = _place(folder, each.path)
            if not _is_there(path, each):
                _write(queue, job, manifest.attempt, each, path, before)
    return manifest


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Let a failure to write something be told as what it is: a fault of this machine."""
    try:
        yield
    except (UnusableFolderError, StoreUnavailableError):
        raise
    except OSError as error:
        raise UnusableFolderError(f"{path} cannot be written: {error.strerror or error}") from error


def _check_apart(folder: Path, paths: Iterable[str]) -> None:
    """Raise UnusableFolderError if two files would be one here, as where case makes no difference."""
    apart: dict[str, str] = {}
    for path in paths:
        other = apart.setdefault(unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold()), path)
        if other != path and _folds(folder):
            raise UnusableFolderError(
                f"{other!r} and {path!r} are one file in {folder}, where case or the form of letters makes no "
                "difference; fetch them into a folder of another file system"
            )


def _folds(folder: Path) -> bool:
    """Tell whether a file system finds a file by its name in capitals."""
    draft = folder / f".sweepstake-{os.getpid()}.part"
    try:
        with new_file(draft):
            return draft.with_name(draft.name.upper()).exists()
    finally:
        draft.unlink(missing_ok=True)


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


def _write(
    queue: Queue, job: JobRecord, attempt: int, wanted: KeptFile, path: Path, before: Callable[[], None]
) -> None:
    """Write a file beside its place, and put it there when it is whole and what it should be."""
    draft = path.with_name(f".{secrets.token_hex(8)}.part")  # of this fetch alone; another may be under way
    digest = hashlib.sha256()
    try:
        with new_file(draft) as file:
            at = 0
            while at < wanted.size:
                before()
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
