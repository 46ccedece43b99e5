"""Hypothesis strategies that make jobs to plan, and nodes for them."""

from typing import Any

from hypothesis import strategies as st

from sweepstake.batch import BatchJob, Capacity

__all__ = ["capacities", "problems"]

_MEMORY = 2**30

capacities = st.builds(
    Capacity,
    cpus=st.sampled_from([1, 2, 5, 8]),
    gpus=st.sampled_from([0, 1, 4]),
    nodes=st.sampled_from([1, 1, 2, 3]),
    resources=st.sampled_from([{}, {"memory": 16 * _MEMORY}, {"licenses": 2}]),
)


@st.composite
def problems(draw: st.DrawFn, *, wide: bool = True) -> tuple[list[BatchJob], Capacity]:
    """Make up to 25 jobs that fit, with dependencies, exclusive ones and urgent ones among them."""
    capacity = draw(capacities)
    count = draw(st.integers(1, 25))
    linked = draw(st.sampled_from([0, 1, 3]))
    jobs: list[BatchJob] = []
    for number in range(count):
        resources = {kind: draw(st.sampled_from([0, most // 4, most])) for kind, most in capacity.resources.items()}
        needs: dict[str, Any] = {
            "cpus": draw(st.sampled_from([0, 0.5, 1]) | st.integers(1, int(capacity.cpus))),
            "gpus": draw(st.integers(0, int(capacity.gpus))),
            "resources": resources,
            "nodes": draw(st.integers(1, capacity.nodes)) if wide else 1,
            "exclusive": draw(st.integers(0, 9)) == 0,
        }
        runtime = draw(st.sampled_from([0, 1, 10.5, 60, 60, 600, 5000]) | st.floats(0, 1000))
        before = [job.id for job in jobs]
        after = draw(st.lists(st.sampled_from(before), max_size=linked, unique=True)) if before else []
        priority = draw(st.sampled_from([0, 0, 0, 0, 5, -1]))
        jobs.append(BatchJob(id=f"j{number}", runtime=runtime, depends_on=after, priority=priority, **needs))
    return draw(st.permutations(jobs)), capacity
