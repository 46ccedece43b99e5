"""`claim_jobs`: the loop that works a queue empty."""

import pytest

import sweepstake
from sweepstake import Job
from sweepstake.domain.status import Outcome
from sweepstake.errors import InvalidInputError
from tests.kit.lab import eventually


def test_a_loop_works_the_queue_empty_in_order(exp: sweepstake.ManualSearch) -> None:
    """Every job is run once, oldest first."""
    exp.add_jobs({"i": i} for i in range(7))
    seen = []
    for job in exp.claim_jobs():
        with job:
            seen.append(job.hyperparameters["i"])
    assert seen == list(range(7))
    assert exp.counts().done == 7


def test_a_job_claimed_ahead_is_given_back_when_the_loop_ends_early(exp: sweepstake.ManualSearch) -> None:
    """`break` leaves no job RUNNING."""
    exp.add_jobs({"i": i} for i in range(3))
    for job in exp.claim_jobs():
        with job:
            break
    counts = exp.counts()
    assert (counts.done, counts.running, counts.ready) == (1, 0, 2)
    released = [job for job in exp.all_jobs(status="QUEUED") if job.attempt]
    assert [attempt.outcome for attempt in released[0].attempts()] == [Outcome.RELEASED]


def test_a_crash_that_is_caught_lets_the_loop_go_on(exp: sweepstake.ManualSearch) -> None:
    """An exception caught around the block costs its own job only."""
    exp.add_jobs({"i": i} for i in range(4))
    for job in exp.claim_jobs():
        try:
            with job:
                if job.hyperparameters["i"] == 1:
                    raise RuntimeError("bad luck")
        except RuntimeError:
            continue
    counts = exp.counts()
    assert (counts.done, counts.crashed, counts.running, counts.ready) == (3, 1, 0, 0)


def test_a_crash_that_is_not_caught_leaves_nothing_running(exp: sweepstake.ManualSearch) -> None:
    """The exception ends the loop, and no job was claimed ahead for it."""
    exp.add_jobs([{}, {}])
    with pytest.raises(RuntimeError):
        for job in exp.claim_jobs():
            with job:
                raise RuntimeError("bad luck")
    counts = exp.counts()
    assert (counts.crashed, counts.running, counts.ready) == (1, 0, 1)


def test_a_job_deleted_while_it_runs_costs_neither_its_results_nor_the_loop(
    exp: sweepstake.ManualSearch, caplog: pytest.LogCaptureFixture
) -> None:
    """The results are kept in the spool, as nobody can take them any more, and the next job runs."""
    exp.add_jobs({"i": i} for i in range(2))
    gone = ""
    for job in exp.claim_jobs():
        with job:
            job.results["acc"] = 0.5
            if not gone:
                gone = job.job_id
                exp.get_job(gone).delete()
    assert exp.counts().done == 1
    spool = exp.session.spool
    [entry] = [spool.read(key) for key in spool.waiting()]
    assert (entry.job, entry.report.results.decode(), bool(entry.undeliverable)) == (gone, {"acc": 0.5}, True)
    assert "kept in the spool; see" in caplog.text


def test_a_deleted_job_that_is_given_back_does_not_end_the_loop(exp: sweepstake.ManualSearch) -> None:
    """It is reported once, and so kept once."""
    exp.add_jobs({"i": i} for i in range(2))
    for job in exp.claim_jobs():
        with job:
            job.results["acc"] = 0.5
            if exp.counts().done == 0 and len(exp.session.spool.waiting()) == 0:
                exp.get_job(job.job_id).delete()
                job.release()
    assert exp.counts().done == 1
    assert len(exp.session.spool.waiting()) == 1


def test_a_deleted_job_without_results_leaves_nothing_in_the_spool(
    exp: sweepstake.ManualSearch, caplog: pytest.LogCaptureFixture
) -> None:
    """There is nothing to lose, and nobody is told that something was kept."""
    exp.add_job({})
    for job in exp.claim_jobs():
        with job:
            exp.get_job(job.job_id).delete()
    assert exp.session.spool.waiting() == []
    assert "deleted" in caplog.text
    assert "spool" not in caplog.text


def test_a_lost_lease_does_not_end_the_loop(exp: sweepstake.ManualSearch, caplog: pytest.LogCaptureFixture) -> None:
    """In a loop a lost lease is logged, and the next job runs."""
    exp.add_jobs({"i": i} for i in range(2))
    seen = []
    for job in exp.claim_jobs():
        with job:
            seen.append(job.job_id)
            if len(seen) == 1:
                rival = exp.get_job(job.job_id)
                rival.status = Job.CRASHED
                rival.put()
    assert len(seen) == 2
    assert "late results" in caplog.text


def test_the_loop_runs_what_a_search_proposes(db: sweepstake.Database) -> None:
    """A grid is drained without a job being queued first."""
    exp = db.add_experiment(sweepstake.GridSearch("grid", {"a": [1, 2, 3], "b": ["x", "y"]}))
    points = []
    for job in exp.claim_jobs():
        with job:
            points.append((job.hyperparameters["a"], job.hyperparameters["b"]))
    assert points == [(a, b) for a in (1, 2, 3) for b in ("x", "y")]
    with pytest.raises(sweepstake.NoJobError) as caught:
        exp.next_job()
    assert caught.value.reason == "exhausted"


def test_the_short_form_nests_and_keeps_its_jobs_apart(exp: sweepstake.ManualSearch) -> None:
    """`with exp as job` inside itself is two jobs, left in the right order."""
    exp.add_jobs({"i": i} for i in range(2))
    with exp as outer:
        with exp as inner:
            inner.results["which"] = "inner"
        assert exp.get_job(inner.job_id).status == Job.DONE
        assert exp.get_job(outer.job_id).status == Job.RUNNING
        outer.results["which"] = "outer"
    assert exp.get_job(outer.job_id).results == {"which": "outer"}


def test_a_loop_goes_on_after_the_exceptions_that_it_catches(
    exp: sweepstake.ManualSearch, caplog: pytest.LogCaptureFixture
) -> None:
    """The job is CRASHED, with its traceback and results; the log says so, and others end the loop as ever."""
    exp.add_jobs({"i": i} for i in range(5))
    with pytest.raises(KeyError):
        for job in exp.claim_jobs(catch=(ZeroDivisionError, ValueError)):
            with job:
                job.results["i"] = job.hyperparameters["i"]
                if job.hyperparameters["i"] == 1:
                    raise ZeroDivisionError("bad luck")
                if job.hyperparameters["i"] == 3:
                    raise KeyError("other")
    counts = exp.counts()
    assert (counts.done, counts.crashed, counts.running, counts.ready) == (2, 2, 0, 1)
    first = next(iter(exp.all_jobs(status="CRASHED")))
    assert (first.results, "bad luck" in first.attempts()[0].reason) == ({"i": 1}, True)
    assert "bad luck" in caplog.text


def test_a_caught_crash_is_tried_again(db: sweepstake.Database) -> None:
    """As often as `max_attempts` says."""
    exp = db.add_experiment(sweepstake.ManualSearch("again", max_attempts=3))
    exp.add_job({})
    tries = 0
    for job in exp.claim_jobs(catch=ValueError):
        with job:
            tries += 1
            raise ValueError
    assert (tries, exp.counts().crashed) == (3, 1)


def test_results_that_json_cannot_hold_are_caught_as_the_value_errors_they_are(exp: sweepstake.ManualSearch) -> None:
    """The loop goes on, and the job is CRASHED."""
    exp.add_jobs([{}, {}])
    for job in exp.claim_jobs(catch=[ValueError]):
        with job:
            job.results["bad"] = object()
    assert exp.counts().crashed == 2


@pytest.mark.parametrize("catch", [KeyboardInterrupt, "ValueError", (ValueError, 3), BaseException])
def test_what_is_no_exception_is_not_caught(exp: sweepstake.ManualSearch, catch: object) -> None:
    """It is refused before anything is claimed; what ends a program cannot be caught."""
    exp.add_job({})
    with pytest.raises(sweepstake.InvalidInputError, match="catch"):
        next(exp.claim_jobs(catch=catch))  # type: ignore[arg-type]
    assert exp.counts().ready == 1


def test_a_loop_that_claims_several_runs_every_job_once(exp: sweepstake.ManualSearch) -> None:
    """In order, with results, whether or not their number divides the jobs."""
    exp.add_jobs({"i": i} for i in range(8))
    seen = []
    for job in exp.claim_jobs(at_once=3):
        with job:
            seen.append(job.hyperparameters["i"])
            job.results["twice"] = 2 * seen[-1]
        assert job.status == "DONE"
    assert seen == list(range(8))
    assert [job.results["twice"] for job in exp.all_jobs()] == [2 * i for i in range(8)]
    assert [[attempt.outcome for attempt in job.attempts()] for job in exp.all_jobs()] == [[Outcome.DONE]] * 8


def test_a_loop_over_several_that_ends_early_reports_and_gives_back(exp: sweepstake.ManualSearch) -> None:
    """What has ended is DONE, what was claimed with it is back in the queue."""
    exp.add_jobs({"i": i} for i in range(6))
    for job in exp.claim_jobs(at_once=4):
        with job:
            pass
        if job.hyperparameters["i"] == 1:
            break
    counts = exp.counts()
    assert (counts.done, counts.running, counts.ready) == (2, 0, 4)


def test_a_crash_among_several_is_reported_at_once(exp: sweepstake.ManualSearch) -> None:
    """It ends the loop; those before it are DONE, and those after it are back."""
    exp.add_jobs({"i": i} for i in range(4))
    with pytest.raises(RuntimeError):
        for job in exp.claim_jobs(at_once=4):
            with job:
                if job.hyperparameters["i"] == 2:
                    raise RuntimeError("bad luck")
    counts = exp.counts()
    assert (counts.done, counts.crashed, counts.running, counts.ready) == (2, 1, 0, 1)


def test_an_end_does_not_wait_for_a_job_that_takes_long(exp: sweepstake.ManualSearch) -> None:
    """It is reported while the next one runs."""
    exp.add_jobs([{"i": 0}, {"i": 1}])
    for job in exp.claim_jobs(at_once=2):
        with job:
            if job.hyperparameters["i"] == 1:
                eventually(lambda: exp.counts().done == 1)
    assert exp.counts().done == 2


def test_a_lost_lease_among_several_is_logged(exp: sweepstake.ManualSearch, caplog: pytest.LogCaptureFixture) -> None:
    """The others are recorded, and the loop goes on."""
    exp.add_jobs({"i": i} for i in range(3))
    for job in exp.claim_jobs(at_once=3):
        with job:
            job.results["x"] = 1
            if job.hyperparameters["i"] == 1:
                exp.get_job(job.job_id).put(safe=False)
    assert "late results" in caplog.text
    assert exp.counts().done == 2


@pytest.mark.parametrize("at_once", [0, 101, True, 2.0])
def test_a_loop_claims_a_sensible_number(exp: sweepstake.ManualSearch, at_once: object) -> None:
    """From 1 to 100."""
    with pytest.raises(InvalidInputError, match="at_once"):
        exp.claim_jobs(at_once=at_once)  # type: ignore[arg-type]
