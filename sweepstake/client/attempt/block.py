"""The block in which a job runs: how its end is recorded."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from threading import current_thread, main_thread

from attrs import define, evolve, field

from sweepstake.client.attempt.held import Held
from sweepstake.client.attempt.leaving import DONE, Leaving, Terminated, leaving
from sweepstake.client.attempt.preempting import Hooks
from sweepstake.client.attempt.process import PROCESS
from sweepstake.client.attempt.ranks import HELD_JOBS
from sweepstake.client.attempt.reporting import came_late, report_end, report_patience, with_notes
from sweepstake.client.attempt.terminating import TERM_WATCH, Running, raise_in
from sweepstake.client.edits import Edits
from sweepstake.domain.causes import causes_of
from sweepstake.domain.drafts import Finish
from sweepstake.domain.records import Claim, Document, Finished, Guard, NoJob
from sweepstake.domain.status import JobStatus, Outcome, member_of
from sweepstake.errors import InvalidInputError, LeaseLostError, NotFoundError, shown
from sweepstake.queue.retrying import TERM_PATIENCE
from sweepstake.values import EMPTY, JsonObject

__all__ = ["Block"]

_OUTCOMES = {JobStatus.CRASHED: Outcome.CRASHED, JobStatus.PRUNED: Outcome.PRUNED}
_GIVEN_BACK = (Outcome.RELEASED, Outcome.PREEMPTED)

_logger = logging.getLogger(__name__)


@define(eq=False)
class Block:
    """Watches for SIGTERM while a job runs, and records how its `with` block ended.

    Attributes:
        hooks: called before the job is given back as preempted.
        claim_next: takes the job claimed with the end of this one; None claims none.
        ends: takes the end of the job, to report it later with others; None reports it at once.
        loses_quietly: a lost lease, or a job that was deleted, is only logged.
        catch: exceptions that end the block and go no further, once the crash is recorded.
        running: the block as the watch for SIGTERM knows it; None at other times, as it refers back to this.
    """

    _held: Held
    _edits: Edits
    hooks: Hooks = field(factory=Hooks)
    claim_next: Callable[[Claim | NoJob | None], None] | None = None
    ends: Callable[[Held, Finish], None] | None = None
    loses_quietly: bool = False
    catch: tuple[type[Exception], ...] = ()
    running: Running | None = None
    _given_back: bool = False

    def enter(self) -> None:
        """Watch for SIGTERM from here on."""
        self._given_back = False
        self.running = running = Running(self._preempt)
        running.ended.acquire()
        TERM_WATCH.begin(running)
        record = self._held.record
        HELD_JOBS.enter(self, record, PROCESS.worker, self._held.session.called(record))

    def leave(self, error: BaseException | None, status: JobStatus | str) -> bool:
        """Record how the block ended, and tell whether the exception ends here.

        Args:
            error: the exception that left the block; it always wins over one of ours, which becomes a note on it.
            status: what the block states that the job is.
        """
        left = DONE if error is None else leaving(error)
        if left.outcome is Outcome.CRASHED and isinstance(error, self.catch):
            left = evolve(left, swallow=True)
        running = self.running
        if running is None:
            return left.swallow
        with TERM_WATCH:
            try:
                mine = running.ending.acquire(blocking=False)
                if TERM_WATCH.asked and current_thread() is not main_thread():
                    raise_in(running.thread, None)  # what it should have raised, it no longer will
                if mine:
                    self._record(running, left, error, status)
                elif running.ended.acquire(timeout=TERM_PATIENCE):
                    running.ended.release()
            finally:
                self.running = None
                HELD_JOBS.leave(self)
                TERM_WATCH.end(running)
        return left.swallow

    def give_back(self, outcome: Outcome) -> None:
        """Put the job back into the queue, with the results so far.

        Raises:
            InvalidInputError: a result is not JSON; the job is still held.
            LeaseLostError: this process does not hold it.
        """
        attempt = self._held.begun()
        if attempt is None:
            raise LeaseLostError(f"job {self._held.record.id} is not held by this process, so it cannot give it back")
        if outcome is Outcome.PREEMPTED:
            self.hooks.run()
        results, hyperparameters = self._edits.report()
        try:
            self._report(attempt, Leaving(outcome), results, hyperparameters)
        except NotFoundError:
            self._given_back = True
            raise
        self._given_back = True

    def _record(self, running: Running, left: Leaving, error: BaseException | None, status: JobStatus | str) -> None:
        """Record the end, and give the lease up even if that fails; the user's exception wins over ours."""
        job_id = self._held.record.id
        try:
            self._record_end(left, status)
        except Exception as failure:
            if isinstance(failure, self.catch) and isinstance(failure, InvalidInputError):
                _logger.warning("%s; the job %s is CRASHED. Going on.", failure, job_id)
            elif error is None or left.swallow:
                raise
            else:
                error.add_note(f"Sweepstake could not record the end of job {job_id}: {failure}")
        else:
            if left.swallow and left.outcome is Outcome.CRASHED:
                _logger.warning("The job %s crashed with %s; going on.", job_id, shown(error))
        finally:
            self._held.let_go()
            running.ended.release()

    def _preempt(self) -> None:
        """Give the job back from another thread, whatever the block does."""
        try:
            self._record_end(Leaving(Outcome.PREEMPTED, reason=Terminated.__name__), JobStatus.RUNNING)
        finally:
            self._held.let_go()

    def _record_end(self, left: Leaving, status: JobStatus | str) -> None:
        if self._given_back:
            return
        if left.outcome is Outcome.PREEMPTED and self._held.key is not None:
            self.hooks.run()
        unread: tuple[InvalidInputError, Exception] | None = None
        hyperparameters = None
        try:
            stated = status if type(status) is JobStatus else member_of(JobStatus, status, "status")
            results, hyperparameters = self._edits.report()
            if left.outcome is Outcome.DONE and stated in _OUTCOMES:
                left = evolve(left, outcome=_OUTCOMES[stated])
        except Exception as error:  # noqa: BLE001 -- values of the user's fail as they like when they are read
            results, refused = self._salvage(error)
            left = _unreadable(left, refused)
            unread = refused, error
        attempt = self._held.key
        if attempt is None:
            self._put(left, results, hyperparameters)
        else:
            finished = self._report(attempt, left, results, hyperparameters)
            if finished is not None and not finished.recorded and left.outcome is not Outcome.PRUNED:
                self._tell_lost(finished)
        if unread is not None:
            raise unread[0] from unread[1]

    def _salvage(self, error: Exception) -> tuple[JsonObject, InvalidInputError]:
        """Return what can be recorded of the results, and the error that says what cannot."""
        if not isinstance(error, InvalidInputError):
            error = InvalidInputError.at("results", f"cannot be read: {shown(error)}")
        with suppress(Exception):  # as above, of all results together
            return self._edits.salvage(error)
        return EMPTY, error

    def _report(
        self, attempt: str, left: Leaving, results: JsonObject, hyperparameters: JsonObject | None
    ) -> Finished | None:
        """Report the end, and hold the job no longer.

        Returns:
            The answer; None if the report is in the spool, or if the job was deleted and is lost quietly.
        """
        goes_on = (left.outcome in (Outcome.DONE, Outcome.PRUNED) or left.swallow) and not TERM_WATCH.asked
        claim_next = self.claim_next if goes_on else None
        report = Finish(
            attempt=attempt,
            outcome=left.outcome,
            results=results,
            hyperparameters=hyperparameters,
            reason=left.reason,
            causes=left.causes,
        )
        held = self._held
        if goes_on and self.ends is not None:
            self.ends(held, report)
            return None
        patience = _short_patience if left.outcome is Outcome.PREEMPTED else report_patience
        try:
            finished = report_end(held.session, held.record, report, patience=patience, claim=claim_next is not None)
        except NotFoundError as error:
            held.let_go()
            if not self.loses_quietly:
                raise
            _logger.warning("%s; going on.", with_notes(error))
            return None
        held.let_go()
        if finished is not None:
            held.take(finished.job)
            if claim_next is not None:
                claim_next(finished.next)
        return finished

    def _put(self, left: Leaving, results: JsonObject, hyperparameters: JsonObject | None) -> None:
        """Say by a guarded put how a job ended that this process does not hold, as Schedy's `with` does."""
        record = self._held.record
        status = JobStatus.QUEUED if left.outcome in _GIVEN_BACK else JobStatus[left.outcome.name]
        document = Document(status=status, hyperparameters=hyperparameters or record.hyperparameters, results=results)
        queue, guard = self._held.session.queue, Guard.match(record.etag)
        self._held.take(queue.put_job(record.reference, record.id, document, guard).record)

    def _tell_lost(self, finished: Finished) -> None:
        if finished.ended is Outcome.PRUNED:
            return
        if self.loses_quietly:
            _logger.warning("%s; going on.", came_late(finished))
            return
        raise LeaseLostError(came_late(finished))


def _short_patience() -> float:
    """Return how long to report a preempted job: whoever pressed Ctrl-C, or cancelled the task, waits for it."""
    return TERM_PATIENCE


def _unreadable(left: Leaving, error: InvalidInputError) -> Leaving:
    """Return how the block ended when what it reports is not JSON: a crash, unless the job is given back anyway."""
    reason = f"{left.reason}\n{error}".strip()
    if left.outcome in _GIVEN_BACK:
        return evolve(left, reason=reason)
    return Leaving(Outcome.CRASHED, reason=reason, causes=left.causes or causes_of(error))
