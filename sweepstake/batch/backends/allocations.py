"""Allocations: what a scheduler says of what was submitted to it, in the same words for all schedulers."""

from __future__ import annotations

from attrs import frozen

from sweepstake.domain.batches.records import AllocationState

__all__ = ["Allocation", "AllocationState"]


@frozen(kw_only=True)
class Allocation:
    """What a scheduler says of one allocation.

    Attributes:
        jobid: as the scheduler calls it.
        state: in the words of all schedulers.
        name: what it was called when it was submitted; a scheduler may give a number out again, and then it differs.
        reason: why it waits or ended, in the scheduler's own words.
        left: seconds until its limit, while it runs.
        hopeless: whether it waits for what will not happen unless somebody changes something.
        ending: whether it is about to end, so that nothing can be started there any more.
        gone: whether its scheduler, which answers, knows it no more; then nobody knows how it ended, but it has.
    """

    jobid: str
    state: AllocationState
    name: str = ""
    reason: str = ""
    left: float | None = None
    hopeless: bool = False
    ending: bool = False
    gone: bool = False

    @property
    def is_over(self) -> bool:
        """Tell whether it has ended; as long as its scheduler does not answer, nobody can tell."""
        return self.gone or self.state not in (
            AllocationState.PENDING,
            AllocationState.RUNNING,
            AllocationState.UNKNOWN,
        )
