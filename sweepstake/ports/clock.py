"""`Clock`: where time comes from."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Clock"]


class Clock(Protocol):
    """Where time comes from, so that tests can hand in their own."""

    def wall(self) -> float:
        """Return Unix time in seconds."""

    def monotonic(self) -> float:
        """Return seconds of a clock that never steps; it stands still while the machine sleeps."""
