"""An id for the time since the machine was last started."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

from sweepstake.errors import StoreRefusedError

__all__ = ["boot_id"]

_LINUX_BOOT = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Return an id that changes with every start of the machine: monotonic times from before it mean nothing.

    Raises:
        StoreRefusedError: the machine does not tell.
    """
    try:
        if sys.platform == "darwin":
            return _sysctl(b"kern.bootsessionuuid")
        return _LINUX_BOOT.read_text("ascii").strip()
    except OSError as error:
        raise StoreRefusedError(
            f"This machine does not tell when it was started ({error}), without which leases in a SQLite file cannot "
            "be judged. Mount /proc here, or use a server: `sweepstake serve` on another machine."
        ) from error


def _sysctl(name: bytes) -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    size = ctypes.c_size_t(256)
    value = ctypes.create_string_buffer(size.value)
    if libc.sysctlbyname(name, value, ctypes.byref(size), None, ctypes.c_size_t(0)) != 0:
        raise OSError(ctypes.get_errno(), f"sysctl {name.decode()} failed")
    return value.value.decode("ascii")
