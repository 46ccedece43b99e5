"""Which jobs of its batch a worker asks for next: decisions, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

from sweepstake.domain.batches.records import BatchDraft
from sweepstake.domain.names import MAX_IDS

__all__ = ["OwnJobs"]


class OwnJobs:
    """The jobs of a batch, round by round.

    In a round each is asked for until it was taken, or none of those asked for together could begin. Some may be ready
    in a later round: they were blocked, given back, or crashed and may be tried again.

    Args:
        batch: whose jobs they are, with the seconds that each takes if they are known.
    """

    def __init__(self, batch: BatchDraft) -> None:
        estimates = batch.estimates or (0.0,) * len(batch.jobs)
        self._seconds = dict(zip(batch.jobs, estimates, strict=True))
        #: In their order, as dicts are; of a set it would be any.
        self._ahead = dict.fromkeys(batch.jobs)
        self._taken: set[str] = set()
        self._fruitful = False

    @property
    def longest(self) -> float:
        """The seconds that the longest takes."""
        return max(self._seconds.values())

    def next(self, fits: Callable[[float], bool]) -> tuple[str, ...]:
        """Return those to ask for together, in their order; none if the round is over.

        Args:
            fits: tells whether a job of so many seconds may begin.
        """
        return tuple(islice((job for job in self._ahead if fits(self._seconds[job])), MAX_IDS))

    def misfits(self, fits: Callable[[float], bool]) -> int:
        """Return how many that were never taken here may begin no more."""
        return sum(not fits(seconds) for job, seconds in self._seconds.items() if job not in self._taken)

    def took(self, jobs: Iterable[str]) -> None:
        """Ask for these no more in this round: they have begun."""
        for job in jobs:
            self._ahead.pop(job, None)
            self._taken.add(job)
            self._fruitful = True

    def passed(self, jobs: Iterable[str]) -> None:
        """Ask for these no more in this round: none of them is ready."""
        for job in jobs:
            self._ahead.pop(job, None)

    def begin_round(self) -> bool:
        """Ask for all of them again; tell whether any was taken in the round before."""
        before, self._fruitful = self._fruitful, False
        self._ahead = dict.fromkeys(self._seconds)
        return before
