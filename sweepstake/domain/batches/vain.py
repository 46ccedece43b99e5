"""Attempts in vain: allocations that ended before a job did, with nothing from which the next could go on."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

from sweepstake.domain.records import AttemptRecord
from sweepstake.domain.status import Outcome

__all__ = ["IN_VAIN", "MOST_IN_VAIN", "OUT_OF_TIME", "seconds_in_vain"]

#: Why a worker gives a job back when its allocation is about to end.
OUT_OF_TIME: Final = "its allocation was about to end"
#: Likewise, of a job that left nothing from which its next attempt could go on.
IN_VAIN: Final = f"{OUT_OF_TIME}, and there was no new checkpoint"
#: So many attempts in vain, one after the other, and a job is submitted no more.
MOST_IN_VAIN: Final = 3


def seconds_in_vain(attempts: Iterable[AttemptRecord]) -> float | None:
    """Return for how long a job ran at most in its last attempts, if all of these were in vain; None if not.

    Args:
        attempts: of the job, the last one first; no more than MOST_IN_VAIN are looked at.
    """
    last = list(islice(attempts, MOST_IN_VAIN))
    if len(last) < MOST_IN_VAIN or not all(map(_is_in_vain, last)):
        return None
    return max((each.ended_at or each.started_at) - each.started_at for each in last)


def _is_in_vain(attempt: AttemptRecord) -> bool:
    return attempt.outcome is Outcome.PREEMPTED and attempt.reason == IN_VAIN
