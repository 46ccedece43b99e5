"""The loop that works an experiment's queue empty, with one call per job, or one for several."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from attrs import define, field

from sweepstake.client.attempt.ends import Ends
from sweepstake.client.attempt.process import PROCESS
from sweepstake.client.attempt.terminating import TERM_WATCH
from sweepstake.client.job import Job
from sweepstake.domain.lengths import MAX_AT_ONCE
from sweepstake.domain.records import Claim, NoJob
from sweepstake.domain.status import NoJobReason
from sweepstake.errors import InvalidInputError, NoJobError, NotFoundError, shown

if TYPE_CHECKING:  # its `claim_jobs` is this loop
    from sweepstake.client.experiment import Experiment

__all__ = ["check_at_once", "check_catch", "drain"]

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


def check_at_once(at_once: object) -> int:
    """Return how many jobs a loop claims in a call."""
    if isinstance(at_once, bool) or not isinstance(at_once, int) or not 1 <= at_once <= MAX_AT_ONCE:
        raise InvalidInputError.at("at_once", f"must be a whole number from 1 to {MAX_AT_ONCE}, is {shown(at_once)}")
    return at_once


def drain(experiment: Experiment, wait: float, catch: Errors = (), at_once: int = 1) -> Iterator[Job]:
    """Yield claimed jobs until there is none; see `Experiment.claim_jobs`."""
    ends = None if at_once == 1 else Ends(experiment.session, experiment.reference, at_once)
    return _Drain(experiment, wait, catch, at_once, ends).jobs()


@define(eq=False)
class _Drain:
    """One loop."""

    _experiment: Experiment
    _wait: float
    _catch: Errors
    _at_once: int
    _ends: Ends | None  # those that are reported with others
    _ahead: deque[Job] = field(factory=deque)  # they were claimed with the end of those before
    _answer: NoJob | None = None  # why the last finish claimed none
    _passed: set[str] = field(factory=set)  # ids of jobs whose blocks were not entered; none comes again in this loop
    _spare: list[Job] = field(factory=list)  # held until another was claimed, as the queue would hand them out again

    def jobs(self) -> Iterator[Job]:
        job: Job | None = None
        try:
            while (job := self._next()) is not None:
                if self._ends is None:
                    job.drain_into(self._receive, self._catch)
                else:
                    job.drain_into(None, self._catch, self._ends.add)
                yield job
                self._pass_over(job)
                job = None
        finally:
            try:
                if self._ends is not None:
                    self._ends.close()
            finally:
                for held in (job, *self._ahead, *self._spare):
                    if held is not None:
                        held.give_back_idle()

    def _receive(self, answer: Claim | NoJob | None) -> None:
        """Take what a finish claimed."""
        if isinstance(answer, Claim):
            self._ahead.append(Job(self._experiment.session, self._experiment, answer.job, answer))
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
        if self._ends is not None and not self._ahead:
            self._claim_several(self._ends)
        answer, self._answer = self._answer, None
        while self._ahead:
            job = self._ahead.popleft()
            # Of several, one may have waited so long for its turn that the heartbeat has given it back.
            if self._ends is None or not job.is_returned():
                return job
        if answer is not None and (wait <= 0 or answer.reason is NoJobReason.FINISHED):
            return None
        try:
            return self._experiment.next_job(0.0 if self._spare else wait)
        except NoJobError:
            return None

    def _claim_several(self, ends: Ends) -> None:
        """Report what ended, and claim the next jobs."""
        experiment = self._experiment
        with TERM_WATCH:
            found = ends.report(claim=True)
            if found is None:
                try:
                    found = experiment.session.queue.claim_jobs(experiment.reference, PROCESS.worker, self._at_once)
                except NotFoundError:  # the server is too old for it, unless it is the experiment that is not there
                    ends.close()
                    self._ends = None
                    return
            for claim in found.claims:
                self._receive(claim)
        if not found.claims and found.reason is not None:
            self._answer = NoJob(found.reason)
