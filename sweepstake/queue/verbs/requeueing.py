"""Changing where a job stands in the queue, from outside."""

from __future__ import annotations

from sweepstake.domain.records import JobRecord
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.domain.vocabulary import Unchanged, queueing_of
from sweepstake.errors import UnsafeUpdateError
from sweepstake.queue.calls import RetryJob, SetQueueing
from sweepstake.queue.store import Store, performs
from sweepstake.queue.verbs.experiments import experiment_id
from sweepstake.queue.verbs.guards import is_first
from sweepstake.queue.verbs.jobs import end_attempt, lock_job, read_job
from sweepstake.stores import rows

__all__ = ["change", "retry"]


@performs(RetryJob)
def retry(store: Store, call: RetryJob) -> JobRecord:
    """Queue a job again that failed, was pruned, or runs without a lease.

    The ledger keeps how many attempts there were when the budgets began anew.
    """
    name = store.at(call.name, call.id)
    with store.write() as transaction:
        key = store.known(transaction, call.key)
        first = is_first(transaction, RetryJob, name, call.id, key)
        number = experiment_id(transaction, name)
        job, _ = lock_job(transaction, name, number, call.id)
        if not first or job.status == JobStatus.QUEUED:
            return rows.job(name, job)
        _refuse(job)
        transaction.run("note_event", key=key, detail=str(job.attempt))
        transaction.run("retry_job", seq=job.seq, etag=key)
        if job.status == JobStatus.RUNNING:
            end_attempt(transaction, job, Outcome.RELEASED, "queued again from outside")
        return rows.job(name, read_job(transaction, name, number, call.id))


@performs(SetQueueing)
def change(store: Store, call: SetQueueing) -> JobRecord:
    """Change what is beside a job's document."""
    name = store.at(call.name, call.id)
    with store.write() as transaction:
        first = is_first(transaction, SetQueueing, name, call.id, store.known(transaction, call.key))
        number = experiment_id(transaction, name)
        job, _ = lock_job(transaction, name, number, call.id)
        if not first:
            return rows.job(name, job)
        said = {
            name: rows.column(value)
            for name, value in queueing_of(call.changes).items()
            if not isinstance(value, Unchanged)
        }
        transaction.run("set_queueing", seq=job.seq, **queueing_of(job) | said)
        return rows.job(name, read_job(transaction, name, number, call.id))


def _refuse(job: rows.JobRow) -> None:
    """Raise if queueing the job again would take a result or a running job from somebody."""
    if job.status == JobStatus.DONE:
        raise UnsafeUpdateError(
            f"The job {job.id!r} is DONE, and a retry would cost its results. Add a new job with its hyperparameters, "
            "or put it with the status QUEUED."
        )
    if job.status == JobStatus.RUNNING and job.due is not None:
        raise UnsafeUpdateError(
            f"The job {job.id!r} is held by {job.worker or 'a worker'}. Wait until it ends (a dead worker's job is "
            "queued again by itself when its lease is over), or prune the job first."
        )
