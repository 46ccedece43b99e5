"""Jobs that wait for others, as a user adds them."""

from collections.abc import Callable

import pytest

from sweepstake import InvalidInputError, ManualSearch, NewJob, NoJobError
from sweepstake.domain.records import Dependency
from sweepstake.domain.status import JobStatus


def test_a_job_waits_for_a_job_or_an_id(exp: ManualSearch) -> None:
    """Either names a dependency, and the job tells what became of it."""
    first = exp.add_job({"x": 1})
    exp.add_job({"x": 2}, job_id="second")
    last = exp.add_job({"x": 3}, depends_on=[first, "second"], prune_with_dependencies=True)
    with exp as job:
        assert job.job_id == first.job_id
    assert last.dependencies() == (
        Dependency(id=first.job_id, status=JobStatus.DONE, prune_with=True),
        Dependency(id="second", status=JobStatus.QUEUED, prune_with=True),
    )
    exp.get_job("second").prune()
    assert exp.get_job(last.job_id).status is JobStatus.PRUNED
    with pytest.raises(NoJobError):
        exp.next_job()


def test_many_jobs_may_wait_for_the_same(exp: ManualSearch) -> None:
    """All of one call do."""
    first = exp.add_job({"x": 0})
    ids = exp.add_jobs(({"x": i} for i in range(1, 4)), depends_on=[first])
    assert exp.counts().blocked == 3
    claimed = []
    for job in exp.claim_jobs():
        with job:
            claimed.append(job.job_id)
    assert claimed == [first.job_id, *ids]


def test_jobs_of_one_call_may_name_each_other(exp: ManualSearch) -> None:
    """`NewJob` gives each what is its own, and takes the rest from the call."""
    ids = exp.add_jobs(
        [
            NewJob({"x": 2}, job_id="last", depends_on=["first"], priority=5, notes="own"),
            NewJob({"x": 1}, job_id="first", status="DONE", results={"y": 1.5}),
            {"x": 3},
        ],
        priority=1,
        tags=["t"],
        notes="all",
    )
    assert ids[:2] == ["last", "first"]
    jobs = {job.job_id: job for job in exp.all_jobs()}
    assert [(jobs[id_].priority, jobs[id_].notes, jobs[id_].tags) for id_ in ids] == [
        (5, "own", ("t",)),
        (1, "all", ("t",)),
        (1, "all", ("t",)),
    ]
    assert (jobs["first"].status, jobs["first"].results) == (JobStatus.DONE, {"y": 1.5})
    assert [dependency.id for dependency in jobs["last"].dependencies()] == ["first"]


@pytest.mark.parametrize(
    "path, call",
    [
        ("depends_on[1]", lambda exp: exp.add_job({}, depends_on=["a", "b"])),
        ("depends_on[0]", lambda exp: exp.add_job({}, depends_on=[7])),
        ("depends_on", lambda exp: exp.add_job({}, depends_on="a")),
        ("depends_on", lambda exp: exp.add_jobs([{}], depends_on=None)),
        ("[1].depends_on[0]", lambda exp: exp.add_jobs([{}, NewJob({}, depends_on=["b"])])),
        ("[1].depends_on", lambda exp: exp.add_jobs([{}, NewJob({}, depends_on="b")])),
        ("[0].depends_on", lambda exp: exp.add_jobs([NewJob({}, job_id="x", depends_on=["x"])])),
        ("[1].hyperparameters.x", lambda exp: exp.add_jobs([{}, NewJob({"x": object()})])),
        ("[2001].depends_on[0]", lambda exp: exp.add_jobs([*([{}] * 2001), NewJob({}, depends_on=["b"])])),
    ],
)
def test_the_field_that_is_wrong_is_named(exp: ManualSearch, path: str, call: Callable[[ManualSearch], object]) -> None:
    """By its place in what the caller gave, wherever it was found out."""
    exp.add_job({}, job_id="a")
    with pytest.raises(InvalidInputError) as refused:
        call(exp)
    assert [where for where, _ in refused.value.problems] == [path]
