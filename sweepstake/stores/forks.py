"""What must happen when a process forks: a child never uses, nor closes, what its parent holds open."""

from __future__ import annotations

import ctypes
import os
from typing import Final
from weakref import WeakSet

__all__ = ["FORK_PATIENCE", "ForkWatch", "Forked", "abandon"]

#: How many seconds a fork waits for the calls under way: one that waits for another process may take long.
FORK_PATIENCE: Final = 10.0


class Forked:
    """Something that is told when this process forks; what it need not hear it leaves as it is here."""

    def before_fork(self) -> None:
        """Put away what a child must not inherit."""

    def after_fork_in_parent(self) -> None:
        """Go on."""

    def after_fork_in_child(self) -> None:
        """Forget connections, locks and threads of the parent, in the child."""


class ForkWatch:
    """Tells its members when this process forks."""

    def __init__(self) -> None:
        self._members: WeakSet[Forked] = WeakSet()
        self._hooked = False

    def add(self, member: Forked) -> None:
        """Tell `member` for as long as it lives."""
        if not self._hooked:
            os.register_at_fork(before=self._begin, after_in_parent=self._go_on, after_in_child=self._begin_anew)
            self._hooked = True
        self._members.add(member)

    def _begin(self) -> None:
        for member in list(self._members):
            member.before_fork()

    def _go_on(self) -> None:
        for member in list(self._members):
            member.after_fork_in_parent()

    def _begin_anew(self) -> None:
        for member in list(self._members):
            member.after_fork_in_child()


def abandon(thing: object) -> None:
    """Make an object of the parent's immortal here, so that its destructor never runs in this child."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
