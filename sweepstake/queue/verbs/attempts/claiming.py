"""Taking a job: a ready one, or one that the search proposes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from attrs import evolve

from sweepstake.domain.addresses import called
from sweepstake.domain.drafts import JobDraft
from sweepstake.domain.keys import name_of
from sweepstake.domain.records import Claim, NoJob
from sweepstake.domain.status import ExperimentStatus, NoJobReason
from sweepstake.domain.tasks.needs import Offer, unmet
from sweepstake.errors import LeaseLostError, LimitReachedError, ResourceExistsError
from sweepstake.plaintext import counted
from sweepstake.queue.calls import ClaimJob
from sweepstake.queue.store import Store, performs
from sweepstake.queue.verbs.adding import check_running_limit
from sweepstake.queue.verbs.attempts.proposals import propose
from sweepstake.queue.verbs.attempts.settling import settle, settle_at_times
from sweepstake.queue.verbs.experiments import ENDED_BY_CLAIM, limits_of
from sweepstake.queue.verbs.guards import event_of, key_reused
from sweepstake.queue.verbs.tasks.lacking import none_for_offer
from sweepstake.queue.verbs.tasks.matching import ProposedTask, proposed_task
from sweepstake.queue.verbs.tasks.taking import take_for_offer
from sweepstake.stores import rows
from sweepstake.stores.engine import DuplicateError, Row, Transaction

__all__ = [
    "MOST_LOOKS",
    "claim",
    "claim_anew",
    "claim_proposed",
    "claim_ready",
    "find_claim",
    "reserve",
    "taken_already",
]

#: How often in one call a job may become ready just after the store had looked for one.
MOST_LOOKS: Final = 5
_CLAIMED: Final = rows.JOB_COLUMNS


@performs(ClaimJob)
def claim(store: Store, call: ClaimJob) -> Claim | NoJob:
    """Take a ready job, or one that the search proposes now."""
    name = store.at(call.name)
    if call.offer is not None and not call.ids:
        return _claim_for_offer(store, name, call, call.offer)
    found = claim_ready(store, name, call.worker, call.key, repeat=call.repeat, ids=call.ids)
    if found is not None:
        return found
    return NoJob(NoJobReason.NOT_READY) if call.ids else claim_anew(store, name, call.worker, call.key)


def claim_ready(
    store: Store, name: str, worker: str, key: str, *, repeat: bool, ids: Sequence[str] = ()
) -> Claim | None:
    """Take a ready job, of these ids if any; None if there is none."""
    if repeat and (found := find_claim(store, name, key)) is not None:
        return found
    settle_at_times(store, name)
    only = json.dumps(ids) if ids else None
    stored = name_of(key)
    try:
        row = store.engine.claim(name=name, worker=worker, key=stored, ids=only)
        if row is None and settle(store, name):
            row = store.engine.claim(name=name, worker=worker, key=stored, ids=only)
    except DuplicateError as error:
        # The first call with this key was still under way when we looked.
        if (found := find_claim(store, name, key)) is None:
            raise key_reused() from error
        return found
    if row is None:
        # The same call, delivered twice, may have taken the last one.
        return find_claim(store, name, key, missing_before=repeat)
    return rows.claimed(name, key, row)


def _claim_for_offer(store: Store, name: str, call: ClaimJob, offer: Offer) -> Claim | NoJob:
    """Take a ready job of a task that needs no more than is offered."""
    if call.repeat and (found := find_claim(store, name, call.key)) is not None:
        return found
    settle_at_times(store, name)
    for _ in range(MOST_LOOKS):
        answer = _look_for_offer(store, name, call, offer)
        if answer is not None:
            return answer
    return NoJob(NoJobReason.EMPTY)


def _look_for_offer(store: Store, name: str, call: ClaimJob, offer: Offer) -> Claim | NoJob | None:
    """Take a job for an offer, or say why there is none; None if a job that fits became ready meanwhile."""
    try:
        taken = take_for_offer(store, name, call.worker, [call.key], offer).rows
        if not taken and settle(store, name):
            taken = take_for_offer(store, name, call.worker, [call.key], offer).rows
    except DuplicateError as error:  # as in `claim_ready`
        if (found := find_claim(store, name, call.key)) is None:
            raise key_reused() from error
        return found
    if taken:
        return rows.claimed(name, call.key, taken[0])
    found = find_claim(store, name, call.key, missing_before=call.repeat)
    if found is not None:
        return found
    proposed, reason = claim_proposed(store, name, call.worker, [call.key], offer)
    if proposed:
        return proposed[0]
    return None if reason is None else NoJob(reason)


def claim_anew(store: Store, name: str, worker: str, key: str) -> Claim | NoJob:
    """Claim what the search proposes, or a job that became ready after the store had looked."""

    def keep(draft: JobDraft, proposals: int) -> Claim | None:
        try:
            return _claim_proposal(store, name, draft, proposals, worker, key)
        except ResourceExistsError:  # the same call is under way elsewhere and has stored it first
            return claim_ready(store, name, worker, key, repeat=True)

    for _ in range(MOST_LOOKS):
        found = propose(store, name, key, keep)
        if found is None:
            found = claim_ready(store, name, worker, key, repeat=False)
        if found is not None:
            return found
    return NoJob(NoJobReason.EMPTY)


def claim_proposed(
    store: Store, name: str, worker: str, keys: Sequence[str], offer: Offer
) -> tuple[list[Claim], NoJobReason | None]:
    """Claim jobs that the search proposes for a task, as many as what is offered suffices for.

    Returns:
        What was claimed, and why that is not more: None if there is a ready job by now to be claimed instead.
    """
    with store.read() as transaction:
        task = proposed_task(transaction, name)
    if task is None:
        return [], none_for_offer(store, name, offer)
    found: list[Claim] = []
    for key in keys:
        if unmet(task.needs, offer) is not None:
            return found, NoJobReason.UNMET
        claim = _propose_task(store, name, worker, key, task)
        if not isinstance(claim, Claim):
            return found, claim.reason if isinstance(claim, NoJob) else none_for_offer(store, name, offer)
        found.append(claim)
        offer = offer.less(task.needs)
    return found, NoJobReason.EMPTY


def _propose_task(store: Store, name: str, worker: str, key: str, task: ProposedTask) -> Claim | NoJob | None:
    """Claim what the search proposes for a task, or say why there is nothing; None if jobs are ready."""

    def keep(draft: JobDraft, proposals: int) -> Claim | None:
        try:
            return _claim_proposal(store, name, evolve(draft, task=task.name), proposals, worker, key, task.row)
        except ResourceExistsError:  # the same call is under way elsewhere and has stored it first
            return find_claim(store, name, key)

    return propose(store, name, key, keep)


def find_claim(store: Store, name: str, key: str, *, missing_before: bool = False) -> Claim | None:
    """Return the claim that was made with this key, if one was, once it is safe.

    Raises:
        LeaseLostError: it was made, and is over.
        KeyReusedError: the key is that of another write.
    """
    with store.read() as transaction:
        found = None if missing_before else _find(transaction, name, key)
        if found is None:
            _refuse_used_key(transaction, key)
            return None
    store.engine.sync()
    return found


def _claim_proposal(
    store: Store, name: str, draft: JobDraft, proposals: int, worker: str, key: str, task: rows.TaskRow = rows.NO_TASK
) -> Claim | None:
    try:
        with store.write() as transaction:
            return claim_proposal(transaction, name, draft, proposals=proposals, worker=worker, key=key, task=task)
    except DuplicateError as error:
        if (found := find_claim(store, name, key)) is not None:
            return found
        raise taken_already(name, draft) from error


def taken_already(name: str, draft: JobDraft) -> ResourceExistsError:
    """Return the error for a draft whose id a job has."""
    return ResourceExistsError(f"The experiment {called(name)!r} has a job {draft.id!r} already.")


def _find(transaction: Transaction, name: str, key: str) -> Claim | None:
    """Return the claim that was made with this key, if one was.

    Raises:
        LeaseLostError: it was made, and is over.
        KeyReusedError: the key is that of another experiment's claim, or of a put.
    """
    row = transaction.row("claimed", key=name_of(key)) or transaction.row("claimed", key=key)
    if row is None:
        return None
    experiment, timeout, lease, is_open = row[_CLAIMED:]
    if experiment != name or lease is None:
        raise key_reused()
    if not is_open:
        raise LeaseLostError(f"The job {row[1]!r}, claimed by the first call with this key, is lost; claim another.")
    return Claim(job=rows.job(name, row), key=key, lease=lease, timeout=timeout)


def _refuse_used_key(transaction: Transaction, key: str) -> None:
    """Raise KeyReusedError if the key is that of a rarer write, under which nothing is claimed."""
    event = event_of(transaction, name_of(key))
    if event is not None and event.detail != ENDED_BY_CLAIM:
        raise key_reused()


def claim_proposal(
    transaction: Transaction,
    name: str,
    draft: JobDraft,
    *,
    proposals: int,
    worker: str,
    key: str,
    task: rows.TaskRow = rows.NO_TASK,
) -> Claim | None:
    """Create the draft RUNNING with a lease, if exactly `proposals` were made before."""
    reserved = reserve(transaction, name, proposals)
    if reserved is None:
        return None
    number, max_running, lease, timeout = reserved
    lease = float(lease)  # RETURNING shows the integer that SQLite keeps for a whole number
    check_running_limit(transaction, name, number, max_running, 1)
    transaction.add_jobs([rows.draft_row(number, draft, name_of(key), transaction.now(), task=task)])
    row = transaction.row("lease_job", experiment_id=number, id=draft.id, worker=worker, lease=lease)
    assert row is not None, "it was inserted above"
    transaction.run("begin_attempt", seq=row[0], number=1, key=name_of(key), worker=worker, lease=lease)
    return Claim(job=rows.job(name, row), key=key, lease=lease, timeout=timeout)


def reserve(transaction: Transaction, name: str, proposals: int) -> Row | None:
    """Count one more proposal, if exactly so many were made before."""
    reserved = transaction.row("reserve_proposal", name=name, proposals=proposals)
    if reserved is not None:
        return reserved
    _, made, status, max_jobs, created, _ = limits_of(transaction, name)
    if made == proposals and status == ExperimentStatus.RUNNING and max_jobs is not None and created >= max_jobs:
        raise LimitReachedError(
            f"The experiment {called(name)!r} may have {counted(max_jobs, 'job')}, and has created all."
        )
    return None
