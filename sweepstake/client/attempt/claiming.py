"""Claiming one job by its id: to enter a job's block is to claim it."""

from __future__ import annotations

import logging
from typing import Final

from sweepstake.client.attempt.process import PROCESS
from sweepstake.client.attempt.reporting import report_end
from sweepstake.client.session import Session
from sweepstake.domain.drafts import Finish
from sweepstake.domain.records import Claim, JobRecord
from sweepstake.domain.situation import Why, WhyReason
from sweepstake.domain.status import Outcome
from sweepstake.errors import InvalidInputError, LimitReachedError, SweepstakeError, UnsafeUpdateError
from sweepstake.queue.call import no_patience

__all__ = ["claim_this", "give_back", "refusal"]

#: How often a job may be ready when it is looked at, and not when it is claimed.
_MOST_LOOKS: Final = 5
_CLAIMABLE: Final = (WhyReason.READY, WhyReason.BEHIND)
_NEXT: Final = {
    WhyReason.DONE: " To run its hyperparameters again, add a new job with them, or put() it with the status QUEUED; "
    "retry() is the way for jobs that are CRASHED or PRUNED.",
}

_logger = logging.getLogger(__name__)


def claim_this(session: Session, record: JobRecord) -> Claim | None:
    """Claim the job that was read as `record`; None when the server is too old to be asked for one job.

    Raises:
        UnsafeUpdateError: it cannot be claimed now, and why; or it was changed since it was read.
        LimitReachedError: as many jobs are RUNNING as `max_running` allows.
        NotFoundError: it was deleted.
    """
    name, job_id = record.reference, record.id
    why = None
    for _ in range(_MOST_LOOKS):
        try:
            answer = session.queue.claim(name, PROCESS.worker, ids=(job_id,))
        except InvalidInputError as error:
            if not any(path == "ids" for path, _ in error.problems):
                raise
            _logger.warning("The server is too old to lease a job by its id: %r runs without a lease.", job_id)
            return None
        if isinstance(answer, Claim):
            return _checked(session, record, answer)
        why = session.queue.why(name, job_id)
        if why.reason not in _CLAIMABLE:
            break
    assert why is not None, "it was looked at once at least"
    raise refusal(job_id, why)


def refusal(job_id: str, why: Why) -> SweepstakeError:
    """Return the error for a job that somebody wants to run and that cannot be claimed."""
    kind = LimitReachedError if why.reason is WhyReason.AT_LIMIT else UnsafeUpdateError
    return kind(f"the job {job_id!r} cannot be run here now. {why.sentence}{_NEXT.get(why.reason, '')}")


def give_back(session: Session, record: JobRecord, attempt: str) -> None:
    """Put a job that was claimed and did not begin back into the queue; what the store does not take, the spool keeps.

    It costs the job none of its budgets. A store that is away is not waited for.
    """
    report = Finish(attempt=attempt, outcome=Outcome.RELEASED, reason="it was claimed, and did not begin")
    try:
        report_end(session, record, report, patience=no_patience)
    except SweepstakeError as error:
        _logger.warning("The job %s, which did not begin, could not be given back: %s", record.id, error)


def _checked(session: Session, record: JobRecord, claim: Claim) -> Claim:
    """Return the claim, if it is of the very job that was read."""
    job = claim.job
    if job.id != record.id:
        give_back(session, job, claim.key)
        raise UnsafeUpdateError(
            f"the server was asked for the job {record.id!r} and handed out {job.id!r}, which was given back; "
            "update the server"
        )
    if (job.hyperparameters, job.results) != (record.hyperparameters, record.results):
        give_back(session, job, claim.key)
        raise UnsafeUpdateError(f"somebody else has changed the job {job.id!r} since it was read; get_job() it again")
    return claim
