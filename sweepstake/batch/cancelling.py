"""Ending batches before they are through, with what still runs for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from sweepstake.batch.backends.scheduler import Backend
from sweepstake.batch.settling import end_overdue
from sweepstake.client import Experiment
from sweepstake.domain.batches.records import AllocationState, BatchRecord, BatchStatus
from sweepstake.errors import SubmissionError

__all__ = ["cancel_batches", "wait_ended"]

#: Seconds beyond a lease for which attempts may go on whose allocation was ended.
_AFTERMATH: Final = 15.0
#: Seconds between two looks at what shall end.
_LOOK: Final = 0.5


def cancel_batches(
    experiment: Experiment,
    batches: Sequence[BatchRecord],
    backends: Callable[[str], Backend],
    why: str = "cancelled by a person",
) -> None:
    """End allocations, and tell the queue that their batches are over.

    One that comes up later all the same, as its submitter was about it, finds its batch over and ends at once.

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
        named = {each.jobid: each.name for each in mine if each.jobid is not None}
        backends(name).cancel({**_unnamed(backends(name), mine), **named})
    for each in batches:
        experiment.session.queue.note_batch(
            experiment.reference,
            each.id,
            each.number,
            status=BatchStatus.ENDED,
            allocation=None if each.jobid is None else AllocationState.CANCELLED,
            reason=why,
        )


def wait_ended(
    experiment: Experiment,
    batches: Sequence[BatchRecord],
    backends: Callable[[str], Backend],
    pause: Callable[[float], None] = time.sleep,
) -> int:
    """Wait until nothing runs any more of batches that were cancelled, and return how many of their jobs still do.

    Workers give back what they run. The attempts of one that was killed end with their lease, for which nobody else
    may be there to look. Longer than that, and 15 s, is not waited.

    Args:
        experiment: whose batches.
        batches: that were cancelled.
        backends: returns the backend of a name.
        pause: waits so many seconds.
    """
    until = time.monotonic() + experiment.settings.lease + _AFTERMATH
    while True:
        end_overdue(experiment)
        running = _running(experiment, batches)
        if time.monotonic() > until or not (running or _up(batches, backends)):
            return running
        pause(_LOOK)


def _unnamed(backend: Backend, batches: Sequence[BatchRecord]) -> dict[str, str]:
    """Return the allocations of submissions of which nobody could say the id, by the name that they have alone."""
    lost = [each.name for each in batches if each.jobid is None]
    if not lost:
        return {}
    found = backend.find(set(lost))
    if found is None:
        raise SubmissionError(f"{backend.name} does not say what there is of {', '.join(dict.fromkeys(lost))}")
    known = {each.jobid for each in batches}
    up = [each for each in found.values() if not each.is_over and each.jobid not in known]
    # Of an array some may belong to batches that go on; which, only their workers know.
    return {each.jobid: each.name for each in up if lost.count(each.name) >= sum(o.name == each.name for o in up)}


def _running(experiment: Experiment, batches: Sequence[BatchRecord]) -> int:
    queue, reference = experiment.session.queue, experiment.reference
    return sum(queue.get_batch(reference, each.id, each.number).counts.running for each in batches)


def _up(batches: Sequence[BatchRecord], backends: Callable[[str], Backend]) -> bool:
    """Tell whether an allocation has not ended yet, as far as its scheduler says."""
    for name in dict.fromkeys(each.backend for each in batches):
        named = {each.jobid: each.name for each in batches if each.backend == name and each.jobid is not None}
        if not all(each.is_over for each in backends(name).poll(named).values()):
            return True
    return False
