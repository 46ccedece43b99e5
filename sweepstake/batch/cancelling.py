"""Ending batches before they are through."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sweepstake.batch.backends.scheduler import Backend
from sweepstake.client import Experiment
from sweepstake.domain.batches.records import AllocationState, BatchRecord, BatchStatus

__all__ = ["cancel_batches"]


def cancel_batches(
    experiment: Experiment,
    batches: Sequence[BatchRecord],
    backends: Callable[[str], Backend],
    why: str = "cancelled by a person",
) -> None:
    """End allocations, and tell the queue that their batches are over.

    Args:
        experiment: whose batches.
        batches: some that are not over.
        backends: returns the backend of a name.
        why: what is noted of each.

    Raises:
        SubmissionError: a scheduler did not answer.
    """
    for name in dict.fromkeys(each.backend for each in batches):
        mine = [each for each in batches if each.backend == name]
        backends(name).cancel({each.jobid: each.name for each in mine if each.jobid is not None})
    for each in batches:
        experiment.session.queue.note_batch(
            experiment.reference,
            each.id,
            each.number,
            status=BatchStatus.ENDED,
            allocation=None if each.jobid is None else AllocationState.CANCELLED,
            reason=why,
        )
