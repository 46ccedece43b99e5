"""How long the batches of a layer must be."""

from __future__ import annotations

import math
from typing import Final

from attrs import frozen

from sweepstake.batch.planning.packing.pool import Pool
from sweepstake.batch.planning.packing.problem import Problem

__all__ = ["Height", "fewest", "lowest"]

#: By how much a height that was too low is raised at least, and how that grows from try to try; more for many jobs,
#: of which each try takes its time.
_STEP: Final = 0.004
_COARSE: Final = 0.02
_MANY: Final = 5000
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
            lengths.append(trial.fill(nodes, seconds, wide_first=wide_first).makespan)
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
    first, *others = _orders(pool)
    seconds, step = least, _STEP if len(places) <= _MANY else _COARSE
    while seconds < limit:
        left = _left(pool, nodes, batches, seconds, wide_first=first)
        if not left:
            break
        seconds *= 1 + max(step, 0.7 * math.fsum(map(problem.area, left)) / work)
        step *= _GROWTH
    best = Height(batches=batches, seconds=seconds, wide_first=first) if seconds < limit else None
    for other in others:
        # The other order is worth a look half way to what can be gained, or where the first found nothing.
        half = (least + min(seconds, limit)) / 2
        if half < min(seconds, limit) and not _left(pool, nodes, batches, half, wide_first=other):
            best = Height(batches=batches, seconds=half, wide_first=other)
    return best


def _left(pool: Pool, nodes: int, batches: int, seconds: float, *, wide_first: bool) -> list[int]:
    """Return what so many batches leave in a pool."""
    trial = pool.copy()
    for _ in range(batches):
        if len(trial):
            trial.fill(nodes, seconds, wide_first=wide_first)
    return trial.places()


def _orders(pool: Pool) -> tuple[bool, ...]:
    kinds = pool.kinds()
    if kinds == 1:
        return (False,)
    return (False, True) if kinds <= _FEW else (True,)
