"""Changing where a job stands in the queue, from outside."""

from __future__ import annotations

import json

from sweepstake.domain.queueing import QueueingChanges, Unchanged
from sweepstake.domain.records import JobRecord
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.errors import UnsafeUpdateError
from sweepstake.queue.calls import RetryJob, SetQueueing
from sweepstake.queue.store import Store, performs
from sweepstake.queue.verbs.experiments import experiment_id
from sweepstake.queue.verbs.guards import is_first
from sweepstake.queue.verbs.jobs import no_job, read_job
from sweepstake.stores import rows
from sweepstake.stores.engine import Transaction

__all__ = ["retry_job", "set_queueing"]


@performs(RetryJob)
def retry(store: Store, call: RetryJob) -> JobRecord:
    """Queue a job again that failed or was pruned."""
    name = store.at_job(call.name, call.id)
    with store.write() as transaction:
        return retry_job(transaction, name, call.id, key=store.known(transaction, call.key))


@performs(SetQueueing)
def change(store: Store, call: SetQueueing) -> JobRecord:
    """Change what is beside a job's document."""
    name = store.at_job(call.name, call.id)
    with store.write() as transaction:
        return set_queueing(transaction, name, call.id, call.changes, key=store.known(transaction, call.key))


def retry_job(transaction: Transaction, name: str, job_id: str, *, key: str) -> JobRecord:
    """Queue a job again that failed, was pruned, or runs without a lease; see `RetryJob`.

    The ledger keeps how many attempts there were when the budgets began anew.
    """
    first = is_first(transaction, RetryJob, name, job_id, key)
    number = experiment_id(transaction, name)
    job = _lock(transaction, name, number, job_id)
    if not first or job.status == JobStatus.QUEUED:
        return rows.job(name, job)
    _refuse(job)
    transaction.run("note_event", key=key, detail=str(job.attempt))
    transaction.run("retry_job", seq=job.seq, etag=key)
    if job.status == JobStatus.RUNNING:
        transaction.run(
            "end_attempt",
            seq=job.seq,
            number=job.attempt,
            outcome=str(Outcome.RELEASED),
            reason="queued again from outside",
            output="",
            finish_key=None,
        )
    return rows.job(name, read_job(transaction, name, number, job_id))


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


def set_queueing(transaction: Transaction, name: str, job_id: str, changes: QueueingChanges, *, key: str) -> JobRecord:
    """Change what is beside a job's document; see `SetQueueing`."""
    first = is_first(transaction, SetQueueing, name, job_id, key)
    number = experiment_id(transaction, name)
    job = _lock(transaction, name, number, job_id)
    if not first:
        return rows.job(name, job)
    transaction.run(
        "set_queueing",
        seq=job.seq,
        priority=job.priority if isinstance(changes.priority, Unchanged) else changes.priority,
        not_before=job.not_before if isinstance(changes.not_before, Unchanged) else changes.not_before,
        tags=job.tags if isinstance(changes.tags, Unchanged) else json.dumps(changes.tags),
        notes=job.notes if isinstance(changes.notes, Unchanged) else changes.notes,
    )
    return rows.job(name, read_job(transaction, name, number, job_id))


def _lock(transaction: Transaction, name: str, number: int, job_id: str) -> rows.JobRow:
    row = transaction.row("lock_job", experiment_id=number, id=job_id)
    if row is None:
        raise no_job(name, job_id)
    return rows.LockedJob.of(row).job
