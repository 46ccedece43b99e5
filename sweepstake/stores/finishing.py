"""Ending an attempt: what it reports becomes the job's document, or is kept as late results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import frozen

from sweepstake.domain.keys import is_name, name_of, report_name
from sweepstake.domain.records import Finish, Finished
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.errors import KeyReusedError, NotFoundError
from sweepstake.stores import rows
from sweepstake.stores.dependencies import follow
from sweepstake.stores.duplicates import change_fingerprint
from sweepstake.stores.engine import Params, Transaction

__all__ = ["PLAIN", "finish_job", "is_plain", "plain_params"]

#: The outcomes that need no budget, and the status they lead to.
PLAIN: Final = {Outcome.DONE: JobStatus.DONE, Outcome.PRUNED: JobStatus.PRUNED}


def is_plain(finish: Finish) -> bool:
    """Tell whether a report may be the plain case: it needs no budget, and leaves the hyperparameters as they are.

    An attempt without a lease, which is known by its name, is always another.
    """
    return finish.outcome in PLAIN and finish.hyperparameters is None and not is_name(finish.attempt)


def plain_params(name: str, job_id: str, finish: Finish, key: str, attempt: str) -> Params:
    """Return the parameters of `Engine.finish`, for an attempt that was claimed; `attempt` is the name of its key."""
    return {
        "name": name,
        "id": job_id,
        "attempt": attempt,
        "status": str(PLAIN[finish.outcome]),
        "results": finish.results.text,
        "hyperparameters": None if finish.hyperparameters is None else finish.hyperparameters.text,
        "outcome": str(finish.outcome),
        "reason": rows.storable(finish.reason) if finish.reason else "",
        "output": rows.storable(finish.output) if finish.output else "",
        "key": report_name(key, finish.attempt),
    }


def finish_job(transaction: Transaction, name: str, job_id: str, finish: Finish, *, key: str) -> tuple[Finished, bool]:
    """End an attempt in any case: plain, replayed, late, or judged by a budget; see `Queue.finish`.

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
    recorded = held.finish_key is not None and not held.late
    # A report of before the store had names is kept by its key; that of an imported attempt has more behind it.
    before = held.finish_key is not None and held.finish_key.partition(":")[0] in (report, name_of(key), key)
    if held.finish_key is not None and not before:
        if recorded:
            raise KeyReusedError(
                f"The attempt on the job {job_id!r} was finished before by a call with another key; its results stand."
            )
    elif held.finish_key is None:
        output = rows.storable(finish.output)
        transaction.run("keep_late", key=held.key, results=finish.results.text, output=output, finish_key=report)
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
        reason=rows.storable(finish.reason),
        output=rows.storable(finish.output),
        finish_key=key,
    )
    if finish.hyperparameters is not None and finish.hyperparameters.text != held.job.hyperparameters:
        change_fingerprint(transaction, held.job.seq, finish.hyperparameters)
    if held.dependants:
        follow(transaction, held.job.seq, JobStatus.RUNNING, end.status, key)
