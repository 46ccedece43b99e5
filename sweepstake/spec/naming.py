"""What the tasks of a spec are called."""

from __future__ import annotations

from sweepstake.spec.experiment import ExperimentSpec
from sweepstake.spec.tasks import TaskSpec

__all__ = ["named_tasks", "task_names"]


def named_tasks(spec: ExperimentSpec) -> dict[str, TaskSpec]:
    """Return the tasks by name, in their order; see `task_names`."""
    return dict(zip(task_names(spec), spec.tasks, strict=True))


def task_names(spec: ExperimentSpec) -> list[str]:
    """Return the name of each task; one that has none is called by its place, as no other is: `task-1` the first."""
    taken = {task.name for task in spec.tasks}
    names: list[str] = []
    for place, task in enumerate(spec.tasks, 1):
        name = task.name or f"task-{place}"
        while task.name is None and name in taken:
            name += "-"
        taken.add(name)
        names.append(name)
    return names
