"""Which batches are started in an allocation that somebody has."""

from collections.abc import Sequence

import pytest

from sweepstake.batch import BatchJob, BatchSpec, Capacity, plan
from sweepstake.batch.running import end_on, room_for, spread, startable

CAPACITY = Capacity(cpus=1)


def packed(*runtimes: float, count: int) -> Sequence[BatchSpec]:
    """Return a plan of independent jobs."""
    return plan([BatchJob(id=str(n), runtime=each) for n, each in enumerate(runtimes)], capacity=CAPACITY, count=count)


def spec(name: str, nodes: int = 1, *, dependencies: Sequence[str] = ()) -> BatchSpec:
    """Return a batch of one job."""
    jobs = [BatchJob(id=name, runtime=1)]
    return BatchSpec(layout="flat", jobs=jobs, nodes=nodes, dependencies=dependencies, estimated_runtime=1)


@pytest.mark.parametrize("runtimes, before, after", [((5, 5, 5, 5), 1, 2), ((5,), 1, 1), ((5, 1, 1, 1, 1), 1, 2)])
def test_all_nodes_are_used_where_that_ends_sooner(runtimes: tuple[float, ...], before: int, after: int) -> None:
    """One that shortens nothing is left out."""
    assert len(spread(packed(*runtimes, count=before), lambda most: packed(*runtimes, count=most), 2)) == after


def test_a_plan_for_more_nodes_than_there_are_stays() -> None:
    """And so does one of nothing."""
    found = packed(5, 5, 5, count=3)
    assert spread(found, lambda most: packed(most, count=1), 2) is found
    assert spread((), lambda most: packed(most, count=1), 2) == ()


def test_all_nodes_are_used_where_jobs_wait_for_others() -> None:
    """One batch of each layer for each node, not one."""
    jobs = [BatchJob(id=str(n), runtime=5) for n in range(4)]
    jobs += [BatchJob(id=f"after-{n}", runtime=5, depends_on=[str(n) for n in range(4)]) for n in range(2)]
    narrow = plan(jobs, capacity=CAPACITY, count=2)
    wide = spread(narrow, lambda most: plan(jobs, capacity=CAPACITY, count=most), 2)
    assert (end_on(narrow, 2), end_on(wide, 2)) == (30, 15)
    assert end_on([spec("a", 2), spec("b"), spec("c")], 2) == 2


def test_none_begins_before_a_wider_one_that_lacks_nodes() -> None:
    """Else it would never have them."""
    specs = [spec("a"), spec("b", 3), spec("c")]
    assert startable(specs, 3) == specs[:1]
    assert startable(specs[1:], 3) == specs[1:2]
    assert startable(specs, 0) == []


def test_none_begins_before_those_that_it_waits_for() -> None:
    """Whether they are planned with it, or run."""
    first, second = spec("a"), spec("b", dependencies=[spec("a").id])
    assert startable([first, second], 3) == [first]
    assert startable([first, spec("c")], 3, {"a": ["7.x"]}) == [spec("c")]


def test_what_is_left_has_room_for_an_end() -> None:
    """For giving back, and for the start of a worker."""
    assert room_for(None) == float("inf")
    assert (room_for(100), room_for(3)) == (85, 0)
