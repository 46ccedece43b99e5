"""How often a job may fail before it stays CRASHED, and which failures no retry mends."""

import pytest

from sweepstake.domain.drafts import MAX_OUTPUT, MAX_REASON
from sweepstake.domain.status import JobStatus, NoJobReason, Outcome
from sweepstake.queue.queue import Queue
from tests.kit.lab import Lab, eventually

FINAL = ["ValueError", "torch.OutOfMemoryError", 2]


def test_a_failure_is_tried_again_within_its_budget(queue: Queue) -> None:
    """`max_attempts` counts failures: crashed once of two, the job is queued; crashed twice, it stays so."""
    lab = Lab.new(queue, max_attempts=2)
    job_id = lab.add_one()
    first = lab.finish(lab.claim(), Outcome.CRASHED, reason="once")
    assert (first.recorded, first.ended, first.job.status) == (True, Outcome.CRASHED, JobStatus.QUEUED)
    lab.finish(lab.claim(), Outcome.RELEASED)
    second = lab.finish(lab.claim(), Outcome.CRASHED, reason="twice")
    assert second.job.status is JobStatus.CRASHED
    assert [attempt.reason for attempt in lab.attempts(job_id)] == ["once", "", "twice"]


def test_a_retry_waits_for_its_delay(queue: Queue) -> None:
    """A failed job is not ready before `retry_delay`."""
    lab = Lab.new(queue, max_attempts=3, retry_delay=1000.0)
    lab.add_one()
    lab.finish(lab.claim(), Outcome.CRASHED)
    assert lab.why_none() is NoJobReason.DELAYED
    assert lab.queue.count_jobs(lab.name).delayed == 1


def test_a_retry_waits_for_the_jobs_own_delay_too(queue: Queue) -> None:
    """A `not_before` that was set while the job ran is not cut short by a `retry_delay` that is over sooner."""
    lab = Lab.new(queue, max_attempts=3, retry_delay=0.001)
    job_id = lab.add_one()
    claim = lab.claim()
    lab.set_queueing(job_id, not_before=4_000_000_000.0)
    assert lab.finish(claim, Outcome.CRASHED).job.not_before == 4_000_000_000.0
    assert lab.why_none() is NoJobReason.DELAYED


def test_preemptions_have_a_budget_of_their_own(queue: Queue) -> None:
    """Preempted more often than allowed the job crashes; giving it back does not count."""
    lab = Lab.new(queue, max_preemptions=1)
    lab.add_one()
    lab.finish(lab.claim(), Outcome.RELEASED)
    assert lab.finish(lab.claim(), Outcome.PREEMPTED).job.status is JobStatus.QUEUED
    assert lab.finish(lab.claim(), Outcome.PREEMPTED).job.status is JobStatus.CRASHED


def test_each_further_failure_doubles_the_delay(queue: Queue) -> None:
    """The first waits `retry_delay`, the second twice that; a retry by hand begins anew."""
    lab = Lab.new(queue, max_attempts=4, retry_delay=0.02)
    job_id = lab.add_one()
    for delay in (0.02, 0.04, 0.08):
        job = lab.finish(eventually(lab.claimed_or_none), Outcome.CRASHED).job
        assert job.not_before is not None
        assert job.ended_at is not None
        assert job.not_before - job.ended_at == pytest.approx(delay, abs=1e-3)
    assert lab.finish(eventually(lab.claimed_or_none), Outcome.CRASHED).job.status is JobStatus.CRASHED
    lab.retry(job_id)
    job = lab.finish(eventually(lab.claimed_or_none), Outcome.CRASHED).job
    assert (job.not_before or 0) - (job.ended_at or 0) == pytest.approx(0.02, abs=1e-3)


def test_no_budget_spends_another(queue: Queue) -> None:
    """A failure, a lost lease, a preemption and a release in turn: each has its own count."""
    lab = Lab.new(queue, lease=0.1, max_attempts=2, max_lost=1, max_preemptions=1)
    job_id = lab.add_one()
    lab.finish(lab.claim(), Outcome.CRASHED)
    lab.finish(lab.claim(), Outcome.PREEMPTED)
    lab.finish(lab.claim(), Outcome.RELEASED)
    lab.claim()
    lab.finish(eventually(lab.claimed_or_none), Outcome.RELEASED)
    assert lab.job(job_id).status is JobStatus.QUEUED
    assert lab.finish(lab.claim(), Outcome.CRASHED).job.status is JobStatus.CRASHED
    ended = [
        Outcome.CRASHED,
        Outcome.PREEMPTED,
        Outcome.RELEASED,
        Outcome.LEASE_LOST,
        Outcome.RELEASED,
        Outcome.CRASHED,
    ]
    assert [attempt.outcome for attempt in lab.attempts(job_id)] == ended


@pytest.mark.parametrize(
    "causes, status",
    [
        ((), JobStatus.QUEUED),
        (("KeyError", "LookupError"), JobStatus.QUEUED),
        (("JSONDecodeError", "ValueError"), JobStatus.CRASHED),
        (("torch.OutOfMemoryError",), JobStatus.CRASHED),
        ((2,), JobStatus.CRASHED),
        (("2", 22), JobStatus.QUEUED),
    ],
)
def test_a_failure_that_no_retry_mends_is_not_tried_again(
    queue: Queue, causes: tuple[str | int, ...], status: JobStatus
) -> None:
    """One of `no_retry_on` among its causes, and the job is CRASHED whatever `max_attempts` says."""
    lab = Lab.new(queue, max_attempts=5, no_retry_on=FINAL)
    lab.add_one()
    assert lab.finish(lab.claim(), Outcome.CRASHED, causes=causes).job.status is status


def test_causes_do_not_matter_to_a_job_that_did_not_fail(queue: Queue) -> None:
    """A job that is given back is queued, whatever made its holder do so."""
    lab = Lab.new(queue, max_attempts=5, no_retry_on=FINAL)
    lab.add_one()
    assert lab.finish(lab.claim(), Outcome.PREEMPTED, causes=FINAL).job.status is JobStatus.QUEUED


@pytest.mark.parametrize("outcome", [Outcome.DONE, Outcome.CRASHED, Outcome.RELEASED])
def test_the_end_of_the_output_is_kept_on_the_attempt(lab: Lab, outcome: Outcome) -> None:
    """However the attempt ended, with whatever it printed."""
    job_id = lab.add_one()
    printed = "epoch 1\n\tloss: 0.5 \x1b[0m \N{SNOWMAN}\n"
    lab.finish(lab.claim(), outcome, output=printed)
    assert [attempt.output for attempt in lab.attempts(job_id)] == [printed]


def test_output_that_no_database_can_hold_is_written_out(lab: Lab) -> None:
    """NUL and half a surrogate pair do not keep a job from ending."""
    job_id = lab.add_one()
    lab.finish(lab.claim(), output="a\0b")
    assert [attempt.output for attempt in lab.attempts(job_id)] == ["a\\x00b"]


@pytest.mark.parametrize("letter", ["x", "\N{SNOWMAN}"])
def test_only_the_end_of_long_output_is_kept(lab: Lab, letter: str) -> None:
    """At most 16 KiB of it, in whole characters."""
    job_id = lab.add_one()
    lab.finish(lab.claim(), output=letter * MAX_OUTPUT + "the end")
    [attempt] = lab.attempts(job_id)
    assert attempt.output.endswith(f"{letter}the end")
    assert MAX_OUTPUT - 4 < len(attempt.output.encode()) <= MAX_OUTPUT


def test_the_output_of_a_late_report_is_kept_with_its_results(lab: Lab) -> None:
    """Both tell what an attempt did that had lost its job."""
    job_id = lab.add_one()
    claim = lab.claim()
    lab.prune(job_id)
    lab.finish(claim, results={"y": 1}, output="late")
    assert [attempt.output for attempt in lab.attempts(job_id)] == ["late"]


def test_a_reason_is_kept_without_its_middle(lab: Lab) -> None:
    """Whoever reports it, and however long it is: what is read of an attempt is bounded."""
    job_id = lab.add_one()
    lab.finish(lab.claim(), outcome=Outcome.CRASHED, reason="Traceback" + "é" * 1_000_000 + "ValueError: no")
    [attempt] = lab.attempts(job_id)
    assert len(attempt.reason) <= MAX_REASON
    assert attempt.reason.startswith("Tracebacké")
    assert attempt.reason.endswith("éValueError: no")
    assert "characters left out" in attempt.reason
