"""The loop that works an experiment's queue empty, with one call per job."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from attrs import define, field

from sweepstake.client.attempt.terminating import TERM_WATCH
from sweepstake.client.job import Job
from sweepstake.domain.records import Claim, NoJob
from sweepstake.domain.status import NoJobReason
from sweepstake.errors import InvalidInputError, NoJobError, shown

if TYPE_CHECKING:  # its `claim_jobs` is this loop
    from sweepstake.client.experiment import Experiment

__all__ = ["check_catch", "drain"]

#: Seconds between two looks for a job while there are only some that were passed over.
_PAUSE: Final = 1.0

Errors = tuple[type[Exception], ...]


def check_catch(catch: object) -> Errors:
    """Return the exceptions after which a loop goes on."""
    kinds = tuple(catch) if isinstance(catch, Iterable) and not isinstance(catch, type) else (catch,)
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            raise InvalidInputError.at("catch", f"must be exceptions, such as (ValueError,), and not {shown(kind)}")
    return kinds


def drain(experiment: Experiment, wait: float, catch: Errors = ()) -> Iterator[Job]:
    """Yield claimed jobs until there is none; see `Experiment.claim_jobs`."""
    return _Drain(experiment, wait, catch).jobs()


@define(eq=False)
class _Drain:
    """One loop."""

    _experiment: Experiment
    _wait: float
    _catch: Errors
    _ahead: Job | None = None  # it was claimed with the end of the one before
    _answer: NoJob | None = None  # why the last finish claimed none
    _passed: set[str] = field(factory=set)  # ids of jobs whose blocks were not entered; none comes again in this loop
    _spare: list[Job] = field(factory=list)  # held until another was claimed, as the queue would hand them out again

    def jobs(self) -> Iterator[Job]:
        job: Job | None = None
        try:
            while (job := self._next()) is not None:
                job.drain_into(self._receive, self._catch)
                yield job
                self._pass_over(job)
                job = None
        finally:
            for held in (job, self._ahead, *self._spare):
                if held is not None:
                    held.give_back_idle()

    def _receive(self, answer: Claim | NoJob | None) -> None:
        """Take what a finish claimed."""
        if isinstance(answer, Claim):
            self._ahead = Job(self._experiment.session, self._experiment, answer.job, answer)
        else:
            self._answer = answer

    def _pass_over(self, job: Job) -> None:
        """Put a job aside whose block was not entered."""
        if job.is_idle():
            self._passed.add(job.job_id)
            self._spare.append(job)

    def _next(self) -> Job | None:
        """Return a job that was not passed over, and give back those that were."""
        until = time.monotonic() + self._wait
        while True:
            job = self._claim(max(0.0, until - time.monotonic()))
            if job is not None and job.job_id in self._passed:
                self._spare.append(job)
                continue
            met = bool(self._spare)
            while self._spare:
                self._spare.pop().give_back_idle()
            if job is not None or not met or time.monotonic() >= until:
                return job
            TERM_WATCH.refuse_more()
            TERM_WATCH.nap(time.sleep, min(_PAUSE, until - time.monotonic()))

    def _claim(self, wait: float) -> Job | None:
        """Claim a job, unless the last finish has just been told that there is none and nobody wants to wait."""
        job, self._ahead = self._ahead, None
        answer, self._answer = self._answer, None
        if job is not None:
            return job
        if answer is not None and (wait <= 0 or answer.reason is NoJobReason.FINISHED):
            return None
        try:
            return self._experiment.next_job(0.0 if self._spare else wait)
        except NoJobError:
            return None
