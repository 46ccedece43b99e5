"""Whether a folder is on a network file system, where SQLite's locks cannot be trusted."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import Final

from sweepstake.errors import StoreRefusedError

__all__ = ["NETWORK_TYPES", "file_system_type", "is_network", "refuse_network"]

#: File systems that other machines may write to, by their names in Linux's mount table and in macOS's `statfs`.
NETWORK_TYPES: Final = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb", "smb3", "smbfs", "ncpfs", "afs", "afpfs", "webdav", "davfs", "coda"),
        *("lustre", "gpfs", "beegfs", "beegfs_nodev", "ceph", "glusterfs", "ocfs2", "gfs2", "orangefs", "pvfs2"),
        *("9p", "panfs", "wekafs", "quobyte", "moosefs", "lizardfs", "vmhgfs", "prl_fs", "vboxsf", "acfs"),
        *("dvs", "macfuse", "osxfuse"),
    }
)
#: FUSE tells what stands behind it after a dot; these stand on the machine itself.
_LOCAL_FUSE: Final = frozenset(
    {
        *("ext2", "ext4", "ntfs", "ntfs3", "ntfs-3g", "exfat", "zfs"),
        *("bindfs", "fuse-overlayfs", "unionfs", "mergerfs", "encfs", "gocryptfs", "cryfs", "veracrypt"),
    }
)
#: `f_type` of Linux's `statfs`, for a path that the mount table does not explain.
_MAGIC: Final = {
    0x6969: "nfs",
    0xFF534D42: "cifs",
    0xFE534D42: "smb3",
    0x517B: "smb",
    0x0BD00BD0: "lustre",
    0x47504653: "gpfs",
    0x19830326: "beegfs",
    0x00C36400: "ceph",
    0x01021997: "9p",
    0x5346414F: "afs",
    0x73757245: "coda",
    0x7461636F: "ocfs2",
    0x01161970: "gfs2",
    0x20030528: "orangefs",
    0xAAD7AAEA: "panfs",
    0x786F4256: "vboxsf",
}
_MOUNT_TABLE: Final = Path("/proc/self/mountinfo")
_MACOS_NAME_OFFSET: Final = 72
_MACOS_NAME_SIZE: Final = 16


def refuse_network(path: Path, mount_table: Path = _MOUNT_TABLE) -> None:
    """Raise unless a SQLite file at `path` would be on a file system of this machine.

    Args:
        path: need not exist, nor its folders.
        mount_table: the file in which Linux says what is mounted where.

    Raises:
        StoreRefusedError: it would be on a network file system; says what to do.
    """
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    kind = _mounted_type(Path(os.path.realpath(folder)), mount_table)
    if kind is not None and is_network(kind):
        raise StoreRefusedError(
            f"{path} is on a network file system ({kind}), on which SQLite can lose or corrupt jobs. "
            "Keep the file on a local disk of one machine, run `sweepstake serve --url sqlite:////local/path` there, "
            "and connect to its http:// URL from the others."
        )


def is_network(kind: str) -> bool:
    """Tell whether other machines may write to a type of file system; an unknown one behind FUSE counts as such."""
    family, _, behind = kind.partition(".")
    if family == "fuse" and behind:
        return behind not in _LOCAL_FUSE
    return kind in NETWORK_TYPES


def file_system_type(mount_table: str, path: str) -> str | None:
    """Return the type of the file system that holds `path`, by the text of `/proc/self/mountinfo`.

    Of two mounts on one place the later hides the earlier; a path belongs to the deepest place above it.

    Args:
        path: absolute, without symbolic links.
    """
    best, kind = "", None
    for line in mount_table.splitlines():
        left, separator, right = line.partition(" - ")
        fields, types = left.split(" "), right.split(" ")
        if not separator or len(fields) < 5:
            continue
        place = _unescape(fields[4])
        inside = place in ("/", path) or path.startswith(place + "/")
        if inside and len(place) >= len(best):
            best, kind = place, types[0]
    return kind


def _unescape(place: str) -> str:
    r"""Undo the octal escapes of the mount table: `\040` is a space."""
    raw = place.encode("utf-8", "surrogateescape")
    for code in (b"040", b"011", b"012", b"134"):
        raw = raw.replace(b"\\" + code, bytes([int(code, 8)]))
    return raw.decode("utf-8", "surrogateescape")


def _mounted_type(folder: Path, mount_table: Path) -> str | None:
    """Ask the machine; None if it cannot tell."""
    if sys.platform == "darwin":
        return _macos_type(folder)
    magic = _MAGIC.get(_linux_magic(folder))
    if magic is not None:
        return magic
    try:
        table = mount_table.read_text("utf-8", errors="surrogateescape")
    except OSError:
        return None
    return file_system_type(table, str(folder))


def _linux_magic(folder: Path) -> int:
    """Return `f_type`, the first word of what `statfs` tells."""
    answer = ctypes.create_string_buffer(1024)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.statfs(os.fsencode(folder), answer) != 0:
        return 0
    return ctypes.c_ulong.from_buffer(answer).value & 0xFFFFFFFF


def _macos_type(folder: Path) -> str | None:
    """Return `f_fstypename` of what `statfs` tells."""
    answer = ctypes.create_string_buffer(4096)
    libc = ctypes.CDLL(None, use_errno=True)
    # On Intel the plain name is that of an older, smaller structure.
    statfs = getattr(libc, "statfs$INODE64", None) or libc.statfs
    if statfs(os.fsencode(folder), answer) != 0:
        return None
    name = answer.raw[_MACOS_NAME_OFFSET : _MACOS_NAME_OFFSET + _MACOS_NAME_SIZE]
    return name.partition(b"\0")[0].decode("ascii", "replace")
