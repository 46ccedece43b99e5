"""Ending an attempt: what it reports becomes the job's document, or is kept as late results."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from attrs import evolve, frozen

from sweepstake.domain.drafts import Finish, end_of_output, shortened_reason
from sweepstake.domain.keys import is_name, name_of, report_name
from sweepstake.domain.records import Claim, Finished, NoJob
from sweepstake.domain.status import JobStatus, NoJobReason, Outcome
from sweepstake.domain.tasks.gangs import GIVEN_UP
from sweepstake.errors import KeyReusedError, LeaseLostError, NotFoundError
from sweepstake.queue.calls import FinishAttempt
from sweepstake.queue.store import Store, performs
from sweepstake.queue.verbs.attempts.claiming import claim_anew, claim_ready, find_claim
from sweepstake.queue.verbs.attempts.settling import settle, settle_at_times
from sweepstake.queue.verbs.dependencies import follow
from sweepstake.queue.verbs.duplicates import change_fingerprint
from sweepstake.queue.verbs.tasks.stopping import propagate
from sweepstake.stores import rows
from sweepstake.stores.engine import DuplicateError, Transaction

__all__ = ["PLAIN", "finish", "finish_job", "plain_params"]

#: The outcomes that need no budget, and the status they lead to.
PLAIN: Final = {Outcome.DONE: JobStatus.DONE, Outcome.PRUNED: JobStatus.PRUNED}


@performs(FinishAttempt)
def finish(store: Store, call: FinishAttempt) -> Finished:
    """End an attempt, and claim the next job if asked to."""
    name = store.at(call.name, call.id)
    key, claim, attempt = call.key, call.claim, call.report.attempt
    if key in (claim, attempt) or claim == attempt:
        raise KeyReusedError("A report, its attempt and the claim after it each need a key of their own.")
    try:
        if claim is None:
            return _finish_plainly(store, name, call) or _finish(store, name, call)
        finished = _finish_and_go_on(store, name, call, claim)
    except NotFoundError:  # a report that another store does not know may be worth days
        store.engine.confirm()
        raise
    if finished.next is None:
        return evolve(finished, next=claim_anew(store, name, call.worker, claim))
    return finished if isinstance(finished.next, Claim) else evolve(finished, next=None)


def _finish_and_go_on(store: Store, name: str, call: FinishAttempt, claim: str) -> Finished:
    """Report, and claim a ready job; `next` is None when nothing is ready.

    It is NoJob when the report was made before, and what was claimed with it is over, or was nothing.
    """
    finished = None
    if not call.repeat:
        with suppress(DuplicateError):  # a call with this claim's key was made before
            finished = _finish_plainly(store, name, call)
    if finished is None:
        finished = _finish_and_claim(store, name, call, claim)
    # Overdue leases are settled afterwards: one of them may be that of the attempt that ends here.
    if finished.next is not None:
        settle_at_times(store, name)
    elif settle(store, name):
        return evolve(finished, next=claim_ready(store, name, call.worker, claim, repeat=False))
    return finished


def _finish(store: Store, name: str, call: FinishAttempt) -> Finished:
    with store.write() as transaction:
        transaction.row("lock_experiment", name=name)  # before the job and those that its end ends or releases
        return finish_job(transaction, name, call.id, call.report, key=call.key)[0]


def _finish_plainly(store: Store, name: str, call: FinishAttempt) -> Finished | None:
    """Do the plain case, with the claim if there is one, in one statement; None, and nothing done, if it is another.

    It needs no budget, and leaves the hyperparameters as they are. The attempt was claimed: one without a lease, whose
    holder says its name for its key, is never found by the name of that.
    """
    finish, claim = call.report, call.claim
    params = plain_params(name, call.id, finish, call.key)
    if params is None:
        return None
    wanted = None if claim is None else {"name": name, "worker": call.worker, "key": name_of(claim)}
    plain = store.engine.finish(params, claim=wanted)
    if plain is None:
        return None
    row, following = plain
    return Finished(
        job=rows.job(name, row),
        recorded=True,
        ended=finish.outcome,
        next=None if following is None or claim is None else rows.claimed(name, claim, following),
    )


def plain_params(name: str, job_id: str, finish: Finish, key: str) -> dict[str, Any] | None:
    """Return what the plain case of a report is done with; None if it is not plain: see `_finish_plainly`."""
    status = PLAIN.get(finish.outcome)
    if status is None or finish.hyperparameters is not None:
        return None
    return {
        "name": name,
        "id": job_id,
        "attempt": name_of(finish.attempt),
        "status": str(status),
        "results": finish.results.text,
        "outcome": str(finish.outcome),
        "reason": _reason(finish) if finish.reason else "",
        "output": _output(finish) if finish.output else "",
        "report": report_name(key, finish.attempt),
    }


def _finish_and_claim(store: Store, name: str, call: FinishAttempt, claim: str) -> Finished:
    """Do any case. A report that was made before brings the claim made with it, and never another."""
    try:
        with store.write() as transaction:
            # Everybody locks the experiment before its jobs, and the claim may have to.
            transaction.row("lock_experiment", name=name)
            finished, before = finish_job(transaction, name, call.id, call.report, key=call.key)
            # Of a second late report nothing is kept but the claim that was made with it.
            if not before and (finished.recorded or transaction.row("claimed", key=name_of(claim)) is None):
                row = transaction.claim(name=name, worker=call.worker, key=name_of(claim))
                return finished if row is None else evolve(finished, next=rows.claimed(name, claim, row))
    except DuplicateError:  # the claim was made before, but not with this report
        finished = _finish(store, name, call)
    return evolve(finished, next=_claim_made_before(store, name, claim))


def _claim_made_before(store: Store, name: str, key: str) -> Claim | NoJob:
    """Return the claim that was made with this key, unless it is over or found nothing."""
    with suppress(LeaseLostError):
        if (found := find_claim(store, name, key)) is not None:
            return found
    return NoJob(NoJobReason.EMPTY)


def _reason(finish: Finish) -> str:
    """Return the reason as it is kept: of a long one the beginning and the end."""
    return rows.storable(shortened_reason(finish.reason))


def _output(finish: Finish) -> str:
    """Return the output as it is kept: its end."""
    return rows.storable(end_of_output(finish.output))


def finish_job(transaction: Transaction, name: str, job_id: str, finish: Finish, *, key: str) -> tuple[Finished, bool]:
    """End an attempt in any case: plain, replayed, late, or judged by a budget; see `FinishAttempt`.

    Returns:
        The answer, and whether the call was made before with this key.
    """
    held = _lock(transaction, name, job_id, finish.attempt)
    if held is None:
        raise NotFoundError(f"The job {job_id!r}, or this attempt on it, is not there any more: it was deleted.")
    report = report_name(key, finish.attempt)
    if held.outcome is None:
        _record(transaction, held, finish, report)
        return _answer(transaction, held, recorded=True, ended=finish.outcome), False
    if held.finish_key is not None and held.finish_key.endswith(GIVEN_UP):  # what it did without the others is nobody's
        return _answer(transaction, held, recorded=False, ended=Outcome(held.outcome)), False
    recorded = held.finish_key is not None and not held.late
    # A report of before the store had names is kept by its key; that of an imported attempt has more behind it.
    before = held.finish_key is not None and held.finish_key.partition(":")[0] in (report, name_of(key), key)
    if held.finish_key is not None and not before:
        if recorded:
            raise KeyReusedError(
                f"The attempt on the job {job_id!r} was finished before by a call with another key; its results stand."
            )
    elif held.finish_key is None:
        transaction.run(
            "keep_late", key=held.key, results=finish.results.text, output=_output(finish), finish_key=report
        )
    return _answer(transaction, held, recorded=recorded, ended=Outcome(held.outcome)), before


def _lock(transaction: Transaction, name: str, job_id: str, attempt: str) -> rows.HeldJob | None:
    """Lock a job of an attempt and read both, by whatever the attempt is kept under."""
    for key in _kept_under(transaction, name, job_id, attempt):
        transaction.row("lock_attempt", attempt=key)
        row = transaction.row("held", attempt=key)
        held = None if row is None else rows.HeldJob.of(row)
        if held is not None and (held.job.id, held.experiment) == (job_id, name):
            return held if held.lease is None or not is_name(attempt) else None  # everybody can read a name
    return None


def _kept_under(transaction: Transaction, name: str, job_id: str, attempt: str) -> Iterator[str]:
    """Yield under what keys a store may have an attempt: an import has another, and an older store the key itself."""
    if is_name(attempt):
        yield attempt
        return
    yield name_of(attempt)
    imported = transaction.row("imported_attempt", name=name, id=job_id, key=name_of(attempt))
    if imported is not None:
        yield imported[0]
    yield attempt


def _answer(transaction: Transaction, held: rows.HeldJob, *, recorded: bool, ended: Outcome) -> Finished:
    row = transaction.row("claimed", key=held.key)
    assert row is not None, "it is locked"
    return Finished(job=rows.job(held.experiment, row), recorded=recorded, ended=ended)


@frozen(kw_only=True)
class _End:
    """What the end of an attempt makes of its job.

    Attributes:
        delay: seconds until a failed job is ready again.
    """

    status: JobStatus
    failures: int = 0
    preemptions: int = 0
    delay: float = 0.0


def _judge(held: rows.HeldJob, finish: Finish) -> _End:
    """Apply the experiment's budgets."""
    outcome = finish.outcome
    if outcome in PLAIN:
        return _End(status=PLAIN[outcome])
    if outcome is Outcome.CRASHED:
        failures = held.failures + 1
        if failures >= held.max_attempts or _is_final(held, finish):
            return _End(status=JobStatus.CRASHED, failures=1)
        return _End(status=JobStatus.QUEUED, failures=1, delay=held.retry_delay * 2.0 ** min(failures - 1, 30))
    if outcome is Outcome.PREEMPTED:
        spent = held.max_preemptions is not None and held.preemptions >= held.max_preemptions
        return _End(status=JobStatus.CRASHED if spent else JobStatus.QUEUED, preemptions=1)
    assert outcome is Outcome.RELEASED, "the others are not reported by a holder"
    return _End(status=JobStatus.QUEUED)


def _is_final(held: rows.HeldJob, finish: Finish) -> bool:
    """Tell whether a failure is one of those that the experiment does not want tried again."""
    return bool(finish.causes) and not set(finish.causes).isdisjoint(held.no_retry_on())


def _record(transaction: Transaction, held: rows.HeldJob, finish: Finish, key: str) -> None:
    end = _judge(held, finish)
    given_back = finish.outcome in (Outcome.RELEASED, Outcome.PREEMPTED)
    results: str | None = finish.results.text
    if given_back and results == "{}":
        results = None
    transaction.run(
        "end_job",
        seq=held.job.seq,
        status=str(end.status),
        hyperparameters=None if finish.hyperparameters is None else finish.hyperparameters.text,
        results=results,
        etag=key,
        failures=end.failures,
        losses=0,
        preemptions=end.preemptions,
        delay=end.delay,
    )
    transaction.run(
        "end_attempt",
        seq=held.job.seq,
        number=held.number,
        outcome=str(finish.outcome),
        reason=_reason(finish),
        output=_output(finish),
        finish_key=key,
    )
    if finish.hyperparameters is not None and finish.hyperparameters.text != held.job.hyperparameters:
        change_fingerprint(transaction, held.job.seq, finish.hyperparameters)
    if held.dependants:
        follow(transaction, held.job.seq, JobStatus.RUNNING, end.status, key)
    propagate(transaction, held.experiment, held.job, end.status, finish.outcome, key)
