"""Batches: queued jobs packed into allocations of a cluster.

::

    from sweepstake import batch

    jobs = [batch.BatchJob(id=str(number), runtime=600.0, gpus=1) for number in range(100)]
    for each in batch.plan(jobs, capacity=batch.Capacity.parse("nodes=1,cpus=64,gpus=8"), duration=7200):
        print(each.id, len(each), each.estimated_runtime)
"""

from sweepstake.batch.batch import Batch, TestBatch
from sweepstake.batch.ending import Ending, Phase
from sweepstake.batch.planning import (
    BatchJob,
    BatchSpec,
    Capacity,
    Estimate,
    Placement,
    Runtimes,
    learn_runtimes,
    plan,
    schedule,
)
from sweepstake.errors import PlanError

__all__ = [
    "Batch",
    "BatchJob",
    "BatchSpec",
    "Capacity",
    "Ending",
    "Estimate",
    "Phase",
    "Placement",
    "PlanError",
    "Runtimes",
    "TestBatch",
    "learn_runtimes",
    "plan",
    "schedule",
]
