"""How many workers there should be: decided from what the queue says, without I/O."""

from __future__ import annotations

import math

from attrs import frozen

__all__ = ["Demand", "more_workers"]

#: So many workers may wait for a place in the cluster, however few have one.
_AT_LEAST: int = 2


@frozen(kw_only=True)
class Demand:
    """What there is to do, in all experiments together.

    Attributes:
        ready: jobs that a worker can take now.
        running: jobs that run, whoever runs them.
        delayed: jobs that will be ready at a time.
        finished: jobs that are over.
        proposes: whether a search makes jobs when workers ask for them.
    """

    ready: int
    running: int
    delayed: int
    finished: int
    proposes: bool

    @property
    def mark(self) -> tuple[int, int]:
        """What changes whenever there may be something new to take."""
        return self.ready, self.finished

    @property
    def is_over(self) -> bool:
        """Whether nothing runs, and nothing becomes ready by itself."""
        return not self.running and not self.delayed


def more_workers(demand: Demand, *, up: int, starting: int, per_worker: int) -> int:
    """Return how many workers to start.

    The number grows by no more than what is up, so that a cluster without room has few that wait, and a large one is
    soon full.

    Args:
        demand: what there is to do.
        up: workers that take jobs.
        starting: workers that wait for a place, or begin.
        per_worker: jobs that one has side by side.
    """
    free = starting * per_worker + max(0, up * per_worker - demand.running)
    without = demand.ready - free
    if demand.proposes and without <= 0 and not free:
        without = 1  # whether there is a job more, only a worker can find out
    return max(0, min(math.ceil(without / per_worker), max(_AT_LEAST, up) - starting))
