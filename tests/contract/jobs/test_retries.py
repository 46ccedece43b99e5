"""Queueing a job again from outside: the same job, with its attempts, and with budgets that begin anew."""

import pytest

from sweepstake.domain.keys import name_of
from sweepstake.domain.records import Guard
from sweepstake.domain.status import JobStatus, NoJobReason, Outcome
from sweepstake.errors import KeyReusedError, NotFoundError, UnsafeUpdateError
from sweepstake.queue.queue import Queue
from sweepstake.values import JsonObject
from tests.kit.lab import Lab, document, eventually, new_key


@pytest.mark.parametrize("outcome", [Outcome.CRASHED, Outcome.PRUNED])
def test_a_job_that_failed_is_queued_again(lab: Lab, outcome: Outcome) -> None:
    """The same id, its attempts and its results; the next attempt is the second."""
    job_id = lab.add_one(of=document(hyperparameters={"x": 1}))
    lab.finish(lab.claim(), outcome, {"y": 2}, reason="first")
    key = new_key()
    job = lab.retry(job_id, key=key)
    assert job == lab.job(job_id)
    assert (job.status, job.etag, job.attempt, job.leased) == (JobStatus.QUEUED, name_of(key), 1, False)
    assert (job.hyperparameters, job.results) == (JsonObject.of({"x": 1}), JsonObject.of({"y": 2}))
    claim = lab.claim()
    assert (claim.job.id, claim.job.attempt) == (job_id, 2)
    lab.finish(claim, results={"y": 3})
    assert [attempt.outcome for attempt in lab.attempts(job_id)] == [outcome, Outcome.DONE]


def test_the_budget_of_failures_begins_anew(queue: Queue) -> None:
    """After a retry a job may fail as often as a new one."""
    lab = Lab.new(queue, max_attempts=2)
    job_id = lab.add_one()
    for _ in range(2):
        statuses = [lab.finish(lab.claim(), Outcome.CRASHED).job.status for _ in range(2)]
        assert statuses == [JobStatus.QUEUED, JobStatus.CRASHED]
        lab.retry(job_id)
    assert lab.job(job_id).attempt == 4


def test_the_budget_of_preemptions_begins_anew(queue: Queue) -> None:
    """It is a budget of its own, and a retry fills it too."""
    lab = Lab.new(queue, max_preemptions=0)
    job_id = lab.add_one()
    assert lab.finish(lab.claim(), Outcome.PREEMPTED).job.status is JobStatus.CRASHED
    lab.retry(job_id)
    assert lab.finish(lab.claim(), Outcome.PREEMPTED).job.status is JobStatus.CRASHED


def test_the_budget_of_lost_leases_begins_anew(queue: Queue) -> None:
    """A job that crashed because its workers died is tried again, and may lose as many leases as before."""
    lab = Lab.new(queue, lease=0.1, max_lost=1)
    job_id = lab.add_one()
    for attempt in (1, 3):
        assert lab.claim().job.attempt == attempt
        assert eventually(lab.claimed_or_none).job.attempt == attempt + 1
        eventually(lambda: _if_crashed(lab, job_id))
        lab.retry(job_id)
    assert [attempt.outcome for attempt in lab.attempts(job_id)] == [Outcome.LEASE_LOST] * 4


def test_a_queued_job_stays_as_it_is(lab: Lab) -> None:
    """There is nothing to retry; not even the etag changes."""
    job_id = lab.add_one()
    before = lab.job(job_id)
    assert lab.retry(job_id) == before
    assert lab.job(job_id) == before


def test_a_done_job_is_not_retried(lab: Lab) -> None:
    """It would cost its results; the error says what to do."""
    job_id = lab.add_one(of=document(JobStatus.DONE, results={"y": 1}))
    before = lab.job(job_id)
    with pytest.raises(UnsafeUpdateError, match="Add a new job"):
        lab.retry(job_id)
    assert lab.job(job_id) == before


def test_a_job_is_not_taken_from_a_living_worker(lab: Lab) -> None:
    """Its lease goes on, and its results arrive; the error names the worker."""
    job_id = lab.add_one()
    claim = lab.claim(worker="node-7:42")
    with pytest.raises(UnsafeUpdateError, match="node-7:42"):
        lab.retry(job_id)
    assert lab.job(job_id) == claim.job
    assert lab.beat(claim) == "continue"
    assert lab.finish(claim, results={"y": 1}).recorded


def test_a_job_that_runs_without_a_lease_is_queued_again(lab: Lab) -> None:
    """Nobody can tell whether the old client that runs it is alive; its attempt ends, and its guarded put fails."""
    job_id = lab.add_one()
    running = lab.put(job_id, document(JobStatus.RUNNING, {"x": 1}, {"y": 1})).record
    job = lab.retry(job_id)
    assert (job.status, job.attempt, job.results) == (JobStatus.QUEUED, 1, JsonObject.of({"y": 1}))
    [attempt] = lab.attempts(job_id)
    assert attempt.outcome is Outcome.RELEASED
    assert attempt.ended_at is not None
    assert job.ended_at is not None
    with pytest.raises(UnsafeUpdateError):
        lab.put(job_id, document(JobStatus.DONE), guard=Guard.match(running.etag))
    assert lab.claim().job.id == job_id


def test_a_retried_job_may_still_be_delayed(lab: Lab) -> None:
    """It is not claimed before the time that it was queued for."""
    job_id = lab.add_one(not_before=4_000_000_000.0)
    lab.prune(job_id)
    lab.retry(job_id)
    assert lab.why_none() is NoJobReason.DELAYED


def test_repeating_a_retry_does_not_queue_what_failed_since(lab: Lab) -> None:
    """A repeat whose answer was lost finds the job crashed anew, and leaves it."""
    job_id, key = lab.add_one(), new_key()
    lab.finish(lab.claim(), Outcome.CRASHED)
    first = lab.retry(job_id, key=key)
    assert lab.retry(job_id, key=key) == first
    lab.finish(lab.claim(), Outcome.CRASHED)
    assert lab.retry(job_id, key=key).status is JobStatus.CRASHED


def test_repeating_a_retry_that_changed_nothing_changes_nothing(lab: Lab) -> None:
    """Also when the job has failed in between: the call was made once, on a job that was queued."""
    job_id, key = lab.add_one(), new_key()
    lab.retry(job_id, key=key)
    lab.finish(lab.claim(), Outcome.CRASHED)
    lab.retry(job_id, key=key)
    assert lab.job(job_id).status is JobStatus.CRASHED


def test_a_retry_that_was_refused_leaves_no_trace(lab: Lab) -> None:
    """The same call may be made again when the job can be retried."""
    job_id, key = lab.add_one(), new_key()
    claim = lab.claim()
    with pytest.raises(UnsafeUpdateError):
        lab.retry(job_id, key=key)
    lab.finish(claim, Outcome.CRASHED)
    assert lab.retry(job_id, key=key).status is JobStatus.QUEUED


def test_a_retry_needs_a_job_and_a_key_of_its_own(lab: Lab) -> None:
    """What is not there is not found, and a key names one call."""
    job_id, key = lab.add_one(), new_key()
    with pytest.raises(NotFoundError):
        lab.retry("missing")
    lab.prune(job_id, key=key)
    with pytest.raises(KeyReusedError):
        lab.retry(job_id, key=key)


def test_a_late_report_after_a_retry_changes_nothing(lab: Lab) -> None:
    """The attempt that was pruned is over, whatever became of its job."""
    job_id = lab.add_one()
    claim = lab.claim()
    lab.prune(job_id)
    lab.retry(job_id)
    assert not lab.finish(claim, results={"y": 1}).recorded
    assert lab.job(job_id).status is JobStatus.QUEUED


def _if_crashed(lab: Lab, job_id: str) -> bool | None:
    """Look for a job, which settles what is overdue; return whether this one has crashed by now, or None."""
    lab.ask()
    return lab.job(job_id).status is JobStatus.CRASHED or None
