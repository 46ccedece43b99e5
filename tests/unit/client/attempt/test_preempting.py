"""Hooks that are called before a job is given back."""

import threading

import pytest

import sweepstake
from sweepstake import Job
from sweepstake.domain.status import Outcome


def test_a_hook_saves_what_there_is_before_the_job_is_given_back(exp: sweepstake.ManualSearch) -> None:
    """It runs while the job is still held; what it writes to the results is there for the next attempt."""
    exp.add_job({})
    seen = []
    with pytest.raises(KeyboardInterrupt), exp.next_job() as job:

        @job.on_preempt
        def save() -> None:
            seen.append(exp.get_job(job.job_id).status)
            job.results["epoch"] = 7

        raise KeyboardInterrupt
    assert seen == [Job.RUNNING]
    again = exp.next_job()
    assert (again.job_id, again.results) == (job.job_id, {"epoch": 7})
    assert [attempt.outcome for attempt in again.attempts()] == [Outcome.PREEMPTED, None]


def test_hooks_are_called_in_their_order_and_once(exp: sweepstake.ManualSearch) -> None:
    """`preempt` calls them too; leaving the block afterwards does not call them again."""
    exp.add_job({})
    called: list[str] = []
    with pytest.raises(KeyboardInterrupt), exp.next_job() as job:
        job.on_preempt(lambda: called.append("first"))
        job.on_preempt(lambda: called.append("second"))
        job.preempt()
        raise KeyboardInterrupt
    assert called == ["first", "second"]
    assert exp.get_job(job.job_id).attempt == 1


@pytest.mark.parametrize("error", [None, ValueError("boom"), SystemExit(75), sweepstake.PruneJob()], ids=repr)
def test_hooks_are_for_preempted_jobs_only(exp: sweepstake.ManualSearch, error: BaseException | None) -> None:
    """A job that is done, crashed, pruned or released by its own exit code needs no checkpoint."""
    exp.add_job({})
    called: list[str] = []
    try:
        with exp.next_job() as job:
            job.on_preempt(lambda: called.append("called"))
            if error is not None:
                raise error
    except (ValueError, SystemExit):
        pass
    assert called == []


def test_a_hook_that_hangs_is_not_waited_for(exp: sweepstake.ManualSearch, caplog: pytest.LogCaptureFixture) -> None:
    """After its time the job is given back, and a warning says so."""
    exp.add_job({})
    hang = threading.Event()
    with pytest.raises(KeyboardInterrupt), exp.next_job() as job:
        job.on_preempt(hang.wait, within=0.05)
        raise KeyboardInterrupt
    assert exp.get_job(job.job_id).status == Job.QUEUED
    assert "did not end within 0.05 s" in caplog.text
    hang.set()


def test_a_hook_that_fails_holds_nothing_up(exp: sweepstake.ManualSearch, caplog: pytest.LogCaptureFixture) -> None:
    """Its traceback is logged; the job is given back with what it had set by then."""
    exp.add_job({})

    def fail() -> None:
        job.results["epoch"] = 1
        raise ZeroDivisionError("boom")

    with pytest.raises(KeyboardInterrupt), exp.next_job() as job:
        job.on_preempt(fail)
        raise KeyboardInterrupt
    assert "ZeroDivisionError: boom" in caplog.text
    stored = exp.get_job(job.job_id)
    assert (stored.status, stored.results) == (Job.QUEUED, {"epoch": 1})


def test_results_that_json_cannot_hold_do_not_keep_a_preempted_job_back(exp: sweepstake.ManualSearch) -> None:
    """The rest of the results is kept, the job goes back to the queue, and the exception tells what is missing."""
    exp.add_job({})
    with pytest.raises(KeyboardInterrupt) as caught, exp.next_job() as job:
        job.results |= {"epoch": 1, "model": object()}
        raise KeyboardInterrupt
    assert any("results.model" in note for note in caught.value.__notes__)
    stored = exp.get_job(job.job_id)
    assert (stored.status, stored.results) == (Job.QUEUED, {"epoch": 1})


@pytest.mark.parametrize("within", [0, -1, True, "soon", float("nan")])
def test_a_time_that_is_none_is_refused(exp: sweepstake.ManualSearch, within: float) -> None:
    """The error names the argument when the hook is added, not when it is too late."""
    job = exp.add_job({})
    with pytest.raises(sweepstake.InvalidInputError, match=r"^within: "):
        job.on_preempt(lambda: None, within=within)
    with pytest.raises(sweepstake.InvalidInputError, match=r"^callback: "):
        job.on_preempt("save")  # type: ignore[type-var]  # what is refused
