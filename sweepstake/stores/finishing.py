"""Ending an attempt: what it reports becomes the job's document, or is kept as late results."""

from __future__ import annotations

from typing import Final

from attrs import frozen

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
    """Tell whether a report may be the plain case: it needs no budget, and leaves the hyperparameters as they are."""
    return finish.outcome in PLAIN and finish.hyperparameters is None


def plain_params(name: str, job_id: str, finish: Finish, key: str) -> Params:
    """Return the parameters of `Engine.finish`."""
    return {
        "name": name,
        "id": job_id,
        "attempt": finish.attempt,
        "status": str(PLAIN[finish.outcome]),
        "results": finish.results.text,
        "hyperparameters": None if finish.hyperparameters is None else finish.hyperparameters.text,
        "outcome": str(finish.outcome),
        "reason": rows.storable(finish.reason),
        "output": rows.storable(finish.output),
        "key": key,
    }


def finish_job(transaction: Transaction, name: str, job_id: str, finish: Finish, *, key: str) -> tuple[Finished, bool]:
    """End an attempt in any case: plain, replayed, late, or judged by a budget; see `Queue.finish`.

    Returns:
        The answer, and whether the call was made before with this key.
    """
    transaction.row("lock_attempt", attempt=finish.attempt)
    row = transaction.row("held", attempt=finish.attempt)
    held = None if row is None else rows.HeldJob.of(row)
    if held is None or held.job.id != job_id or held.experiment != name:
        raise NotFoundError(f"The job {job_id!r}, or this attempt on it, is not there any more: it was deleted.")
    if held.outcome is None:
        _record(transaction, held, finish, key)
        return _answer(transaction, held, finish.attempt, recorded=True, ended=finish.outcome), False
    recorded = held.finish_key is not None and not held.late
    if held.finish_key is not None and held.finish_key != key:
        if recorded:
            raise KeyReusedError(
                f"The attempt on the job {job_id!r} was finished before by a call with another key; its results stand."
            )
    elif held.finish_key is None:
        output = rows.storable(finish.output)
        transaction.run("keep_late", key=finish.attempt, results=finish.results.text, output=output, finish_key=key)
    answer = _answer(transaction, held, finish.attempt, recorded=recorded, ended=Outcome(held.outcome))
    return answer, held.finish_key == key


def _answer(transaction: Transaction, held: rows.HeldJob, attempt: str, *, recorded: bool, ended: Outcome) -> Finished:
    row = transaction.row("claimed", key=attempt)
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
