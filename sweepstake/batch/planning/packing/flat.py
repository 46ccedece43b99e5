"""Batches of jobs that do not wait for each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from sweepstake.batch.planning.packing.columns import columns
from sweepstake.batch.planning.packing.drafts import Draft, best
from sweepstake.batch.planning.packing.ladder import Ladder
from sweepstake.batch.planning.packing.layers import aligned, earliest, latest
from sweepstake.batch.planning.packing.problem import Problem
from sweepstake.batch.planning.packing.shares import Sharing, shared
from sweepstake.errors import PlanError

__all__ = ["apart", "by_count", "by_duration"]

#: Numbers of columns that are tried; of many jobs each second one only.
_COLUMNS: Final = (2, 3, 4, 6, 8, 12, 16, 24, 32)
#: From so many jobs on fewer ways are weighed.
_MANY: Final = 400
#: How many plans are made and compared, by how many jobs there are at most.
_TRIES: Final = ((_MANY, 3), (20_000, 2))


def apart(problem: Problem) -> list[Draft]:
    """Return a batch for each job."""
    layer = earliest(problem)
    order = sorted(problem.order, key=lambda place: (layer[place], -problem.priorities[place], place))
    return [Draft([place], problem.nodes[place], problem.runtimes[place]) for place in order]


def by_duration(problem: Problem, seconds: float, *, same: bool) -> list[Draft]:
    """Plan batches that are no longer than so many seconds, as few as possible."""
    column = next(columns(problem, ()))
    ladders = [Ladder(problem, due, column, same=same) for due in _dues(problem, problem.most)]
    return best(problem, (ladder.by_duration(seconds) for ladder in ladders[: _tries(problem)]), counted=True)


def by_count(problem: Problem, count: int, *, same: bool) -> list[Draft]:
    """Plan at most so many batches.

    Raises:
        PlanError: dependencies need more.
    """
    found: list[tuple[Sharing, Ladder]] = []
    least = len(problem.jobs)
    dues = list(_dues(problem, count * problem.most))
    many = len(problem.jobs) > _MANY
    for column in columns(problem, _COLUMNS[::2] if many else _COLUMNS):
        for due in dues[:1] if many and found else dues:
            ladder = Ladder(problem, due, column, same=same)
            least = min(least, len(ladder.groups))
            if len(ladder.groups) <= count:
                found.append((shared(problem, ladder.groups, count), ladder))
        if not found:
            break
    if not found:
        what = "the layers and node counts" if same else "the layers"
        raise PlanError(f"count: {count} is too few; {what} that dependencies need take {least} batches")
    found.sort(key=lambda each: each[0].cost)
    chosen = found[: _tries(problem)]
    return best(problem, (ladder.by_count(sharing.shares) for sharing, ladder in chosen), counted=False)


def _dues(problem: Problem, breadth: float) -> Iterator[Sequence[int]]:
    """Yield choices of a layer for each job; `breadth` is how many nodes all layers have together."""
    soonest = earliest(problem)
    last = latest(problem, soonest)
    if last != soonest:
        between = aligned(problem, soonest, last, breadth / (max(soonest) + 1))
        if between is not None:
            yield between
    yield soonest
    if last != soonest:
        yield last


def _tries(problem: Problem) -> int:
    return next((tries for jobs, tries in _TRIES if len(problem.jobs) <= jobs), 1)
