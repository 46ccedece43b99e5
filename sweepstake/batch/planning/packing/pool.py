"""Jobs that wait for a place in a batch, and the filling of one."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush, heapreplace
from typing import Final

from attrs import frozen

from sweepstake.batch.planning.packing.problem import Problem
from sweepstake.batch.planning.packing.room import Room

__all__ = ["Filled", "Pool"]

#: How many lanes are looked at that hold nothing that fits, before a batch waits for its next job to end.
_LOOKS: Final = 64

#: Jobs of one lane: their runtimes with their places, negated, so that of equal ones the first is the last.
_Lane = list[tuple[float, int]]


@frozen
class Filled:
    """A batch that was filled.

    Attributes:
        places: its jobs, in the order in which they are tried when it runs.
        makespan: how long it ran when it was filled.
        exact: whether it runs the same again. It may not where lanes were too many to look at, or held unlike jobs.
    """

    places: list[int]
    makespan: float
    exact: bool


class Pool:
    """Jobs that could all start now: those that are due, and those that may wait for a later layer."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        #: By whether they may wait, priority (urgent first) and lane; in each the longest last.
        self._lanes: dict[tuple[bool, int, int], _Lane] = {}
        self._left = {False: 0, True: 0}

    def __len__(self) -> int:
        return self._left[False] + self._left[True]

    @property
    def due(self) -> int:
        """How many jobs are left that may not wait."""
        return self._left[False]

    def kinds(self) -> int:
        """Return how many kinds of jobs there are."""
        return len(self._lanes)

    def places(self) -> list[int]:
        """Return the jobs that are left."""
        return [-negative for lane in self._lanes.values() for _, negative in lane]

    def copy(self) -> Pool:
        """Return a pool of those that are due."""
        other = Pool(self._problem)
        other._lanes = {key: lane[:] for key, lane in self._lanes.items() if not key[0]}
        other._left[False] = self._left[False]
        return other

    def add(self, places: Iterable[int], *, later: bool) -> None:
        """Put jobs in."""
        touched = set()
        for place in places:
            key = self._key(place, later=later)
            self._lanes.setdefault(key, []).append((self._problem.runtimes[place], -place))
            self._left[later] += 1
            touched.add(key)
        for key in touched:
            self._lanes[key].sort()

    def let_due(self, places: Iterable[int]) -> None:
        """Let those of these jobs that are still here wait no longer."""
        found = []
        for place in places:
            lane = self._lanes.get(self._key(place, later=True))
            entry = self._problem.runtimes[place], -place
            index = bisect_left(lane, entry) if lane else 0
            if lane and index < len(lane) and lane[index] == entry:
                del lane[index]
                found.append(place)
        self._left[True] -= len(found)
        self.add(found, later=False)

    def take_longer(self, seconds: float) -> list[int]:
        """Take out the jobs that are due and longer than this."""
        taken = []
        for key, lane in sorted(self._lanes.items()):
            while not key[0] and lane and lane[-1][0] > seconds:
                taken.append(-lane.pop()[1])
        self._left[False] -= len(taken)
        self._clear()
        return taken

    def fill(self, nodes: int, seconds: float, *, wide_first: bool, with_later: bool = True) -> Filled:
        """Take out jobs whose schedule on so many nodes is no longer than `seconds`, as many as fit.

        The batch is filled as it will run: whenever something is free, the first job starts that fits there and into
        what is left of the time. For jobs of one size that is packing by first fit decreasing.

        Args:
            nodes: of the batch.
            seconds: how long it may be.
            wide_first: try the jobs that need most first, instead of the longest.
            with_later: fill holes with jobs that may wait.
        """
        lanes = [(key, lane) for key, lane in sorted(self._lanes.items()) if lane and (with_later or not key[0])]
        filling = _Filling(
            self._problem,
            Room(self._problem, nodes),
            seconds,
            [lane for _, lane in lanes],
            [key[:2] for key, _ in lanes],
        )
        filling.wide_first = wide_first
        makespan = filling.run()
        for number, count in filling.counts.items():
            self._left[lanes[number][0][0]] -= count
        self._clear()
        priorities = self._problem.priorities
        started = sorted(filling.started, key=lambda each: (-priorities[each[1]], each[0]))
        exact = self._problem.exact and len(lanes) <= _LOOKS
        return Filled([place for _, place in started], makespan, exact)

    def _key(self, place: int, *, later: bool) -> tuple[bool, int, int]:
        return later, -self._problem.priorities[place], self._problem.lanes[place]

    def _clear(self) -> None:
        self._lanes = {key: lane for key, lane in self._lanes.items() if lane}


class _Filling:
    """A batch that runs while it is filled."""

    def __init__(
        self,
        problem: Problem,
        room: Room,
        seconds: float,
        lanes: Sequence[_Lane],
        ranks: Sequence[tuple[bool, int]],
    ) -> None:
        self.problem, self.room, self.seconds = problem, room, seconds
        self.lanes, self.ranks = lanes, ranks
        self.wide_first = False
        self.live = list(range(len(lanes)))
        self.started: list[tuple[float, int]] = []
        self.counts: dict[int, int] = {}
        self.running: list[tuple[float, int, tuple[int, ...]]] = []

    def run(self) -> float:
        """Return when the last job ends."""
        running = self.running
        now = 0.0
        self._start(now)
        while running:
            now = running[0][0]
            while running and running[0][0] <= now:
                _, place, nodes = heappop(running)
                self.room.give_back(place, nodes)
            self._start(now)
        return now

    def _start(self, now: float) -> None:
        """Start what fits now: of each lane the longest job that does, over the lanes by rank and then the longest."""
        heads = self._heads(now)
        heapify(heads)
        lanes, room = self.lanes, self.room
        emptied = False
        while heads:
            rank, _, number, index = heads[0]
            lane = lanes[number]
            runtime, negative = lane[index]
            nodes = room.for_one(-negative)
            if nodes is None:
                heappop(heads)
                continue
            room.take(-negative, nodes)
            self.started.append((now, -negative))
            heappush(self.running, (now + runtime, -negative, nodes))
            self.counts[number] = self.counts.get(number, 0) + 1
            del lane[index]
            emptied = emptied or not lane
            if index:
                heapreplace(heads, (rank, 0.0 if self.wide_first else -lane[index - 1][0], number, index - 1))
            else:
                heappop(heads)
        if emptied:
            self.live = [number for number in self.live if lanes[number]]

    def _heads(self, now: float) -> list[tuple[tuple[bool, int], float, int, int]]:
        """Return of each lane that fits now the longest job that ends in time, and where it stands."""
        heads = []
        looks = _LOOKS
        for number in self.live:
            lane = self.lanes[number]
            if self.room.for_one(-lane[-1][1]) is None:
                looks -= 1
                if not looks:
                    break
                continue
            index = len(lane) - 1
            if now + lane[index][0] > self.seconds:
                index = self._longest(lane, now)
                if index < 0:
                    continue
            heads.append((self.ranks[number], 0.0 if self.wide_first else -lane[index][0], number, index))
        return heads

    def _longest(self, lane: _Lane, now: float) -> int:
        """Return where the longest job stands that ends in time; -1 if there is none."""
        index = bisect_right(lane, (self.seconds - now, 1)) - 1
        # The subtraction was rounded; what counts is the end.
        while index + 1 < len(lane) and now + lane[index + 1][0] <= self.seconds:
            index += 1
        while index >= 0 and now + lane[index][0] > self.seconds:
            index -= 1
        return index
