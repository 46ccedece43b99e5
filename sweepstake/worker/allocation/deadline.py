"""When an allocation ends, and which jobs may begin before: pure, told the time."""

from __future__ import annotations

import math
from typing import Final

from attrs import frozen

__all__ = ["GRACE", "MARGIN", "Deadline"]

#: Seconds that commands have to end at most, once their allocation ends: schedulers kill soon, and reports take time.
GRACE: Final = 5.0
#: Seconds before the end of an allocation at which what runs is given back.
MARGIN: Final = 10.0
#: Seconds before the end within which a signal that it is near is believed. Slurm sends it up to a minute early, when
#: short jobs still fit; an allocation of a minute may have it when it begins.
_NEAR: Final = 30.0
#: The part of an allocation that is left of a fresh one: loading Python from a slow disk takes the rest.
_FRESH: Final = 0.9


@frozen(kw_only=True)
class Deadline:
    """When an allocation ends.

    Attributes:
        end: the moment of the monotonic clock at which it does; infinity for never.
        limit: seconds that it has as a whole, in which all jobs of its batch were meant to fit.
    """

    end: float = math.inf
    limit: float = math.inf

    @property
    def gives_back(self) -> float:
        """The moment at which what still runs is given back."""
        return self.end - MARGIN

    def left(self, now: float) -> float:
        """Return the seconds for which jobs may run."""
        return max(self.gives_back - now, 0.0)

    def is_near(self, now: float) -> bool:
        """Tell whether a signal means that the allocation is about to end."""
        return self.end - now <= _NEAR

    def fits(self, seconds: float, now: float) -> bool:
        """Tell whether a job that takes so long may begin.

        In a fresh allocation each may, as another would give it no more: one that takes longer goes on from its
        checkpoint in the next.
        """
        if now >= self.gives_back:
            return False
        return self.end - now >= _FRESH * self.limit or now + seconds <= self.gives_back
