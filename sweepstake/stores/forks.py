"""What must happen in a forked child: it never uses, nor closes, what its parent holds open."""

from __future__ import annotations

import ctypes
import os
from typing import Protocol
from weakref import WeakSet

__all__ = ["ForkWatch", "Forked", "abandon"]


class Forked(Protocol):
    """Something that must begin anew in a forked child."""

    def after_fork(self) -> None:
        """Forget connections, locks and threads of the parent."""


class ForkWatch:
    """Tells its members when this process is a forked child."""

    def __init__(self) -> None:
        self._members: WeakSet[Forked] = WeakSet()
        self._hooked = False

    def add(self, member: Forked) -> None:
        """Tell `member` for as long as it lives."""
        if not self._hooked:
            os.register_at_fork(after_in_child=self._tell)
            self._hooked = True
        self._members.add(member)

    def _tell(self) -> None:
        for member in list(self._members):
            member.after_fork()


def abandon(thing: object) -> None:
    """Make an object of the parent's immortal here, so that its destructor never runs in this child."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
