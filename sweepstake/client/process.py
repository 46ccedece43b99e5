"""The number of this process, which is asked for many times a job."""

from __future__ import annotations

import os
from typing import Final

__all__ = ["PROCESS", "Process"]


class Process:
    """Knows the number of this process without a call to the system, which takes longer than most of what asks for it.

    Attributes:
        pid: the number; 0 until `start` was called here or in the process that this one was forked from.
    """

    def __init__(self) -> None:
        self.pid = 0

    def start(self) -> int:
        """Learn the number, now and in every child that is forked from here, and return it."""
        if not self.pid:
            os.register_at_fork(after_in_child=self._learn)
            self._learn()
        return self.pid

    def _learn(self) -> None:
        self.pid = os.getpid()


#: This one.
PROCESS: Final = Process()
