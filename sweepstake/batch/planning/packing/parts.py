"""Connected jobs that are packed as one, and the filling of a batch with them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from heapq import heapify, heappop, heappush, heapreplace
from typing import Final

from attrs import frozen

from sweepstake.batch.planning.packing.paths import components, remaining
from sweepstake.batch.planning.packing.problem import Problem
from sweepstake.batch.planning.packing.room import Room

__all__ = ["Part", "Parts", "PartsFilling"]

#: How many parts are looked at that do not fit, before a batch waits for its next job to end.
_LOOKS: Final = 16


@frozen(kw_only=True)
class Part:
    """Jobs that are connected, directly or over others.

    Attributes:
        places: the jobs.
        roots: those of them that wait for none.
        root: the one of these with which the longest way begins.
        path: seconds of the longest way through them.
        areas: node-seconds of each kind.
        priority: of the most urgent.
    """

    places: Sequence[int]
    roots: Sequence[int]
    root: int
    path: float
    areas: Sequence[float]
    priority: int


class Parts:
    """All parts of a problem.

    Attributes:
        problem: what the jobs are.
        parts: for each priority, urgent first, its parts, the longest last.
        rank: of each job among all: urgent first, then by how long the way is that begins with it.
        remaining: how long that is.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.remaining = remaining(problem)
        startable = {place: number for number, place in enumerate(problem.order)}
        order = sorted(
            problem.order, key=lambda place: (-problem.priorities[place], -self.remaining[place], startable[place])
        )
        self.rank = [0] * len(order)
        for number, place in enumerate(order):
            self.rank[place] = number
        found: dict[int, list[Part]] = {}
        for places in components(problem):
            part = self._part(places)
            found.setdefault(part.priority, []).append(part)
        self.parts = [
            sorted(found[priority], key=lambda part: (part.path, max(part.areas, default=0.0), part.places))
            for priority in sorted(found, reverse=True)
        ]

    def bound(self, batches: int) -> float:
        """Return what the longest of so many batches is not shorter than, if parts are kept whole."""
        nodes = self.problem.most
        alone = max(
            [max([part.path, *(area / nodes for area in part.areas)]) for parts in self.parts for part in parts]
        )
        return max(alone, self.problem.bound(self.problem.order, nodes * batches, 0.0))

    def _part(self, places: Sequence[int]) -> Part:
        roots = [place for place in places if not self.problem.needed[place]]
        return Part(
            places=places,
            roots=roots,
            root=min(roots, key=lambda place: self.rank[place]),
            path=max([self.remaining[place] for place in places]),
            areas=[sum([area[place] for place in places]) for area in self.problem.areas],
            priority=max([self.problem.priorities[place] for place in places]),
        )


class PartsFilling:
    """A batch that runs while it is filled with whole parts.

    Of the parts that have begun, the job with the longest way before it starts first. Where none of them fits, the next
    part begins, if it can still end in time and the batch has work for no more than its nodes can do.

    Attributes:
        parts: how many parts were taken.
        end: when the last job ends.
    """

    def __init__(self, all_: Parts, left: Sequence[list[Part]], nodes: int, seconds: float, work: float) -> None:
        """Make an empty batch.

        Args:
            all_: the parts of the problem.
            left: those to take from, as in `Parts.parts`; what is taken is removed.
            nodes: of the batch.
            seconds: how long it should be.
            work: node-seconds that it may have of each kind, if it has more than one part.
        """
        self._all, self._left, self._problem = all_, left, all_.problem
        self._room = Room(all_.problem, nodes)
        self._seconds, self._most = seconds, work
        self._used = [0.0] * len(all_.problem.areas)
        self._ready: list[list[tuple[int, int]]] = [[] for _ in range(all_.problem.lane_count)]
        self._missing: dict[int, int] = {}
        self._running: list[tuple[float, int, tuple[int, ...]]] = []
        self.parts = 0
        self.end = 0.0

    @property
    def work(self) -> float:
        """Node-seconds of the kind that the jobs take most of."""
        return max(self._used, default=0.0)

    def run(self) -> dict[int, float]:
        """Return when each job starts that was taken."""
        problem, running = self._problem, self._running
        started: dict[int, float] = {}
        self._step(0.0, started)
        while running:
            now = running[0][0]
            while running and running[0][0] <= now:
                _, place, nodes = heappop(running)
                self._room.give_back(place, nodes)
                for other in problem.waiting[place]:
                    self._missing[other] -= 1
                    if not self._missing[other]:
                        heappush(self._ready[problem.lanes[other]], (self._all.rank[other], other))
            self._step(now, started)
            self.end = now
        return started

    def _step(self, now: float, started: dict[int, float]) -> None:
        self._start(now, started)
        while (part := self._next(now)) is not None:
            self.parts += 1
            self._used = [used + more for used, more in zip(self._used, part.areas, strict=True)]
            for place in part.places:
                self._missing[place] = len(self._problem.needed[place])
            for place in part.roots:
                heappush(self._ready[self._problem.lanes[place]], (self._all.rank[place], place))
            self._start(now, started)

    def _next(self, now: float) -> Part | None:
        """Take out the longest part that may begin now; the first of all may be too long."""
        if not self.parts:
            return self._left[0].pop() if self._left else None
        looks = _LOOKS
        refused: set[int] = set()
        for parts in self._left:
            index = bisect_right(parts, self._seconds - now, key=lambda part: part.path) - 1
            while index >= 0 and looks:
                part = parts[index]
                shape = self._problem.shapes[part.root]
                if shape not in refused:
                    if self._room.for_one(part.root) is None:
                        refused.add(shape)
                    elif self._has_time(part):
                        return parts.pop(index)
                index -= 1
                looks -= 1
        return None

    def _has_time(self, part: Part) -> bool:
        return all(used + more <= self._most for used, more in zip(self._used, part.areas, strict=True))

    def _start(self, now: float, started: dict[int, float]) -> None:
        """Start the ready jobs that fit, by their rank."""
        heads = [(lane[0], number) for number, lane in enumerate(self._ready) if lane]
        heapify(heads)
        while heads:
            (_, place), number = heads[0]
            nodes = self._room.for_one(place)
            if nodes is None:
                heappop(heads)
                continue
            self._room.take(place, nodes)
            started[place] = now
            heappush(self._running, (now + self._problem.runtimes[place], place, nodes))
            lane = self._ready[number]
            heappop(lane)
            if lane:
                heapreplace(heads, (lane[0], number))
            else:
                heappop(heads)
