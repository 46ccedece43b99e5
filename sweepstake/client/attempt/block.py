"""The block in which a job runs: how its end is recorded."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, current_thread, get_ident, main_thread
from typing import Protocol

from attrs import evolve

from sweepstake.client.attempt.leaving import DONE, Leaving, Terminated, leaving
from sweepstake.client.attempt.preempting import Hooks
from sweepstake.client.attempt.ranks import HELD_JOBS
from sweepstake.client.attempt.reporting import report_end, told
from sweepstake.client.attempt.terminating import TERM_WATCH, raise_in
from sweepstake.client.edits import Edits
from sweepstake.client.session import Session
from sweepstake.domain.causes import causes_of
from sweepstake.domain.drafts import Finish
from sweepstake.domain.records import Claim, Document, Finished, Guard, JobRecord, NoJob
from sweepstake.domain.status import JobStatus, Outcome, member_of
from sweepstake.errors import InvalidInputError, LeaseLostError, NotFoundError, shown
from sweepstake.queue.retrying import FINAL_PATIENCE, TERM_PATIENCE, Patience
from sweepstake.values import EMPTY, JsonObject

__all__ = ["Block", "Held"]

_OUTCOMES = {JobStatus.CRASHED: Outcome.CRASHED, JobStatus.PRUNED: Outcome.PRUNED}

#: Stands for the locks of a block that was not entered yet.
_UNUSED = Lock()

_logger = logging.getLogger(__name__)


class Held(Protocol):
    """What a block, and its end, need of their job."""

    @property
    def record(self) -> JobRecord:
        """The job as it was when last read or written."""

    def held(self) -> str | None:
        """Return the key of the attempt that this process holds, if it does."""

    def let_go(self) -> None:
        """Hold no attempt any more."""

    def take(self, record: JobRecord) -> None:
        """Be what the record says."""


class Block:
    """Watches for SIGTERM while a job runs, and records how its `with` block ended.

    Attributes:
        hooks: called before the job is given back as preempted.
        claim_next: takes the job claimed with the end of this one; None claims none.
        loses_quietly: a lost lease, or a job that was deleted, is only logged.
        catch: exceptions that end the block and no more, after the crash was recorded.
        thread: the one that runs the block.
    """

    def __init__(self, session: Session, edits: Edits) -> None:
        self._session = session
        self._edits = edits
        self._given_back = False
        #: The job, while the block runs; at other times it would keep the job alive.
        self._job: Held | None = None
        self._ending = _UNUSED  # taken by whoever records the end, and never given back
        self._ended = _UNUSED  # held until the end is recorded; an event takes ten times as long to make
        self.hooks = Hooks()
        self.claim_next: Callable[[Claim | NoJob | None], None] | None = None
        self.loses_quietly = False
        self.catch: tuple[type[Exception], ...] = ()
        self.thread = 0

    def enter(self, job: Held) -> None:
        """Watch for SIGTERM from here on."""
        self._given_back = False
        self._job = job
        self._ending, self._ended = Lock(), Lock()
        self._ended.acquire()
        self.thread = get_ident()
        TERM_WATCH.begin(self)
        record = job.record
        HELD_JOBS.enter(self, record, self._session.worker(), self._session.called(record))

    def leave(self, error: BaseException | None, status: JobStatus | str) -> bool:
        """Record how the block ended, and tell whether the exception ends here.

        Args:
            error: the exception that left the block; it always wins over one of ours, which becomes a note on it.
            status: what the block states that the job is.
        """
        left = DONE if error is None else self._meaning(error)
        with TERM_WATCH.deferring:
            try:
                if self._begin_end():
                    self._record(left, error, status)
                elif self._ended.acquire(timeout=TERM_PATIENCE):
                    self._ended.release()
            finally:
                self._job = None
                HELD_JOBS.leave(self)
                TERM_WATCH.end(self)
        return left.swallow

    def is_running(self) -> bool:
        """Tell whether it was entered and not left."""
        return self._job is not None

    def is_leaving(self) -> bool:
        """Tell whether the block's end is being recorded, or is."""
        return self._ending.locked()

    def raise_there(self, error: type[BaseException]) -> None:
        """Have the block's thread raise that, unless the block is being left."""
        if not self.is_leaving():
            raise_in(self.thread, error)

    def end_from_outside(self) -> None:
        """Give the job back as preempted, unless the block is being left; its thread goes on without it."""
        job = self._job
        if job is None or not self._ending.acquire(blocking=False):
            return
        try:
            self._record_end(job, Leaving(Outcome.PREEMPTED, reason=Terminated.__name__), JobStatus.RUNNING)
        finally:
            job.let_go()
            self._ended.release()

    def _begin_end(self) -> bool:
        """Tell whether it is for this thread to record the end; what it should have raised, it no longer will."""
        mine = self._ending.acquire(blocking=False)
        if TERM_WATCH.asked and current_thread() is not main_thread():
            raise_in(self.thread, None)
        return mine

    def _meaning(self, error: BaseException) -> Leaving:
        left = leaving(error)
        return evolve(left, swallow=True) if left.outcome is Outcome.CRASHED and isinstance(error, self.catch) else left

    def _record(self, left: Leaving, error: BaseException | None, status: JobStatus | str) -> None:
        """Record the end, whatever stands against it; what cannot be reported is not kept alive either."""
        job = self._job
        assert job is not None, "the block was entered"
        try:
            self._record_end(job, left, status)
        except Exception as failure:
            if isinstance(failure, self.catch) and isinstance(failure, InvalidInputError):
                _logger.warning("%s; the job %s is CRASHED. Going on.", failure, job.record.id)
            elif error is None or left.swallow:
                raise
            else:
                error.add_note(f"Sweepstake could not record the end of job {job.record.id}: {failure}")
        else:
            if left.swallow and left.outcome is Outcome.CRASHED:
                _logger.warning("The job %s crashed with %s; going on.", job.record.id, shown(error))
        finally:
            job.let_go()
            self._ended.release()

    def give_back(self, job: Held, outcome: Outcome) -> None:
        """Put the job back into the queue, with the results so far.

        Raises:
            InvalidInputError: a result is not JSON; the job is still held.
            LeaseLostError: this process does not hold it.
        """
        record, attempt = job.record, job.held()
        if attempt is None:
            raise LeaseLostError(f"job {record.id} is not held by this process, so it cannot give it back")
        if outcome is Outcome.PREEMPTED:
            self.hooks.run()
        results, hyperparameters = self._edits.report()
        finish = Finish(attempt=attempt, outcome=outcome, results=results, hyperparameters=hyperparameters)
        patience = self._short_patience if outcome is Outcome.PREEMPTED else self._patience
        try:
            finished = self._report(job, record, finish, patience)
        except NotFoundError:
            self._given_back = True
            raise
        self._given_back = True
        if finished is not None:
            job.take(finished.job)

    def _record_end(self, job: Held, left: Leaving, status: JobStatus | str) -> None:
        if self._given_back:
            return
        if left.outcome is Outcome.PREEMPTED and job.held() is not None:
            self.hooks.run()
        try:
            stated = status if type(status) is JobStatus else member_of(JobStatus, status, "status")
            results, hyperparameters = self._edits.report()
        except Exception as error:  # values of the user's fail as they like when they are read
            found = error if isinstance(error, InvalidInputError) else _unread(error)
            results, refused = self._salvage(found)
            self._finish(job, _unreadable(left, refused), results, None)
            raise refused from error
        if left.outcome is Outcome.DONE and stated in _OUTCOMES:
            left = evolve(left, outcome=_OUTCOMES[stated])
        self._finish(job, left, results, hyperparameters)

    def _salvage(self, error: InvalidInputError) -> tuple[JsonObject, InvalidInputError]:
        with suppress(Exception):  # as above, of all results together
            return self._edits.salvage(error)
        return EMPTY, error

    def _finish(self, job: Held, left: Leaving, results: JsonObject, hyperparameters: JsonObject | None) -> None:
        record, attempt = job.record, job.held()
        if attempt is None:
            self._finish_unheld(job, left.outcome, results, hyperparameters)
            return
        claim_next = None if self.claim_next is None or not self._goes_on(left) else self.claim_next
        report = Finish(
            attempt=attempt,
            outcome=left.outcome,
            results=results,
            hyperparameters=hyperparameters,
            reason=left.reason,
            causes=left.causes,
        )
        patience = self._short_patience if left.outcome is Outcome.PREEMPTED else self._patience
        finished = self._report(job, record, report, patience, claim=claim_next is not None)
        if finished is None:
            return
        job.take(finished.job)
        if claim_next is not None:
            claim_next(finished.next)
        if not finished.recorded and left.outcome is not Outcome.PRUNED:
            self._tell_lost(finished)

    @staticmethod
    def _goes_on(left: Leaving) -> bool:
        """Tell whether the loop will want another job."""
        return (left.outcome in (Outcome.DONE, Outcome.PRUNED) or left.swallow) and not TERM_WATCH.asked

    def _report(
        self, job: Held, record: JobRecord, report: Finish, patience: Patience, *, claim: bool = False
    ) -> Finished | None:
        """Report, and hold the job no more; None if the report is in the spool, or the job was deleted in a loop."""
        try:
            finished = report_end(self._session, record, report, patience=patience, claim=claim)
        except NotFoundError as error:
            job.let_go()
            if not self.loses_quietly:
                raise
            _logger.warning("%s; going on.", told(error))
            return None
        job.let_go()
        return finished

    def _finish_unheld(
        self, job: Held, outcome: Outcome, results: JsonObject, hyperparameters: JsonObject | None
    ) -> None:
        """Report on a job that somebody else made RUNNING, as Schedy's `with` does: by a guarded put."""
        record = job.record
        status = JobStatus.QUEUED if outcome in (Outcome.RELEASED, Outcome.PREEMPTED) else JobStatus[outcome.name]
        document = Document(status=status, hyperparameters=hyperparameters or record.hyperparameters, results=results)
        guard = Guard.match(record.etag)
        job.take(self._session.queue.put_job(record.reference, record.id, document, guard).record)

    def _tell_lost(self, finished: Finished) -> None:
        if finished.ended is Outcome.PRUNED:
            return
        message = (
            f"the attempt at job {finished.job.id} ended as {finished.ended} before it reported; "
            "its results were kept as late results"
        )
        if self.loses_quietly:
            _logger.warning("%s; going on.", message)
            return
        raise LeaseLostError(message)

    @staticmethod
    def _short_patience() -> float:
        """Whoever preempts a job, by Ctrl-C or a cancelled task, waits for the process to go on."""
        return TERM_PATIENCE

    @staticmethod
    def _patience() -> float:
        return TERM_PATIENCE if TERM_WATCH.asked else FINAL_PATIENCE


def _unread(error: Exception) -> InvalidInputError:
    return InvalidInputError.at("results", f"cannot be read: {shown(error)}")


def _unreadable(left: Leaving, error: InvalidInputError) -> Leaving:
    """Return how the block ended when what it reports is not JSON: a crash, unless the job is given back anyway."""
    reason = f"{left.reason}\n{error}".strip()
    if left.outcome in (Outcome.RELEASED, Outcome.PREEMPTED):
        return evolve(left, reason=reason)
    return Leaving(Outcome.CRASHED, reason=reason, causes=left.causes or causes_of(error))
