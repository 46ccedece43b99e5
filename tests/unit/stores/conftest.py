"""A clock that tests turn by hand."""

import attrs
import pytest


@attrs.define
class HandClock:
    """Stands still until a test moves it."""

    unix: float = 1_800_000_000.0
    uptime: float = 1_000.0

    def wall(self) -> float:
        """Return Unix time."""
        return self.unix

    def monotonic(self) -> float:
        """Return the seconds since the machine started."""
        return self.uptime

    def pass_seconds(self, seconds: float) -> None:
        """Let time pass."""
        self.unix += seconds
        self.uptime += seconds


@pytest.fixture
def clock() -> HandClock:
    """A clock that stands still until the test moves it."""
    return HandClock()
