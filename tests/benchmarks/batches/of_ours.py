"""Plan graphs with Sweepstake, in a process of its own, as `of_canary` does with Canary.

Reads a JSON list of questions from standard input and writes a JSON list of answers.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import time
from typing import Any

from sweepstake.batch import BatchJob, Capacity, plan


def _answer(question: dict[str, Any]) -> dict[str, Any]:
    jobs = [BatchJob(**job) for job in question["jobs"]]
    capacity = Capacity(**question["capacity"])
    by = {key: question[key] for key in ("count", "duration") if key in question}
    gc.collect()
    began = time.process_time()
    specs = plan(jobs, capacity=capacity, layout=question["layout"], nodes=question["nodes"], **by)
    seconds = time.process_time() - began
    return {
        "seconds": seconds,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "batches": [
            {
                "jobs": [job.id for job in spec],
                "dependencies": list(spec.dependencies),
                "id": spec.id,
                "nodes": spec.nodes,
            }
            for spec in specs
        ],
    }


if __name__ == "__main__":
    json.dump([_answer(question) for question in json.load(sys.stdin)], sys.stdout)
