"""Plans of a few jobs, whose batches can be told beforehand."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time

import pytest

from sweepstake.batch import BatchJob, BatchSpec, Capacity, plan, schedule
from sweepstake.batch.planning import DURATION, padded
from tests.unit.batch.planning.judge import bound, check


def _jobs(count: int, runtime: float = 100.0, **needs: object) -> list[BatchJob]:
    return [BatchJob(id=f"j{number:05}", runtime=runtime, **needs) for number in range(count)]  # type: ignore[arg-type]


def _chain(length: int) -> list[BatchJob]:
    return [
        BatchJob(id=f"{number:05}", runtime=10, depends_on=[f"{number - 1:05}"] if number else [])
        for number in range(length)
    ]


def _ids(specs: tuple[BatchSpec, ...]) -> list[list[str]]:
    return [[job.id for job in spec] for spec in specs]


@pytest.mark.parametrize("layout", ["flat", "atomic"])
def test_nothing_to_plan_is_no_batch(layout: str) -> None:
    """A sweep that has ended is no error."""
    assert plan([], capacity=Capacity(cpus=1), layout=layout) == ()


def test_eight_jobs_on_four_gpus_take_two_rounds() -> None:
    """Length is what the schedule says, not the sum of processors."""
    jobs = _jobs(8, cpus=1, gpus=1)
    (spec,) = plan(jobs, capacity=Capacity(cpus=64, gpus=4))
    assert spec.estimated_runtime == 200.0
    assert [each.start for each in schedule(spec, Capacity(cpus=64, gpus=4))] == [0.0] * 4 + [100.0] * 4


def test_half_an_hour_is_the_length_if_nobody_says() -> None:
    """Nineteen jobs of 100 seconds on one processor are more than that."""
    specs = plan(_jobs(19), capacity=Capacity(cpus=1))
    assert len(specs) == 2
    assert all((spec.estimated_runtime or 0) <= DURATION for spec in specs)


def test_lengths_that_fit_exactly_fill_a_batch() -> None:
    """No rounding takes the last job out."""
    (spec,) = plan(_jobs(18), capacity=Capacity(cpus=1), duration=1800)
    assert spec.estimated_runtime == 1800


def test_a_job_that_is_longer_than_the_duration_is_alone() -> None:
    """It gets a batch, and a limit, of its own."""
    jobs = [*_jobs(3), BatchJob(id="long", runtime=9000)]
    specs = plan(jobs, capacity=Capacity(cpus=8), duration=1000)
    (alone,) = [spec for spec in specs if "long" in {job.id for job in spec}]
    assert len(alone) == 1
    assert alone.timeout == 9000 * 1.25


def test_batches_of_chains_wait_for_those_of_the_same_chains() -> None:
    """A chain does not wait for others than its own jobs where there are batches enough."""
    jobs = [
        BatchJob(id=f"{chain}{link}", runtime=runtime, cpus=4, depends_on=[f"{chain}{link - 1}"] if link else [])
        for chain, runtime in (("a", 1000), ("b", 10))
        for link in range(3)
    ]
    specs = plan(jobs, capacity=Capacity(cpus=4), count=6)
    assert all(len(spec.dependencies) <= 1 for spec in specs)
    assert len(specs) == 6


def test_a_batch_that_shortens_nothing_is_left_out() -> None:
    """One long job decides how long it takes, so the short ones run beside it."""
    jobs = [BatchJob(id="long", runtime=1000), *_jobs(20, runtime=10.0)]
    (spec,) = plan(jobs, capacity=Capacity(cpus=2), count=5)
    assert spec.estimated_runtime == 1000


def test_a_count_is_used_where_it_shortens() -> None:
    """Four batches of the same length are four times as fast as one."""
    specs = plan(_jobs(32), capacity=Capacity(cpus=2), count=4)
    assert [spec.estimated_runtime for spec in specs] == [400.0] * 4


def test_max_is_a_batch_for_each_job() -> None:
    """Each waits for those of the jobs that its job waits for."""
    specs = plan(_chain(3), capacity=Capacity(cpus=8), count="max")
    assert _ids(specs) == [["00000"], ["00001"], ["00002"]]
    assert [spec.dependencies for spec in specs] == [(), (specs[0].id,), (specs[1].id,)]


def test_max_is_a_batch_for_each_component_of_atomic_batches() -> None:
    """Connected jobs stay together, and nothing waits."""
    specs = plan([*_chain(3), *_jobs(2)], capacity=Capacity(cpus=8), layout="atomic", count="max")
    assert sorted(map(len, specs)) == [1, 1, 3]
    assert not any(spec.dependencies for spec in specs)


def test_atomic_batches_keep_a_duration() -> None:
    """Chains are packed until the time is full; one that is longer is alone."""
    jobs = [
        BatchJob(id=f"{chain}-{link}", runtime=100, depends_on=[f"{chain}-{link - 1}"] if link else [])
        for chain, links in (("a", 3), ("b", 3), ("c", 3), ("long", 9))
        for link in range(links)
    ]
    specs = plan(jobs, capacity=Capacity(cpus=2), layout="atomic", duration=600)
    assert sorted((len(spec), spec.estimated_runtime) for spec in specs) == [(9, 500.0), (9, 900.0)]


def test_urgent_jobs_stand_in_the_first_batch() -> None:
    """They come first there too, whatever their length."""
    jobs = [*_jobs(6), BatchJob(id="urgent", runtime=1, priority=5), BatchJob(id="more", runtime=2, priority=9)]
    specs = plan(jobs, capacity=Capacity(cpus=1), duration=250)
    assert _ids(specs)[0][:2] == ["more", "urgent"]


@pytest.mark.parametrize("layout", ["flat", "atomic"])
@pytest.mark.parametrize("by", [{"duration": 200}, {"count": 4}])
def test_what_an_urgent_job_waits_for_is_urgent(layout: str, by: dict[str, int]) -> None:
    """Else it would stand early only to wait."""
    jobs = [
        *_jobs(6),
        BatchJob(id="z-first", runtime=100),
        BatchJob(id="z-then", runtime=100, depends_on=["z-first"], priority=1),
    ]
    specs = plan(jobs, capacity=Capacity(cpus=1), layout=layout, **by)  # type: ignore[arg-type]
    assert specs[0].jobs[0].id == "z-first"
    check(specs, jobs, Capacity(cpus=1))


def test_a_batch_of_urgent_jobs_comes_right_behind_what_it_waits_for() -> None:
    """Nothing less urgent is submitted before it."""
    jobs = [
        *_jobs(6),
        BatchJob(id="first", runtime=100, priority=1),
        BatchJob(id="then", runtime=100, depends_on=["first"], priority=1),
    ]
    specs = plan(jobs, capacity=Capacity(cpus=1), duration=100)
    assert _ids(specs)[:2] == [["first"], ["then"]]


def test_like_jobs_only_stand_together_if_that_is_asked_for() -> None:
    """A batch has as many nodes as each of its jobs."""
    jobs = [*_jobs(4), BatchJob(id="two", runtime=10, nodes=2), BatchJob(id="three", runtime=10, nodes=3)]
    specs = plan(jobs, capacity=Capacity(cpus=4, nodes=4), nodes="same")
    assert sorted((spec.nodes, len(spec)) for spec in specs) == [(1, 4), (2, 1), (3, 1)]


def test_a_batch_asks_for_no_more_nodes_than_it_uses() -> None:
    """What fits on one node within the duration gets one."""
    (spec,) = plan(_jobs(4), capacity=Capacity(cpus=4, nodes=8))
    assert spec.nodes == 1


def test_a_batch_asks_for_more_nodes_where_they_save_a_batch() -> None:
    """Capacity says how many nodes one allocation may have."""
    (spec,) = plan(_jobs(16), capacity=Capacity(cpus=2, nodes=4), duration=200)
    assert (spec.nodes, spec.estimated_runtime) == (4, 200)


def test_an_exclusive_job_is_alone_on_its_node() -> None:
    """Even beside jobs that need nothing."""
    jobs = [*_jobs(3, cpus=0), BatchJob(id="alone", runtime=100, exclusive=True)]
    (spec,) = plan(jobs, capacity=Capacity(cpus=8))
    assert spec.exclusive
    assert spec.estimated_runtime == 200.0


def test_a_dependency_that_is_not_among_the_jobs_counts_as_met() -> None:
    """It has run before, or stands in a batch that is under way."""
    (spec,) = plan([BatchJob(id="a", runtime=1, depends_on=["done before"])], capacity=Capacity(cpus=1))
    assert spec.dependencies == ()


def test_thirds_of_a_processor_fit_three_times() -> None:
    """Fractions are not lost to rounding."""
    (spec,) = plan(_jobs(3, cpus=1 / 3), capacity=Capacity(cpus=1))
    assert spec.estimated_runtime == 100.0


def test_memory_is_a_kind_like_others() -> None:
    """Two jobs that need half a node's memory each run at once, a third one after."""
    jobs = _jobs(3, resources={"memory": 2**33})
    (spec,) = plan(jobs, capacity=Capacity.parse("cpus=64,memory=16GiB"))
    assert spec.estimated_runtime == 200.0


@pytest.mark.parametrize("by", [{}, {"count": 10_000}, {"layout": "atomic"}, {"layout": "atomic", "count": 7}])
def test_a_chain_of_ten_thousand_is_planned(by: dict[str, object]) -> None:
    """No recursion is as deep as it."""
    specs = plan(_chain(10_000), capacity=Capacity(cpus=4), **by)  # type: ignore[arg-type]
    assert len(specs) == (1 if "layout" in by else 10_000)
    assert sum(map(len, specs)) == 10_000


def test_ten_thousand_jobs_in_one_batch_are_planned_in_no_time() -> None:
    """Their schedule is simulated once or twice, not for every job."""
    jobs = [
        BatchJob(id=f"{number}", runtime=number % 97 + 1, cpus=number % 3 + 1, resources={"memory": number})
        for number in range(10_000)
    ]
    began = time.process_time()
    (spec,) = plan(jobs, capacity=Capacity(cpus=16, resources={"memory": 10**5}), count=1)
    assert time.process_time() - began < 10
    assert len(spec) == 10_000


def test_a_priority_for_every_job_is_planned_in_no_time() -> None:
    """Of jobs that need the same only the most urgent is looked at."""
    jobs = [BatchJob(id=f"{number}", runtime=number % 97 + 1, priority=number) for number in range(3_000)]
    began = time.process_time()
    (spec,) = plan(jobs, capacity=Capacity(cpus=8), count=1)
    assert time.process_time() - began < 5
    assert [job.priority for job in spec] == [*reversed(range(3_000))]


def test_another_process_plans_the_same() -> None:
    """Ids and all, whatever its hashes are seeded with."""
    script = """
import random
from sweepstake.batch import BatchJob, Capacity, plan
rng = random.Random(1)
jobs = [
    BatchJob(id=str(n), runtime=rng.randint(1, 900), cpus=rng.randint(1, 4), gpus=rng.randint(0, 1),
             depends_on={str(rng.randrange(n)) for _ in range(rng.randint(0, 2))} if n else ())
    for n in range(150)
]
for layout in ("flat", "atomic"):
    for by in ({}, {"count": 60}):
        for spec in plan(jobs, capacity=Capacity(cpus=8, gpus=2, nodes=2), layout=layout, **by):
            print(spec.id, [job.id for job in spec], spec.dependencies, spec.nodes, spec.timeout)
"""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(outputs) == 1
    assert outputs.pop()


def test_a_session_gives_other_ids() -> None:
    """The ids are made from the layout, the session and the jobs, and nothing else."""
    jobs, capacity = _jobs(3), Capacity(cpus=8)
    (plain,) = plan(jobs, capacity=capacity)
    (again,) = plan(jobs, capacity=Capacity(cpus=16), count=1)
    (named,) = plan(jobs, capacity=capacity, session="monday")
    (atomic,) = plan(jobs, capacity=capacity, layout="atomic")
    assert plain.id == again.id
    assert len({plain.id, named.id, atomic.id}) == 3


def test_specs_are_iterable_and_say_what_submitting_takes() -> None:
    """Whoever submits needs one processor, whatever the jobs need."""
    spec = BatchSpec(layout="flat", jobs=_jobs(2, gpus=4))
    assert (len(spec), list(spec)) == (2, list(spec.jobs))
    assert spec.rparameters == {"cpus": 1, "gpus": 0}
    assert spec.required_resources() == [{"type": "cpus", "slots": 1}]
    assert (spec.estimated_runtime, spec.timeout, spec.nodes, spec.exclusive) == (None, None, 1, False)


def test_records_cross_to_another_process_and_cannot_be_changed() -> None:
    """Neither a field nor what is in it."""
    job = BatchJob(id="a", runtime=1, resources={"memory": 5})
    (spec,) = plan([job], capacity=Capacity(cpus=1, resources={"memory": 9}))
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert hash(spec) == hash(pickle.loads(pickle.dumps(spec)))
    with pytest.raises(TypeError):
        job.resources["memory"] = 6  # type: ignore[index]


@pytest.mark.parametrize(
    "seconds,limit",
    [
        (0, 300),
        (99, 300),
        (100, 600),
        (300, 1200),
        (600, 2400),
        (1800, 5000),
        (3599, 5000),
        (3600, 5000),
        (8000, 10_000),
    ],
)
def test_limits_leave_slack(seconds: float, limit: float) -> None:
    """A longer estimate never gets a shorter limit."""
    assert padded(seconds) == limit


def test_an_urgent_job_waits_where_its_batch_would_last_too_long() -> None:
    """More than twice its bound, in every order that begins with those that are urgent."""
    needs = {"a": (48, 0, 3), "b": (29, 1, 2), "c": (1, 0, 1), "d": (1, 1, 3), "e": (53, 0, 0), "f": (6, 0, 2)}
    needs |= {"g": (1, 2, 4), "h": (1, 0, 3)}
    after = {"c": "a", "e": "d", "f": "d", "h": "g"}
    jobs = [
        BatchJob(
            id=name,
            runtime=runtime,
            cpus=cpus,
            resources={"memory": memory},
            depends_on=[after[name]] if name in after else [],
            priority=int(name in "bc"),
        )
        for name, (runtime, cpus, memory) in needs.items()
    ]
    capacity = Capacity(cpus=2, resources={"memory": 4})
    [spec] = plan(jobs, capacity=capacity, layout="atomic", count=1)
    assert spec.estimated_runtime is not None
    assert spec.estimated_runtime <= 2 * bound(spec, capacity)
    [spec] = plan(jobs[:2], capacity=capacity, layout="atomic", count=1)
    assert [job.id for job in spec] == ["b", "a"]
