"""Entering the block of a job that was read, added or put: to enter is to claim."""

from collections.abc import Callable

import pytest

import sweepstake
from sweepstake import Job
from sweepstake.domain.status import Outcome


def test_what_another_holds_is_not_entered(exp: sweepstake.ManualSearch) -> None:
    """The error says who holds it since when; the holder's report is recorded, and nobody else's."""
    exp.add_job({}, job_id="one")
    with exp.next_job() as held:
        other = exp.get_job("one")
        with pytest.raises(sweepstake.UnsafeUpdateError, match=f"{held.worker} has held it since 20"), other:
            raise AssertionError("entered")
        held.results["by"] = "holder"
    (attempt,) = held.attempts()
    assert (attempt.outcome, exp.get_job("one").results) == (Outcome.DONE, {"by": "holder"})


@pytest.mark.parametrize(
    "status, hint", [(Job.DONE, "retry"), (Job.CRASHED, "sweepstake retry"), (Job.PRUNED, "sweepstake retry")]
)
def test_what_is_over_is_not_run_again(exp: sweepstake.ManualSearch, status: str, hint: str) -> None:
    """It stays as it is, and the error names the way to run it again."""
    exp.add_job({}, status, {"x": 1}, job_id="one")
    with pytest.raises(sweepstake.UnsafeUpdateError, match=hint), exp.get_job("one"):
        raise AssertionError("entered")
    with pytest.raises(sweepstake.UnsafeUpdateError, match=hint):
        exp.get_job("one").try_run()
    left = exp.get_job("one")
    assert (left.status, left.results, left.attempt) == (status, {"x": 1}, 0)


def test_what_is_entered_has_a_lease(exp: sweepstake.ManualSearch) -> None:
    """A job entered by its id is held like one that `next_job` brought, and no other is touched."""
    exp.add_jobs([{}, {}])
    added = exp.add_job({"x": 1}, job_id="mine")
    with added as job:
        now = exp.get_job("mine")
        assert (now.status, now.record.leased, now.attempt, now.worker) == (Job.RUNNING, True, 1, job.worker)
        assert job.attempt_key is not None
    assert (exp.get_job("mine").status, exp.counts().ready) == (Job.DONE, 2)


@pytest.mark.parametrize(
    "begin",
    [lambda job: job.put(), lambda job: job.put(safe=False), lambda job: job.try_run()],
    ids=["put", "unsafe", "try_run"],
)
def test_who_put_a_job_running_enters_it(exp: sweepstake.ManualSearch, begin: Callable[[Job], None]) -> None:
    """As Schedy's scripts do it: the attempt is that of the put, and ends with the block."""
    job = exp.add_job({})
    job.status = Job.RUNNING
    if begin.__code__.co_names == ("try_run",):
        job.status = Job.QUEUED
    begin(job)
    with job:
        job.results["x"] = 1
    (attempt,) = job.attempts()
    assert (attempt.outcome, attempt.lease, exp.get_job(job.job_id).results) == (Outcome.DONE, None, {"x": 1})


def test_a_job_added_as_running_is_entered_by_who_added_it(exp: sweepstake.ManualSearch) -> None:
    """And by nobody else."""
    job = exp.add_job({}, Job.RUNNING)
    with pytest.raises(sweepstake.UnsafeUpdateError, match="without a lease"), exp.get_job(job.job_id):
        raise AssertionError("entered")
    with job:
        pass
    assert [attempt.outcome for attempt in job.attempts()] == [Outcome.DONE]


def test_a_status_assigned_and_not_put_opens_no_door(exp: sweepstake.ManualSearch) -> None:
    """What an object says of itself does not count."""
    exp.add_job({}, job_id="one")
    with exp.next_job():
        other = exp.get_job("one")
        other.status = Job.QUEUED
        with pytest.raises(sweepstake.UnsafeUpdateError), other:
            raise AssertionError("entered")


def test_a_job_must_be_as_it_was_read(exp: sweepstake.ManualSearch) -> None:
    """One that somebody has changed since is given back: this object would run with old values."""
    old = exp.add_job({"x": 1})
    other = exp.get_job(old.job_id)
    other.hyperparameters["x"] = 2
    other.put()
    with pytest.raises(sweepstake.UnsafeUpdateError, match="changed"), old:
        raise AssertionError("entered")
    assert exp.get_job(old.job_id).status == Job.QUEUED
    with exp.get_job(old.job_id) as job:
        assert job.hyperparameters == {"x": 2}


def test_hyperparameters_settled_before_the_block_are_recorded(exp: sweepstake.ManualSearch) -> None:
    """Changes of this object's stay in hand, and are stored at the end."""
    job = exp.add_job({"batch": "auto"})
    job.hyperparameters["batch"] = 32
    with job:
        pass
    assert exp.get_job(job.job_id).hyperparameters == {"batch": 32}


def test_what_cannot_be_claimed_cannot_be_entered(db: sweepstake.Database) -> None:
    """Limits, dependencies and pauses hold for who knows the id, too."""
    exp = db.add_experiment(sweepstake.ManualSearch("limited", max_running=1))
    first = exp.add_job({})
    second = exp.add_job({})
    blocked = exp.add_job({}, depends_on=[first])
    with pytest.raises(sweepstake.UnsafeUpdateError, match="waits for 1 job"), blocked:
        raise AssertionError("entered")
    with first, pytest.raises(sweepstake.LimitReachedError, match="max_running"), second:
        raise AssertionError("entered")
    exp.pause()
    with pytest.raises(sweepstake.UnsafeUpdateError, match="paused"), second:
        raise AssertionError("entered")


def test_a_deleted_job_is_not_found(exp: sweepstake.ManualSearch) -> None:
    """Nobody holds it, and it is nowhere."""
    job = exp.add_job({})
    exp.get_job(job.job_id).delete()
    with pytest.raises(sweepstake.NotFoundError), job:
        raise AssertionError("entered")


def test_a_block_may_be_entered_again_after_its_job_was_given_back(exp: sweepstake.ManualSearch) -> None:
    """Each time is an attempt of its own."""
    job = exp.add_job({})
    with pytest.raises(KeyboardInterrupt), job:
        raise KeyboardInterrupt
    with job:
        job.results["x"] = 1
    assert [attempt.outcome for attempt in job.attempts()] == [Outcome.PREEMPTED, Outcome.DONE]
