"""Jobs that wait for a place in a batch, and the filling of one."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush, heapreplace

from attrs import frozen

from sweepstake.batch.planning.packing.problem import Problem
from sweepstake.batch.planning.packing.room import Room

__all__ = ["Filled", "Pool"]

#: Jobs of one lane: their runtimes with their places, negated, so that of equal ones the first is the last.
_Lane = list[tuple[float, int]]
#: Those of them that may wait, or may not, and have one priority, negated.
_Ranked = tuple[tuple[bool, int], _Lane]
#: A job that could start: its rank, its runtime negated, its lane's number, and where it stands in which list.
_Head = tuple[tuple[bool, int], float, int, int, _Lane]


@frozen
class Filled:
    """A batch that was filled.

    Attributes:
        places: its jobs, in the order in which they are tried when it runs.
        makespan: how long it ran when it was filled.
        exact: whether it runs the same again. It may not where lanes held unlike jobs, or urgent ones may wait.
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
        lanes: list[list[_Ranked]] = [[] for _ in range(self._problem.lane_count)]
        ranks = set()
        for (later, urgency, number), lane in sorted(self._lanes.items(), reverse=True):
            if lane and (with_later or not later):
                lanes[number].append(((later, urgency), lane))
                ranks.add((later, urgency))
        filling = _Filling(self._problem, Room(self._problem, nodes), seconds, lanes, wide_first=wide_first)
        makespan = filling.run()
        for later, count in filling.counts.items():
            self._left[later] -= count
        self._clear()
        priorities = self._problem.priorities
        started = sorted(filling.started, key=lambda each: (-priorities[each[1]], each[0]))
        # It runs by priority alone, whether jobs may wait or not.
        alike = any(len(set(each)) == 1 for each in zip(*ranks, strict=True))
        exact = self._problem.exact and alike
        return Filled([place for _, place in started], makespan, exact)

    def _key(self, place: int, *, later: bool) -> tuple[bool, int, int]:
        return later, -self._problem.priorities[place], self._problem.lanes[place]

    def _clear(self) -> None:
        self._lanes = {key: lane for key, lane in self._lanes.items() if lane}


class _Filling:
    """A batch that runs while it is filled.

    Attributes:
        started: when each job starts that was taken, and its place.
        counts: how many were taken of those that may wait, and of the others.
    """

    def __init__(
        self, problem: Problem, room: Room, seconds: float, lanes: Sequence[list[_Ranked]], *, wide_first: bool
    ) -> None:
        """Make an empty batch.

        Args:
            problem: what the jobs are.
            room: what is free on its nodes.
            seconds: how long it may be.
            lanes: the jobs of each lane by rank, the last rank first. What is taken is removed.
            wide_first: try the jobs that need most first, instead of the longest.
        """
        self.started: list[tuple[float, int]] = []
        self.counts = {False: 0, True: 0}
        self._problem, self._room, self._seconds = problem, room, seconds
        self._lanes, self._wide_first = lanes, wide_first
        #: The lanes in which a job may still be found, a bit for each.
        self._live = sum(1 << number for number, lane in enumerate(lanes) if lane)
        self._running: list[tuple[float, int, tuple[int, ...]]] = []

    def run(self) -> float:
        """Return when the last job ends."""
        running = self._running
        now = 0.0
        self._start(now)
        while running:
            now = running[0][0]
            while running and running[0][0] <= now:
                _, place, nodes = heappop(running)
                self._room.give_back(place, nodes)
            self._start(now)
        return now

    def _start(self, now: float) -> None:
        """Start what fits now: of each lane the longest job that does, over the lanes by rank and then the longest."""
        heads = [head for number in self._fitting() if (head := self._head(number, now)) is not None]
        heapify(heads)
        room = self._room
        while heads:
            rank, _, number, index, lane = heads[0]
            runtime, negative = lane[index]
            nodes = room.for_one(-negative)
            if nodes is None:
                heappop(heads)
                continue
            room.take(-negative, nodes)
            self.started.append((now, -negative))
            heappush(self._running, (now + runtime, -negative, nodes))
            self.counts[rank[0]] += 1
            del lane[index]
            if index:
                heapreplace(heads, (rank, 0.0 if self._wide_first else -lane[index - 1][0], number, index - 1, lane))
            elif (head := self._head(number, now)) is not None:
                heapreplace(heads, head)
            else:
                heappop(heads)

    def _fitting(self) -> list[int]:
        """Return the lanes of which a job may fit now."""
        problem, room = self._problem, self._room
        if problem.lane_count == 1:
            return [0]
        fitting = []
        left = self._live
        while left:
            # The last lane needs least. Where it finds no place, most of the others are not looked at.
            number = left.bit_length() - 1
            if room.has(problem.lane_needs[number], problem.lane_nodes[number]):
                fitting.append(number)
                left ^= 1 << number
            else:
                left &= ~problem.lane_beyond[number]
        return fitting

    def _head(self, number: int, now: float) -> _Head | None:
        """Return the longest job of the first rank of a lane that ends in time."""
        ranked = self._lanes[number]
        while ranked:
            rank, lane = ranked[-1]
            index = len(lane) - 1
            if lane and now + lane[index][0] > self._seconds:
                index = self._longest(lane, now)
            if index >= 0:
                return rank, 0.0 if self._wide_first else -lane[index][0], number, index, lane
            # What does not end in time does not if it starts later either.
            ranked.pop()
        self._live &= ~(1 << number)
        return None

    def _longest(self, lane: _Lane, now: float) -> int:
        """Return where the longest job stands that ends in time; -1 if there is none."""
        index = bisect_right(lane, (self._seconds - now, 1)) - 1
        # The subtraction was rounded; what counts is the end.
        while index + 1 < len(lane) and now + lane[index + 1][0] <= self._seconds:
            index += 1
        while index >= 0 and now + lane[index][0] > self._seconds:
            index -= 1
        return index
