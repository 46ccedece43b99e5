"""Jobs that wait for others: what becomes of them when one that they wait for changes or goes."""

from __future__ import annotations

import json
from typing import Final

from sweepstake.domain.status import JobStatus
from sweepstake.stores.engine import Transaction

__all__ = ["FAILED", "follow", "lock_dependencies", "prune_waiting", "unlink"]

#: What takes those with it that asked to be pruned with their dependencies.
FAILED: Final = frozenset({JobStatus.CRASHED, JobStatus.PRUNED})


def follow(transaction: Transaction, seq: int, before: JobStatus, after: JobStatus, cause: str) -> None:
    """Let the jobs that wait for a job follow the change of its status.

    The job is locked by a statement before, so that whoever begins to wait for it sees the change, or is seen here.
    Everybody locks jobs in the order of seq, and what waits is newer than what it waits for.

    Args:
        cause: the key of the write that changed the job; the etags and events of pruned jobs are made from it.
    """
    if (before is JobStatus.DONE) is not (after is JobStatus.DONE):
        transaction.rows("lock_dependants", seq=seq)
        transaction.run("unblock" if after is JobStatus.DONE else "block", seq=seq)
    if after in FAILED and before is not after:
        prune_waiting(transaction, seq, cause)


def prune_waiting(transaction: Transaction, first: int, cause: str) -> None:
    """Prune the queued jobs that asked for it: those that wait for the job, then those that wait for them."""
    transaction.rows("lock_downstream", seq=first)
    cause = cause.replace(".", "-")  # what follows a dot in an etag is the number of an item
    failed = [first]
    while failed:
        failed = [row[0] for row in transaction.rows("prunable", seqs=json.dumps(failed))]
        if failed:
            seqs = json.dumps(failed)
            transaction.run("prune_with", seqs=seqs, cause=cause)
            transaction.run("note_pruned", seqs=seqs, first=first)


def lock_dependencies(transaction: Transaction, number: int, job_id: str) -> None:
    """Lock what a job waits for, before the job itself is locked to be deleted."""
    transaction.rows("lock_dependencies", experiment_id=number, id=job_id)


def unlink(transaction: Transaction, seq: int, status: JobStatus, *, awaited: bool) -> None:
    """Forget what a job that is deleted waited for, and let go those that waited for it."""
    if awaited and status is not JobStatus.DONE:
        transaction.rows("lock_dependants", seq=seq)
        transaction.run("unblock", seq=seq)
    transaction.run("release_dependencies", seq=seq)
    transaction.run("delete_job_dependencies", seq=seq)
