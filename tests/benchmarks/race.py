"""Worker processes that start together, and the time of every cycle that they make."""

from __future__ import annotations

import multiprocessing
import time
from contextlib import AbstractContextManager
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from typing import Any, Protocol

from attrs import frozen

__all__ = ["Race", "Session", "Side", "race"]

#: Cycles that each worker makes before the clock starts, so that nothing is prepared or imported inside it.
WARM_UP = 5
_SECONDS_TO_START = 120.0
_SECONDS_TO_RUN = 1800.0


class Session(Protocol):
    """One worker's connection to a queue."""

    def claim(self) -> Any:
        """Take a job; None when there is none."""

    def finish(self, held: Any) -> None:
        """Record the job's results as DONE."""

    def read(self) -> int:
        """Read all jobs with their values, and return how many there are."""


class Side(Protocol):
    """One of those that are compared: a floor, or Sweepstake. It crosses to worker processes, so it is plain data."""

    def fill(self, count: int) -> None:
        """Queue this many jobs."""

    def session(self) -> AbstractContextManager[Session]:
        """Connect as a worker does."""


@frozen(kw_only=True)
class Race:
    """What a race showed.

    Attributes:
        cycles: how many cycles all workers made.
        seconds: from the common start to the end of the last cycle.
        longest: seconds of the longest cycle that any worker saw.
    """

    cycles: int
    seconds: float
    longest: float

    @property
    def rate(self) -> float:
        """Cycles per second, of all workers together."""
        return self.cycles / self.seconds


@frozen
class _Lane:
    """What one worker saw, on the machine's common clock."""

    cycles: int
    start: float
    end: float
    longest: float


def race(side: Side, jobs: int, workers: int) -> Race:
    """Queue `jobs` and let `workers` processes claim and finish them all.

    Raises:
        RuntimeError: a worker failed, or the number of cycles is not the number of jobs.
    """
    side.fill(jobs + WARM_UP * workers)
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(workers)
    lanes: SimpleQueue[_Lane] = context.SimpleQueue()
    processes = [context.Process(target=_run, args=(side, barrier, lanes), daemon=True) for _ in range(workers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(_SECONDS_TO_RUN)
        if process.exitcode != 0:
            raise RuntimeError(f"a worker of {side} ended with {process.exitcode}; its traceback is on stderr")
    seen = [lanes.get() for _ in processes]
    cycles = sum(lane.cycles for lane in seen)
    if cycles != jobs:
        raise RuntimeError(f"{jobs} jobs made {cycles} cycles: {side} lost some or ran some twice")
    span = max(lane.end for lane in seen) - min(lane.start for lane in seen)
    return Race(cycles=cycles, seconds=span, longest=max(lane.longest for lane in seen))


def _run(side: Side, barrier: Barrier, lanes: SimpleQueue[_Lane]) -> None:
    with side.session() as session:
        for _ in range(WARM_UP):
            session.finish(session.claim())
        barrier.wait(_SECONDS_TO_START)
        lane = _drain(session)
    lanes.put(lane)


def _drain(session: Session) -> _Lane:
    """Claim and finish until nothing is left; the empty last claim is not counted."""
    cycles, longest = 0, 0.0
    start = end = time.monotonic()
    while (held := session.claim()) is not None:
        session.finish(held)
        now = time.monotonic()
        longest = max(longest, now - end)
        end = now
        cycles += 1
    return _Lane(cycles, start, end, longest)
