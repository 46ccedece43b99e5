"""The machine's clock, behind `ports.Clock`."""

from __future__ import annotations

import time

__all__ = ["SystemClock"]


class SystemClock:
    """Time as this machine tells it."""

    def wall(self) -> float:
        """Return Unix time in seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds of a clock that never steps; it stands still while the machine sleeps."""
        return time.monotonic()
