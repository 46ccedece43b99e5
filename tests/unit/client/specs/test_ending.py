"""Waiting for the end of an experiment, stopping it, and why it stands still."""

import threading

import pytest

import sweepstake
from sweepstake import GridSearch, InvalidInputError, ManualSearch, RandomSearch, Uniform
from sweepstake.client.specs.ending import changes
from sweepstake.client.specs.standstill import standing_of
from sweepstake.domain.status import JobStatus
from sweepstake.spec import ExperimentSpec, TaskSpec
from tests.kit.lab import WAIT_SECONDS


def test_an_experiment_ends_with_its_last_job(exp: ManualSearch) -> None:
    """Waiting returns the counts as soon as that is so."""
    exp.add_jobs([{}, {}])
    done = threading.Event()

    def work() -> None:
        for job in exp.claim_jobs():
            with job:
                done.wait(0.2)

    worker = threading.Thread(target=work)
    worker.start()
    counts = exp.wait(WAIT_SECONDS)
    worker.join()
    assert (counts.done, counts.total) == (2, 2)


def test_a_wait_that_is_over_raises(exp: ManualSearch) -> None:
    """The error that Python has for it, and says how the jobs stand."""
    exp.add_job({})
    with pytest.raises(TimeoutError, match=r"not ended after 0\.01 seconds; 1 job: 1 ready"):
        exp.wait(timeout=0.01)
    with pytest.raises(InvalidInputError, match="timeout: must be a number"):
        exp.wait(timeout="soon")  # type: ignore[arg-type]


def test_jobs_that_cannot_begin_are_not_waited_for(exp: ManualSearch) -> None:
    """What they wait for has failed, so nothing can happen before somebody retries it."""
    first = exp.add_job({}, status="CRASHED")
    exp.add_job({}, depends_on=[first])
    assert exp.wait(0).blocked == 1


def test_what_a_search_may_still_propose_is_waited_for(db: sweepstake.Database) -> None:
    """Until its limit, or its space, or the experiment is at its end."""
    random = db.add_experiment(RandomSearch("random", {"x": Uniform(0, 1)}, max_jobs=1))
    grid = db.add_experiment(GridSearch("grid", {"x": [1]}))
    for experiment in (random, grid):
        with pytest.raises(TimeoutError):
            experiment.wait(0)
        with experiment.next_job():
            pass
        assert experiment.wait(0).done == 1


def test_jobs_are_stopped(exp: ManualSearch) -> None:
    """All, those that are named, or none of an empty list; none is queued any more."""
    jobs = [exp.add_job({}) for _ in range(4)]
    assert exp.stop([]) == 0
    assert exp.stop([jobs[0]]) == exp.stop(jobs[1].job_id) == 1
    assert exp.counts().ready == 2
    assert exp.stop() == 2
    assert (exp.counts().pruned, exp.wait(0).total) == (4, 4)


def test_changes_are_told_once(exp: ManualSearch) -> None:
    """Those that are queued when they are first seen are no change."""
    known: dict[str, JobStatus] = {}
    job = exp.add_job({}, job_id="a")

    def seen() -> list[tuple[str, str]]:
        return [(each.id, str(each.status)) for each in changes(exp.session.queue, exp.reference, known)]

    assert seen() == []
    job.prune()
    assert seen() == [("a", "PRUNED")]
    assert seen() == []


def told(experiment: sweepstake.Experiment) -> list[str]:
    """Return the sentences about an experiment as it is stored now."""
    return list(standing_of(experiment, experiment.name))


def test_it_is_told_why_an_experiment_stands_still(db: sweepstake.Database, exp: ManualSearch) -> None:
    """Without jobs, without a spec, paused, and at its end."""
    assert told(exp) == ["exp has no jobs."]
    exp.add_job({}, job_id="a")
    first, second = told(exp)
    assert first == (
        "exp has no spec, so workers without a command pass it over; `sweepstake worker exp -- COMMAND` runs it."
    )
    assert second.startswith("a: ")
    exp.pause()
    assert told(exp) == ["exp is paused; `sweepstake resume exp` lets it go on."]
    exp.resume()
    exp.stop()
    assert told(exp) == ["exp has no job that waits: 1 job: 1 pruned."]


def test_each_task_is_told_of(db: sweepstake.Database) -> None:
    """By the first of its jobs that waits."""
    task = TaskSpec.new("train", docker_image="tiny", command=["true"])
    after = TaskSpec.new("after", docker_image="tiny", command=["true"]).with_dataset("/in", result="train")
    exp = db.submit(ExperimentSpec().with_task(task).with_task(after), name="exp")
    assert told(exp) == [
        (
            "train (train): It needs 1 CPU; no worker is alive that says what it has: start one, such as "
            "`sweepstake worker exp`."
        ),
        "after (after): It waits for 1 job that is not DONE: train (QUEUED).",
    ]
