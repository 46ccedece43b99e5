"""Where a job stands: reading what is known of it and of what is before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import evolve

from sweepstake.domain.addresses import no_experiment
from sweepstake.domain.batches.records import BatchStatus
from sweepstake.domain.batches.vain import seconds_in_vain
from sweepstake.domain.records import AttemptRecord
from sweepstake.domain.situation import (
    MOST_AHEAD,
    MOST_BLOCKERS,
    MOST_WORKERS,
    BatchSituation,
    GangSituation,
    Situation,
    VainSituation,
)
from sweepstake.domain.status import JobStatus
from sweepstake.domain.tasks.needs import Needs, Offer, WorkerLabel, in_words, places, unmet_by_all
from sweepstake.queue.verbs.batches import last_batch_of, live_batch_of
from sweepstake.queue.verbs.jobs import no_job
from sweepstake.queue.verbs.tasks.matching import read_needs
from sweepstake.queue.verbs.tasks.workers import offers_for
from sweepstake.stores import rows
from sweepstake.stores.engine import Transaction

__all__ = ["situation"]


def situation(transaction: Transaction, name: str, job_id: str) -> Situation:
    """Read what is known of a job, and of a queued one what stands before it."""
    experiment = transaction.row("experiment", name=name)
    if experiment is None:
        raise no_experiment(name)
    number, definition = experiment[0], rows.experiment(experiment)
    row = transaction.row("situation", experiment_id=number, id=job_id)
    if row is None:
        raise no_job(name, job_id)
    failures, losses, preemptions, overdue, needs = row[rows.JOB_COLUMNS :]
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
    if job.status not in (JobStatus.QUEUED, JobStatus.RUNNING):
        return found
    if needs:
        found = _with_workers(transaction, number, found, needs)
    return _with_queue(transaction, number, found, needs) if job.status is JobStatus.QUEUED else found


def _with_queue(transaction: Transaction, number: int, found: Situation, needs: int) -> Situation:
    job = found.job
    blockers = transaction.rows("blockers", seq=job.seq, most=MOST_BLOCKERS) if job.waiting else []
    workers = transaction.rows("live_workers", experiment_id=number, most=MOST_WORKERS)
    running = transaction.row("count_running", experiment_id=number)
    ahead = transaction.row(
        "ahead", experiment_id=number, needs=needs, priority=job.priority, seq=job.seq, most=MOST_AHEAD
    )
    assert running is not None, "a count always has a row"
    assert ahead is not None, "a count always has a row"
    batch = _batch(transaction, number, job.id)
    return evolve(
        found,
        blockers=tuple(map(rows.dependency, blockers)),
        workers=tuple(row[0] for row in workers),
        running=running[0],
        ahead=min(ahead[0], MOST_AHEAD),
        batch=batch,
        vain=_vain(transaction, number, found) if batch is None else None,
    )


def _batch(transaction: Transaction, number: int, job_id: str) -> BatchSituation | None:
    """Return what is known of the batch that a job is in."""
    batch = live_batch_of(transaction, number, job_id)
    if batch is None:
        return None
    since = {BatchStatus.SUBMITTED: batch.submitted_at, BatchStatus.BEGUN: batch.begun_at}.get(batch.status)
    return BatchSituation(
        id=batch.id,
        backend=batch.backend,
        status=batch.status,
        jobid=batch.jobid,
        allocation=batch.allocation,
        reason=batch.reason,
        since=batch.intended_at if since is None else since,
        start=batch.starts[batch.jobs.index(job_id)] if batch.starts else None,
    )


def _vain(transaction: Transaction, number: int, found: Situation) -> VainSituation | None:
    """Return for how long a job ran in allocations that gave it too little time, if its last ones did."""
    given = seconds_in_vain(_attempts(transaction, found))
    if given is None:
        return None
    batch = last_batch_of(transaction, number, found.job.id)
    known = batch is not None and batch.estimates
    needs = batch.estimates[batch.jobs.index(found.job.id)] if batch is not None and known else None
    return VainSituation(given=given, needs=needs)


def _attempts(transaction: Transaction, found: Situation) -> Iterator[AttemptRecord]:
    """Give the attempts of a job, the last one first."""
    if found.last is not None:
        yield found.last
    for number in range(found.job.attempt - 1, 0, -1):
        row = transaction.row("attempt", seq=found.job.seq, number=number)
        if row is None:
            return
        yield rows.attempt(row)


def _with_workers(transaction: Transaction, number: int, found: Situation, needs: int) -> Situation:
    """Add what the live workers have for a job of a task, and for its gang."""
    texts: dict[int, str] = dict(transaction.rows("needs", experiment_id=number))
    if needs not in texts:
        return found
    wanted = read_needs(texts[needs])
    offers = [offer for _, offer in offers_for(transaction, number)]
    return evolve(
        found,
        unmet=unmet_by_all(wanted, offers),
        live=len(offers),
        labels=tuple(
            WorkerLabel(name=each.name, value=each.values[0]) for each in wanted.constraints if each.name != "hostname"
        ),
        gang=None if found.job.gang is None else _gang(transaction, number, found.job.gang, wanted, offers),
    )


def _gang(
    transaction: Transaction, number: int, name: str, needs: Needs, offers: Sequence[Offer]
) -> GangSituation | None:
    """Return what is known of a gang; None if it has begun."""
    members = transaction.rows("members", experiment_id=number, gang=name)
    waiting = [each for each in members if each[3] in (JobStatus.QUEUED, JobStatus.RUNNING)]
    held = [each for each in waiting if each[3] == JobStatus.RUNNING]
    if any(each[5] for each in held):
        return None
    others = [row[0] for row in transaction.rows("collectors", experiment_id=number) if not row[5]]
    return GangSituation(
        name=name,
        jobs=len(waiting),
        held=len(held),
        needs=in_words(needs),
        places=sum(places(needs, offer, len(waiting)) for offer in offers),
        before=others[0] if others and name not in others else None,
    )
