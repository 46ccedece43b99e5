"""What attempts take from a job's budgets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from sweepstake.domain.status import Outcome

__all__ = ["Ended", "spent"]


class Ended(Protocol):
    """An attempt, as far as budgets are concerned."""

    @property
    def outcome(self) -> str | None:
        """How it ended; None while it is open."""

    @property
    def recorded(self) -> str | None:
        """The key of the report that became the job's document, if one did."""


def spent(attempts: Iterable[Ended]) -> tuple[int, int, int]:
    """Count what attempts take from the budgets: failures, lost leases, preemptions."""
    failures = losses = preemptions = 0
    for attempt in attempts:
        if attempt.outcome == Outcome.LEASE_LOST:
            losses += 1
        elif attempt.recorded is not None:
            failures += attempt.outcome == Outcome.CRASHED
            preemptions += attempt.outcome == Outcome.PREEMPTED
    return failures, losses, preemptions
