"""Reading the output of an attempt, and following it while it grows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from sweepstake.domain.files import PIECE, Span
from sweepstake.domain.records import JobRecord
from sweepstake.domain.status import JobStatus
from sweepstake.errors import NotFoundError, OutOfRangeError
from sweepstake.queue.queue import Queue

__all__ = ["follow", "read"]

#: Seconds between two looks at an output that has not grown.
_PAUSE: Final = 1.0


def read(queue: Queue, job: JobRecord, attempt: int | None = None, start: int = 0) -> Iterator[bytes]:
    """Yield what an attempt printed, piece by piece.

    Args:
        queue: where it is kept.
        job: the job.
        attempt: the number of the attempt; None: the one that is DONE, else the latest.
        start: the first byte.
    """
    if attempt is None:  # asked anew with each piece, it could be another
        attempt = queue.list_files(job.reference, job.id).attempt
    while True:
        try:
            piece = queue.get_log(job.reference, job.id, attempt, Span(start, start + PIECE - 1))
        except OutOfRangeError:
            return
        yield piece.content
        start += len(piece.content)


def follow(queue: Queue, job: JobRecord, attempt: int | None, sleep: Callable[[float], None]) -> Iterator[bytes]:
    """Yield what an attempt printed and goes on to print, until it is over; one that has not begun is waited for.

    Each look is a call of its own, so that nobody waits for whoever follows.

    Args:
        queue: where it is kept.
        job: the job.
        attempt: the number of the attempt; None: the latest, or the first that begins.
        sleep: waits that many seconds.

    Raises:
        NotFoundError: the job is gone, or has no such attempt and is over.
    """
    while True:
        attempts = {each.number: each for each in queue.list_attempts(job.reference, job.id)}
        number = attempt if attempt is not None else max(attempts, default=None)
        if number is not None and number in attempts:
            break
        if queue.get_job(job.reference, job.id).status not in (JobStatus.QUEUED, JobStatus.RUNNING):
            raise NotFoundError(f"The job {job.id!r} has no attempt{'' if attempt is None else f' {attempt}'}.")
        sleep(_PAUSE)
    at = 0
    while True:
        over = _is_over(queue, job, number)
        for piece in read(queue, job, number, at):
            yield piece
            at += len(piece)
        if over:  # it was before all was read
            return
        sleep(_PAUSE)


def _is_over(queue: Queue, job: JobRecord, number: int) -> bool:
    return all(each.outcome is not None for each in queue.list_attempts(job.reference, job.id) if each.number == number)
