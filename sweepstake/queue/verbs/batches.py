"""Batches that are submitted to a cluster: the intent, what a scheduler says, and which allocation begins one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs

from sweepstake.codec import from_tree, to_tree
from sweepstake.domain.addresses import called, no_experiment
from sweepstake.domain.batches.progress import begun, noted
from sweepstake.domain.batches.records import (
    AllocationState,
    BatchDraft,
    BatchRecord,
    BatchStatus,
    Intended,
    check_batches,
)
from sweepstake.domain.counts import Counts
from sweepstake.domain.drafts import shortened_reason
from sweepstake.domain.records import Page
from sweepstake.errors import LiveBatchError, NotFoundError
from sweepstake.plaintext import counted
from sweepstake.queue.calls import BeginBatch, GetBatch, IntendBatches, ListBatches, NoteBatch
from sweepstake.queue.store import Store, performs
from sweepstake.queue.verbs.experiments import experiment_id
from sweepstake.queue.verbs.guards import check_limit, event_of, is_first, read_start
from sweepstake.stores import rows
from sweepstake.stores.engine import Row, Transaction

__all__ = ["last_batch_of", "live_batch_of"]

#: How many jobs that are under way are looked for, to be counted in an error.
_MOST_UNDER_WAY: Final = 1000
_SHOW: Final = "`sweepstake batch status` shows it, and `sweepstake batch cancel` ends it"


@performs(IntendBatches)
def intend(store: Store, call: IntendBatches) -> Intended:
    """State which batches are about to be submitted; whoever races, no job is in two that are under way."""
    name = store.at(call.name)
    check_batches(call.batches, "batches")
    with store.write() as transaction:
        row = transaction.row("lock_experiment", name=name)
        if row is None:
            raise no_experiment(name)
        number, key = row[0], store.known(transaction, call.key)
        if not is_first(transaction, IntendBatches, name, "", key):
            event = event_of(transaction, key)
            assert event is not None, "it is no first call"
            return Intended(tuple(json.loads(event.detail)))
        before = _numbers_before(transaction, number, call.batches)
        _refuse_jobs_under_way(transaction, number, call.batches)
        numbers = tuple(before.get(draft.id, 0) + 1 for draft in call.batches)
        for draft, submission in zip(call.batches, numbers, strict=True):
            _add(transaction, number, draft, submission)
        transaction.run("note_event", key=key, detail=json.dumps(numbers))
    return Intended(numbers)


def _numbers_before(transaction: Transaction, number: int, drafts: Sequence[BatchDraft]) -> Mapping[str, int]:
    """Return the number of the newest submission of each of these batches that was submitted before.

    Raises:
        LiveBatchError: it is not over.
    """
    ids = json.dumps([draft.id for draft in drafts])
    found = transaction.rows("submissions_of", experiment_id=number, ids=ids)
    for batch, _, live in found:
        if live is not None:
            raise LiveBatchError(f"The batch {batch!r} is under way already, as submission {live}; {_SHOW}.")
    return {batch: last for batch, last, _ in found}


def _refuse_jobs_under_way(transaction: Transaction, number: int, drafts: Sequence[BatchDraft]) -> None:
    jobs = json.dumps([job for draft in drafts for job in draft.jobs])
    found = transaction.rows("live_batches_of", experiment_id=number, jobs=jobs, most=_MOST_UNDER_WAY)
    if not found:
        return
    job, batch, submission, status, jobid = found[0]
    where = "" if jobid is None else f" as {jobid}"
    others = f", and {counted(len(found) - 1, 'more job')} in that or others" if len(found) > 1 else ""
    raise LiveBatchError(
        f"The job {job!r} is in the batch {batch!r} already, submission {submission}, which is {status}{where}{others}."
        f" Nothing was submitted: leave out what is under way. {_SHOW}."
    )


def _add(transaction: Transaction, number: int, draft: BatchDraft, submission: int) -> None:
    kept = json.dumps(to_tree(draft), separators=(",", ":"))
    row = transaction.row("add_batch", experiment_id=number, id=draft.id, number=submission, draft=kept)
    assert row is not None, "it was inserted"
    transaction.run("add_batch_jobs", seq=row[0], jobs=json.dumps(draft.jobs), experiment_id=number)


@performs(NoteBatch)
def note(store: Store, call: NoteBatch) -> BatchRecord:
    """Keep what a scheduler said."""
    name = store.at(call.name, call.id)
    told = call.note
    if told.reason is not None:
        told = attrs.evolve(told, reason=rows.storable(shortened_reason(told.reason)))
    with store.write() as transaction:
        first = is_first(transaction, NoteBatch, name, "", store.known(transaction, call.key), detail=call.id)
        number = experiment_id(transaction, name)
        row = _lock(transaction, name, number, call.id, call.number)
        return _move(transaction, row, lambda batch: noted(batch, told, transaction.now()) if first else batch)


@performs(BeginBatch)
def begin(store: Store, call: BeginBatch) -> BatchRecord:
    """Begin a batch in an allocation, unless it is over or another's."""
    name = store.at(call.name, call.id)
    with store.write() as transaction:
        number = experiment_id(transaction, name)
        row = _lock(transaction, name, number, call.id, call.number)
        newest = transaction.row("last_batch", experiment_id=number, id=call.id)
        assert newest is not None, "there is one at least"
        last = _number(newest)
        return _move(transaction, row, lambda batch: begun(batch, last, call.jobid, call.worker, transaction.now()))


@performs(GetBatch)
def get(store: Store, call: GetBatch) -> BatchRecord:
    """Return one submission of a batch."""
    name = store.at(call.name, call.id)
    with store.read() as transaction:
        number = experiment_id(transaction, name)
        if call.number is None:
            row = transaction.row("last_batch", experiment_id=number, id=call.id)
        else:
            row = transaction.row("batch", experiment_id=number, id=call.id, number=call.number)
        if row is None:
            raise _no_batch(name, call.id, call.number)
        return _record(transaction, row)


@performs(ListBatches)
def page(store: Store, call: ListBatches) -> Page[BatchRecord]:
    """Return a page of the submissions of an experiment, oldest first."""
    check_limit(call.limit)
    after = read_start(call.start, "a page of batches")
    name = store.at(call.name)
    with store.read() as transaction:
        found, whole = transaction.first_rows(
            "live_batches_page" if call.live else "batches_page",
            experiment_id=experiment_id(transaction, name),
            after=after,
            limit=call.limit + 1,
        )
        items = found[: call.limit]
        more = None if whole and len(found) <= call.limit else str(items[-1][0])
        return Page(tuple(_record(transaction, row) for row in items), more)


def live_batch_of(transaction: Transaction, number: int, job_id: str) -> BatchRecord | None:
    """Return the submission, not over yet, that a job of an experiment is in, if it is in one."""
    row = transaction.row("live_batch_of", experiment_id=number, job=job_id)
    return None if row is None else _record(transaction, row)


def last_batch_of(transaction: Transaction, number: int, job_id: str) -> BatchRecord | None:
    """Return the newest submission that a job of an experiment was ever in, if it was in one."""
    row = transaction.row("last_batch_of", experiment_id=number, job=job_id)
    return None if row is None else _record(transaction, row)


def _lock(transaction: Transaction, name: str, number: int, batch_id: str, submission: int) -> Row:
    row = transaction.row("lock_batch", experiment_id=number, id=batch_id, number=submission)
    if row is None:
        raise _no_batch(name, batch_id, submission)
    return row


def _move(transaction: Transaction, row: Row, change: Callable[[BatchRecord], BatchRecord]) -> BatchRecord:
    """Change a submission, which is locked, and return how it is then."""
    before = _record(transaction, row)
    after = change(before)
    if after != before:
        transaction.run(
            "set_batch",
            seq=row[0],
            status=str(after.status),
            jobid=after.jobid,
            allocation=None if after.allocation is None else str(after.allocation),
            reason=after.reason,
            worker=after.worker,
            submitted_at=after.submitted_at,
            begun_at=after.begun_at,
            ended_at=after.ended_at,
        )
    return after


def _number(row: Row) -> int:
    number: int = row[1]
    return number


def _record(transaction: Transaction, row: Row) -> BatchRecord:
    """Return a submission as it is in a row, with how its jobs stand."""
    seq, number, status, jobid, allocation, reason, worker, intended_at, submitted_at, begun_at, ended_at, draft = row
    counts = transaction.row("batch_counts", seq=seq)
    assert counts is not None, "a sum always has a row"
    ready, blocked, delayed, running, done, crashed, pruned = map(int, counts)
    intended: dict[str, Any] = attrs.asdict(from_tree(json.loads(draft), BatchDraft), recurse=False)
    return BatchRecord(
        **intended,
        number=number,
        status=BatchStatus(status),
        jobid=jobid,
        allocation=None if allocation is None else AllocationState(allocation),
        reason=reason,
        worker=worker,
        intended_at=intended_at,
        submitted_at=submitted_at,
        begun_at=begun_at,
        ended_at=ended_at,
        counts=Counts(
            ready=ready,
            blocked=blocked,
            delayed=delayed,
            running=running,
            done=done,
            crashed=crashed,
            pruned=pruned,
        ),
    )


def _no_batch(name: str, batch_id: str, submission: int | None) -> NotFoundError:
    which = "batch" if submission is None else f"submission {submission} of a batch"
    return NotFoundError(f"The experiment {called(name)!r} has no {which} {batch_id!r}.")
