"""Batches whose schedule is much longer than what their jobs could do with."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

from sweepstake.batch.planning.packing.drafts import Draft
from sweepstake.batch.planning.packing.problem import Problem
from sweepstake.batch.planning.packing.simulation import simulate

__all__ = ["tightened"]

#: How many times its bound a schedule may last.
_MOST: Final = 2.0
#: So many jobs of a batch that is too long in every usual order are tried before and behind all others.
_MOVED: Final = 100


def tightened(
    problem: Problem, drafts: Sequence[Draft], *, seconds: float | None, room: int | None, apart: bool
) -> list[Draft]:
    """Return batches whose schedules last at most twice their bound, as far as that is possible.

    That bound is the longest way through the jobs, or the work of one kind over what the nodes have of it. Jobs that
    leave much of each node free, which none of the others can use, do better on fewer nodes, in another order, or in
    batches of their own; jobs that cannot stand apart do without urgent ones first.

    Args:
        problem: what the jobs are.
        drafts: the batches.
        seconds: how long a batch may be; None: as long as it is.
        room: how many batches there may be more; None: as many as need be.
        apart: whether batches may be divided, because none of their jobs waits for another.
    """
    found = []
    for draft in drafts:
        better = _better(problem, draft, seconds)
        if not apart and _loose(problem, better):  # it cannot be divided: then urgent jobs may have to wait
            better = _better(problem, better, seconds, urgent=False)
        pieces = [better]
        if apart and _loose(problem, better) and (room is None or room > 0):
            pieces = _divided(problem, better, math.inf if room is None else room)
            room = None if room is None else room - len(pieces) + 1
        found += pieces
    return found


def _loose(problem: Problem, draft: Draft) -> bool:
    return draft.makespan > _MOST * problem.bound(draft.places, draft.nodes, _path(problem, draft.places))


def _path(problem: Problem, places: Sequence[int]) -> float:
    ends: dict[int, float] = {}
    for place in places:
        before = max([ends[other] for other in problem.needed[place] if other in ends], default=0.0)
        ends[place] = before + problem.runtimes[place]
    return max(ends.values())


def _better(problem: Problem, draft: Draft, seconds: float | None, *, urgent: bool = True) -> Draft:
    if not _loose(problem, draft):
        return draft
    limit = _MOST * draft.makespan if seconds is None else max(seconds, draft.makespan)
    path = _path(problem, draft.places)

    def looseness(one: Draft) -> float:
        return one.makespan / problem.bound(one.places, one.nodes, path)

    return min((one for one in _others(problem, draft, urgent) if one.makespan <= limit), key=looseness)


def _others(problem: Problem, draft: Draft, urgent: bool) -> Iterator[Draft]:
    """Yield the same jobs on other nodes, and in other orders that they can start in, those that are urgent first."""
    yield draft
    rank = {place: number for number, place in enumerate(draft.places)}
    priorities = problem.priorities if urgent else [0] * len(problem.jobs)
    runtimes = problem.runtimes
    keys = [
        runtimes,
        *([area[place] / (runtimes[place] or 1.0) for place in range(len(runtimes))] for area in problem.areas),
    ]
    orders = [draft.places]
    orders += [sorted(rank, key=lambda place: (-priorities[place], -key[place], rank[place])) for key in keys]
    if not urgent:
        orders += [order for place in draft.places[:_MOVED] for order in _moved(draft.places, place)]
    least = max([problem.nodes[place] for place in draft.places])
    for nodes in range(least, problem.most + 1):
        for order in orders:
            began = dict(zip(order, simulate(problem, order, nodes).starts, strict=True))
            startable = sorted(order, key=lambda place: (-priorities[place], began[place], rank[place]))
            yield Draft(startable, nodes, simulate(problem, startable, nodes).makespan)


def _moved(places: Sequence[int], place: int) -> Iterator[list[int]]:
    """Yield an order with one job before all others, and one with it behind them."""
    others = [other for other in places if other != place]
    yield [place, *others]
    yield [*others, place]


def _divided(problem: Problem, draft: Draft, room: float) -> list[Draft]:
    """Divide a batch in two, and its halves again, until they are no longer too long or there is no room for more."""
    done: list[Draft] = []
    waiting = [draft]
    while waiting:
        one = waiting.pop()
        if len(one.places) == 1 or not _loose(problem, one) or len(done) + len(waiting) >= room:
            done.append(one)
            continue
        middle = len(one.places) // 2
        for places in (one.places[middle:], one.places[:middle]):
            half = Draft(places, one.nodes, simulate(problem, places, one.nodes).makespan)
            waiting.append(_better(problem, half, one.makespan))
    return done
