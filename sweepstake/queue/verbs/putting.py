"""Putting a job's document: states a fact, and does to the open attempt what `sweepstake.queue.verbs.puts` plans."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from sweepstake.domain.addresses import no_experiment
from sweepstake.domain.drafts import JobDraft
from sweepstake.domain.keys import is_name, name_of, shown_etag
from sweepstake.domain.names import check_name
from sweepstake.domain.records import Document, JobRecord, PutAnswer
from sweepstake.domain.status import JobStatus
from sweepstake.errors import LeaseLostError
from sweepstake.queue.calls import PutJob
from sweepstake.queue.store import Store, performs
from sweepstake.queue.verbs.adding import begin_unleased, check_running_limit, create_job
from sweepstake.queue.verbs.dependencies import follow
from sweepstake.queue.verbs.duplicates import change_fingerprint
from sweepstake.queue.verbs.experiments import limits_of
from sweepstake.queue.verbs.guards import check_guard, event_of, is_first, key_reused
from sweepstake.queue.verbs.puts import STATED, PutPlan, plan_put
from sweepstake.stores import rows
from sweepstake.stores.engine import DuplicateError, Row, Transaction
from sweepstake.turns import in_one_piece

__all__ = ["put_job"]

#: What the ledger remembers of a put that created the job.
_CREATED: Final = "created"


@performs(PutJob)
def put(store: Store, call: PutJob) -> PutAnswer:
    """Replace a job's document, or create the job."""
    check_name(call.id, "id")
    name = store.at(call.name)
    with in_one_piece():
        with suppress(DuplicateError), store.write() as transaction:
            return put_job(transaction, name, call, store.known(transaction, call.key))
        try:
            # Somebody else created the job at the same moment, or the key is that of a claim.
            with store.write() as transaction:
                return put_job(transaction, name, call, store.known(transaction, call.key))
        except DuplicateError as error:
            raise key_reused() from error


def put_job(transaction: Transaction, name: str, call: PutJob, key: str) -> PutAnswer:
    """Replace a job's document, or create the job; the store keeps `key`."""
    job_id, document, attempt = call.id, call.document, call.attempt
    first = is_first(transaction, PutJob, name, job_id, key)
    limits = limits_of(transaction, name)
    number, max_running = limits.number, limits.max_running
    if document.status is JobStatus.RUNNING and max_running is not None:
        number, max_running = _locked(transaction, name)
    row = transaction.row("lock_job", experiment_id=number, id=job_id)
    locked = None if row is None else rows.LockedJob.of(row)
    if not first:
        return _first_answer(transaction, name, job_id, document, locked, key)
    if attempt is not None and not _holds(transaction, locked, attempt):
        raise LeaseLostError(
            f"The attempt on the job {job_id!r} is over, so nothing was written: somebody else has changed it, "
            "or its lease ran out."
        )
    check_guard(call.guard, None if locked is None else locked.job.etag, f"job {job_id!r}")
    if locked is None:
        created = create_job(transaction, name, JobDraft.of(job_id, document), key=key)
        transaction.run("note_event", key=key, detail=_CREATED)
        return PutAnswer(record=rows.job(name, created), created=True)
    before = JobStatus(locked.job.status)
    if document.status is JobStatus.RUNNING and before is not JobStatus.RUNNING:
        check_running_limit(transaction, name, number, max_running, 1)
    holder = attempt is not None
    plan = plan_put(before, document.status, holder=holder, leased=locked.job.due is not None)
    row = _replace(transaction, locked, document, plan, key, STATED if holder else "")
    return PutAnswer(record=rows.job(name, row), created=False)


def _holds(transaction: Transaction, locked: rows.LockedJob | None, attempt: str) -> bool:
    """Tell whether this key is that of the job's open attempt; one without a lease is known by its name, too."""
    if locked is None or locked.job.status != JobStatus.RUNNING:
        return False
    row = transaction.row("attempt_key", seq=locked.job.seq, number=locked.job.attempt)
    if row is None:
        return False
    key, lease = row
    if is_name(attempt):
        return lease is None and shown_etag(key) == attempt
    return key in (name_of(attempt), attempt)


def _locked(transaction: Transaction, name: str) -> tuple[int, int | None]:
    """Lock an experiment, and return its number and its limit of running jobs."""
    row = transaction.row("lock_experiment", name=name)
    if row is None:
        raise no_experiment(name)
    return row[0], rows.experiment(row).settings.max_running


def _first_answer(
    transaction: Transaction, name: str, job_id: str, document: Document, locked: rows.LockedJob | None, key: str
) -> PutAnswer:
    """Answer a write that was made before, by the state in which it finds the job now."""
    event = event_of(transaction, key)
    created = event is not None and event.detail == _CREATED
    if locked is not None and locked.job.etag == key:
        return PutAnswer(record=rows.job(name, locked.job), created=created)
    record = JobRecord(
        experiment=name,
        id=job_id,
        status=document.status,
        hyperparameters=document.hyperparameters,
        results=document.results,
        etag=shown_etag(key),
        seq=0 if locked is None else locked.job.seq,
    )
    return PutAnswer(record=record, created=created, superseded=True)


def _replace(
    transaction: Transaction, locked: rows.LockedJob, document: Document, plan: PutPlan, key: str, reason: str
) -> Row:
    """Write the document, do to the open attempt what is planned, and return the columns of the job."""
    job = locked.job
    stays = job.status == JobStatus.RUNNING and plan.ends is None and not plan.begins
    written = transaction.row(
        "put_document",
        seq=job.seq,
        status=str(document.status),
        hyperparameters=document.hyperparameters.text,
        results=document.results.text,
        etag=key,
        keeps=int(stays),
        ends=int(plan.ends is not None),
    )
    assert written is not None, "the job is locked"
    if document.hyperparameters.text != job.hyperparameters:
        change_fingerprint(transaction, job.seq, document.hyperparameters)
    if plan.ends is not None:
        transaction.run(
            "end_attempt",
            seq=job.seq,
            number=job.attempt,
            outcome=str(plan.ends),
            reason=reason,
            output="",
            finish_key=None,
        )
    if locked.dependants:
        follow(transaction, job.seq, JobStatus(job.status), document.status, key)
    return begin_unleased(transaction, job.seq, key) if plan.begins else written
