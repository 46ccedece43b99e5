"""What is noted of a batch when its worker is through: pure."""

from __future__ import annotations

from sweepstake.domain.batches.progress import BatchNote
from sweepstake.domain.batches.records import AllocationState, BatchRecord, BatchStatus
from sweepstake.worker.pacing.agenda import Summary
from sweepstake.worker.stopping import Stop

__all__ = ["note_of"]


def note_of(batch: BatchRecord, summary: Summary, *, near: bool) -> BatchNote | None:
    """Return the end of a batch, with what is left of it; None while another node of its allocation may run some.

    Args:
        batch: as it stands now.
        summary: of what the worker did.
        near: whether the allocation was about to end.
    """
    if batch.nodes > 1 and batch.counts.running:
        return None
    counts = batch.counts
    unfinished = {name: counts.states[name] for name in ("ready", "delayed", "blocked", "running")}
    left = ", ".join(f"{count:,} {state}" for state, count in unfinished.items() if count)
    told = [_why(summary), f"left of its jobs: {left or 'none'}"]
    return BatchNote(
        status=BatchStatus.ENDED, allocation=_state(summary, near=near), reason="; ".join(filter(None, told))
    )


def _why(summary: Summary) -> str:
    if summary.failure is not None:
        return str(summary.failure) or type(summary.failure).__name__
    if summary.tripped:
        return summary.tripped
    if summary.stopped_by is not None:
        return summary.stopped_by.name
    return "its time was over" if summary.step > Stop.DRAIN else ""


def _state(summary: Summary, *, near: bool) -> AllocationState:
    if summary.failure is not None or summary.tripped:
        return AllocationState.FAILED
    if summary.stopped_by is None:
        return AllocationState.DONE
    return AllocationState.TIMEOUT if near else AllocationState.CANCELLED
