"""What a PUT of a job's document does to the attempt that is open, and to its lease."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from sweepstake.domain.status import JobStatus, Outcome

__all__ = ["ENDS_OF_HOLDERS", "STATED", "PutPlan", "plan_put"]

#: The reason of an attempt that its holder ended by a PUT, so that no report of its tells of the end.
STATED: Final = "stated by a put"
#: The outcomes of a leased attempt that nobody but its holder brings about.
ENDS_OF_HOLDERS: Final = (Outcome.DONE, Outcome.CRASHED)

_ENDS: Final = {
    JobStatus.DONE: Outcome.DONE,
    JobStatus.CRASHED: Outcome.CRASHED,
    JobStatus.PRUNED: Outcome.PRUNED,
}


@frozen(kw_only=True)
class PutPlan:
    """What happens beside the change of the document.

    Attributes:
        ends: how the open attempt ends; None leaves it open, with its lease, or there is none.
        begins: whether an attempt without a lease begins, whose key is the PUT's.
    """

    ends: Outcome | None = None
    begins: bool = False


def plan_put(before: JobStatus | None, after: JobStatus, *, holder: bool, leased: bool = False) -> PutPlan:
    """Plan a PUT that takes a job from one status to another.

    Args:
        before: None for a job that the PUT creates.
        holder: the writer named the attempt that is open.
        leased: that attempt has a lease, so whoever does not name it is not its holder. Of one without a lease that
            cannot be told: Schedy's client never names any.
    """
    if before is not JobStatus.RUNNING:
        return PutPlan(begins=after is JobStatus.RUNNING)
    if after is JobStatus.RUNNING:
        return PutPlan() if holder else PutPlan(ends=Outcome.SUPERSEDED, begins=True)
    if after is JobStatus.QUEUED:
        return PutPlan(ends=Outcome.RELEASED if holder else Outcome.SUPERSEDED)
    if leased and not holder and after is not JobStatus.PRUNED:
        return PutPlan(ends=Outcome.SUPERSEDED)
    return PutPlan(ends=_ENDS[after])
