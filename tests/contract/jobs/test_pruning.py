"""Pruning from outside."""

import pytest

from sweepstake.domain.keys import name_of
from sweepstake.domain.records import Guard
from sweepstake.domain.status import JobStatus, NoJobReason, Outcome
from sweepstake.errors import UnsafeUpdateError
from sweepstake.values import JsonObject
from tests.kit.lab import Lab, document, new_key


def test_a_queued_job_can_be_pruned(lab: Lab) -> None:
    """It is never claimed, and keeps what it had."""
    job_id = lab.add_one(of=document(hyperparameters={"x": 1}, results={"y": 2}))
    before = lab.job(job_id)
    key = new_key()
    job = lab.prune(job_id, key=key)
    assert job == lab.job(job_id)
    assert (job.status, job.etag, job.attempt) == (JobStatus.PRUNED, name_of(key), 0)
    assert (job.hyperparameters, job.results) == (before.hyperparameters, before.results)
    assert lab.why_none() is NoJobReason.EMPTY
    assert lab.attempts(job_id) == ()


def test_a_running_job_can_be_pruned(lab: Lab) -> None:
    """Its attempt ends as pruned, the heartbeat says so, and what the worker reports is kept as late."""
    lab.add_one()
    claim = lab.claim()
    assert lab.prune(claim.job.id).status is JobStatus.PRUNED
    assert lab.beat(claim) == "prune"
    finished = lab.finish(claim, results={"y": 1})
    assert (finished.recorded, finished.ended, finished.job.status) == (False, Outcome.PRUNED, JobStatus.PRUNED)
    (attempt,) = lab.attempts(claim.job.id)
    assert (attempt.outcome, attempt.late_results) == (Outcome.PRUNED, JsonObject.of({"y": 1}))


def test_pruning_again_changes_nothing(lab: Lab) -> None:
    """Neither by the same call nor by another."""
    job_id, key = lab.add_one(), new_key()
    first = lab.prune(job_id, key=key)
    assert lab.prune(job_id, key=key) == first
    assert lab.prune(job_id) == first
    assert lab.job(job_id) == first


@pytest.mark.parametrize("status", [JobStatus.DONE, JobStatus.CRASHED])
def test_an_ended_job_cannot_be_pruned(lab: Lab, status: JobStatus) -> None:
    """Its result is not taken from it."""
    job_id = lab.add_one(of=document(status, results={"y": 1}))
    before = lab.job(job_id)
    with pytest.raises(UnsafeUpdateError):
        lab.prune(job_id)
    assert lab.job(job_id) == before


def test_repeating_a_prune_does_not_prune_what_was_queued_since(lab: Lab) -> None:
    """A repeat whose answer was lost finds the job queued anew, and leaves it."""
    job_id, key = lab.add_one(), new_key()
    lab.prune(job_id, key=key)
    queued = lab.put(job_id, document()).record
    lab.prune(job_id, key=key)
    assert lab.job(job_id) == queued


def test_pruning_fences_who_read_before(lab: Lab) -> None:
    """A put guarded by the etag of before fails."""
    job = lab.job(lab.add_one())
    lab.prune(job.id)
    with pytest.raises(UnsafeUpdateError):
        lab.put(job.id, document(JobStatus.RUNNING), guard=Guard.match(job.etag))
    assert lab.job(job.id).status is JobStatus.PRUNED


def test_a_job_without_a_lease_can_be_pruned(lab: Lab) -> None:
    """Also what the old client runs; its guarded put fails then."""
    job_id = lab.add_one()
    running = lab.put(job_id, document(JobStatus.RUNNING)).record
    lab.prune(job_id)
    assert [attempt.outcome for attempt in lab.attempts(job_id)] == [Outcome.PRUNED]
    with pytest.raises(UnsafeUpdateError):
        lab.put(job_id, document(JobStatus.DONE), guard=Guard.match(running.etag))
    assert lab.job(job_id).status is JobStatus.PRUNED
