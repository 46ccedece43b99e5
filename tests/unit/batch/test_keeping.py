"""Which batches are submitted now, decided without I/O."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweepstake.batch import BatchJob, BatchSpec
from sweepstake.batch.keeping import is_fruitless, next_batches, shared_out
from sweepstake.domain.batches.records import AllocationState, BatchRecord, BatchStatus
from sweepstake.domain.counts import Counts

__all__: list[str] = []


def spec(job: str, *dependencies: BatchSpec, runs: float = 60.0) -> BatchSpec:
    """Return a batch of one job that waits for others."""
    return BatchSpec(
        layout="flat",
        jobs=[BatchJob(id=job, runtime=runs)],
        dependencies=[each.id for each in dependencies],
        estimated_runtime=runs,
    )


def names(batches: tuple[BatchSpec, ...]) -> str:
    """Return the jobs of batches of one each."""
    return "".join(job.id for each in batches for job in each.jobs)


A, B = spec("a"), spec("b")
C = spec("c", A)
D, E = spec("d", C), spec("e", B)
PLAN = (A, C, B, D, E)


@pytest.mark.parametrize(
    "places, chosen", [(-1, ""), (0, ""), (1, "a"), (2, "ab"), (3, "acb"), (4, "acbd"), (9, "acbde")]
)
def test_what_can_begin_comes_first(places: int, chosen: str) -> None:
    """Where places are left, what waits for it follows; the order stays that of the plan."""
    assert names(next_batches(PLAN, places=places)) == chosen


def test_what_waits_is_left_to_later_where_nobody_can_wait_for_it() -> None:
    """By schedulers that know of no dependencies; a batch that is under way counts as one, too."""
    assert names(next_batches(PLAN, places=9, dependencies=False)) == "ab"
    after = {"a": ["7"]}
    assert names(next_batches(PLAN, places=9, after=after, dependencies=False)) == "b"
    assert names(next_batches(PLAN, places=1, after=after)) == "b"
    assert names(next_batches(PLAN, places=9, after=after)) == "acbde"


@given(st.lists(st.lists(st.integers(0, 20), max_size=3), max_size=12), st.integers(0, 8), st.booleans())
def test_no_more_are_chosen_than_there_are_places(waits: list[list[int]], places: int, dependencies: bool) -> None:
    """And none without those that it waits for; as many as possible of those that can begin."""
    plan = list[BatchSpec]()
    for number, others in enumerate(waits):
        plan.append(spec(str(number), *(plan[each] for each in sorted(set(others)) if each < number)))
    found = next_batches(plan, places=places, dependencies=dependencies)
    ids = {each.id for each in found}
    assert len(found) <= places
    assert all(ids.issuperset(each.dependencies) for each in found)
    ready = sum(not each.dependencies for each in plan)
    assert sum(not each.dependencies for each in found) == min(ready, places)
    assert list(found) == [each for each in plan if each.id in ids]


def test_few_batches_are_shared_out() -> None:
    """If that makes more of them, and none longer."""
    long, short = spec("a", runs=100.0), spec("b", runs=50.0)
    asked = list[int]()

    def at_most(count: int) -> tuple[BatchSpec, ...]:
        asked.append(count)
        return (short, spec("c", runs=50.0))

    assert [each.estimated_runtime for each in shared_out((long,), at_most, 4)] == [50.0, 50.0]
    assert asked == [4]
    assert shared_out((spec("d", runs=10.0),), at_most, 4)[0].estimated_runtime == 10.0
    for plan, places in (((), 4), ((long,), 1), ((long, short), 2)):
        assert shared_out(plan, at_most, places) is plan
    assert asked == [4, 4]


def ended(allocation: AllocationState, begun_at: float | None = 1.0, **counts: int) -> BatchRecord:
    """Return a submission that has ended."""
    zeros = dict.fromkeys(("ready", "blocked", "delayed", "running", "done", "crashed", "pruned"), 0)
    known: dict[str, Any] = {"id": "b", "jobs": ["a"], "backend": "local", "number": 1, "intended_at": 0.0}
    return BatchRecord(
        **known,
        status=BatchStatus.ENDED,
        allocation=allocation,
        begun_at=begun_at,
        counts=Counts(**{**zeros, **counts}),
    )


@pytest.mark.parametrize("allocation", AllocationState)
def test_an_allocation_that_ended_by_itself_and_began_no_job_is_fruitless(allocation: AllocationState) -> None:
    """One that somebody ended says nothing of its jobs, and so does one that was forgotten before it began."""
    own = allocation in (AllocationState.DONE, AllocationState.FAILED)
    assert is_fruitless(ended(allocation, ready=2, blocked=1)) is own
    assert is_fruitless(ended(allocation, None, ready=1)) is (allocation is AllocationState.FAILED)
    assert not is_fruitless(ended(allocation, blocked=1))
    for begun in ("running", "done", "crashed", "pruned"):
        assert not is_fruitless(ended(allocation, ready=1, **{begun: 1}))
