"""Which batches are submitted together, and in which order."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sweepstake.batch import BatchJob, Capacity, plan
from sweepstake.batch.backends.scheduler import Scheduler
from sweepstake.batch.backends.slurm import SlurmDialect
from sweepstake.batch.submitting import Order, submissions_of

__all__: list[str] = []


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), st.lists(st.integers(0, 12), max_size=2)), max_size=12))
def test_what_others_wait_for_is_submitted_before_them(jobs: list[tuple[int, int, list[int]]]) -> None:
    """However urgent they are: each dependency has an id by then, and each batch stands in one submission."""
    made = [
        BatchJob(id=str(n), runtime=60.0 * long, priority=priority, depends_on=[str(o) for o in others if o < n])
        for n, (priority, long, others) in enumerate(jobs)
    ]
    capacity = Capacity(cpus=1)
    batches = plan(made, capacity=capacity, count="max") if made else ()
    found = submissions_of(batches, capacity, Scheduler(SlurmDialect()), Order(called="e", folder=Path()))
    ids = [command[command.index("--batch") + 1].partition("/")[0] for each in found for command in each.commands]
    assert sorted(ids) == sorted(spec.id for spec in batches)
    waits = {spec.id: len(spec.dependencies) for spec in batches}
    for each in found:
        first = each.commands[0][each.commands[0].index("--batch") + 1].partition("/")[0]
        assert len(each.after) == waits[first]
