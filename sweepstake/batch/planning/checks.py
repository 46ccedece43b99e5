"""What is wrong with jobs that are to be planned, or with how."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sweepstake.batch.planning.circles import circles
from sweepstake.batch.planning.records import BatchJob, Capacity
from sweepstake.errors import PlanError, shown

__all__ = ["ATOMIC", "FLAT", "MAX", "check_acyclic", "check_jobs", "check_settings", "misfits", "unfit"]

FLAT: Final = "flat"
ATOMIC: Final = "atomic"
#: As many batches as there can be.
MAX: Final = "max"
#: An amount that exceeds another by no more than this is held for the same: sums of fractions are not exact.
_CRUMB: Final = 1e-9


def check_settings(
    capacity: Capacity, *, layout: str, count: int | str | None, duration: float | None, nodes: str
) -> None:
    """Refuse what no jobs could be planned with.

    Raises:
        PlanError: it names the setting that is wrong.
    """
    if layout not in (FLAT, ATOMIC):
        raise PlanError(f"layout: must be 'flat' or 'atomic', is {shown(layout)}")
    if nodes not in ("any", "same"):
        raise PlanError(f"nodes: must be 'any' or 'same', is {shown(nodes)}")
    if nodes == "same" and layout == ATOMIC:
        raise PlanError("nodes: 'same' goes with the layout 'flat' only; connected jobs stay together in 'atomic'")
    if count is not None and duration is not None:
        raise PlanError("count and duration: give one of them; they may contradict each other")
    if count is not None and count != MAX and (not _whole(count) or count < 1):  # type: ignore[operator]
        raise PlanError(f"count: must be a whole number from 1, or 'max', is {shown(count)}")
    if duration is not None and not (_amount(duration) and duration > 0):
        raise PlanError(f"duration: must be a number of seconds above 0, is {shown(duration)}")
    if not _whole(capacity.nodes) or capacity.nodes < 1:
        raise PlanError(f"capacity.nodes: must be a whole number from 1, is {shown(capacity.nodes)}")
    own = {"cpus": capacity.cpus, "gpus": capacity.gpus}
    for kind, amount in (*own.items(), *((f"resources.{kind}", each) for kind, each in capacity.resources.items())):
        if not _amount(amount):
            raise PlanError(f"capacity.{kind}: must be a number from 0, is {shown(amount)}")


def check_jobs(jobs: Sequence[BatchJob], capacity: Capacity) -> None:
    """Refuse jobs that have no number where one must be, share an id, or fit into no allocation.

    Raises:
        PlanError: it names every job that is guilty.
    """
    wrong = [(job.id, fault) for job in jobs for fault in _faults(job)]
    if wrong:
        raise unfit(wrong)
    often = [(id_, times) for id_, times in Counter(job.id for job in jobs).items() if times > 1]
    if often:
        raise unfit([(id_, f"stands there {times} times; ids must be unique") for id_, times in sorted(often)])
    found = misfits(jobs, capacity)
    if found:
        raise unfit(sorted(found))


def misfits(jobs: Iterable[BatchJob], capacity: Capacity) -> list[tuple[str, str]]:
    """Return the jobs that fit into no allocation, each with what it needs and what there is."""
    has = {"cpus": capacity.cpus, "gpus": capacity.gpus, **capacity.resources}
    return [(job.id, lack) for job in jobs for lack in _lacks(job, has, capacity.nodes)]


def check_acyclic(ids: Sequence[str], needed: Sequence[Sequence[int]], left: Iterable[int]) -> None:
    """Refuse jobs that wait for themselves.

    Args:
        ids: of all jobs.
        needed: the places of the jobs that each waits for.
        left: the places of those that no order can begin with.

    Raises:
        PlanError: it shows each circle in the order of waiting.
    """
    found = circles(left, needed)
    if found:
        lines = [" -> ".join(repr(ids[place]) for place in (*circle, circle[0])) for circle in found]
        guilty = dict.fromkeys(ids[place] for circle in found for place in circle)
        raise PlanError("depends_on: jobs wait for each other in a circle: " + "; ".join(lines), guilty)


def unfit(faults: Sequence[tuple[str, str]]) -> PlanError:
    """Return the error that names jobs, each with what is wrong with it."""
    said = "; ".join(f"job {id_!r}: {fault}" for id_, fault in faults)
    return PlanError(said, dict.fromkeys(id_ for id_, _ in faults), faults)


def _faults(job: BatchJob) -> Iterable[str]:
    runtime, cpus, gpus, nodes, priority = job.runtime, job.cpus, job.gpus, job.nodes, job.priority
    if not _amount(runtime):
        yield f"runtime: must be a number of seconds from 0, is {shown(runtime)}"
    if not _amount(cpus):
        yield f"cpus: must be a number from 0, is {shown(cpus)}"
    if not _amount(gpus):
        yield f"gpus: must be a number from 0, is {shown(gpus)}"
    for kind, amount in job.resources.items():
        if not _amount(amount):
            yield f"resources.{kind}: must be a number from 0, is {shown(amount)}"
    if not _whole(nodes) or nodes < 1:
        yield f"nodes: must be a whole number from 1, is {shown(nodes)}"
    if not _whole(priority):
        yield f"priority: must be a whole number, is {shown(priority)}"
    depends_on: object = job.depends_on
    if isinstance(depends_on, str):
        yield f"depends_on: must be a list of ids, is {shown(depends_on)}"


def _lacks(job: BatchJob, has: Mapping[str, float], nodes: int) -> Iterable[str]:
    for kind, wanted in (("cpus", job.cpus), ("gpus", job.gpus), *job.resources.items()):
        most = has.get(kind, 0)
        if wanted > most and wanted > most + _CRUMB:
            yield (
                f"needs {wanted:,g} {kind} on a node; a node has {most:,g}"
                if wanted < _LONG
                else (f"needs {wanted} {kind} on a node; a node has {most}")
            )
    if job.nodes > nodes:
        yield f"needs {job.nodes} nodes; an allocation has at most {nodes}"


#: A larger whole number is no float, and infinity is no amount.
_MOST: Final = sys.float_info.max
#: From here on, `g` would round.
_LONG: Final = 1_000_000


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _amount(value: object) -> bool:
    return (type(value) is int or type(value) is float or _number(value)) and 0 <= value <= _MOST  # type: ignore[operator]
