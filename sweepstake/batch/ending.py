"""Where a batch is on its way, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from attrs import frozen

from sweepstake.domain.batches.records import AllocationState
from sweepstake.domain.status import JobStatus
from sweepstake.errors import shown
from sweepstake.plaintext import counted

__all__ = ["CATEGORIES", "Ending", "Phase", "ending_of"]


class Phase(StrEnum):
    """Where a batch is on its way."""

    PENDING = "PENDING"
    STAGING = "STAGING"
    RUNNING = "RUNNING"
    FINISHING = "FINISHING"
    DONE = "DONE"


#: How something may have ended, by what kind of end that is, with the number of each.
CATEGORIES: Final = MappingProxyType(
    {
        "PASS": {"SUCCESS": 0, "XDIFF": 10, "XFAIL": 11},
        "FAIL": {"DIFFED": 64, "FAILED": 65, "ERROR": 66, "BROKEN": 67, "TIMEOUT": 68, "INVALID": 69},
        "CANCEL": {"CANCELLED": 70, "INTERRUPTED": 71},
        "SKIP": {"SKIPPED": 80, "BLOCKED": 81},
    }
)
_CATEGORY_OF: Final = {outcome: category for category, outcomes in CATEGORIES.items() for outcome in outcomes}
_CODE_OF: Final = {outcome: code for outcomes in CATEGORIES.values() for outcome, code in outcomes.items()}
#: The number of what has not ended, or of which nobody says how.
_NO_CODE: Final = -1


@frozen(kw_only=True)
class Ending:
    """How a batch ended.

    Attributes:
        category: ``PASS``, ``FAIL``, ``CANCEL`` or ``SKIP``; None as long as nobody says it.
        outcome: which end of that kind.
        reason: why, for people.
        code: the number of the outcome; -1 without one.
    """

    category: str | None = None
    outcome: str | None = None
    reason: str | None = None
    code: int = _NO_CODE

    @classmethod
    def of(
        cls, category: str | None = None, outcome: str | None = None, reason: str | None = None, code: int = _NO_CODE
    ) -> Ending:
        """Make a status; an outcome implies its category and number.

        Raises:
            ValueError: there is no such category or outcome, or they contradict each other.
        """
        if category is not None and category not in CATEGORIES:
            raise ValueError(f"category: must be {', '.join(CATEGORIES)}, is {shown(category)}")
        if outcome is None:
            if code != _NO_CODE:
                raise ValueError(f"code: {code} needs an outcome")
            return cls(category=category, reason=reason)
        if outcome not in _CATEGORY_OF:
            raise ValueError(f"outcome: must be one of {', '.join(_CATEGORY_OF)}, is {shown(outcome)}")
        if category not in (None, _CATEGORY_OF[outcome]):
            raise ValueError(f"category: {outcome} is of {_CATEGORY_OF[outcome]}, not of {category}")
        if code not in (_NO_CODE, _CODE_OF[outcome]):
            raise ValueError(f"code: {outcome} is {_CODE_OF[outcome]}, not {code}")
        return cls(category=_CATEGORY_OF[outcome], outcome=outcome, reason=reason, code=_CODE_OF[outcome])

    @property
    def failed(self) -> bool:
        """Whether it ended otherwise than it should."""
        return self.category in ("FAIL", "CANCEL", "SKIP")

    @property
    def skipped(self) -> bool:
        """Whether it was not begun at all."""
        return self.category == "SKIP"


#: How a batch ended whose allocation did so.
_OUTCOMES: Final[Mapping[AllocationState | None, str]] = MappingProxyType(
    {
        AllocationState.DONE: "SUCCESS",
        AllocationState.FAILED: "FAILED",
        AllocationState.TIMEOUT: "TIMEOUT",
        AllocationState.CANCELLED: "CANCELLED",
        AllocationState.PREEMPTED: "INTERRUPTED",
        AllocationState.NODE_FAIL: "BROKEN",
    }
)


def ending_of(
    states: Mapping[str, JobStatus], jobs: int, allocation: AllocationState | None, reason: str = ""
) -> Ending:
    """Return how a batch ended: it did what it should if all of its jobs did, whatever became of its allocation.

    Args:
        states: how its jobs stand, of those that are still there; empty if nobody knows.
        jobs: how many it had.
        allocation: how its allocation ended; None if nobody knows.
        reason: why that ended, in the scheduler's words.
    """
    outcome = _OUTCOMES.get(allocation)
    left = sum(state is not JobStatus.DONE for state in states.values())
    if states and not left:
        return Ending.of(outcome="SUCCESS")
    if not states:
        return Ending() if outcome is None else Ending.of(outcome=outcome, reason=reason or None)
    why = f"{counted(left, 'job')} of {jobs} not DONE"
    if outcome in (None, "SUCCESS"):
        return Ending.of(outcome="FAILED", reason=why)
    return Ending.of(outcome=outcome, reason=f"{why}; its allocation: {reason or allocation}")
