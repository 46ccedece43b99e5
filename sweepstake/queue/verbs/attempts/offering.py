"""Showing a ready job to a client that claims by a guarded PUT."""

from __future__ import annotations

from attrs import evolve

from sweepstake.domain.drafts import JobDraft
from sweepstake.domain.keys import name_of, proposal_id
from sweepstake.domain.records import JobRecord, NoJob
from sweepstake.domain.status import ExperimentStatus, NoJobReason
from sweepstake.errors import ResourceExistsError
from sweepstake.queue.calls import OfferJob
from sweepstake.queue.store import Store, performs
from sweepstake.queue.verbs.attempts.claiming import MOST_LOOKS, reserve, taken_already
from sweepstake.queue.verbs.attempts.proposals import propose
from sweepstake.queue.verbs.attempts.settling import settle, settle_at_times
from sweepstake.queue.verbs.experiments import limits_of
from sweepstake.queue.verbs.jobs import get_job, read_job
from sweepstake.queue.verbs.tasks.matching import ProposedTask, proposed_task
from sweepstake.stores import rows
from sweepstake.stores.engine import DuplicateError, Transaction

__all__ = ["show"]


@performs(OfferJob)
def show(store: Store, call: OfferJob) -> JobRecord | NoJob:
    """Return a ready job, still QUEUED, or store one that the search proposes; a new one only the latter."""
    name = store.at(call.name)
    task: ProposedTask | None = None
    if call.new:
        with store.read() as transaction:
            task = proposed_task(transaction, name)

    def keep(draft: JobDraft, proposals: int) -> JobRecord | None:
        try:
            return _queue_proposal(store, name, draft, proposals, call.key, task)
        except ResourceExistsError:  # a repeat: with the etag of its own write, a guarded put fails if taken since
            with store.read() as transaction:
                return evolve(get_job(transaction, name, proposal_id(call.key)), etag=name_of(call.key))

    if call.new:
        return propose(store, name, call.key, keep, ends=False) or NoJob(NoJobReason.EXHAUSTED)
    for _ in range(MOST_LOOKS):
        job = _offer(store, name)
        found = propose(store, name, call.key, keep) if job is None else job
        if found is not None:
            return found
    return NoJob(NoJobReason.EMPTY)


def _offer(store: Store, name: str) -> JobRecord | None:
    settle_at_times(store, name)
    with store.write() as transaction:
        job = offer(transaction, name)
    if job is None and settle(store, name):
        with store.write() as transaction:
            job = offer(transaction, name)
    return job


def _queue_proposal(
    store: Store, name: str, draft: JobDraft, proposals: int, key: str, task: ProposedTask | None
) -> JobRecord | None:
    """Create the draft QUEUED, if exactly `proposals` were made before; else None, and nothing changed."""
    row = rows.NO_TASK
    if task is not None:
        draft, row = evolve(draft, task=task.name), task.row
    try:
        with store.write() as transaction:
            reserved = reserve(transaction, name, proposals)
            if reserved is None:
                return None
            transaction.add_jobs([rows.draft_row(reserved[0], draft, name_of(key), transaction.now(), task=row)])
            return rows.job(name, read_job(transaction, name, reserved[0], draft.id))
    except DuplicateError as error:
        raise taken_already(name, draft) from error


def offer(transaction: Transaction, name: str) -> JobRecord | None:
    """Return the first ready job that was not offered within the last second, else the first ready one."""
    limits = limits_of(transaction, name)
    if limits.status != ExperimentStatus.RUNNING:
        return None
    if limits.max_running is not None:
        running = transaction.row("count_running", experiment_id=limits.number)
        if running is not None and running[0] >= limits.max_running:
            return None
    row = transaction.row("offer", experiment_id=limits.number, fresh=1)
    row = row or transaction.row("offer", experiment_id=limits.number, fresh=0)
    if row is None:
        return None
    transaction.run("mark_offered", seq=row[0])
    return rows.job(name, row)
