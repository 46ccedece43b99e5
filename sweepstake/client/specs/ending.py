"""Waiting until an experiment has ended: none of its jobs runs, and none can begin."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from sweepstake.client.attempt.terminating import TERM_WATCH
from sweepstake.client.listing import iterate, query_of
from sweepstake.client.standing import what_next
from sweepstake.client.waiting import check_wait
from sweepstake.domain.counts import Counts
from sweepstake.domain.records import ExperimentRecord, JobRecord
from sweepstake.domain.status import ExperimentStatus, JobStatus
from sweepstake.queue.queue import Queue
from sweepstake.search import NoProposal, Proposal

__all__ = ["changes", "wait_for_end"]

#: Seconds between looks, growing from the first to the last.
_POLL: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


def wait_for_end(
    queue: Queue, name: str, timeout: float | None, look: Callable[[Counts], None] = lambda _: None
) -> Counts:
    """Return how many jobs are in which state once an experiment has ended.

    A paused experiment with jobs to run is waited for, since somebody may let it go on. Jobs that wait for others
    which failed cannot begin, and are not waited for.

    Args:
        queue: where it is.
        name: its name, or reference.
        timeout: seconds; None for as long as it takes.
        look: called with each count.

    Raises:
        TimeoutError: it has not ended in time.
    """
    until = None if timeout is None else time.monotonic() + check_wait(timeout, "timeout")
    looks, before = 0, None
    while True:
        counts = queue.count_jobs(name)
        look(counts)
        if not (counts.ready or counts.delayed or counts.running) and not _goes_on(queue.get_experiment(name)):
            return counts
        left = None if until is None else until - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError(f"not ended after {timeout:g} seconds; {counts}")
        looks = 0 if counts != before else looks + 1
        before = counts
        nap = _POLL[min(looks, len(_POLL) - 1)]
        TERM_WATCH.nap(time.sleep, nap if left is None else min(nap, left))


def _goes_on(record: ExperimentRecord) -> bool:
    """Tell whether an experiment's search may still make jobs of its own."""
    if record.status is ExperimentStatus.DONE:
        return False
    following = what_next(record)
    return isinstance(following, Proposal) or following is NoProposal.WAITING


def changes(queue: Queue, name: str, known: dict[str, JobStatus]) -> Iterator[JobRecord]:
    """Yield the jobs whose status is another than the one known, which is noted; those that are queued come unsaid."""
    for job in iterate(queue, name, query_of()):
        if known.get(job.id, JobStatus.QUEUED) is not job.status:
            yield job
        known[job.id] = job.status
