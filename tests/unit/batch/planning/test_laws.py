"""What every plan promises, whatever the jobs are."""

from __future__ import annotations

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sweepstake.batch import BatchJob, Capacity, PlanError, plan
from tests.unit.batch.planning.judge import bound, check, check_schedule, walk
from tests.unit.batch.planning.strategies import problems

_Problem = tuple[list[BatchJob], Capacity]
_SETTINGS = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@_SETTINGS
@given(problems(), st.sampled_from([1, 100, 1800, 1e9]), st.sampled_from(["any", "same"]))
def test_flat_batches_of_a_duration(problem: _Problem, duration: float, nodes: str) -> None:
    """None is longer, unless one job alone is; jobs that wait for each other stand apart."""
    jobs, capacity = problem
    specs = plan(jobs, capacity=capacity, duration=duration, nodes=nodes)
    check(specs, jobs, capacity)
    by_id = {job.id: job for job in jobs}
    for spec in specs:
        assert spec.estimated_runtime is not None
        assert spec.estimated_runtime <= duration or len(spec) == 1
        assert not walk(spec, by_id) & {job.id for job in spec}
        if nodes == "same":
            assert {job.nodes for job in spec} == {spec.nodes}


@_SETTINGS
@given(problems(), st.integers(1, 30), st.sampled_from(["any", "same"]))
def test_flat_batches_of_a_count(problem: _Problem, count: int, nodes: str) -> None:
    """There are no more than were asked for; jobs that wait for each other stand apart."""
    jobs, capacity = problem
    try:
        specs = plan(jobs, capacity=capacity, count=count, nodes=nodes)
    except PlanError:
        assume(False)
    check(specs, jobs, capacity)
    assert len(specs) <= count
    by_id = {job.id: job for job in jobs}
    for spec in specs:
        assert not walk(spec, by_id) & {job.id for job in spec}


@_SETTINGS
@given(problems(), st.sampled_from([1, 100, 1800, 1e9]))
def test_atomic_batches_of_a_duration(problem: _Problem, duration: float) -> None:
    """No batch waits for another; one that is longer holds one component alone."""
    jobs, capacity = problem
    specs = plan(jobs, capacity=capacity, layout="atomic", duration=duration)
    check(specs, jobs, capacity)
    for spec in specs:
        assert not spec.dependencies
        assert spec.estimated_runtime is not None
        if spec.estimated_runtime > duration:
            first, *others = spec
            linked = {first.id}
            for _ in spec:
                linked |= {job.id for job in spec if linked & set(job.depends_on)}
                linked |= {other for job in spec if job.id in linked for other in job.depends_on}
            assert {job.id for job in others} <= linked


@_SETTINGS
@given(problems(), st.integers(1, 10))
def test_atomic_batches_of_a_count(problem: _Problem, count: int) -> None:
    """There are no more than were asked for, and none waits for another."""
    jobs, capacity = problem
    specs = plan(jobs, capacity=capacity, layout="atomic", count=count)
    check(specs, jobs, capacity)
    assert len(specs) <= count
    assert not any(spec.dependencies for spec in specs)


@_SETTINGS
@given(problems(wide=False), st.sampled_from(["flat", "atomic"]), st.sampled_from([None, "max"]))
def test_no_schedule_lasts_twice_its_bound(problem: _Problem, layout: str, count: None) -> None:
    """The estimate is no less than the bound, and no more than twice that."""
    jobs, capacity = problem
    jobs = [job for job in jobs if not job.exclusive and not job.resources]
    assume(jobs)
    for spec in plan(jobs, capacity=capacity, layout=layout, count=count):
        assert spec.estimated_runtime is not None
        assert spec.estimated_runtime <= 2 * bound(spec, capacity) * (1 + 1e-9) or layout == "atomic"


@_SETTINGS
@given(problems(), st.sampled_from(["flat", "atomic"]), st.randoms(use_true_random=False))
def test_the_order_of_the_input_changes_nothing(problem: _Problem, layout: str, random: object) -> None:
    """The same jobs give the same plan, ids included."""
    jobs, capacity = problem
    shuffled = list(jobs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert plan(jobs, capacity=capacity, layout=layout) == plan(shuffled, capacity=capacity, layout=layout)


@_SETTINGS
@given(problems(), st.sampled_from(["flat", "atomic"]))
def test_the_schedule_that_is_shown_holds_what_nodes_have(problem: _Problem, layout: str) -> None:
    """At no moment a node gives out more than it has, and an exclusive job is alone on its nodes."""
    jobs, capacity = problem
    for spec in plan(jobs, capacity=capacity, layout=layout):
        check_schedule(spec, capacity)


@_SETTINGS
@given(problems())
def test_urgent_jobs_come_first_in_their_batch(problem: _Problem) -> None:
    """In a batch of jobs that do not wait, none stands behind a less urgent one, but for those that wait for it."""
    jobs, capacity = problem
    jobs = [BatchJob(id=job.id, runtime=job.runtime, cpus=job.cpus, priority=job.priority) for job in jobs]
    for spec in plan(jobs, capacity=capacity):
        priorities = [job.priority for job in spec]
        assert priorities == sorted(priorities, reverse=True)
