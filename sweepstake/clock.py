"""Where time comes from: the machine, or a clock that is handed in."""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """Where time comes from, so that tests can hand in their own."""

    def wall(self) -> float:
        """Return Unix time in seconds."""

    def monotonic(self) -> float:
        """Return seconds since about the boot, the same in all processes; it stands still while the machine sleeps."""


class SystemClock:
    """Time as this machine tells it."""

    #: Returns Unix time in seconds.
    wall = staticmethod(time.time)
    #: Returns seconds since about the boot, the same in all processes; it stands still while the machine sleeps.
    monotonic = staticmethod(time.monotonic)
