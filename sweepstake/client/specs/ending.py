"""Waiting until an experiment has ended: none of its jobs runs, and none can begin."""

from __future__ import annotations

import time
from collections.abc import Iterator

from sweepstake.client.attempt.terminating import TERM_WATCH
from sweepstake.client.listing import iterate, query_of
from sweepstake.client.standing import is_being_submitted, makes_more
from sweepstake.client.waiting import check_wait, pause
from sweepstake.domain.counts import Counts
from sweepstake.domain.records import ExperimentRecord, JobRecord
from sweepstake.domain.status import ExperimentStatus, JobStatus
from sweepstake.queue.queue import Queue

__all__ = ["changes", "follow", "looks", "wait_for_end"]


def wait_for_end(queue: Queue, name: str, timeout: float | None) -> Counts:
    """Return how many jobs are in which state once an experiment has ended; see `looks`."""
    for counts in looks(queue, name, timeout):
        last = counts
    return last


def looks(queue: Queue, name: str, timeout: float | None) -> Iterator[Counts]:
    """Yield how many jobs are in which state, again and again until an experiment has ended.

    A paused experiment with jobs to run is waited for, since somebody may let it go on. Jobs that wait for others
    which failed cannot begin, and are not waited for. Whoever takes long between two looks looks less often.

    Args:
        queue: where it is.
        name: its name, or reference.
        timeout: seconds; None for as long as it takes.

    Raises:
        TimeoutError: it has not ended in time.
    """
    until = None if timeout is None else time.monotonic() + check_wait(timeout, "timeout")
    same, before = 0, None
    while True:
        counts = queue.count_jobs(name)
        over = not (counts.ready or counts.delayed or counts.running) and not _goes_on(queue.get_experiment(name))
        began = time.monotonic()
        yield counts
        if over:
            return
        now = time.monotonic()
        if until is not None and now >= until:
            raise TimeoutError(f"not ended after {timeout:g} seconds; {counts}")
        same = 0 if counts != before else same + 1
        before = counts
        nap = max(pause(same), now - began)
        TERM_WATCH.nap(time.sleep, nap if until is None else min(nap, until - now))


def follow(queue: Queue, name: str, timeout: float | None) -> Iterator[JobRecord]:
    """Yield each job whose status has changed, until an experiment has ended; see `looks`."""
    known: dict[str, JobStatus] = {}
    last: tuple[Counts, float | None] | None = None
    for counts in looks(queue, name, timeout):
        seen = (counts, counts.active_at)
        if seen != last:
            last = seen
            yield from changes(queue, name, known)


def _goes_on(record: ExperimentRecord) -> bool:
    """Tell whether an experiment gets more jobs: from who submits it, or from its search."""
    if is_being_submitted(record):
        return True
    if record.status is ExperimentStatus.DONE:
        return False
    return makes_more(record)


def changes(queue: Queue, name: str, known: dict[str, JobStatus]) -> Iterator[JobRecord]:
    """Yield the jobs whose status is another than the one known, which is noted; those that are queued come unsaid."""
    for job in iterate(queue, name, query_of()):
        if known.get(job.id, JobStatus.QUEUED) is not job.status:
            yield job
        known[job.id] = job.status
