"""Experiments whose jobs carry a task: a shell script with a folder for results."""

from typing import Any

from sweepstake.domain.tasks.specs import SpecDraft
from sweepstake.queue.queue import Queue
from sweepstake.values import JsonObject
from tests.kit.lab import draft

__all__ = ["put_task"]


def put_task(queue: Queue, name: str, script: str, *jobs: str, **task: Any) -> None:
    """Give an experiment a spec of one task, which leaves its results in ``/out``, and jobs of it."""
    made = {
        "name": "main",
        "image": {"docker": "tiny"},
        "command": ["sh", "-euc", script],
        "result": {"path": "/out"},
        **task,
    }
    queue.put_spec(name, SpecDraft(text="", document=JsonObject.of({"version": "v2", "tasks": [made]})))
    queue.add_jobs(name, [draft(job, task="main") for job in jobs])
