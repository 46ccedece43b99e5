"""Clocks that tests turn: by hand, or faster than time goes."""

import time

import attrs

__all__ = ["FastClock", "HandClock", "LeapingClock"]


@attrs.define
class HandClock:
    """Stands still until it is turned, and passes while somebody sleeps.

    Attributes:
        unix: Unix time.
        uptime: seconds since the machine started.
        naps: how long whoever slept did so each time.
    """

    unix: float = 1_800_000_000.0
    uptime: float = 1_000.0
    naps: list[float] = attrs.field(factory=list)

    def wall(self) -> float:
        """Return Unix time."""
        return self.unix

    def monotonic(self) -> float:
        """Return the seconds since the machine started."""
        return self.uptime

    def pass_seconds(self, seconds: float) -> None:
        """Let time pass; less than none sets the clock back."""
        self.unix += seconds
        self.uptime += seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass, and remember how much."""
        self.naps.append(seconds)
        self.pass_seconds(seconds)


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
