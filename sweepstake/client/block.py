"""The block in which a job runs: how its end is recorded."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

from attrs import evolve

from sweepstake.client.edits import Edits
from sweepstake.client.leaving import Leaving, Terminated, TermWatch, leaving
from sweepstake.client.preempting import Hooks
from sweepstake.client.reporting import report_end, told
from sweepstake.client.session import Session
from sweepstake.domain.causes import causes_of
from sweepstake.domain.records import Claim, Document, Finish, Finished, Guard, JobRecord, NoJob
from sweepstake.domain.status import JobStatus, Outcome, member_of
from sweepstake.errors import InvalidInputError, LeaseLostError, NotFoundError, SweepstakeError
from sweepstake.retrying import FINAL_PATIENCE, TERM_PATIENCE, Patience
from sweepstake.values import JsonObject

__all__ = ["Block", "Ties"]

_OUTCOMES = {JobStatus.CRASHED: Outcome.CRASHED, JobStatus.PRUNED: Outcome.PRUNED}

_logger = logging.getLogger(__name__)


class Ties(NamedTuple):
    """What the end of a block needs of its job; made for each call, so that neither keeps the other alive.

    Attributes:
        record: returns the job as it was when last read or written.
        held: returns the key of the attempt that this process holds, if it does.
        let_go: holds no attempt any more.
        take: makes a record what the job is.
    """

    record: Callable[[], JobRecord]
    held: Callable[[], str | None]
    let_go: Callable[[], None]
    take: Callable[[JobRecord], None]


class Block:
    """Watches for SIGTERM while a job runs, and records how its `with` block ended.

    Attributes:
        hooks: called before the job is given back as preempted.
        claim_next: takes the job claimed with the end of this one; None claims none.
        loses_quietly: a lost lease, or a job that was deleted, is only logged.
    """

    def __init__(self, session: Session, edits: Edits) -> None:
        self._session = session
        self._edits = edits
        self._watch: TermWatch | None = None
        self._given_back = False
        self.hooks = Hooks()
        self.claim_next: Callable[[Claim | NoJob | None], None] | None = None
        self.loses_quietly = False

    def enter(self) -> None:
        """Watch for SIGTERM from here on."""
        self._given_back = False
        self._watch = TermWatch()
        self._watch.start()

    def leave(self, ties: Ties, error: BaseException | None, status: JobStatus | str) -> bool:
        """Record how the block ended, and tell whether the exception ends here.

        Args:
            ties: the job's.
            error: the exception that left the block; it always wins over one of ours, which becomes a note on it.
            status: what the block states that the job is.
        """
        left = leaving(error)
        watch = self._watch or TermWatch()
        watch.report()
        try:
            self._record_end(ties, left, status)
        except SweepstakeError as failure:
            if error is None or left.swallow:
                raise
            error.add_note(f"Sweepstake could not record the end of job {ties.record().id}: {failure}")
        finally:
            watch.stop(raising=isinstance(error, Terminated))
        return left.swallow

    def give_back(self, ties: Ties, outcome: Outcome) -> None:
        """Put the job back into the queue, with the results so far.

        Raises:
            InvalidInputError: a result is not JSON; the job is still held.
            LeaseLostError: this process does not hold it.
        """
        record, attempt = ties.record(), ties.held()
        if attempt is None:
            raise LeaseLostError(f"job {record.id} is not held by this process, so it cannot give it back")
        if outcome is Outcome.PREEMPTED:
            self.hooks.run()
        results, hyperparameters = self._edits.report()
        finish = Finish(attempt=attempt, outcome=outcome, results=results, hyperparameters=hyperparameters)
        patience = self._short_patience if outcome is Outcome.PREEMPTED else self._patience
        try:
            finished = self._report(ties, record, finish, patience)
        except NotFoundError:
            self._given_back = True
            raise
        self._given_back = True
        if finished is not None:
            ties.take(finished.job)

    def _record_end(self, ties: Ties, left: Leaving, status: JobStatus | str) -> None:
        if self._given_back:
            return
        if left.outcome is Outcome.PREEMPTED and ties.held() is not None:
            self.hooks.run()
        try:
            stated = member_of(JobStatus, status, "status")  # perhaps inside the block
            results, hyperparameters = self._edits.report()
        except InvalidInputError as error:
            results, refused = self._edits.salvage(error)
            self._finish(ties, _unreadable(left, refused), results, None)
            raise refused from error
        if left.outcome is Outcome.DONE and stated in _OUTCOMES:
            left = evolve(left, outcome=_OUTCOMES[stated])
        self._finish(ties, left, results, hyperparameters)

    def _finish(self, ties: Ties, left: Leaving, results: JsonObject, hyperparameters: JsonObject | None) -> None:
        record, attempt = ties.record(), ties.held()
        if attempt is None:
            self._finish_unheld(ties, left.outcome, results, hyperparameters)
            return
        claim_next = self.claim_next if left.outcome in (Outcome.DONE, Outcome.PRUNED) else None
        report = Finish(
            attempt=attempt,
            outcome=left.outcome,
            results=results,
            hyperparameters=hyperparameters,
            reason=left.reason,
            causes=left.causes,
        )
        patience = self._short_patience if left.outcome is Outcome.PREEMPTED else self._patience
        finished = self._report(ties, record, report, patience, claim=claim_next is not None)
        if finished is None:
            return
        ties.take(finished.job)
        if claim_next is not None:
            claim_next(finished.next)
        if not finished.recorded and left.outcome is not Outcome.PRUNED:
            self._tell_lost(finished)

    def _report(
        self, ties: Ties, record: JobRecord, report: Finish, patience: Patience, *, claim: bool = False
    ) -> Finished | None:
        """Report, and hold the job no more; None if the report is in the spool, or the job was deleted in a loop."""
        try:
            finished = report_end(self._session, record, report, patience=patience, claim=claim)
        except NotFoundError as error:
            ties.let_go()
            if not self.loses_quietly:
                raise
            _logger.warning("%s; going on.", told(error))
            return None
        ties.let_go()
        return finished

    def _finish_unheld(
        self, ties: Ties, outcome: Outcome, results: JsonObject, hyperparameters: JsonObject | None
    ) -> None:
        """Report on a job that somebody else made RUNNING, as Schedy's `with` does: by a guarded put."""
        record = ties.record()
        status = JobStatus.QUEUED if outcome in (Outcome.RELEASED, Outcome.PREEMPTED) else JobStatus[outcome.name]
        document = Document(status=status, hyperparameters=hyperparameters or record.hyperparameters, results=results)
        guard = Guard.match(record.etag)
        ties.take(self._session.queue.put_job(record.reference, record.id, document, guard).record)

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

    def _patience(self) -> float:
        return TERM_PATIENCE if self._watch is not None and self._watch.asked else FINAL_PATIENCE


def _unreadable(left: Leaving, error: InvalidInputError) -> Leaving:
    """Return how the block ended when what it reports is not JSON: a crash, unless the job is given back anyway."""
    reason = f"{left.reason}\n{error}".strip()
    if left.outcome in (Outcome.RELEASED, Outcome.PREEMPTED):
        return evolve(left, reason=reason)
    return Leaving(Outcome.CRASHED, reason=reason, causes=left.causes or causes_of(error))
