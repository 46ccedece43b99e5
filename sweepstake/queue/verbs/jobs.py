"""Jobs: reading, pruning and deleting them."""

from __future__ import annotations

import json

from sweepstake.domain.addresses import called, no_experiment
from sweepstake.domain.query.queries import JobQuery
from sweepstake.domain.records import AttemptRecord, Dependency, JobRecord
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.errors import NotFoundError, UnsafeUpdateError
from sweepstake.queue.calls import DeleteJob, GetJob, ListAttempts, ListDependencies, PruneJob
from sweepstake.queue.store import Store, performs
from sweepstake.queue.verbs.dependencies import follow, unlink
from sweepstake.queue.verbs.dropping import drop_job
from sweepstake.queue.verbs.experiments import experiment_id
from sweepstake.queue.verbs.guards import check_guard, is_first
from sweepstake.stores import rows
from sweepstake.stores.engine import Transaction
from sweepstake.turns import sliced

__all__ = [
    "end_attempt",
    "get_job",
    "lock_job",
    "no_job",
    "read_job",
    "recent_jobs",
    "scan_jobs",
]


@performs(GetJob)
def get(store: Store, call: GetJob) -> JobRecord:
    """Return one job."""
    name = store.at(call.name, call.id)
    with store.read() as transaction:
        return get_job(transaction, name, call.id)


@performs(ListAttempts)
def attempts(store: Store, call: ListAttempts) -> tuple[AttemptRecord, ...]:
    """Return the attempts of a job, oldest first."""
    name = store.at(call.name, call.id)
    with store.read() as transaction:
        job = read_job(transaction, name, experiment_id(transaction, name), call.id)
        return tuple(rows.attempt(row) for row in transaction.rows("attempts", seq=job.seq))


@performs(ListDependencies)
def dependencies(store: Store, call: ListDependencies) -> tuple[Dependency, ...]:
    """Return the jobs that a job waits for, oldest first."""
    name = store.at(call.name, call.id)
    with store.read() as transaction:
        job = read_job(transaction, name, experiment_id(transaction, name), call.id)
        return tuple(rows.dependency(row) for row in transaction.rows("dependencies", seq=job.seq))


@performs(DeleteJob)
def delete(store: Store, call: DeleteJob) -> None:
    """Delete a job and its attempts."""
    name = store.at(call.name, call.id)
    with store.write() as transaction:
        if not is_first(transaction, DeleteJob, name, call.id, store.known(transaction, call.key)):
            return
        experiment = transaction.row("lock_experiment", name=name)  # before any of its jobs
        if experiment is None:
            raise no_experiment(name)
        number = experiment[0]
        transaction.rows("lock_dependencies", experiment_id=number, id=call.id)  # before the job that waits for them
        row = transaction.row("lock_job", experiment_id=number, id=call.id)
        locked = None if row is None else rows.LockedJob.of(row)
        check_guard(call.guard, None if locked is None else locked.job.etag, f"job {call.id!r}")
        if locked is None:
            return
        seq = locked.job.seq
        unlink(transaction, seq, JobStatus(locked.job.status), awaited=locked.dependants > 0)
        for statement in ("forget_fingerprint", "delete_job_attempts", "delete_job"):
            transaction.run(statement, seq=seq)
    drop_job(store, name, seq, locked.job.created_at)


@performs(PruneJob)
def prune(store: Store, call: PruneJob) -> JobRecord:
    """Make a QUEUED or RUNNING job PRUNED."""
    name = store.at(call.name, call.id)
    with store.write() as transaction:
        key = store.known(transaction, call.key)
        first = is_first(transaction, PruneJob, name, call.id, key)
        number = experiment_id(transaction, name)
        job, dependants = lock_job(transaction, name, number, call.id)
        if not first or job.status == JobStatus.PRUNED:
            return rows.job(name, job)
        if job.status not in (JobStatus.QUEUED, JobStatus.RUNNING):
            raise UnsafeUpdateError(f"The job {call.id!r} is {job.status}; only a queued or running job can be pruned.")
        transaction.run("prune_job", seq=job.seq, etag=key)
        if job.status == JobStatus.RUNNING:
            end_attempt(transaction, job, Outcome.PRUNED, "pruned from outside")
        if dependants:
            follow(transaction, job.seq, JobStatus(job.status), JobStatus.PRUNED, key)
        return rows.job(name, read_job(transaction, name, number, call.id))


def get_job(transaction: Transaction, name: str, job_id: str) -> JobRecord:
    """Return one job."""
    return rows.job(name, read_job(transaction, name, experiment_id(transaction, name), job_id))


def read_job(transaction: Transaction, name: str, number: int, job_id: str) -> rows.JobRow:
    """Return the columns of one job of the experiment that has this number."""
    row = transaction.row("job", experiment_id=number, id=job_id)
    if row is None:
        raise no_job(name, job_id)
    return rows.JobRow._make(row)


def scan_jobs(
    transaction: Transaction, name: str, query: JobQuery, after: int, limit: int
) -> tuple[list[JobRecord], bool]:
    """Return jobs with `seq > after` by age, of the query's part of an id, or else of its status and tag.

    There are fewer than `limit` if their texts fill the memory; the second says whether there are not.
    """
    page = {"experiment_id": experiment_id(transaction, name), "after": after, "limit": limit}
    statuses = json.dumps([str(status) for status in query.status])
    if query.part is not None:
        found, whole = transaction.first_rows("jobs_with_part", **page, part=query.part)
    elif query.tag is not None:
        found, whole = transaction.first_rows("jobs_of_tag", **page, tag=query.tag, statuses=statuses)
    elif query.status and len(query.status) < len(JobStatus):
        found, whole = transaction.first_rows("jobs_of_statuses", **page, statuses=statuses)
    else:
        found, whole = transaction.first_rows("jobs_page", **page)
    return [rows.job(name, row) for row in sliced(found)], whole


def recent_jobs(transaction: Transaction, name: str, limit: int) -> list[JobRecord]:
    """Return the newest jobs, oldest of them first."""
    found = transaction.rows("recent_jobs", experiment_id=experiment_id(transaction, name), limit=limit)
    return [rows.job(name, row) for row in reversed(found)]


def lock_job(transaction: Transaction, name: str, number: int, job_id: str) -> rows.LockedJob:
    """Lock a job until the transaction ends, and return what a write needs to know of it."""
    row = transaction.row("lock_job", experiment_id=number, id=job_id)
    if row is None:
        raise no_job(name, job_id)
    return rows.LockedJob.of(row)


def end_attempt(transaction: Transaction, job: rows.JobRow, outcome: Outcome, reason: str) -> None:
    """End the open attempt of a job for somebody who does not hold it."""
    transaction.run(
        "end_attempt",
        seq=job.seq,
        number=job.attempt,
        outcome=str(outcome),
        reason=reason,
        output="",
        finish_key=None,
    )


def no_job(name: str, job_id: str) -> NotFoundError:
    """Return the error for a job that is not there."""
    return NotFoundError(f"There is no job {job_id!r} in the experiment {called(name)!r}.")
