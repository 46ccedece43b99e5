"""What a PUT does to the open attempt."""

from itertools import product

import pytest

from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.queue.verbs.puts import PutPlan, plan_put

NOT_RUNNING = [status for status in JobStatus if status is not JobStatus.RUNNING]


@pytest.mark.parametrize("before,after", [*product(NOT_RUNNING, NOT_RUNNING), *((None, s) for s in NOT_RUNNING)])
def test_a_job_that_does_not_run_has_no_attempt_to_end(before: JobStatus | None, after: JobStatus) -> None:
    """From any status but RUNNING to any but RUNNING, attempts are left alone."""
    assert plan_put(before, after, holder=False) == PutPlan()


@pytest.mark.parametrize("before", [None, *NOT_RUNNING])
def test_entering_running_begins_an_attempt(before: JobStatus | None) -> None:
    """A job that is put to RUNNING has an attempt from then on."""
    assert plan_put(before, JobStatus.RUNNING, holder=False) == PutPlan(begins=True)


@pytest.mark.parametrize("holder", [True, False])
@pytest.mark.parametrize(
    "after,outcome",
    [
        (JobStatus.DONE, Outcome.DONE),
        (JobStatus.CRASHED, Outcome.CRASHED),
        (JobStatus.PRUNED, Outcome.PRUNED),
    ],
)
def test_leaving_running_ends_the_attempt_as_the_status_says(after: JobStatus, outcome: Outcome, holder: bool) -> None:
    """Whoever says how the job ended, its attempt ended so."""
    assert plan_put(JobStatus.RUNNING, after, holder=holder) == PutPlan(ends=outcome)


@pytest.mark.parametrize("after", [JobStatus.DONE, JobStatus.CRASHED])
def test_nobody_but_the_holder_ends_a_lease_by_a_result(after: JobStatus) -> None:
    """Of an attempt with a lease it is known who holds it: what another states takes the job away."""
    assert plan_put(JobStatus.RUNNING, after, holder=False, leased=True) == PutPlan(ends=Outcome.SUPERSEDED)
    assert plan_put(JobStatus.RUNNING, after, holder=True, leased=True) == PutPlan(ends=Outcome[after.name])


def test_a_prune_is_a_prune_whoever_puts_it() -> None:
    """The worker hears that its job was pruned, and not that it was lost."""
    assert plan_put(JobStatus.RUNNING, JobStatus.PRUNED, holder=False, leased=True) == PutPlan(ends=Outcome.PRUNED)


def test_the_holder_gives_back_and_others_take_away() -> None:
    """RUNNING to QUEUED is a release by the holder, and supersedes the attempt when somebody else does it."""
    assert plan_put(JobStatus.RUNNING, JobStatus.QUEUED, holder=True) == PutPlan(ends=Outcome.RELEASED)
    assert plan_put(JobStatus.RUNNING, JobStatus.QUEUED, holder=False) == PutPlan(ends=Outcome.SUPERSEDED)


def test_the_holder_keeps_what_others_end() -> None:
    """RUNNING to RUNNING changes only the document for the holder, and begins another attempt for anybody else."""
    assert plan_put(JobStatus.RUNNING, JobStatus.RUNNING, holder=True) == PutPlan()
    assert plan_put(JobStatus.RUNNING, JobStatus.RUNNING, holder=False) == PutPlan(ends=Outcome.SUPERSEDED, begins=True)
