"""What runs when in a batch."""

from __future__ import annotations

from attrs import frozen

from sweepstake.batch.planning.packing.problem import state
from sweepstake.batch.planning.packing.simulation import simulate
from sweepstake.batch.planning.records import BatchJob, BatchSpec, Capacity

__all__ = ["Placement", "schedule"]


@frozen(kw_only=True)
class Placement:
    """When and where a job of a batch is expected to run.

    Attributes:
        job: which.
        start: in seconds from the batch's start.
        end: likewise.
        nodes: numbers of the nodes that it has, from 0.
    """

    job: BatchJob
    start: float
    end: float
    nodes: tuple[int, ...]


def schedule(spec: BatchSpec, capacity: Capacity) -> tuple[Placement, ...]:
    """Return when each job of a batch runs if all take as long as they are expected to, in the order of its jobs.

    Whenever something is free, the first job starts that fits and no longer waits.

    Args:
        spec: the batch.
        capacity: what each of its nodes has.
    """
    problem = state(spec.jobs, capacity)
    place_of = {job.id: place for place, job in enumerate(problem.jobs)}
    places = [place_of[job.id] for job in spec.jobs]
    run = simulate(problem, places, spec.nodes)
    return tuple(
        Placement(job=job, start=start, end=start + float(job.runtime), nodes=nodes)
        for job, start, nodes in zip(spec.jobs, run.starts, run.nodes, strict=True)
    )
