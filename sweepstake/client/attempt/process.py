"""What is known of this process, which is asked for many times a job."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

__all__ = ["PROCESS", "Process"]

T = TypeVar("T")


class Process:
    """Knows this process without a call to the system, which takes longer than most of what asks for it.

    Attributes:
        pid: its number; 0 until `start` was called here or in the process that this one was forked from.
        worker: who it is, for people to read, such as ``gpu7:4711``: the host, and the number.
    """

    def __init__(self) -> None:
        self.pid = 0
        self.worker = self._host = ""
        self._forked: WeakKeyDictionary[Any, Callable[[Any], None]] = WeakKeyDictionary()

    def start(self) -> int:
        """Learn the number, now and in every child that is forked from here, and return it."""
        if not self.pid:
            self._host = socket.gethostname()
            os.register_at_fork(after_in_child=self._learn)
            self._learn()
        return self.pid

    def when_forked(self, owner: T, begin_anew: Callable[[T], None]) -> None:
        """Call a function with `owner` in every child that is forked from here, if it is still there."""
        self.start()
        self._forked[owner] = begin_anew

    def _learn(self) -> None:
        self.pid = os.getpid()
        self.worker = f"{self._host}:{self.pid}"
        for owner, begin_anew in list(self._forked.items()):
            begin_anew(owner)


#: This one.
PROCESS: Final = Process()
