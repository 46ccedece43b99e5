"""Batches in layers, each filled after those before it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from sweepstake.batch.planning.packing.drafts import Draft, with_fewer_nodes
from sweepstake.batch.planning.packing.heights import Height, fewest, lowest
from sweepstake.batch.planning.packing.pool import Pool
from sweepstake.batch.planning.packing.problem import Problem
from sweepstake.batch.planning.packing.shares import Group
from sweepstake.batch.planning.packing.simulation import simulate

__all__ = ["Ladder"]


#: So many batches are made of like length; of more, the last one's length is no matter.
_BALANCED: Final = 10


class Ladder:
    """A way to plan jobs in layers, of which those that wait for each other stand in different ones.

    A job is due in its layer. It is taken before, once it can start, where a batch has a hole for it.
    """

    def __init__(self, problem: Problem, due: Sequence[int], column: Sequence[int], *, same: bool) -> None:
        """Take the jobs.

        Args:
            problem: what they are.
            due: in which layer each stands at last.
            column: in which column.
            same: only jobs that take as many nodes stand together.
        """
        self._problem, self._due = problem, due
        self._keys = [(of, nodes if same else 0) for of, nodes in zip(column, problem.nodes, strict=True)]
        found: dict[tuple[int, tuple[int, int]], Group] = {}
        for place, (layer, key) in enumerate(zip(due, self._keys, strict=True)):
            if (layer, key) not in found:
                found[layer, key] = Group(layer=layer, key=key)
            found[layer, key].places.append(place)
        self.groups = [found[key] for key in sorted(found)]

    def by_duration(self, seconds: float) -> list[Draft]:
        """Plan batches that are no longer than so many seconds; a job that is longer has one of its own."""

        def pack(number: int, pool: Pool, nodes: int) -> Iterator[Draft]:
            for place in pool.take_longer(seconds):
                yield Draft([place], self._problem.nodes[place], self._problem.runtimes[place])
            if pool.due:
                height = fewest(pool.copy(), nodes, seconds)
                if 1 < height.batches <= _BALANCED:
                    height = lowest(self._problem, pool.copy(), nodes, height.batches, seconds) or height
                yield from self._filled(pool, nodes, height, seconds, self.groups[number].layer)

        return self._walk(pack)

    def by_count(self, shares: Sequence[int]) -> list[Draft]:
        """Plan for each group no more than its share of batches."""

        def pack(number: int, pool: Pool, nodes: int) -> Iterator[Draft]:
            if pool.due:
                height = lowest(self._problem, pool.copy(), nodes, shares[number])
                assert height is not None
                yield from self._filled(pool, nodes, height, math.inf, self.groups[number].layer)

        return self._walk(pack)

    def _walk(self, pack: Callable[[int, Pool, int], Iterator[Draft]]) -> list[Draft]:
        problem = self._problem
        missing = [len(others) for others in problem.needed]
        ready = [place for place, count in enumerate(missing) if not count]
        pools: dict[tuple[int, int], Pool] = {group.key: Pool(problem) for group in self.groups}
        drafts: list[Draft] = []
        layer = -1
        for number, group in enumerate(self.groups):
            if group.layer != layer:
                layer = group.layer
                self._add(pools, ready, layer)
                ready = []
            pool = pools[group.key]
            pool.let_due(group.places)
            for draft in pack(number, pool, group.key[1] or problem.most):
                drafts.append(draft)
                for place in draft.places:
                    for other in problem.waiting[place]:
                        missing[other] -= 1
                        if not missing[other]:
                            ready.append(other)
        return drafts

    def _add(self, pools: dict[tuple[int, int], Pool], places: Sequence[int], layer: int) -> None:
        found: dict[tuple[tuple[int, int], bool], list[int]] = {}
        for place in places:
            found.setdefault((self._keys[place], self._due[place] > layer), []).append(place)
        for (key, later), some in found.items():
            pools[key].add(some, later=later)

    def _filled(self, pool: Pool, nodes: int, height: Height, limit: float, layer: int) -> list[Draft]:
        """Empty a pool of what is due, and fill holes with what may wait if that takes no batch more."""
        filled: list[Draft] = []
        while pool.due and len(filled) < height.batches:
            filled.append(self._batch(pool, nodes, height, limit, layer, with_later=True))
        if pool.due:
            for draft in filled:
                self._give_back(pool, draft.places, layer)
            filled = []
            while pool.due:
                filled.append(self._batch(pool, nodes, height, limit, layer, with_later=False))
        return [with_fewer_nodes(self._problem, draft, height.seconds) for draft in filled]

    def _batch(self, pool: Pool, nodes: int, height: Height, limit: float, layer: int, *, with_later: bool) -> Draft:
        """Fill a batch that is no longer than the limit.

        Where very many kinds of jobs were held for alike, it may run otherwise than it was filled.
        """
        filled = pool.fill(nodes, height.seconds, wide_first=height.wide_first, with_later=with_later)
        if filled.exact:
            return Draft(filled.places, nodes, filled.makespan)
        places = filled.places
        run = simulate(self._problem, places, nodes)
        while run.makespan > limit:
            ends = [start + self._problem.runtimes[place] for start, place in zip(run.starts, places, strict=True)]
            self._give_back(pool, [place for place, end in zip(places, ends, strict=True) if end > limit], layer)
            places = [place for place, end in zip(places, ends, strict=True) if end <= limit]
            run = simulate(self._problem, places, nodes)
        return Draft(places, nodes, run.makespan)

    def _give_back(self, pool: Pool, places: Sequence[int], layer: int) -> None:
        pool.add([place for place in places if self._due[place] <= layer], later=False)
        pool.add([place for place in places if self._due[place] > layer], later=True)
