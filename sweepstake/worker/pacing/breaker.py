"""When a worker stops because job after job crashes quickly on its machine: decisions, no I/O."""

from __future__ import annotations

import math

from sweepstake.domain.status import Outcome

__all__ = ["Breaker", "JobId"]

#: A job's experiment and id.
JobId = tuple[str, str]


class Breaker:
    """A circuit breaker: keeps a machine on which every job fails from emptying the queue.

    It trips when `limit` different jobs in a row crash, each within `within` seconds. A machine that has not shown yet
    that it can run a job, or whose last job crashed, may at no time have more jobs at stake than would trip it: quick
    crashes so far, and running jobs that are younger than `within`. So it burns `limit` jobs at most, however many
    run side by side. A job that is done, or that runs longer, shows that the machine can.

    Args:
        limit: how many; 0 for a breaker that never trips.
        within: seconds within which a crash is quick.
    """

    def __init__(self, limit: int, within: float) -> None:
        self._limit = limit
        self._within = within
        self._began: dict[str, tuple[JobId, float]] = {}
        self._crashed: set[JobId] = set()
        self._trusted = False

    @property
    def tripped(self) -> bool:
        """Whether no job may begin any more."""
        return 0 < self._limit <= len(self._crashed)

    def allows(self, now: float) -> bool:
        """Tell whether another job may begin."""
        return self.room(now) > 0

    def room(self, now: float) -> float:
        """Return how many jobs may begin; infinity for any."""
        if not self._limit:
            return math.inf
        young = {job for job, began in self._began.values() if now - began < self._within}
        self._trusted = self._trusted or any(now - began >= self._within for _, began in self._began.values())
        if self._trusted and not self._crashed:
            return math.inf
        return max(self._limit - len(self._crashed | young), 0)

    def pause(self, now: float) -> float:
        """Return the seconds until a running job will have shown that the machine can run one."""
        ages = [began + self._within - now for _, began in self._began.values()]
        return min((left for left in ages if left > 0), default=float("inf"))

    def begin(self, attempt: str, job: JobId, now: float) -> None:
        """Note that an attempt at a job begins; one before it, which lost the job, may not have ended yet."""
        self._began[attempt] = job, now

    def end(self, attempt: str, outcome: Outcome, now: float, *, timed_out: bool) -> None:
        """Note how an attempt ended; one that was ended because its time was over did not crash quickly."""
        job, began = self._began.pop(attempt)
        quick = now - began < self._within
        if outcome is Outcome.DONE:
            self._trusted = True
            self._crashed.clear()
        elif outcome is Outcome.CRASHED and quick and not timed_out:
            self._crashed.add(job)
        elif outcome is Outcome.CRASHED and not quick:
            self._trusted = True
            self._crashed.clear()
