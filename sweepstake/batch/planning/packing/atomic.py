"""Batches that keep connected jobs together, so that none waits for another."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

from attrs import frozen

from sweepstake.batch.planning.packing import flat
from sweepstake.batch.planning.packing.drafts import Draft, best, with_fewer_nodes
from sweepstake.batch.planning.packing.parts import Part, Parts, PartsFilling
from sweepstake.batch.planning.packing.problem import Problem
from sweepstake.batch.planning.packing.simulation import simulate

__all__ = ["apart", "by_count", "by_duration"]

#: How many plans are made and compared, by how many jobs there are at most.
_TRIES: Final = ((100, 4), (400, 2))
#: From so many jobs on fewer ways are weighed.
_MANY: Final = 1000
#: Of more jobs in one batch only one order is tried.
_ALL_ORDERS: Final = 20_000
#: How often a batch is filled anew that became too long.
_REFILLS: Final = 8
#: How much fuller than the last batch another one may be.
_FULLER: Final = 1.1
#: A share of the work that is some, however little.
_SOME: Final = 1e-9
#: A schedule this much longer than the bound is as good as it gets.
_CLOSE: Final = 1.001


def apart(problem: Problem) -> list[Draft]:
    """Return a batch for each component."""
    parts = Parts(problem)
    packing = _Packing(parts=parts, nodes=problem.most, seconds=math.inf, slack=1.0)
    return [packing.alone(part) for same in parts.parts for part in reversed(same)]


def by_duration(problem: Problem, seconds: float) -> list[Draft]:
    """Plan batches that are no longer than so many seconds; a component that is longer has one of its own."""
    if not any(problem.needed):
        return flat.by_duration(problem, seconds, same=False)
    return _Packing(parts=Parts(problem), nodes=problem.most, seconds=seconds, slack=1.0).plan()[0]


def by_count(problem: Problem, count: int) -> list[Draft]:
    """Plan at most so many batches: the longer they may be, the fewer there are, until they are few enough."""
    if not any(problem.needed):
        return flat.by_count(problem, count, same=False)
    parts, nodes = Parts(problem), problem.most
    tries = next((tries for jobs, tries in _TRIES if len(problem.jobs) <= jobs), 1)
    plans: list[list[Draft]] = []
    seconds = parts.bound(count) if count > 1 else math.inf
    step = 0.01
    while len(plans) < tries and not (plans and seconds == math.inf):
        packing = _Packing(parts=parts, nodes=nodes, seconds=seconds, slack=1.003)
        plan, left = packing.plan(count)
        if not left:
            plans.append(plan)
        seconds *= 1 + max(step, 0.7 * left)
        step *= 1.7
    return best(problem, plans, counted=False)


@frozen(kw_only=True)
class _Packing:
    """How batches are filled with parts.

    Attributes:
        parts: what they are filled with.
        nodes: the most of each.
        seconds: how long one should be.
        slack: how much longer it may be.
    """

    parts: Parts
    nodes: int
    seconds: float
    slack: float

    def plan(self, count: int | None = None) -> tuple[list[Draft], float]:
        """Return the batches, at most `count`, and about what share of the work is left then."""
        left = [each[:] for each in self.parts.parts]
        problem = self.parts.problem
        work = [math.fsum(area) for area in problem.areas]
        drafts: list[Draft] = []
        done = 0.0
        full = 1.0
        while left:
            draft, left, full = self._next(left, full)
            drafts.append(draft)
            done += problem.bound(draft.places, 1, 0.0)
            over = max(work, default=0.0) - done
            if count is not None and left:
                # It need not be seen to the end that the others will not hold the rest, as full as they get.
                over -= (count - len(drafts)) * self.nodes * self.seconds * min(1.0, full * _FULLER)
                if len(drafts) == count or over > 0:
                    return drafts, max(over, 0.0) / (max(work, default=0.0) or 1.0) + _SOME
        return drafts, 0.0

    def _next(self, left: list[list[Part]], full: float) -> tuple[Draft, list[list[Part]], float]:
        """Fill a batch, with less work again and again until it is short enough.

        Args:
            left: the parts to take from.
            full: how much of the work that its nodes could do in its time the last batch had.

        Returns:
            The batch, what is then left, and how full it is.
        """
        most = self.nodes * self.seconds
        first = left[0][-1]
        fullest = full
        tries = _REFILLS if first.path <= self.seconds and max(first.areas, default=0.0) <= most else 0
        for _ in range(tries):
            trial = [each[:] for each in left]
            filling = PartsFilling(self.parts, trial, self.nodes, self.seconds, fullest * most)
            started = filling.run()
            if filling.end <= self.seconds * self.slack or filling.parts == 1:
                draft = self._draft(started, filling.end)
                # It may run a little otherwise than it was filled.
                if draft.makespan <= self.seconds * self.slack or filling.parts == 1:
                    return draft, [each for each in trial if each], min(1.0, fullest * self._more())
            fullest = min(fullest, filling.work / most) * min(0.97, self.seconds / filling.end)
        trial = [left[0][:-1], *left[1:]]
        return self.alone(first), [each for each in trial if each], full

    def _more(self) -> float:
        """Return how much fuller than a batch the next one is tried; of many jobs each try takes its time."""
        return 1.03 if len(self.parts.problem.jobs) <= _MANY else 1.0

    def alone(self, part: Part) -> Draft:
        """Return the batch of a single part."""
        filling = PartsFilling(self.parts, [[part]], self.nodes, self.seconds, 0.0)
        started = filling.run()
        return self._draft(started, filling.end)

    def _draft(self, started: Mapping[int, float], end: float) -> Draft:
        """Look for an order of a batch's jobs in which it is shorter than it was when it was filled."""
        problem, rank, priorities = self.parts.problem, self.parts.rank, self.parts.problem.priorities
        bound = problem.bound(list(started), self.nodes, max([self.parts.remaining[place] for place in started]))
        for key in self._keys(started):
            if end <= bound * _CLOSE:
                break
            order = sorted(started, key=lambda place: (-priorities[place], key(place), rank[place]))
            tried = simulate(problem, order, self.nodes)
            if tried.makespan < end:
                started, end = dict(zip(order, tried.starts, strict=True)), tried.makespan
        order = sorted(started, key=lambda place: (-priorities[place], started[place], rank[place]))
        draft = Draft(order, self.nodes, simulate(problem, order, self.nodes).makespan)
        return with_fewer_nodes(problem, draft, self.seconds if self.seconds < math.inf else draft.makespan)

    def _keys(self, places: Mapping[int, float]) -> list[Callable[[int], float]]:
        """Return what jobs can be ordered by: the way before them, how wide and long they are, how wide they are."""
        problem = self.parts.problem
        runtimes = problem.runtimes
        longest = max([runtimes[place] for place in places]) or 1.0
        wide = {place: problem.area(place) / (runtimes[place] or 1.0) for place in places}
        keys: list[Callable[[int], float]] = [
            lambda _: 0.0,
            lambda place: -math.hypot(wide[place], runtimes[place] / longest),
            lambda place: -wide[place],
        ]
        return keys if len(places) <= _ALL_ORDERS else keys[:1]
