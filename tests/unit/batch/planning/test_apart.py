"""Jobs that must not stand together in a batch."""

from collections.abc import Mapping, Sequence

import pytest

from sweepstake.batch import BatchJob, Capacity, PlanError, plan
from sweepstake.batch.planning.apart import apart, shares, waiting_for_each_other


def job(name: str, *after: str) -> BatchJob:
    """Return a job of a minute."""
    return BatchJob(id=name, runtime=60, depends_on=after)


def sets(jobs: Sequence[BatchJob], group: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """Return the names of the sets, with the ids of their jobs."""
    return [(name, [each.id for each in several]) for name, several in apart(jobs, group)]


def test_a_group_stands_as_often_as_its_jobs_wait_for_others_that_wait_for_it() -> None:
    """So that no two batches wait for each other."""
    jobs = [job("c", "b"), job("a"), job("b", "a"), job("d", "gone"), job("e", "d")]
    assert sets(jobs, {"a": "x", "b": "y", "c": "x", "d": "x", "e": "x"}) == [
        ("x", ["a", "d", "e"]),
        ("y", ["b"]),
        ("x", ["c"]),
    ]
    assert sets(jobs, dict.fromkeys("abcde", "")) == [("", ["c", "a", "b", "d", "e"])]


def test_a_circle_is_left_to_who_packs() -> None:
    """Who names it."""
    jobs = [job("a", "b"), job("b", "a")]
    assert sets(jobs, {"a": "x", "b": "y"}) == [("x", ["a", "b"])]


def test_batches_wait_for_those_of_other_sets() -> None:
    """As their jobs do, each behind those that it waits for."""
    jobs = [job("a"), job("b", "a"), job("c", "b"), job("d")]
    capacity = Capacity(cpus=1)
    found = [
        spec
        for _, several in apart(jobs, {"a": "x", "b": "y", "c": "x", "d": "x"})
        for spec in plan(several, capacity=capacity, duration=120)
    ]
    specs = waiting_for_each_other(found)
    by_jobs = {"".join(sorted(each.id for each in spec)): spec for spec in specs}
    assert set(by_jobs) == {"ad", "b", "c"}
    assert by_jobs["b"].dependencies == (by_jobs["ad"].id,)
    assert by_jobs["c"].dependencies == (by_jobs["b"].id,)
    with pytest.raises(PlanError, match="layout: jobs that wait for each other are submitted on different terms"):
        waiting_for_each_other(
            [
                *plan([job("a")], capacity=capacity, layout="atomic"),
                *(plan([job("b", "a")], capacity=capacity, layout="atomic")),
            ]
        )


def test_a_count_is_shared_out_by_work() -> None:
    """Each set has a batch at least."""
    assert shares(5, [30.0, 1.0, 20.0]) == [2, 1, 2]
    assert shares(2, [1.0, 0.0]) == [1, 1]
    with pytest.raises(PlanError, match="there are 3 at least, and not 2"):
        shares(2, [1.0, 1.0, 1.0])
