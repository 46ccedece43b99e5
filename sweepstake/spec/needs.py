"""What a task needs of whoever runs it."""

from __future__ import annotations

from typing import Final

from sweepstake.domain.tasks.needs import Constraint, Needs
from sweepstake.spec.scalars import memory_bytes
from sweepstake.spec.tasks import TaskSpec

__all__ = ["PROCESSORS", "needs_of"]

#: How many processors a task needs that does not say so.
PROCESSORS: Final = 1.0


def needs_of(task: TaskSpec) -> Needs:
    """Return what a task needs of a worker; one that does not say how many processors needs one."""
    resources, constraints = task.resources, task.constraints
    labels = {} if constraints is None else {name: constraints[name] for name in constraints}
    placed = tuple(Constraint(name=name, values=tuple(values)) for name, values in labels.items() if values)
    replicas = task.replicas or 1
    if resources is None:
        return Needs(cpu=PROCESSORS, constraints=placed, replicas=replicas)
    return Needs(
        cpu=PROCESSORS if resources.cpu_count is None else float(resources.cpu_count),
        gpu=resources.gpu_count or 0,
        memory=memory_bytes(resources.memory) if resources.memory else 0,
        constraints=placed,
        replicas=replicas,
    )
