"""Which process is meant: its number, which the system gives out again, together with when it began."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from attrs import frozen

from sweepstake.batch.backends.calls import run_command

__all__ = ["Identity", "identity_of"]

_PROC: Final = Path("/proc")
_BOOT: Final = _PROC / "sys/kernel/random/boot_id"
#: Where in ``/proc/PID/stat``, behind the name of the program, the state and the beginning stand.
_STATE, _BEGAN = 0, 19
#: States of a process that has ended, and of which only its number is left.
_ENDED: Final = ("Z", "X", "x")


@frozen
class Identity:
    """A process of this machine, which is never taken for another one of the same number.

    Attributes:
        pid: its number.
        began: when it began, in the system's own words.
    """

    pid: int
    began: str

    def is_alive(self) -> bool:
        """Tell whether it runs."""
        return _began(self.pid) == self.began

    def send(self, number: signal.Signals) -> bool:
        """Send it a signal; tell whether it was there to get it."""
        try:
            handle = os.pidfd_open(self.pid) if sys.platform == "linux" else None
        except OSError:  # it has ended, or a sandbox forbids the call
            handle = None
        try:
            if not self.is_alive():
                return False
            if sys.platform == "linux" and handle is not None:
                signal.pidfd_send_signal(handle, number)
            else:
                os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        finally:
            if handle is not None:
                os.close(handle)
        return True

    def send_group(self, number: signal.Signals) -> None:
        """Send a signal to all of the group that it leads, if it runs."""
        if self.is_alive():
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)


def identity_of(pid: int) -> Identity | None:
    """Return which process has a number now; None if none has."""
    began = _began(pid)
    return None if began is None else Identity(pid, began)


def _began(pid: int) -> str | None:
    if sys.platform != "linux":
        return _began_by_ps(pid)
    else:  # noqa: RET505 -- so that mypy sees which part is of which system
        try:
            fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[_STATE] in _ENDED else f"{fields[_BEGAN]} {_boot()}".strip()


def _began_by_ps(pid: int) -> str | None:
    told = run_command(["ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)], "").output
    state, _, began = told.strip().partition(" ")
    return began.strip() or None if state and not state.startswith(_ENDED) else None


def _boot() -> str:
    """Return which start of the machine this is: what is counted from there begins anew with each."""
    try:
        return _BOOT.read_text().strip()
    except OSError:  # a sandbox that hides it
        return ""
