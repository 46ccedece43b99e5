"""The schedule of one batch: which of its jobs runs when, on which nodes."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush, heapreplace
from typing import Final

from attrs import frozen

from sweepstake.batch.planning.packing.problem import Problem
from sweepstake.batch.planning.packing.room import Room

__all__ = ["Schedule", "simulate"]

#: So many jobs, times kinds of jobs, are told apart exactly; beyond that jobs that need alike keep to their order.
_EXACT: Final = 2_000_000


@frozen
class Schedule:
    """How a batch runs.

    Attributes:
        starts: when each job starts, in seconds from the batch's start.
        nodes: which nodes each has.
        makespan: when the last ends.
    """

    starts: Sequence[float]
    nodes: Sequence[tuple[int, ...]]
    makespan: float


def simulate(problem: Problem, places: Sequence[int], nodes: int) -> Schedule:
    """Run jobs as a batch of them runs: whenever something is free, the first that fits starts.

    A job that does not fit is overtaken by those behind it. Jobs over several nodes take all of them at once.

    Args:
        problem: what the jobs are.
        places: of the jobs, in the order in which they are tried.
        nodes: how many nodes the batch has.
    """
    return _Run(problem, places, nodes).to_the_end()


class _Run:
    """A batch that runs."""

    def __init__(self, problem: Problem, places: Sequence[int], nodes: int) -> None:
        self.problem, self.places = problem, places
        self.room = Room(problem, nodes)
        self.starts = [0.0] * len(places)
        self.taken: list[tuple[int, ...]] = [()] * len(places)
        self.running: list[tuple[float, int, tuple[int, ...]]] = []
        self.rank = {place: number for number, place in enumerate(places)}
        #: How many jobs of this batch each job still waits for.
        self.missing: dict[int, int] = {}
        self.lanes = self._lanes()
        #: Of each lane the ranks of the jobs that could start.
        self.ready: list[list[int]] = [[] for _ in range(max(self.lanes, default=-1) + 1)]
        for number, place in enumerate(places):
            missing = sum([other in self.rank for other in problem.needed[place]])
            if missing:
                self.missing[place] = missing
            else:
                # Ranks rise, so each list is a heap as it stands.
                self.ready[self.lanes[number]].append(number)

    def _lanes(self) -> list[int]:
        """Return for each rank the number of its lane: jobs of one need the same, or alike if there are too many."""
        shapes = [self.problem.shapes[place] for place in self.places]
        numbers = {shape: number for number, shape in enumerate(sorted(set(shapes)))}
        if len(numbers) * len(shapes) <= _EXACT:
            return [numbers[shape] for shape in shapes]
        return [self.problem.lanes[place] for place in self.places]

    def to_the_end(self) -> Schedule:
        problem, places, running, missing = self.problem, self.places, self.running, self.missing
        now = 0.0
        self._start(now)
        while running:
            now = running[0][0]
            while running and running[0][0] <= now:
                _, number, nodes = heappop(running)
                place = places[number]
                self.room.give_back(place, nodes)
                if missing:
                    for other in problem.waiting[place]:
                        if other in missing:
                            self._met(other)
            self._start(now)
        return Schedule(self.starts, self.taken, now)

    def _met(self, place: int) -> None:
        self.missing[place] -= 1
        if not self.missing[place]:
            del self.missing[place]
            number = self.rank[place]
            heappush(self.ready[self.lanes[number]], number)

    def _start(self, now: float) -> None:
        places, ready, room, runtimes = self.places, self.ready, self.room, self.problem.runtimes
        heads = [(lane[0], number) for number, lane in enumerate(ready) if lane]
        heapify(heads)
        while heads:
            number, lane = heads[0]
            place = places[number]
            nodes = room.for_one(place)
            if nodes is None:
                heappop(heads)
                continue
            room.take(place, nodes)
            self.starts[number] = now
            self.taken[number] = nodes
            heappush(self.running, (now + runtimes[place], number, nodes))
            heappop(ready[lane])
            if ready[lane]:
                heapreplace(heads, (ready[lane][0], lane))
            else:
                heappop(heads)
