"""The time that is asked for beyond an estimate."""

from __future__ import annotations

from typing import Final

__all__ = ["padded"]

#: Up to which estimate how many seconds are asked for; longer ones get a quarter more.
_STEPS: Final = ((100, 300), (300, 600), (600, 1200), (1800, 2400), (3600, 5000))
_SLACK: Final = 1.25


def padded(seconds: float) -> float:
    """Return the wall limit for work that is expected to take so many seconds.

    Short work gets more slack than long work, because starting it takes its share. A longer estimate never gets a
    shorter limit.
    """
    for below, limit in _STEPS:
        if seconds < below:
            return float(limit)
    return max(float(_STEPS[-1][1]), seconds * _SLACK)
