"""How a count of batches is shared out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from heapq import heapify, heapreplace

from attrs import field, frozen

from sweepstake.batch.planning.packing.drafts import cost
from sweepstake.batch.planning.packing.problem import Problem

__all__ = ["Group", "Sharing", "shared"]


@frozen(kw_only=True)
class Group:
    """Jobs that must stand in batches of their own.

    Attributes:
        layer: of those batches.
        key: the column, and how many nodes each job takes if only like ones stand together; else 0.
        places: the jobs.
    """

    layer: int
    key: tuple[int, int]
    places: list[int] = field(factory=list)


@frozen(kw_only=True)
class Sharing:
    """How many batches each group gets, and what is then to be expected.

    Attributes:
        shares: of each group; at least 1.
        cost: less is better, as `drafts.cost` counts it.
    """

    shares: Sequence[int]
    cost: float


def shared(problem: Problem, groups: Sequence[Group], count: int) -> Sharing:
    """Share a count of batches out: the next one goes to the column that lasts longest, where it shortens that most.

    A batch that shortens nothing is given to nobody.

    Args:
        problem: what the jobs are.
        groups: no more than `count`.
        count: of batches.
    """
    nodes = [group.key[1] or problem.most for group in groups]
    work = [problem.bound(group.places, each, 0.0) for group, each in zip(groups, nodes, strict=True)]
    longest = [max([problem.runtimes[place] for place in group.places]) for group in groups]
    heights = [max(pair) for pair in zip(work, longest, strict=True)]
    shares = [1] * len(groups)

    def gain(number: int) -> float:
        return heights[number] - max(longest[number], work[number] / (shares[number] + 1))

    by_column: dict[int, list[int]] = {}
    for number, group in enumerate(groups):
        by_column.setdefault(group.key[0], []).append(number)
    ladders = []
    for column, numbers in by_column.items():
        gains = [(-gain(number), number) for number in numbers]
        heapify(gains)
        ladders.append((-math.fsum(heights[number] for number in numbers), column, gains))
    heapify(ladders)
    for _ in range(count - len(groups)):
        seconds, column, gains = ladders[0]
        less, number = gains[0]
        if less >= 0:
            break
        shares[number] += 1
        heights[number] += less
        heapreplace(gains, (-gain(number), number))
        heapreplace(ladders, (seconds - less, column, gains))
    node_time = math.fsum(max(high, all_) * each for high, all_, each in zip(heights, work, nodes, strict=True))
    return Sharing(shares=shares, cost=cost(-ladders[0][0], node_time))
