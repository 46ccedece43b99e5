"""The duty of a worker in an allocation: that of any worker, but for the jobs of one batch."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

from attrs import evolve, field, frozen

from sweepstake.client import Experiment
from sweepstake.domain.batches.records import BatchRecord, BatchStatus
from sweepstake.domain.records import Claim, Claims
from sweepstake.domain.tasks.needs import Offer
from sweepstake.queue.call import Patience, usual_patience
from sweepstake.worker.allocation.deadline import Deadline
from sweepstake.worker.allocation.own_jobs import OwnJobs
from sweepstake.worker.duty import Assignment, Duty, Opening

__all__ = ["IDLE", "BatchDuty"]

#: Seconds that an allocation in which nothing runs is kept for jobs that may come: a minute, with what ends it.
IDLE: Final = 40.0


class BatchDuty:
    """Does what another duty does for the jobs of a batch, as long as there may be one for this allocation.

    It is asked by one thread at a time, as the worker lets only one claim; what has begun may end at any time.

    Args:
        duty: has the room, and knows what is run.
        batch: as this allocation has begun it.
        deadline: of the allocation.
        fill: whether jobs that are not the batch's begin as well, when none of its own can.
        idle: seconds that it waits for jobs that may come, while nothing runs.
    """

    def __init__(
        self, duty: Duty, batch: BatchRecord, deadline: Deadline, *, fill: bool = False, idle: float = IDLE
    ) -> None:
        self._duty = duty
        self._batch = batch
        self._deadline = deadline
        self._fill = fill
        self._idle = idle
        self._jobs = OwnJobs(batch)
        self._over = self._filled = False
        self._running = 0
        self._active = math.inf
        self._lock = threading.Lock()

    def has_room(self) -> bool:
        """Tell whether the duty has room."""
        return self._duty.has_room()

    def next_up(self) -> str | None:
        """Return what the duty says."""
        return self._duty.next_up()

    def is_over(self) -> bool:
        """Tell whether no job will come any more that this allocation could run."""
        return self._over

    @contextmanager
    def open(self, experiment: Experiment, patience: Patience = usual_patience) -> Iterator[Opening | None]:
        """Keep room for jobs of the batch; when none of them can begin, for others if it may, else for none."""
        if self._is_idle():
            self._over = True
            yield None
            return
        with self._duty.open(experiment, patience) as opening:
            fits = partial(self._deadline.fits, now=time.monotonic())
            ids = self._jobs.next(fits)
            if opening is None or not opening.at_once:  # the second only wants to know for whom to make room
                yield None
            elif ids:
                yield _BatchOpening(duty=self, opening=opening, ids=ids)
            elif self._fill and not self._filled and fits(self._jobs.longest):
                yield _BatchOpening(duty=self, opening=opening)
            else:
                self._end_round(experiment)
                yield None

    def heard(self, ids: Sequence[str], found: Claims) -> None:
        """Note what a claim for these jobs was answered, or one for any."""
        if ids and found.claims:
            self._jobs.took(claim.job.id for claim in found.claims)
        elif ids:
            self._jobs.passed(ids)
        elif found.claims:
            self._jobs.begin_round()  # its own come first again
        else:
            self._filled = True

    def begins(self, assigned: Assignment) -> Assignment:
        """Count what runs here, and return it with that counted off at its end."""
        with self._lock:
            self._running += 1

        def end() -> None:
            with self._lock:
                self._running -= 1
                self._active = time.monotonic()
            assigned.end()

        return evolve(assigned, end=end)

    def _is_idle(self) -> bool:
        """Tell whether nothing has run here for as long as an allocation is kept for what may come."""
        now = time.monotonic()
        with self._lock:
            self._active = min(self._active, now)  # counted from the first time that it is asked
            return not self._running and now - self._active >= self._idle

    def _end_round(self, experiment: Experiment) -> None:
        """Begin another round, or end if nothing runs here and nothing is to come."""
        self._filled = False
        if self._jobs.begin_round() or self._running:
            return
        batch = experiment.session.queue.get_batch(experiment.reference, self._batch.id, self._batch.number)
        misfits = self._jobs.misfits(partial(self._deadline.fits, now=time.monotonic()))
        self._over = batch.status is BatchStatus.ENDED or not _may_come(batch, misfits)


def _may_come(batch: BatchRecord, misfits: int) -> bool:
    """Tell whether a job of a batch may become ready soon, for a node on which nothing runs.

    Args:
        batch: as it stands now.
        misfits: how many of its jobs could not begin if they were ready.
    """
    counts = batch.counts
    if counts.ready + counts.delayed > misfits:
        return True
    # Jobs that wait for what runs elsewhere come here only if that is another node of this allocation.
    return batch.nodes > 1 and counts.blocked > 0 and counts.running > 0


@frozen(kw_only=True)
class _BatchOpening:
    """Room for jobs of the batch, or for any.

    Attributes:
        ids: the only ones that are wanted, in their order; nothing for any.
    """

    duty: BatchDuty
    opening: Opening
    ids: tuple[str, ...] = ()
    slots: None = field(default=None, init=False)

    @property
    def offer(self) -> Offer | None:
        return self.opening.offer

    @property
    def at_once(self) -> int:
        return self.opening.at_once

    def heard(self, experiment: Experiment, found: Claims) -> Sequence[str]:
        self.duty.heard(self.ids, found)
        return self.opening.heard(experiment, found)

    def assign(self, experiment: Experiment, claim: Claim, called: str) -> Assignment:
        return self.duty.begins(self.opening.assign(experiment, claim, called))
