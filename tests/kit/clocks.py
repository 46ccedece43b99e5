"""Clocks for faults that take an hour where nobody wants to wait for one."""

import time

__all__ = ["FastClock", "LeapingClock"]


class FastClock:
    """The machine's clock, so many times as fast.

    Args:
        factor: seconds of this clock that pass in one.
    """

    def __init__(self, factor: float) -> None:
        self._factor = factor

    def wall(self) -> float:
        """Return Unix time, which is not hurried."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds of this clock."""
        return time.monotonic() * self._factor

    def sleep(self, seconds: float) -> None:
        """Wait that many seconds of this clock."""
        time.sleep(seconds / self._factor)


class LeapingClock:
    """The machine's clock, which leaps ahead whenever somebody sleeps, further than was asked for, and at once.

    Args:
        stride: how many times as far.
    """

    def __init__(self, stride: float = 20.0) -> None:
        self._stride = stride
        self._ahead = 0.0

    def wall(self) -> float:
        """Return Unix time, which does not leap."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds of this clock."""
        return time.monotonic() + self._ahead

    def sleep(self, seconds: float) -> None:
        """Leap."""
        self._ahead += self._stride * seconds
