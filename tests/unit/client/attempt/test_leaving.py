"""Leaving the block: each row of the design's table, on a real store."""

import asyncio
import sys
import weakref
from collections.abc import Callable

import pytest

import sweepstake
from sweepstake import Job
from sweepstake.domain.status import Outcome


def _boom() -> None:
    raise ZeroDivisionError("boom")


def _exit(code: object) -> Callable[[], None]:
    return lambda: sys.exit(code)  # type: ignore[arg-type]  # any object may be an exit code


def _raising(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


@pytest.mark.parametrize(
    "act, status, outcome, seen",
    [
        (lambda: None, Job.DONE, Outcome.DONE, None),
        (_raising(sweepstake.PruneJob("hopeless")), Job.PRUNED, Outcome.PRUNED, None),
        (_raising(KeyboardInterrupt()), Job.QUEUED, Outcome.PREEMPTED, KeyboardInterrupt),
        (_raising(asyncio.CancelledError()), Job.QUEUED, Outcome.PREEMPTED, asyncio.CancelledError),
        (_exit(0), Job.DONE, Outcome.DONE, SystemExit),
        (_exit(None), Job.DONE, Outcome.DONE, SystemExit),
        (_exit(75), Job.QUEUED, Outcome.RELEASED, SystemExit),
        (_exit(3), Job.CRASHED, Outcome.CRASHED, SystemExit),
        (_exit("words"), Job.CRASHED, Outcome.CRASHED, SystemExit),
        (_boom, Job.CRASHED, Outcome.CRASHED, ZeroDivisionError),
    ],
    ids=["normally", "PruneJob", "interrupt", "cancelled", "exit 0", "exit", "exit 75", "exit 3", "exit text", "error"],
)
def test_the_end_of_the_block_becomes_the_outcome(
    exp: sweepstake.ManualSearch,
    act: Callable[[], None],
    status: str,
    outcome: Outcome,
    seen: type[BaseException] | None,
) -> None:
    """Each way to leave the block records its outcome, and shows the caller what it should."""
    job_id = exp.add_job({"x": 1}).job_id
    caught: type[BaseException] | None = None
    try:
        with exp.next_job() as job:
            act()
    except BaseException as error:  # noqa: BLE001 -- the kinds include those that end a program
        caught = type(error)
    assert caught is seen
    assert job.status == status
    stored = exp.get_job(job_id)
    assert stored.status == status
    assert [attempt.outcome for attempt in stored.attempts()] == [outcome]


def test_a_crash_keeps_the_traceback_and_the_results_so_far(exp: sweepstake.ManualSearch) -> None:
    """What was computed before the exception stays, and so does where it came from."""
    exp.add_job({"x": 1})
    with pytest.raises(ZeroDivisionError, match="boom"), exp.next_job() as job:
        job.results["loss"] = 0.5
        _boom()
    stored = exp.get_job(job.job_id)
    assert stored.results == {"loss": 0.5}
    assert "in _boom" in stored.attempts()[0].reason


def test_a_huge_traceback_is_kept_from_both_ends(exp: sweepstake.ManualSearch) -> None:
    """A reason has its limit, and neither the first nor the last line is lost."""
    exp.add_job({})
    with pytest.raises(ValueError, match="x"), exp.next_job() as job:
        raise ValueError("x" * 200_000 + "the end")
    reason = exp.get_job(job.job_id).attempts()[0].reason
    assert len(reason) < 40_000
    assert reason.startswith("Traceback")
    assert reason.rstrip().endswith("the end")
    assert "characters left out" in reason


def test_a_status_stated_inside_the_block_is_recorded(exp: sweepstake.ManualSearch) -> None:
    """A script that calls its own job pruned, without raising, is believed."""
    exp.add_job({})
    with exp.next_job() as job:
        job.status = Job.PRUNED
    assert exp.get_job(job.job_id).status == Job.PRUNED


def test_values_that_json_cannot_hold_crash_the_job_and_keep_the_rest(exp: sweepstake.ManualSearch) -> None:
    """The error names the place; results that can be kept are kept."""
    exp.add_job({})
    with pytest.raises(sweepstake.InvalidInputError, match=r"results\.model"), exp.next_job() as job:
        job.results["accuracy"] = 0.9
        job.results["model"] = object()
    stored = exp.get_job(job.job_id)
    assert stored.status == Job.CRASHED
    assert stored.results == {"accuracy": 0.9}
    assert "results.model" in stored.attempts()[0].reason


def test_an_exception_of_the_users_wins_over_ours(exp: sweepstake.ManualSearch) -> None:
    """When the end cannot be recorded, that becomes a note on the user's exception."""
    exp.add_job({})
    with pytest.raises(ZeroDivisionError) as caught, exp.next_job() as job:
        exp.get_job(job.job_id).delete()
        _boom()
    assert any("could not record the end" in note for note in caught.value.__notes__)


def test_pruned_from_outside_tells_nobody_off(exp: sweepstake.ManualSearch) -> None:
    """A job pruned while it runs leaves its block in peace, and its results are kept as late."""
    exp.add_job({})
    with exp.next_job() as job:
        other = exp.get_job(job.job_id)
        other.status = Job.PRUNED
        other.put()
        job.results["loss"] = 1.0
    assert job.status == Job.PRUNED
    (attempt,) = job.attempts()
    assert attempt.late_results is not None
    assert attempt.late_results.decode() == {"loss": 1.0}
    assert exp.get_job(job.job_id).results == {}


def test_a_lost_lease_is_told_and_the_results_kept_as_late(exp: sweepstake.ManualSearch) -> None:
    """A block that ends after somebody took the job away raises, and changes nothing of theirs."""
    exp.add_job({})
    with pytest.raises(sweepstake.LeaseLostError, match="late results"), exp.next_job() as job:
        other = exp.get_job(job.job_id)
        other.results = {"mine": 1}
        other.put()
        job.results["loss"] = 1.0
    stored = exp.get_job(job.job_id)
    assert stored.results == {"mine": 1}
    assert stored.attempts()[0].late_results is not None


def test_a_job_run_by_hand_is_guarded_by_its_etag(exp: sweepstake.ManualSearch) -> None:
    """`with` on a queued job makes it RUNNING, as Schedy's does, and DONE afterwards."""
    added = exp.add_job({"x": 1})
    with added as job:
        assert exp.get_job(job.job_id).status == Job.RUNNING
        job.results["y"] = 2
    assert exp.get_job(job.job_id).results == {"y": 2}
    assert exp.get_job(job.job_id).status == Job.DONE


def test_two_scripts_cannot_run_one_job_by_hand(exp: sweepstake.ManualSearch) -> None:
    """The second guarded put fails, and the object still tells the truth."""
    added = exp.add_job({})
    rival = exp.get_job(added.job_id)
    added.try_run()
    with pytest.raises(sweepstake.UnsafeUpdateError):
        rival.try_run()
    assert rival.status == Job.QUEUED


def test_a_put_inside_the_block_keeps_the_lease(exp: sweepstake.ManualSearch) -> None:
    """The holder may save results on the way, and still finish."""
    exp.add_job({})
    with exp.next_job() as job:
        job.results["epoch"] = 1
        job.put()
        job.put(safe=False)
        assert exp.get_job(job.job_id).results == {"epoch": 1}
        job.results["epoch"] = 2
    assert exp.get_job(job.job_id).results == {"epoch": 2}
    assert len(job.attempts()) == 1


def test_hyperparameters_changed_inside_the_block_are_recorded(exp: sweepstake.ManualSearch) -> None:
    """A script that settles a hyperparameter itself has it on record."""
    exp.add_job({"batch": "auto"})
    with exp.next_job() as job:
        job.hyperparameters["batch"] = 32
    assert exp.get_job(job.job_id).hyperparameters == {"batch": 32}


def test_a_change_that_python_calls_equal_is_recorded(exp: sweepstake.ManualSearch) -> None:
    """A hyperparameter that becomes 1.0 instead of 1 is 1.0 afterwards, in however deep a list."""
    exp.add_job({"batch": [1]})
    with exp.next_job() as job:
        job.hyperparameters["batch"][0] = 1.0
    assert repr(exp.get_job(job.job_id).hyperparameters) == "{'batch': [1.0]}"


def test_a_change_put_and_taken_back_in_the_block_is_taken_back(exp: sweepstake.ManualSearch) -> None:
    """What counts at the end of the block is the value then, whatever was put in between."""
    exp.add_job({"batch": 1})
    with exp.next_job() as job:
        job.hyperparameters["batch"] = 2
        job.put()
        job.hyperparameters["batch"] = 1
    assert exp.get_job(job.job_id).hyperparameters == {"batch": 1}


def test_an_error_that_no_retry_mends_ends_its_job(db: sweepstake.Database) -> None:
    """The block reports what the exception is called; one above it in `no_retry_on` is enough."""
    exp = db.add_experiment(sweepstake.ManualSearch("final", max_attempts=3, no_retry_on=["ArithmeticError"]))
    job_id = exp.add_job({"x": 1}).job_id
    with pytest.raises(ZeroDivisionError), exp.next_job():
        _boom()
    assert exp.get_job(job_id).status == Job.CRASHED


def test_a_job_given_back_inside_the_block_stays_given_back(exp: sweepstake.ManualSearch) -> None:
    """Leaving a block after `release` records nothing more, whether or not somebody else has the job by then."""
    exp.add_job({})
    with exp.next_job() as job:
        job.release()
    assert exp.get_job(job.job_id).status == Job.QUEUED
    with exp.next_job() as first:
        first.preempt()
        second = exp.next_job()
    assert (second.job_id, exp.get_job(job.job_id).attempt) == (job.job_id, 3)
    with second:
        pass
    assert [attempt.outcome for attempt in second.attempts()] == ["released", "preempted", "done"]


def test_a_job_is_freed_as_soon_as_nobody_refers_to_it(exp: sweepstake.ManualSearch) -> None:
    """A block leaves no cycle behind that would keep a job's results until the garbage collector comes."""
    exp.add_job({})
    with exp.next_job() as job:
        job.results["x"] = 1
    left = weakref.ref(job)
    del job
    assert left() is None
