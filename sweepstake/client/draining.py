"""The loop that works an experiment's queue empty, with one call per job."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from sweepstake.client.job import Job
from sweepstake.domain.records import Claim, NoJob
from sweepstake.domain.status import NoJobReason
from sweepstake.errors import NoJobError

__all__ = ["Source", "drain"]


class Source(Protocol):
    """Where the loop gets its jobs: an experiment."""

    def next_job(self, wait: float = 0.0) -> Job:
        """Claim a job, or raise NoJobError."""

    def adopt(self, claim: Claim) -> Job:
        """Return the job of a claim that was made already."""


class _Ahead:
    """The job that was claimed with the end of the one before."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._job: Job | None = None
        self.answer: NoJob | None = None

    def receive(self, answer: Claim | NoJob | None) -> None:
        """Take what a finish claimed."""
        if isinstance(answer, Claim):
            self._job = self._source.adopt(answer)
        else:
            self.answer = answer

    def take(self) -> Job | None:
        """Return the job claimed ahead, once."""
        job, self._job = self._job, None
        return job

    def forget(self) -> NoJob | None:
        """Return why the last finish claimed nothing, once."""
        answer, self.answer = self.answer, None
        return answer


def drain(source: Source, wait: float) -> Iterator[Job]:
    """Yield claimed jobs until there is none; see `Experiment.claim_jobs`."""
    ahead = _Ahead(source)
    try:
        while (job := ahead.take() or _claim(source, ahead, wait)) is not None:
            job.drain_into(ahead.receive)
            yield job
    finally:
        left = ahead.take()
        if left is not None:
            left.release()


def _claim(source: Source, ahead: _Ahead, wait: float) -> Job | None:
    """Claim a job, unless the last finish has just been told that there is none and nobody wants to wait."""
    answer = ahead.forget()
    if answer is not None and (wait <= 0 or answer.reason is NoJobReason.FINISHED):
        return None
    try:
        return source.next_job(wait)
    except NoJobError:
        return None
