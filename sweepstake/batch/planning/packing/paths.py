"""What hangs together in a problem, and how long its ways are."""

from __future__ import annotations

from sweepstake.batch.planning.packing.problem import Problem

__all__ = ["components", "remaining"]


def components(problem: Problem) -> list[list[int]]:
    """Return the jobs that wait for each other, directly or over others, together; each in an order that can start."""
    above = list(range(len(problem.jobs)))

    def root(place: int) -> int:
        while above[place] != place:
            above[place] = above[above[place]]
            place = above[place]
        return place

    for place, others in enumerate(problem.needed):
        for other in others:
            above[root(other)] = root(place)
    found: dict[int, list[int]] = {}
    for place in problem.order:
        found.setdefault(root(place), []).append(place)
    return list(found.values())


def remaining(problem: Problem) -> list[float]:
    """Return for each job the seconds of the longest way through those that wait for it, with its own."""
    seconds = list(problem.runtimes)
    for place in reversed(problem.order):
        waiting = problem.waiting[place]
        if waiting:
            seconds[place] += max([seconds[other] for other in waiting])
    return seconds
