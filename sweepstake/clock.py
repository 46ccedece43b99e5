"""The machine's clock, behind `ports.Clock`."""

from __future__ import annotations

import time

__all__ = ["SystemClock"]


class SystemClock:
    """Time as this machine tells it."""

    #: Returns Unix time in seconds.
    wall = staticmethod(time.time)
    #: Returns seconds of a clock that never steps; it stands still while the machine sleeps.
    monotonic = staticmethod(time.monotonic)
