"""Jobs that must not stand together in a batch, packed apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from attrs import evolve

from sweepstake.batch.planning.checks import ATOMIC
from sweepstake.batch.planning.records import BatchJob, BatchSpec
from sweepstake.errors import PlanError

__all__ = ["apart", "shares", "waiting_for_each_other"]


def apart(jobs: Sequence[BatchJob], group: Mapping[str, str]) -> Sequence[tuple[str, Sequence[BatchJob]]]:
    """Return the jobs by group, each set of them behind those that it waits for.

    A group has several sets where jobs of it wait for others that wait for some of it.

    Args:
        jobs: what is packed; where they wait in a circle all are one set, and whoever packs them tells.
        group: of each.
    """
    within = {job.id: [other for other in job.depends_on if other in group] for job in jobs}
    phase = dict[str, int]()
    try:
        for job_id in TopologicalSorter(within).static_order():
            phase[job_id] = max((phase[other] + (group[other] != group[job_id]) for other in within[job_id]), default=0)
    except CycleError:
        return [(group[jobs[0].id], jobs)]
    sets: dict[tuple[int, str], list[BatchJob]] = {}
    for job in jobs:
        sets.setdefault((phase[job.id], group[job.id]), []).append(job)
    return [(name, several) for (_, name), several in sorted(sets.items(), key=lambda each: each[0])]


def shares(count: int, works: Sequence[float]) -> Sequence[int]:
    """Share so many batches out among sets of jobs, each at least one, by the work that they have.

    Raises:
        PlanError: there are more sets than that.
    """
    if count < len(works):
        raise PlanError(
            f"count: jobs that are submitted on different terms stand in different batches, so there are {len(works)} "
            f"at least, and not {count}"
        )
    found = [1] * len(works)
    for _ in range(count - len(works)):
        place = max(range(len(works)), key=lambda each: (works[each] / found[each], -each))
        found[place] += 1
    return found


def waiting_for_each_other(specs: Sequence[BatchSpec]) -> tuple[BatchSpec, ...]:
    """Return batches of several sets with what each waits for in the others, as its jobs do."""
    batch_of = {job.id: spec.id for spec in specs for job in spec.jobs}
    found = []
    for spec in specs:
        others = {batch_of[other] for job in spec.jobs for other in job.depends_on if other in batch_of} - {spec.id}
        if spec.layout == ATOMIC and others:
            raise PlanError(
                "layout: jobs that wait for each other are submitted on different terms, so they cannot stand in one "
                "batch; use 'flat'"
            )
        found.append(evolve(spec, dependencies=[each.id for each in specs if each.id in others]))
    return tuple(found)
