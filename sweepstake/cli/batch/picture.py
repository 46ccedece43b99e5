"""A plan as a person sees it: a table of its batches, and a picture of when they run and how full they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from sweepstake.batch.planning.records import BatchSpec, Capacity
from sweepstake.batch.planning.schedules import Placement, schedule
from sweepstake.view.times import spanning

__all__ = ["begins", "picture_of", "rows_of"]

#: How full a moment is, from nothing to all.
_LEVELS: Final = " ▁▂▃▄▅▆▇█"
#: Columns of the picture, beside the batches' names: a terminal has 80.
_COLUMNS: Final = 66
#: Characters of an id by which people know a batch.
_SHORT: Final = 8


def rows_of(
    plan: Sequence[BatchSpec], capacity_of: Callable[[BatchSpec], Capacity], limits: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Return a row for each batch: what it is, when it can begin, its limit, and how full it is."""
    starts = begins(plan)
    rows = []
    for spec in plan:
        capacity = capacity_of(spec)
        placed = schedule(spec, capacity)
        kind = _scarcest(spec, capacity)
        rows.append(
            {
                "batch": spec.id[:_SHORT],
                "jobs": sum(job.nodes for job in spec.jobs),
                "nodes": spec.nodes,
                "after": spanning(starts[spec.id]) if starts[spec.id] else "",
                "runs": spanning(spec.estimated_runtime or 0.0),
                "limit": spanning(limits[spec.id]),
                "full": f"{_full(placed, spec, capacity, kind):.0%}",
            }
        )
    return rows


def picture_of(plan: Sequence[BatchSpec], capacity_of: Callable[[BatchSpec], Capacity]) -> Iterator[str]:
    """Give lines that show when each batch runs, and how much of its scarcest kind is in use meanwhile.

    Every batch begins as soon as those that it waits for have ended: when it gets its nodes nobody knows.
    """
    starts = begins(plan)
    end = max((starts[spec.id] + (spec.estimated_runtime or 0.0) for spec in plan), default=0.0)
    if not end:
        return
    kinds = {spec.id: _scarcest(spec, capacity_of(spec)) for spec in plan}
    for spec in plan:
        capacity = capacity_of(spec)
        placed = schedule(spec, capacity)
        whole = _of(capacity, kinds[spec.id]) * spec.nodes
        yield f"{spec.id[:_SHORT]}  {_use_of(placed, kinds[spec.id], whole, starts[spec.id], end)}".rstrip()
    yield f"{'':{_SHORT}}  {'now':{_COLUMNS // 2}}{spanning(end):>{_COLUMNS - _COLUMNS // 2}}"
    yield f"The height is how many {' or '.join(dict.fromkeys(kinds.values()))} are in use."


def begins(plan: Sequence[BatchSpec]) -> Mapping[str, float]:
    """Return after how many seconds each batch can begin, if those that it waits for get their nodes at once."""
    starts: dict[str, float] = {}
    ends: dict[str, float] = {}
    for spec in plan:  # each stands behind those that it waits for
        starts[spec.id] = max((ends[other] for other in spec.dependencies), default=0.0)
        ends[spec.id] = starts[spec.id] + (spec.estimated_runtime or 0.0)
    return starts


def _use_of(placed: Sequence[Placement], kind: str, whole: float, start: float, end: float) -> str:
    """Return a line of blocks: which share of a kind is in use, from now to the end of the plan."""
    steps = [0.0] * _COLUMNS
    for each in placed:
        first, last = (start + each.start) / end * _COLUMNS, (start + each.end) / end * _COLUMNS
        for column in range(int(first), min(math.ceil(last), _COLUMNS)):
            steps[column] += (min(last, column + 1) - max(first, column)) * _takes(each, kind)
    return "".join(_LEVELS[min(math.ceil(step / whole * 8 - 1e-9), 8)] for step in steps)


def _full(placed: Sequence[Placement], spec: BatchSpec, capacity: Capacity, kind: str) -> float:
    """Return which share of an allocation's time on this kind is used."""
    end = max((each.end for each in placed), default=0.0)
    used = sum((each.end - each.start) * _takes(each, kind) for each in placed)
    return used / (end * _of(capacity, kind) * spec.nodes) if end else 1.0


def _scarcest(spec: BatchSpec, capacity: Capacity) -> str:
    """Return the kind of which the batch's jobs use the largest share: that decides how long it takes."""

    def share(kind: str) -> float:
        amount = _of(capacity, kind)
        used = sum(job.runtime * job.nodes * _amount(job, kind, capacity) for job in spec.jobs)
        return used / amount if amount else 0.0

    return max(["cpus", "gpus", *capacity.resources], key=share)


def _takes(placed: Placement, kind: str) -> float:
    return _amount(placed.job, kind, None) * placed.job.nodes


def _amount(job: Any, kind: str, capacity: Capacity | None) -> float:
    if capacity is not None and job.exclusive:
        return _of(capacity, kind)
    own = {"cpus": job.cpus, "gpus": job.gpus}
    return float(own[kind] if kind in own else job.resources.get(kind, 0))


def _of(capacity: Capacity, kind: str) -> float:
    own = {"cpus": capacity.cpus, "gpus": capacity.gpus}
    return float(own[kind] if kind in own else capacity.resources[kind])
