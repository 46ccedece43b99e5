"""Which components of a problem are planned beside each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sweepstake.batch.planning.packing.paths import components, remaining
from sweepstake.batch.planning.packing.problem import Problem

__all__ = ["columns"]


def columns(problem: Problem, numbers: Iterable[int]) -> Iterator[Sequence[int]]:
    """Yield divisions of the jobs into columns: for each job the number of its column.

    Batches of one column never wait for those of another, so a column need not wait for the longest job of each layer
    of all. Components of like length stand in one column, and columns have like work. Where some jobs are more urgent
    than others there is one column only, so that the urgent ones come first.

    Args:
        problem: what the jobs are.
        numbers: of columns to try; one column is tried before.
    """
    yield [0] * len(problem.jobs)
    if len(set(problem.priorities)) > 1 or not any(problem.needed):
        return
    parts = components(problem)
    if len(parts) == 1:
        return
    rest = remaining(problem)
    parts.sort(key=lambda part: (-max([rest[place] for place in part]), part[0]))
    work = [problem.bound(part, 1, 0.0) for part in parts]
    total = sum(work) or 1.0
    for number in numbers:
        if number > len(parts):
            break
        column = [0] * len(problem.jobs)
        done = 0.0
        for part, more in zip(parts, work, strict=True):
            of_part = min(number - 1, int((done + more / 2) / total * number))
            done += more
            for place in part:
                column[place] = of_part
        yield column
