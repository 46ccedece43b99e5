"""What a plan costs when it is carried out: a simulator of its own, which knows nothing of the planner's.

Every batch starts as soon as the batches that it waits for have ended, on as many nodes as it asks for. In a batch,
whenever something is free, the first job in its order starts that fits there and no longer waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from sweepstake.batch import BatchJob, Capacity

__all__ = ["Batched", "Cost", "bounds", "cost"]


@frozen(kw_only=True)
class Batched:
    """A batch of either planner."""

    id: str
    jobs: Sequence[str]
    dependencies: Sequence[str]
    nodes: int


@frozen(kw_only=True)
class Cost:
    """What a plan costs.

    Attributes:
        batches: how many there are.
        makespan: seconds from the first start to the last end.
        node_time: the sum of each batch's nodes times its own makespan, in node-seconds.
    """

    batches: int
    makespan: float
    node_time: float


def cost(batches: Sequence[Batched], jobs: Sequence[BatchJob], capacity: Capacity) -> Cost:
    """Carry a plan out.

    Raises:
        ValueError: a job is missing or stands there twice, or something waits for ever.
    """
    by_id = {job.id: job for job in jobs}
    if sorted(id_ for batch in batches for id_ in batch.jobs) != sorted(by_id):
        raise ValueError("not every job stands in exactly one batch")
    lengths = {batch.id: length([by_id[id_] for id_ in batch.jobs], batch.nodes, capacity) for batch in batches}
    ends: dict[str, float] = {}
    waiting = list(batches)
    while waiting:
        ready = [batch for batch in waiting if all(other in ends for other in batch.dependencies)]
        if not ready:
            raise ValueError("batches wait for each other")
        for batch in ready:
            ends[batch.id] = lengths[batch.id] + max((ends[other] for other in batch.dependencies), default=0.0)
        waiting = [batch for batch in waiting if batch.id not in ends]
    _check_order(batches, by_id)
    return Cost(
        batches=len(batches),
        makespan=max(ends.values()),
        node_time=sum(batch.nodes * lengths[batch.id] for batch in batches),
    )


def length(jobs: Sequence[BatchJob], nodes: int, capacity: Capacity) -> float:
    """Run the jobs of one batch event by event, and return when the last ends."""
    free = [[capacity.cpus, capacity.gpus] for _ in range(nodes)]
    within = {job.id for job in jobs}
    waiting = list(jobs)
    done: set[str] = set()
    running: list[tuple[float, BatchJob, list[int]]] = []
    now = 0.0
    while waiting or running:
        left = []
        for place, job in enumerate(waiting):
            if not any(has[0] or has[1] for has in free):
                left += waiting[place:]
                break
            fitting = _fitting(job, free)
            if fitting is None or any(other in within and other not in done for other in job.depends_on):
                left.append(job)
                continue
            _move(job, free, fitting, -1)
            running.append((now + job.runtime, job, fitting))
        waiting = left
        if not running:
            raise ValueError(f"job {waiting[0].id} cannot start in its batch")
        now = min(end for end, _, _ in running)
        for end, job, taken in running:
            if end <= now:
                done.add(job.id)
                _move(job, free, taken, 1)
        running = [each for each in running if each[0] > now]
    return now


def _fitting(job: BatchJob, free: Sequence[Sequence[float]]) -> list[int] | None:
    fitting = [node for node, has in enumerate(free) if has[0] >= job.cpus and has[1] >= job.gpus]
    return fitting[: job.nodes] if len(fitting) >= job.nodes else None


def _move(job: BatchJob, free: Sequence[list[float]], nodes: Sequence[int], sign: int) -> None:
    for node in nodes:
        free[node][0] += sign * job.cpus
        free[node][1] += sign * job.gpus


def bounds(jobs: Sequence[BatchJob], capacity: Capacity, nodes: int) -> tuple[float, float]:
    """Return what no plan is faster than on so many nodes at once, and what none costs less than in node-seconds."""
    ends: dict[str, float] = {}
    for job in jobs:
        ends[job.id] = job.runtime + max((ends[other] for other in job.depends_on), default=0.0)
    work = max(
        sum(job.runtime * job.nodes * job.cpus for job in jobs) / capacity.cpus,
        sum(job.runtime * job.nodes * job.gpus for job in jobs) / capacity.gpus if capacity.gpus else 0.0,
    )
    return max(*ends.values(), work / nodes), work


def _check_order(batches: Sequence[Batched], jobs: Mapping[str, BatchJob]) -> None:
    of = {id_: batch for batch in batches for id_ in batch.jobs}
    for batch in batches:
        for id_ in batch.jobs:
            for other in jobs[id_].depends_on:
                if of[other] is not batch and of[other].id not in batch.dependencies:
                    raise ValueError(f"{id_} does not wait for {other}")
