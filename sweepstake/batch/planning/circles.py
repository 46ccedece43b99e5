"""Circles of jobs that wait for each other."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

__all__ = ["circles"]


def circles(places: Iterable[int], needed: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return circles such that each job that stands in any stands in one of these, and no other job does.

    Each is a shortest one of its first job, which waits for the second, and so on; the last waits for the first.

    Args:
        places: of the jobs to look at, in the order in which they are named.
        needed: for each job the places of those that it waits for.
    """
    within = _waited_for(set(places), needed)
    left = sorted(within)
    named: set[int] = set()
    found = []
    for start in left:
        if start not in named:
            circle = _shortest(start, within, needed)
            named.update(circle)
            if circle:
                found.append(circle)
            else:
                # It only waits for a circle, or is waited for by one: nobody's way back leads through it.
                within.discard(start)
    return found


def _waited_for(places: set[int], needed: Sequence[Sequence[int]]) -> set[int]:
    """Leave out, again and again, what none of the others waits for: it stands in no circle."""
    waiting = dict.fromkeys(places, 0)
    for place in places:
        for other in needed[place]:
            if other in waiting:
                waiting[other] += 1
    free = [place for place, count in waiting.items() if not count]
    while free:
        place = free.pop()
        del waiting[place]
        for other in needed[place]:
            if other in waiting:
                waiting[other] -= 1
                if not waiting[other]:
                    free.append(other)
    return set(waiting)


def _shortest(start: int, within: set[int], needed: Sequence[Sequence[int]]) -> list[int]:
    """Return the shortest way from a job through what it waits for back to it; empty if there is none."""
    before = {start: start}
    ahead = deque([start])
    while ahead:
        place = ahead.popleft()
        for other in needed[place]:
            if other == start:
                way = [place]
                while way[-1] != start:
                    way.append(before[way[-1]])
                return way[::-1]
            if other in within and other not in before:
                before[other] = place
                ahead.append(other)
    return []
