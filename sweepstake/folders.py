"""Folders and files of this user alone: nobody else reads them, and nobody else has put something in their place."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from typing import IO, Final

from sweepstake.errors import UnusableFolderError

__all__ = [
    "changed_since",
    "check_own",
    "check_room",
    "native",
    "new_file",
    "own_folder",
    "sync_file",
    "sync_folder",
    "usable",
    "write_whole",
]

_PRIVATE: Final = 0o700
#: Bytes that a folder must have room for: a page of any file system.
_PROBE: Final = 4096
#: The errors by which file systems say that they have no such call.
_UNKNOWN: Final = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF)


def own_folder(root: Path, *below: str, shared: bool = False, sync: bool = False) -> Path:
    """Return the folder of these names below `root`; what is not there yet is made, for this user alone.

    Args:
        root: an absolute path; it may be a link.
        below: names of folders, which may not.
        shared: whether `root` may belong to somebody else, as a folder on a disk for several users does.
        sync: whether what is made must outlast a power cut.

    Raises:
        OSError: it cannot be made, or it is not this user's; `filename` says which folder.
    """
    if not os.path.lexists(root):
        for each in reversed([root, *takewhile(lambda each: not os.path.lexists(each), root.parents)]):
            _make(str(each), sync=sync)
    if not shared:
        check_own(root)
    folder = str(root)
    for name in below:
        folder = os.path.join(folder, name)  # noqa: PTH118 -- every attempt makes several, and paths cost more than calls
        try:
            check_own(folder, link=False)
        except FileNotFoundError:
            if not _make(folder, sync=sync):
                check_own(folder, link=False)
    return Path(folder)


def check_own(folder: Path | str, *, link: bool = True) -> None:
    """Raise OSError unless a path is a folder that belongs to this user or to the system.

    Whoever owns a folder can put links into it, and what is written there is written elsewhere.

    Args:
        folder: the path.
        link: whether it may be a link.
    """
    here = os.lstat(folder)
    if stat.S_ISLNK(here.st_mode):
        if not link:
            raise OSError(errno.ELOOP, "is a link, which somebody may have put there; remove it", str(folder))
        _check_owner(here, folder)
        here = Path(folder).stat()
    if not stat.S_ISDIR(here.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    _check_owner(here, folder)


def check_room(folder: Path) -> float:
    """Raise OSError if nothing can be written into a folder: its disk is full, over quota or read-only.

    Returns:
        Unix time by the disk's own clock, which may be another machine's.
    """
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        file.write(bytes(_PROBE))
        return os.fstat(file.fileno()).st_mtime


def changed_since(folder: Path, moment: float) -> bool:
    """Tell whether something below a folder was made or written after a moment of its disk's clock."""
    ahead = [folder]
    while ahead:
        with suppress(OSError), os.scandir(ahead.pop()) as entries:  # somebody clears away
            for each in entries:
                with suppress(OSError):
                    if each.stat(follow_symlinks=False).st_mtime > moment:
                        return True
                    if each.is_dir(follow_symlinks=False):
                        ahead.append(Path(each.path))
    return False


def new_file(path: Path, *, buffering: int = -1) -> IO[bytes]:
    """Open a file for writing that only this user can read, in the place of whatever stands there, which is removed.

    Raises:
        OSError: it cannot be made.
    """
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, 0o600), "wb", buffering=buffering)


def write_whole(path: Path, content: bytes, *, sync: bool = False) -> None:
    """Write a file that only this user can read: whoever reads it sees it as it was, or as it is now.

    It takes the place of whatever stands there, also of a link. Several may write it at once; one of them is the last.

    Args:
        path: where it is to be.
        content: all of it.
        sync: whether it must outlast a power cut.

    Raises:
        OSError: it cannot be written; then what was there stays.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with new_file(draft) as file:
            file.write(content)
            if sync:
                file.flush()
                sync_file(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    if sync:
        sync_folder(path.parent)


@contextmanager
def usable(folder: Path, variable: str) -> Iterator[None]:
    """Let a failure to make or write something in a folder be told as what it is: a fault of this machine.

    Args:
        folder: where.
        variable: the setting that says where.

    Raises:
        UnusableFolderError: in the place of an OSError.
    """
    try:
        yield
    except UnusableFolderError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnusableFolderError(
            f"{error.filename or folder} cannot be used: {reason}; "
            f"mend that, or set {variable} to another folder, such as a new one"
        ) from error


def native(text: str) -> Path:
    """Return the path that this text names, in UTF-8 whatever the locale."""
    return Path(text if sys.platform == "win32" else os.fsdecode(text.encode("utf-8", "surrogateescape")))


def sync_folder(folder: Path) -> None:
    """Put a folder's names on the disk; Windows has no such call, and its file systems keep names in order."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        sync_file(descriptor)
    finally:
        os.close(descriptor)


def sync_file(descriptor: int) -> None:
    """Put a file or folder on the disk; where the file system knows no such call, it is as safe there as can be."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNKNOWN:
            raise


def _make(folder: str, *, sync: bool) -> bool:
    """Make a folder; tell whether it was not there."""
    try:
        os.mkdir(folder, _PRIVATE)  # noqa: PTH102 -- as above
    except FileExistsError:
        return False
    if sync:
        sync_folder(Path(folder).parent)
    return True


def _check_owner(found: os.stat_result, folder: Path | str) -> None:
    if sys.platform == "win32" or found.st_uid in (os.geteuid(), 0) or _is_ownerless(folder, found.st_uid):
        return
    raise PermissionError(
        errno.EPERM, f"belongs to another user (number {found.st_uid}), who could put links into it", str(folder)
    )


def _is_ownerless(folder: Path | str, owner: int) -> bool:
    """Tell whether all that is made in a folder belongs to its owner, as on disks that keep no owners."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            return os.fstat(file.fileno()).st_uid == owner
    except OSError:
        return False
