"""How long the batches of a layer must be."""

from __future__ import annotations

import math
from typing import Final

from attrs import frozen

from sweepstake.batch.planning.pool import Pool
from sweepstake.batch.planning.problem import Problem

__all__ = ["Height", "fewest", "lowest"]

#: By how much a height that was too low is raised at least, and how that grows from try to try.
_STEP: Final = 0.004
_GROWTH: Final = 1.5
#: With more kinds of jobs than this, wide ones first is always better.
_FEW: Final = 8


@frozen(kw_only=True)
class Height:
    """How a pool is emptied.

    Attributes:
        batches: how many it takes.
        seconds: how long one may be.
        wide_first: whether wide jobs come first, instead of long ones.
    """

    batches: int
    seconds: float
    wide_first: bool


def fewest(pool: Pool, nodes: int, seconds: float) -> Height:
    """Return with how few batches of a length a pool is emptied, and how long the longest of them is."""
    found = []
    for wide_first in _orders(pool):
        trial, lengths = pool.copy(), []
        while len(trial):
            lengths.append(trial.fill(nodes, seconds, wide_first=wide_first)[1])
        found.append((len(lengths), max(lengths), wide_first))
    batches, longest, wide_first = min(found)
    return Height(batches=batches, seconds=longest, wide_first=wide_first)


def lowest(problem: Problem, pool: Pool, nodes: int, batches: int, limit: float = math.inf) -> Height | None:
    """Return the least length with which so many batches empty a pool; None if it is not below `limit`.

    Lengths are tried from the least that could do, and raised by what was then left over.
    """
    if batches == 1 and limit == math.inf:
        return fewest(pool, nodes, math.inf)
    places = pool.places()
    least = problem.bound(places, nodes * batches)
    work = math.fsum(map(problem.area, places)) or 1.0
    best: Height | None = None
    for wide_first in _orders(pool):
        seconds, step = least, _STEP
        while seconds < limit:
            trial = pool.copy()
            for _ in range(batches):
                if len(trial):
                    trial.fill(nodes, seconds, wide_first=wide_first)
            if not len(trial):
                limit = seconds
                best = Height(batches=batches, seconds=seconds, wide_first=wide_first)
                break
            left = math.fsum(map(problem.area, trial.places())) / work
            seconds *= 1 + max(step, 0.7 * left)
            step *= _GROWTH
    return best


def _orders(pool: Pool) -> tuple[bool, ...]:
    kinds = pool.kinds()
    if kinds == 1:
        return (False,)
    return (False, True) if kinds <= _FEW else (True,)
