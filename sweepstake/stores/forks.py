"""What must happen when a process forks: a child never uses, nor closes, what its parent holds open."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from typing import Final, Protocol
from weakref import WeakSet

__all__ = ["ForkGate", "ForkWatch", "Forked", "abandon"]

#: How long a fork waits for the calls under way.
_PATIENCE: Final = 10.0


class Forked(Protocol):
    """Something that must begin anew in a forked child."""

    def after_fork(self) -> None:
        """Forget connections, locks and threads of the parent."""


class ForkWatch:
    """Tells its members when this process is a forked child."""

    def __init__(self) -> None:
        self._members: WeakSet[Forked] = WeakSet()
        self._gates: WeakSet[ForkGate] = WeakSet()
        self._hooked = False

    def add(self, member: Forked) -> None:
        """Tell `member` for as long as it lives."""
        self._hook()
        self._members.add(member)

    def guard(self, gate: ForkGate) -> None:
        """Close `gate` around every fork for as long as it lives."""
        self._hook()
        self._gates.add(gate)

    def _hook(self) -> None:
        if not self._hooked:
            os.register_at_fork(before=self._rest, after_in_parent=self._go_on, after_in_child=self._tell)
            self._hooked = True

    def _rest(self) -> None:
        for gate in list(self._gates):
            gate.close()

    def _go_on(self) -> None:
        for gate in list(self._gates):
            gate.open()

    def _tell(self) -> None:
        for gate in list(self._gates):
            gate.renew()
        for member in list(self._members):
            member.after_fork()


class ForkGate:
    """Lets calls through, except while the process forks: then nobody is inside, and all is put away.

    For libraries that cannot be carried over a fork at all, whatever the child does with them.

    Args:
        put_away: closes what a child must not inherit; nobody is inside when it is called.
    """

    def __init__(self, put_away: Callable[[], None]) -> None:
        self._put_away = put_away
        self.renew()

    def renew(self) -> None:
        """Begin anew, with nobody inside."""
        self._mutex = threading.Lock()
        self._change = threading.Condition(self._mutex)
        self._inside = 0
        self._closed = False

    def enter(self) -> None:
        """Begin a call, after a fork that is under way."""
        with self._mutex:  # the condition's own lock, without its detour
            while self._closed:
                self._change.wait()
            self._inside += 1

    def leave(self) -> None:
        """End a call."""
        with self._mutex:
            self._inside -= 1
            if self._closed and not self._inside:
                self._change.notify_all()

    def close(self) -> None:
        """Keep further calls out, and put everything away once those under way have ended."""
        with self._change:
            self._closed = True
            # A call that waits for another process may take long; its fork shall not wait for ever.
            if self._change.wait_for(lambda: not self._inside, _PATIENCE):
                self._put_away()

    def open(self) -> None:
        """Let calls in again."""
        with self._change:
            self._closed = False
            self._change.notify_all()


def abandon(thing: object) -> None:
    """Make an object of the parent's immortal here, so that its destructor never runs in this child."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
