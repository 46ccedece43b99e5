"""In which layer of batches each job may stand.

A batch of the layout `flat` waits for batches of the layers before its own. Jobs that are on no longest way have a
choice, and three ways to use it are tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sweepstake.batch.planning.packing.problem import Problem

__all__ = ["aligned", "earliest", "latest"]

#: So many pairs of a job and a layer are weighed at most.
_MOST: Final = 3_000_000


def earliest(problem: Problem) -> list[int]:
    """Return for each job the first layer that it can stand in: that after the last of those it waits for."""
    layers = [0] * len(problem.jobs)
    for place in problem.order:
        for other in problem.waiting[place]:
            layers[other] = max(layers[other], layers[place] + 1)
    return layers


def latest(problem: Problem, soonest: Sequence[int]) -> list[int]:
    """Return for each job the last layer that it can stand in, so that there are no more layers than need be.

    Urgent jobs, and those that they wait for, stay where they are soonest.
    """
    layers = [max(soonest)] * len(soonest)
    for place in reversed(problem.order):
        for other in problem.waiting[place]:
            layers[place] = min(layers[place], layers[other] - 1)
    common = min(problem.priorities)
    return [
        layer if priority == common else soon
        for layer, soon, priority in zip(layers, soonest, problem.priorities, strict=True)
    ]


def aligned(problem: Problem, soonest: Sequence[int], last: Sequence[int], breadth: float) -> list[int] | None:
    """Return for each job a layer such that long jobs stand beside long ones; None if there are too many choices.

    A layer lasts as long as its longest job, so a job that can stand in several goes where it adds least. The longest
    are placed first, and each takes from those around it the layers that they can then no longer stand in.

    Args:
        problem: what the jobs are.
        soonest: the first layer of each.
        last: the last layer of each.
        breadth: how many nodes a layer has, on average.
    """
    if sum(last) - sum(soonest) > _MOST:
        return None
    return _Alignment(problem, soonest, last, breadth).settled()


class _Alignment:
    """Layers that are being chosen."""

    def __init__(self, problem: Problem, soonest: Sequence[int], last: Sequence[int], breadth: float) -> None:
        self.problem = problem
        self.first, self.last = list(soonest), list(last)
        self.areas = [problem.area(place) / breadth for place in range(len(soonest))]
        self.longest = [0.0] * (max(soonest) + 1)
        self.loads = [0.0] * (max(soonest) + 1)

    def settled(self) -> list[int]:
        runtimes = self.problem.runtimes
        free = []
        for place, layer in enumerate(self.first):
            if layer == self.last[place]:
                self._add(place, layer)
            else:
                free.append(place)
        for place in sorted(free, key=lambda place: (-runtimes[place], place)):
            self._settle(place, self._best(place))
        return self.first

    def _add(self, place: int, layer: int) -> None:
        self.longest[layer] = max(self.longest[layer], self.problem.runtimes[place])
        self.loads[layer] += self.areas[place]

    def _best(self, place: int) -> int:
        """Return the first of the layers that get least longer by a job."""
        runtime, area = self.problem.runtimes[place], self.areas[place]
        best, least = self.first[place], float("inf")
        for layer in range(self.first[place], self.last[place] + 1):
            longest, load = self.longest[layer], self.loads[layer]
            more = max(longest, runtime, load + area) - max(longest, load)
            if more < least - 1e-9 * runtime:
                best, least = layer, more
                if not more:
                    break
        return best

    def _settle(self, place: int, layer: int) -> None:
        """Put a job into a layer, and move those that wait for it behind it, and those it waits for before it."""
        first, last = self.first, self.last
        self._add(place, layer)
        first[place] = last[place] = layer
        moved = [place]
        while moved:
            one = moved.pop()
            for other in self.problem.waiting[one]:
                if first[other] <= first[one]:
                    first[other] = first[one] + 1
                    moved.append(other)
        moved = [place]
        while moved:
            one = moved.pop()
            for other in self.problem.needed[one]:
                if last[other] >= last[one]:
                    last[other] = last[one] - 1
                    moved.append(other)
