"""Plans that are compared with each other before one is chosen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush
from typing import Final

from attrs import frozen

from sweepstake.batch.planning.packing.problem import Problem
from sweepstake.batch.planning.packing.simulation import simulate

__all__ = ["Draft", "best", "cost", "needed_batches", "urgent_first", "with_fewer_nodes"]

#: How much a plan's batches count where their number was not given, so that no other figure outweighs one more.
_BATCHES: Final = 20

#: How much more the time to the end of a plan counts than the time of its nodes.
_HASTE: Final = 4


@frozen
class Draft:
    """A batch that may come into the plan.

    Attributes:
        places: its jobs, in the order in which they are tried.
        nodes: of its allocation.
        makespan: how long its schedule is, in seconds.
    """

    places: Sequence[int]
    nodes: int
    makespan: float


def needed_batches(problem: Problem, drafts: Sequence[Draft]) -> list[list[int]]:
    """Return for each batch which of the others it waits for."""
    of = [0] * len(problem.jobs)
    for number, draft in enumerate(drafts):
        for place in draft.places:
            of[place] = number
    needed = problem.needed
    return [
        sorted({of[other] for place in draft.places for other in needed[place]} - {number})
        for number, draft in enumerate(drafts)
    ]


def urgent_first(problem: Problem, drafts: Sequence[Draft]) -> list[Draft]:
    """Return the batches in the order in which they are submitted: urgent ones first, but behind what they wait for."""
    needed = needed_batches(problem, drafts)
    waiting: list[list[int]] = [[] for _ in drafts]
    for number, others in enumerate(needed):
        for other in others:
            waiting[other].append(number)
    missing = [len(others) for others in needed]
    priority = [-max([problem.priorities[place] for place in draft.places]) for draft in drafts]
    ready = [(priority[number], number) for number, count in enumerate(missing) if not count]
    heapify(ready)
    order = []
    while ready:
        _, number = heappop(ready)
        order.append(drafts[number])
        for other in waiting[number]:
            missing[other] -= 1
            if not missing[other]:
                heappush(ready, (priority[other], other))
    return order


def best(problem: Problem, plans: Iterable[list[Draft]], *, counted: bool) -> list[Draft]:
    """Return the plan of which the time to its end, to the power of four, times the time of all nodes, is least.

    Args:
        problem: what the jobs are.
        plans: at least one, with batches behind those that they wait for.
        counted: whether fewer batches are better, whatever they cost.
    """
    found = list(plans)
    if len(found) == 1:
        return found[0]
    return min(found, key=lambda plan: _cost(problem, plan) + (_BATCHES * math.log(len(plan)) if counted else 0.0))


def with_fewer_nodes(problem: Problem, draft: Draft, seconds: float) -> Draft:
    """Return a batch with the nodes on which it costs the fewest node-seconds and is no longer than it may be.

    Args:
        problem: what the jobs are.
        draft: the batch, with the most nodes that it may have.
        seconds: how long it may be.
    """
    least = max([problem.nodes[place] for place in draft.places])
    for nodes in range(draft.nodes - 1, least - 1, -1):
        makespan = simulate(problem, draft.places, nodes).makespan
        if makespan > max(seconds, draft.makespan):
            break
        if makespan * nodes <= draft.makespan * draft.nodes:
            draft = Draft(draft.places, nodes, makespan)
    return draft


def cost(makespan: float, node_time: float) -> float:
    """Return what a plan costs that ends after so many seconds and takes so many node-seconds; less is better."""
    return _HASTE * math.log(makespan or 1.0) + math.log(node_time or 1.0)


def _cost(problem: Problem, plan: Sequence[Draft]) -> float:
    ends: list[float] = []
    for draft, others in zip(plan, needed_batches(problem, plan), strict=True):
        ends.append(draft.makespan + max([ends[other] for other in others], default=0.0))
    node_time = math.fsum(draft.nodes * draft.makespan for draft in plan)
    return cost(max(ends), node_time)
