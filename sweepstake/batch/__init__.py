"""Batches: queued jobs packed into allocations of a cluster.

::

    from sweepstake import batch

    jobs = [batch.BatchJob(id=str(number), runtime=600.0, gpus=1) for number in range(100)]
    for each in batch.plan(jobs, capacity=batch.Capacity.parse("nodes=1,cpus=64,gpus=8"), duration=7200):
        print(each.id, len(each), each.estimated_runtime)

    exp = sweepstake.connect().get_experiment("mnist")
    made = batch.submit(exp, backend="slurm", duration=7200, command=["python", "train.py"])
    batch.wait(exp, made)
"""

from sweepstake.batch.backends.adapting import PlainBackend
from sweepstake.batch.backends.allocations import Allocation, AllocationState
from sweepstake.batch.backends.scheduler import Backend
from sweepstake.batch.backends.submissions import Site, Submission
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
from sweepstake.batch.reading import LeftOut, Reading, read_waiting
from sweepstake.batch.verbs import cancel, keep, pack, status, submit, wait
from sweepstake.batch.wishes import Wishes
from sweepstake.domain.batches.records import BatchRecord, BatchStatus
from sweepstake.errors import PlanError, SubmissionError

__all__ = [
    "Allocation",
    "AllocationState",
    "Backend",
    "Batch",
    "BatchJob",
    "BatchRecord",
    "BatchSpec",
    "BatchStatus",
    "Capacity",
    "Ending",
    "Estimate",
    "LeftOut",
    "Phase",
    "Placement",
    "PlainBackend",
    "PlanError",
    "Reading",
    "Runtimes",
    "Site",
    "Submission",
    "SubmissionError",
    "TestBatch",
    "Wishes",
    "cancel",
    "keep",
    "learn_runtimes",
    "pack",
    "plan",
    "read_waiting",
    "schedule",
    "status",
    "submit",
    "wait",
]
