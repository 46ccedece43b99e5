"""What is kept of jobs: adding, reading and deleting them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sweepstake.domain.keys import item_key
from sweepstake.domain.queries import JobQuery
from sweepstake.domain.records import AttemptRecord, Guard, JobDraft, JobRecord
from sweepstake.domain.status import JobStatus, Outcome, Verb
from sweepstake.errors import LimitReachedError, NotFoundError, ResourceExistsError, UnsafeUpdateError
from sweepstake.stores import rows
from sweepstake.stores.engine import Transaction
from sweepstake.stores.experiments import experiment_id, no_experiment
from sweepstake.stores.guards import check_guard, is_first

__all__ = [
    "add_jobs",
    "begin_unleased",
    "check_running_limit",
    "create_job",
    "delete_job",
    "find_taken",
    "get_job",
    "list_attempts",
    "no_job",
    "prune_job",
    "read_job",
    "recent_jobs",
    "reserve_jobs",
    "scan_jobs",
]


def add_jobs(transaction: Transaction, name: str, drafts: Sequence[JobDraft], *, key: str) -> None:
    """Create jobs, all or none; see `Queue.add_jobs`."""
    _refuse_repeats(drafts)
    if not is_first(transaction, Verb.ADD_JOBS, name, "", key, detail=str(len(drafts))):
        return
    number, max_running = reserve_jobs(transaction, name, len(drafts))
    running = [i for i, draft in enumerate(drafts) if draft.document.status is JobStatus.RUNNING]
    if running:
        check_running_limit(transaction, name, number, max_running, len(running))
    now = transaction.now()
    transaction.add_jobs([rows.draft_row(number, draft, item_key(key, i), now) for i, draft in enumerate(drafts)])
    for i in running:
        row = transaction.row("job", experiment_id=number, id=drafts[i].id)
        assert row is not None, "it was inserted above"
        begin_unleased(transaction, row[0], item_key(key, i))


def create_job(transaction: Transaction, name: str, draft: JobDraft, *, key: str) -> rows.JobRow:
    """Create one job within a write that is recorded already."""
    number, max_running = reserve_jobs(transaction, name, 1)
    running = draft.document.status is JobStatus.RUNNING
    if running:
        check_running_limit(transaction, name, number, max_running, 1)
    transaction.add_jobs([rows.draft_row(number, draft, key, transaction.now())])
    job = read_job(transaction, name, number, draft.id)
    if not running:
        return job
    begin_unleased(transaction, job.seq, key)
    return read_job(transaction, name, number, draft.id)


def reserve_jobs(transaction: Transaction, name: str, count: int) -> tuple[int, int | None]:
    """Make room for new jobs and return the experiment's number and its limit of running jobs."""
    row = transaction.row("reserve_jobs", name=name, count=count)
    if row is not None:
        return row[0], row[1]
    limits = transaction.row("limits", name=name)
    if limits is None:
        raise no_experiment(name)
    raise LimitReachedError(
        f"The experiment {name!r} may have {limits[3]:,} jobs, {limits[4]:,} were created: no room for {count:,} more. "
        "Raise its max_jobs to add them."
    )


def check_running_limit(transaction: Transaction, name: str, number: int, max_running: int | None, more: int) -> None:
    """Raise LimitReachedError if so many more jobs may not run; the experiment must be locked."""
    if max_running is None:
        return
    row = transaction.row("count_running", experiment_id=number)
    assert row is not None, "a count always has a row"
    if row[0] + more > max_running:
        raise LimitReachedError(
            f"{row[0]:,} jobs of the experiment {name!r} are running, and its max_running is {max_running:,}. "
            "Wait until one ends."
        )


def begin_unleased(transaction: Transaction, seq: int, key: str) -> None:
    """Begin an attempt of somebody who does not heartbeat: nobody takes the job from him."""
    row = transaction.row("run_job", seq=seq, etag=key)
    assert row is not None, "the job is locked"
    transaction.run("begin_attempt", seq=seq, number=row[0], key=key, worker="", lease=None)


def _refuse_repeats(drafts: Sequence[JobDraft]) -> None:
    seen: set[str] = set()
    for draft in drafts:
        if draft.id in seen:
            raise ResourceExistsError(f"The job id {draft.id!r} stands twice among the jobs to add.")
        seen.add(draft.id)


def find_taken(transaction: Transaction, name: str, ids: Sequence[str]) -> str | None:
    """Return the first of these ids that a job of the experiment has."""
    number = experiment_id(transaction, name)
    return next((id_ for id_ in ids if transaction.row("taken_id", experiment_id=number, id=id_)), None)


def get_job(transaction: Transaction, name: str, job_id: str) -> JobRecord:
    """Return one job."""
    return rows.job(name, read_job(transaction, name, experiment_id(transaction, name), job_id))


def read_job(transaction: Transaction, name: str, number: int, job_id: str) -> rows.JobRow:
    """Return the columns of one job of the experiment that has this number."""
    row = transaction.row("job", experiment_id=number, id=job_id)
    if row is None:
        raise no_job(name, job_id)
    return rows.JobRow._make(row)


def scan_jobs(transaction: Transaction, name: str, query: JobQuery, after: int, limit: int) -> list[JobRecord]:
    """Return jobs by age, of the query's status and tag."""
    number = experiment_id(transaction, name)
    if not query.status and query.tag is None:
        found = transaction.rows("jobs_page", experiment_id=number, after=after, limit=limit)
    else:
        statuses = json.dumps([str(status) for status in query.status])
        found = transaction.rows(
            "jobs_filtered", experiment_id=number, after=after, limit=limit, statuses=statuses, tag=query.tag
        )
    return [rows.job(name, row) for row in found]


def recent_jobs(transaction: Transaction, name: str, limit: int) -> list[JobRecord]:
    """Return the newest jobs, oldest of them first."""
    found = transaction.rows("recent_jobs", experiment_id=experiment_id(transaction, name), limit=limit)
    return [rows.job(name, row) for row in reversed(found)]


def list_attempts(transaction: Transaction, name: str, job_id: str) -> tuple[AttemptRecord, ...]:
    """Return the attempts of a job, oldest first."""
    job = read_job(transaction, name, experiment_id(transaction, name), job_id)
    return tuple(rows.attempt(row) for row in transaction.rows("attempts", seq=job.seq))


def delete_job(transaction: Transaction, name: str, job_id: str, *, guard: Guard, key: str) -> None:
    """Delete a job and its attempts; see `Queue.delete_job`."""
    if not is_first(transaction, Verb.DELETE_JOB, name, job_id, key):
        return
    row = transaction.row("lock_job", experiment_id=experiment_id(transaction, name), id=job_id)
    locked = None if row is None else rows.LockedJob.of(row)
    check_guard(guard, None if locked is None else locked.job.etag, f"job {job_id!r}")
    if locked is None:
        return
    seq = locked.job.seq
    if locked.dependants and locked.job.status != JobStatus.DONE:
        transaction.run("unblock", seq=seq)
    for statement in ("release_dependencies", "delete_job_dependencies", "delete_job_attempts", "delete_job"):
        transaction.run(statement, seq=seq)


def prune_job(transaction: Transaction, name: str, job_id: str, *, key: str) -> JobRecord:
    """Make a QUEUED or RUNNING job PRUNED; see `Queue.prune`."""
    first = is_first(transaction, Verb.PRUNE, name, job_id, key)
    number = experiment_id(transaction, name)
    row = transaction.row("lock_job", experiment_id=number, id=job_id)
    if row is None:
        raise no_job(name, job_id)
    job = rows.LockedJob.of(row).job
    if not first or job.status == JobStatus.PRUNED:
        return rows.job(name, job)
    if job.status not in (JobStatus.QUEUED, JobStatus.RUNNING):
        raise UnsafeUpdateError(f"The job {job_id!r} is {job.status}; only a queued or running job can be pruned.")
    transaction.run("prune_job", seq=job.seq, etag=key)
    if job.status == JobStatus.RUNNING:
        outcome = str(Outcome.PRUNED)
        transaction.run(
            "end_attempt",
            seq=job.seq,
            number=job.attempt,
            outcome=outcome,
            reason="pruned from outside",
            output="",
            finish_key=None,
        )
    return rows.job(name, read_job(transaction, name, number, job_id))


def no_job(name: str, job_id: str) -> NotFoundError:
    """Return the error for a job that is not there."""
    return NotFoundError(f"There is no job {job_id!r} in the experiment {name!r}.")
