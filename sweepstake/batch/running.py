"""Running batches inside an allocation that a person has: which are started on its nodes, and when it is enough."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from attrs import evolve

from sweepstake.batch.backends.scheduler import Backend
from sweepstake.batch.backends.within.backend import Within
from sweepstake.batch.keeping import Keeper, Work
from sweepstake.batch.packing import Packing, backends_of
from sweepstake.batch.planning.records import BatchSpec
from sweepstake.batch.reading import without
from sweepstake.batch.wishes import Wishes
from sweepstake.client import Experiment
from sweepstake.view.times import spanning
from sweepstake.worker.allocation.deadline import MARGIN
from sweepstake.worker.allocation.duty import IDLE

__all__ = ["Idleness", "backends_within", "end_on", "inside", "room_for", "spread", "startable"]

#: Seconds that it takes until a worker has begun its batch: an interpreter is started on each node.
_START: Final = 5.0
#: As long as so much of it is left, it is a fresh allocation, in which what takes longer begins as well.
_FRESH: Final = 0.9
#: More allocations than there are nodes anywhere: how many may be up is said by the nodes that are free.
_MANY: Final = 10**6


def room_for(left: float | None) -> float:
    """Return for how many seconds jobs can run in an allocation of which so much is left."""
    return math.inf if left is None else max(left - MARGIN - _START, 0.0)


def spread(plan: Sequence[BatchSpec], at_most: Callable[[int], Sequence[BatchSpec]], nodes: int) -> Sequence[BatchSpec]:
    """Return a plan that uses all nodes, if it ends sooner there.

    Args:
        plan: what waits, packed; each batch behind those that it waits for.
        at_most: packs it into at most so many batches.
        nodes: how many the allocation has.
    """
    layers = _layers(plan)
    if len(plan) > nodes * layers or not plan:
        return plan
    wider = at_most(nodes * layers)
    return wider if end_on(wider, nodes) < end_on(plan, nodes) else plan


def end_on(plan: Sequence[BatchSpec], nodes: int) -> float:
    """Return after how many seconds a plan is through on so many nodes, its batches begun in their order."""
    free = [0.0] * nodes
    ends = dict[str, float]()
    for spec in plan:
        ready = max((ends[other] for other in spec.dependencies), default=0.0)
        free.sort()
        begin = max(ready, free[spec.nodes - 1])
        ends[spec.id] = begin + (spec.estimated_runtime or 0.0)
        free[: spec.nodes] = [ends[spec.id]] * spec.nodes
    return max(ends.values(), default=0.0)


def startable(
    plan: Sequence[BatchSpec], free: int, after: Mapping[str, Sequence[str]] | None = None
) -> Sequence[BatchSpec]:
    """Return the batches that can be started now: in their order, and none before a wider one that lacks nodes.

    Args:
        plan: each batch behind those that it waits for.
        free: how many nodes are.
        after: what jobs wait for that runs.
    """
    chosen = list[BatchSpec]()
    for spec in plan:
        if spec.dependencies or any(job.id in (after or {}) for job in spec.jobs):
            continue
        if spec.nodes > free:
            break
        free -= spec.nodes
        chosen.append(spec)
    return chosen


def inside(experiment: Experiment, wishes: Wishes, here: Within, tell: Callable[[str], None]) -> Keeper:
    """Return what starts batches in an allocation whenever nodes are free; it tells each change in a line.

    Args:
        experiment: whose jobs they run.
        wishes: how they are packed, and what is run; where, is said by the allocation.
        here: the allocation.
        tell: takes a line.
    """
    there = here.cluster(None)
    whole = room_for(there.longest)
    packing = Packing(experiment, evolve(wishes, backend=here.name), evolve(there, longest=None))

    def pack(under_way: Mapping[str, str], given_up: Mapping[str, str], places: int) -> Work:
        del places
        room = room_for(here.left)
        read = packing.read_for(room, under_way, given_up)
        fresh = room >= _FRESH * whole
        late = [
            (job.id, f"need {spanning(job.runtime)}, of which {spanning(room)} are left")
            for job in read.jobs
            if job.runtime > room and not (fresh and (wishes.checkpoints or job.id in read.resumable))
        ]
        read = without(read, late)
        batches: Sequence[BatchSpec] = packing.pack(read, longest=room) if read.jobs else ()
        if wishes.count is None:
            batches = spread(batches, partial(packing.pack, read), there.capacity.nodes)
        return Work(
            batches=() if here.is_over() else startable(batches, len(here.free()), read.after),
            capacity=packing.capacity(read),
            order=evolve(packing.order(read), time_limit=here.left),
            after=read.after,
            left_out=read.left_out,
        )

    backends = backends_within(experiment, here)
    return Keeper(experiment, backend=here, backends=backends, pack=pack, most=_MANY, tell=tell)


def backends_within(experiment: Experiment, here: Within) -> Callable[[str], Backend]:
    """Return what returns the backend of a name, for who is in an allocation."""
    others = backends_of(experiment)
    return lambda name: here if name == here.name else others(name)


class Idleness:
    """Tells whether the allocation is over, or nothing has run for as long as one is kept for jobs that may come.

    Args:
        within: what runs here.
        idle: so many seconds.
        now: a clock that only goes on.
    """

    def __init__(self, within: Within, idle: float = IDLE, now: Callable[[], float] = time.monotonic) -> None:
        self._within = within
        self._idle = idle
        self._now = now
        self._active = now()

    def __call__(self) -> bool:
        """Look."""
        if self._within.is_busy():
            self._active = self._now()
        return self._within.is_over() or self._now() - self._active >= self._idle


def _layers(plan: Sequence[BatchSpec]) -> int:
    """Return how many batches wait for one another at most."""
    depths = dict[str, int]()
    for spec in plan:
        depths[spec.id] = 1 + max((depths[other] for other in spec.dependencies), default=0)
    return max(depths.values(), default=0)
