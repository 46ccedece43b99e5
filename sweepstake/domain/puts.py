"""What a PUT of a job's document does to the attempt that is open, and to its lease."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from sweepstake.domain.status import JobStatus, Outcome

__all__ = ["PutPlan", "plan_put"]

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


def plan_put(before: JobStatus | None, after: JobStatus, *, holder: bool) -> PutPlan:
    """Plan a PUT that takes a job from one status to another.

    Args:
        before: None for a job that the PUT creates.
        holder: the writer named the attempt that is open.
    """
    if before is not JobStatus.RUNNING:
        return PutPlan(begins=after is JobStatus.RUNNING)
    if after is JobStatus.RUNNING:
        return PutPlan() if holder else PutPlan(ends=Outcome.SUPERSEDED, begins=True)
    if after is JobStatus.QUEUED:
        return PutPlan(ends=Outcome.RELEASED if holder else Outcome.SUPERSEDED)
    return PutPlan(ends=_ENDS[after])
