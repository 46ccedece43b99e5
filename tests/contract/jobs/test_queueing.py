"""Changing what stands beside a job's document: priority, delay, tags, notes."""

import math
from typing import Any

import pytest

from sweepstake.domain.records import Guard
from sweepstake.domain.status import JobStatus, NoJobReason, Outcome
from sweepstake.errors import InvalidInputError, KeyReusedError, NotFoundError
from sweepstake.values import JsonObject
from tests.kit.lab import Lab, document, new_key

LATER = 4_000_000_000.0


def test_each_field_is_changed_by_itself(lab: Lab) -> None:
    """What a call does not name stays."""
    job_id = lab.add_one(priority=1, tags=("a",), notes="as added", not_before=LATER)
    before = lab.job(job_id)
    assert lab.set_queueing(job_id, priority=7).priority == 7
    assert lab.set_queueing(job_id, tags=["b", "c"]).tags == ("b", "c")
    assert lab.set_queueing(job_id, notes="").notes == ""
    job = lab.set_queueing(job_id, not_before=None)
    assert job == lab.job(job_id)
    assert (job.priority, job.tags, job.notes, job.not_before) == (7, ("b", "c"), "", None)
    assert (job.etag, job.status, job.hyperparameters) == (before.etag, before.status, before.hyperparameters)


def test_a_whole_number_may_be_written_as_a_fraction(lab: Lab) -> None:
    """JSON does not tell the two apart, so the queue does not either."""
    assert repr(lab.set_queueing(lab.add_one(), priority=3.0).priority) == "3"


def test_a_raised_priority_is_claimed_first(lab: Lab) -> None:
    """Of jobs that are queued already."""
    first, second = lab.add_many(2)
    lab.set_queueing(second, priority=1)
    assert [lab.claim().job.id for _ in range(2)] == [second, first]


def test_a_delay_may_be_set_and_lifted(lab: Lab) -> None:
    """The job is out of the queue meanwhile, and ready at once afterwards."""
    job_id = lab.add_one()
    lab.set_queueing(job_id, not_before=LATER)
    assert lab.why_none() is NoJobReason.DELAYED
    lab.set_queueing(job_id, priority=3)
    assert lab.why_none() is NoJobReason.DELAYED
    lab.set_queueing(job_id, not_before=None)
    assert lab.claim().job.id == job_id


def test_a_delay_that_has_passed_is_none(lab: Lab) -> None:
    """A time long ago does not keep a job from being claimed."""
    job_id = lab.add_one(not_before=LATER)
    lab.set_queueing(job_id, not_before=1000.0)
    assert lab.claim().job.id == job_id


def test_a_running_job_keeps_its_lease_and_its_result(lab: Lab) -> None:
    """Its etag stays, so that the put and the finish of its worker go through."""
    job_id = lab.add_one()
    claim = lab.claim()
    job = lab.set_queueing(job_id, priority=9, tags=["urgent"], notes="soon", not_before=LATER)
    assert (job.etag, job.status, job.leased, job.attempt) == (claim.job.etag, JobStatus.RUNNING, True, 1)
    assert lab.beat(claim) == "continue"
    lab.put(job_id, document(JobStatus.RUNNING), guard=Guard.match(claim.job.etag), attempt=claim.key)
    finished = lab.finish(claim, results={"y": 1})
    assert finished.recorded
    assert (finished.job.results, finished.job.priority) == (JsonObject.of({"y": 1}), 9)


def test_a_running_job_is_delayed_when_it_is_given_back(lab: Lab) -> None:
    """A delay that was set while it ran holds for its next attempt."""
    job_id = lab.add_one()
    claim = lab.claim()
    lab.set_queueing(job_id, not_before=LATER)
    lab.finish(claim, Outcome.RELEASED)
    assert lab.why_none() is NoJobReason.DELAYED


@pytest.mark.parametrize("status", [JobStatus.DONE, JobStatus.CRASHED, JobStatus.PRUNED])
def test_a_job_that_ended_may_be_labelled(lab: Lab, status: JobStatus) -> None:
    """Its document stays as it is, and the tag finds it."""
    job_id = lab.add_one(of=document(status, results={"y": 1}))
    before = lab.job(job_id)
    after = lab.set_queueing(job_id, tags=["keep"], not_before=LATER)
    assert (after.status, after.etag, after.results) == (status, before.etag, before.results)
    assert [job.id for job in lab.jobs(tag="keep")] == [job_id]
    assert lab.why_none() is NoJobReason.EMPTY


def test_repeating_a_change_does_not_undo_a_later_one(lab: Lab) -> None:
    """A repeat whose answer was lost changes nothing more."""
    job_id, key = lab.add_one(), new_key()
    assert lab.set_queueing(job_id, priority=1, key=key).priority == 1
    lab.set_queueing(job_id, priority=2)
    lab.set_queueing(job_id, priority=1, key=key)
    assert lab.job(job_id).priority == 2
    with pytest.raises(KeyReusedError):
        lab.prune(job_id, key=key)


def test_what_is_not_there_is_not_found(lab: Lab) -> None:
    """There is no job to change."""
    with pytest.raises(NotFoundError):
        lab.set_queueing("missing", priority=1)


@pytest.mark.parametrize(
    "changes, path",
    [
        ({"priority": 2**31}, "priority"),
        ({"priority": 1.5}, "priority"),
        ({"priority": None}, "priority"),
        ({"not_before": -1.0}, "not_before"),
        ({"not_before": math.nan}, "not_before"),
        ({"tags": "text"}, "tags"),
        ({"tags": ["fine", ""]}, "tags[1]"),
        ({"notes": None}, "notes"),
    ],
)
def test_what_cannot_be_kept_is_refused(lab: Lab, changes: dict[str, Any], path: str) -> None:
    """Before it is sent, by the field's name."""
    job_id = lab.add_one()
    with pytest.raises(InvalidInputError) as caught:
        lab.set_queueing(job_id, **changes)
    assert caught.value.problems[0][0] == path
