"""Where a job stands in its queue."""

from __future__ import annotations

from attrs import evolve

from sweepstake.domain.addresses import no_experiment
from sweepstake.domain.situation import MOST_AHEAD, MOST_BLOCKERS, MOST_WORKERS, Situation
from sweepstake.domain.status import JobStatus
from sweepstake.stores import rows
from sweepstake.stores.engine import Transaction
from sweepstake.stores.jobs import no_job

__all__ = ["situation"]


def situation(transaction: Transaction, name: str, job_id: str) -> Situation:
    """Read what is known of a job, and of a queued one what stands before it; see `Store.situation`."""
    experiment = transaction.row("experiment", name=name)
    if experiment is None:
        raise no_experiment(name)
    number, definition = experiment[0], rows.experiment(experiment)
    row = transaction.row("situation", experiment_id=number, id=job_id)
    if row is None:
        raise no_job(name, job_id)
    failures, losses, preemptions, overdue = row[rows.JOB_COLUMNS :]
    job = rows.job(name, row)
    last = transaction.row("attempt", seq=job.seq, number=job.attempt)
    found = Situation(
        job=job,
        now=transaction.now(),
        overdue=overdue,
        status=definition.status,
        settings=definition.settings,
        last=None if last is None else rows.attempt(last),
        failures=failures,
        losses=losses,
        preemptions=preemptions,
    )
    return _with_queue(transaction, number, found) if found.job.status is JobStatus.QUEUED else found


def _with_queue(transaction: Transaction, number: int, found: Situation) -> Situation:
    job = found.job
    blockers = transaction.rows("blockers", seq=job.seq, most=MOST_BLOCKERS) if job.waiting else []
    workers = transaction.rows("live_workers", experiment_id=number, most=MOST_WORKERS)
    running = transaction.row("count_running", experiment_id=number)
    ahead = transaction.row("ahead", experiment_id=number, priority=job.priority, seq=job.seq, most=MOST_AHEAD)
    assert running is not None, "a count always has a row"
    assert ahead is not None, "as above"
    return evolve(
        found,
        blockers=tuple(map(rows.dependency, blockers)),
        workers=tuple(row[0] for row in workers),
        running=running[0],
        ahead=min(ahead[0], MOST_AHEAD),
    )
