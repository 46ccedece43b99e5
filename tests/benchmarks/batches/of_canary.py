"""Plan graphs with Canary; run by an interpreter that has `canary-wm`, and knows nothing of Sweepstake.

Reads a JSON list of questions from standard input and writes a JSON list of answers.
"""

import contextlib
import gc
import io
import json
import resource
import sys
import tempfile
import time
from types import SimpleNamespace
from typing import Any

with contextlib.redirect_stdout(io.StringIO()):
    from _canary.history import HistoryStore
    from canary_hpc import batching


class _Job:
    """What Canary's planning reads of a job of its own."""

    def __init__(self, job: dict[str, Any], capacity: dict[str, Any], workspace: Any) -> None:
        self.id = self.name = self.fullname = job["id"]
        self.workspace = workspace
        # Its estimate is three quarters of the time limit, rounded up to seconds.
        self.timeout = max(job["runtime"] - 1e-6, 0.0) / 0.75
        self.cpus = job["cpus"] * job["nodes"]
        self.exclusive = False
        self.dependencies: list[Any] = []
        amounts = [{"type": kind, "slots": 1} for kind in ("cpus", "gpus") for _ in range(job[kind])]
        self._requests = [SimpleNamespace(resources=amounts, exclusive=False) for _ in range(job["nodes"])]

    def required_resources(self) -> list[Any]:
        return self._requests


def _answer(question: dict[str, Any], workspace: Any) -> dict[str, Any]:
    capacity = question["capacity"]
    jobs = [_Job(job, capacity, workspace) for job in question["jobs"]]
    by_id = {job.id: job for job in jobs}
    for job, said in zip(jobs, question["jobs"], strict=True):
        job.dependencies = [SimpleNamespace(job=by_id[id_]) for id_ in said["depends_on"]]
    kinds = {"cpus": capacity["cpus"], "gpus": capacity["gpus"]}
    gc.collect()
    began = time.process_time()
    plan = _plan(jobs, question, kinds)
    seconds = time.process_time() - began
    return {
        "seconds": seconds,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "batches": [
            {
                "jobs": [job.id for job in batch.jobs],
                "dependencies": [other.id for other in batch.dependencies],
                "id": batch.id,
                "nodes": batch.schedule_metadata["node_count"] or 1,
            }
            for batch in plan
        ],
    }


def _plan(jobs: list[Any], question: dict[str, Any], kinds: dict[str, int]) -> list[Any]:
    """Plan as Canary's conductor does: by partitions that share the count."""
    store = HistoryStore(None)
    spec = batching.BatchingSpec.with_defaults(
        layout=question["layout"],
        nodes=question["nodes"],
        count=question.get("count"),
        duration=question.get("duration"),
    )
    partitions = batching.partition_jobs(
        jobs=jobs,
        layout=spec.layout,
        nodes=spec.node_policy,
        cpus_per_node=kinds["cpus"],
        resources_per_node=kinds,
        store=store,
    )
    counts = batching.allocate_partition_counts(spec.count, partitions)
    plan = []
    for partition, count in zip(partitions, counts, strict=True):
        target = spec.target if count is None else batching.CountTarget(count)
        plan += batching.batch_jobs(
            jobs=partition.jobs,
            width=partition.width,
            spec=batching.BatchingSpec(layout=spec.layout, node_policy=spec.node_policy, target=target),
            resource_capacity={kind: amount for kind, amount in partition.resource_capacity.items() if amount},
            node_count=partition.node_count,
            store=store,
        )
    batching.set_batch_dependencies(plan)
    return plan


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        place = SimpleNamespace(root=folder, session="comparison")
        json.dump([_answer(question, place) for question in json.load(sys.stdin)], sys.stdout)
