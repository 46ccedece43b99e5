"""Jobs packed into batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from sweepstake.batch.planning.checks import FLAT, MAX, check_jobs, check_settings
from sweepstake.batch.planning.limits import padded
from sweepstake.batch.planning.packing import atomic, flat
from sweepstake.batch.planning.packing.drafts import Draft, needed_batches, urgent_first
from sweepstake.batch.planning.packing.problem import Problem, state
from sweepstake.batch.planning.packing.tightening import tightened
from sweepstake.batch.planning.records import BatchJob, BatchSpec, Capacity

__all__ = ["DURATION", "plan"]

#: How long batches are if nobody says, in seconds.
DURATION: Final = 1800.0


def plan(
    jobs: Iterable[BatchJob],
    *,
    capacity: Capacity,
    layout: str = FLAT,
    count: int | Literal["max"] | None = None,
    duration: float | None = None,
    nodes: str = "any",
    session: str = "",
) -> tuple[BatchSpec, ...]:
    """Pack jobs into batches, each of which runs in one allocation.

    The same jobs give the same plan, whatever their order and in every process. Planning does no I/O.

    Args:
        jobs: what to pack. One that they wait for and that is not among them counts as met.
        capacity: what one allocation can have at most.
        layout: ``flat``: jobs that wait for each other stand in different batches, and batches wait for batches;
            ``atomic``: connected jobs stand in one batch, and no batch waits for another.
        count: how many batches at most; one that shortens nothing is left out. ``max``: one for each job, or for each
            component in the layout ``atomic``.
        duration: how long a batch's schedule may be, in seconds; a job, or a component in the layout ``atomic``, that
            is longer has a batch of its own. 1800 if neither this nor `count` is given.
        nodes: ``any``, or ``same``: only jobs that take as many nodes stand together.
        session: goes into the ids of the batches.

    Returns:
        The batches, each behind those that it waits for, urgent ones first. Each has an id, the nodes that it asks for,
        how long its schedule is, and the wall limit to ask for.

    Raises:
        PlanError: jobs or settings are wrong; the message names what is guilty.
    """
    jobs = list(jobs)
    check_settings(capacity, layout=layout, count=count, duration=duration, nodes=nodes)
    check_jobs(jobs, capacity)
    problem = state(jobs, capacity)
    if not jobs:
        return ()
    flat_layout = layout == FLAT
    seconds = (DURATION if duration is None else float(duration)) if count is None else None
    if count == MAX:
        drafts = flat.apart(problem) if flat_layout else atomic.apart(problem)
    elif seconds is None:
        assert isinstance(count, int)
        drafts = flat.by_count(problem, count, same=nodes == "same") if flat_layout else atomic.by_count(problem, count)
    elif flat_layout:
        drafts = flat.by_duration(problem, seconds, same=nodes == "same")
    else:
        drafts = atomic.by_duration(problem, seconds)
    room = count - len(drafts) if isinstance(count, int) else None
    drafts = tightened(problem, drafts, seconds=seconds, room=room, apart=flat_layout)
    return _specs(problem, urgent_first(problem, drafts), layout, session)


def _specs(problem: Problem, drafts: Sequence[Draft], layout: str, session: str) -> tuple[BatchSpec, ...]:
    specs: list[BatchSpec] = []
    for draft, others in zip(drafts, needed_batches(problem, drafts), strict=True):
        jobs = [problem.jobs[place] for place in draft.places]
        specs.append(
            BatchSpec(
                layout=layout,
                jobs=jobs,
                dependencies=[specs[other].id for other in others],
                exclusive=any(job.exclusive for job in jobs),
                nodes=draft.nodes,
                estimated_runtime=draft.makespan,
                timeout=padded(draft.makespan),
                session=session,
            )
        )
    return tuple(specs)
