"""One batch, submitted and looked at to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from sweepstake.batch.backends.allocations import Allocation, AllocationState
from sweepstake.batch.backends.kinds import backend_of
from sweepstake.batch.backends.scheduler import Backend
from sweepstake.batch.planning.records import BatchSpec, Capacity
from sweepstake.batch.settling import settle
from sweepstake.batch.submitting import Order, alone, submit_plan
from sweepstake.client import Experiment
from sweepstake.domain.batches.records import BatchRecord, BatchStatus
from sweepstake.folders import own_folder

__all__ = ["Followed", "Stored", "Unstored", "follow"]

#: Seconds between two looks, growing as long as nothing changes.
_LOOKS: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Followed(Protocol):
    """A batch that was submitted."""

    jobid: str

    def look(self) -> Allocation:
        """Ask what became of its allocation."""
        ...

    def cancel(self) -> None:
        """End its allocation.

        Raises:
            SubmissionError: the scheduler did not answer.
        """
        ...


class Stored:
    """A batch of an experiment: the store knows of it, and is told what becomes of it.

    Raises:
        SubmissionError: the scheduler refused it.
        LiveBatchError: some of its jobs are under way already.
    """

    def __init__(
        self, spec: BatchSpec, experiment: Experiment, capacity: Capacity | None, backend: Backend, order: Order
    ) -> None:
        capacity = capacity or backend.cluster(order.site.partition).capacity
        [record] = submit_plan(experiment, [spec], capacity, backend, order)
        assert record.jobid is not None, "it was submitted"
        self.jobid = record.jobid
        self._record = record
        self._experiment = experiment
        self._backend = backend

    def look(self) -> Allocation:
        """Ask what became of its allocation, and tell the store."""
        for record, allocation in settle(self._experiment, self._of):
            if self._is_it(record):
                return allocation or Allocation(jobid=self.jobid, state=AllocationState.UNKNOWN)
        queue, reference = self._experiment.session.queue, self._experiment.reference
        record = queue.get_batch(reference, self._record.id, self._record.number)
        assert record.status is BatchStatus.ENDED, "else it would have been among those that are not over"
        return Allocation(
            jobid=self.jobid, state=record.allocation or AllocationState.CANCELLED, reason=record.reason, gone=True
        )

    def cancel(self) -> None:
        """End its allocation."""
        self._backend.cancel({self.jobid: self._record.name})

    def _is_it(self, record: BatchRecord) -> bool:
        return (record.id, record.number) == (self._record.id, self._record.number)

    def _of(self, name: str) -> Backend:
        environment = self._experiment.session.config.environment()
        return self._backend if name == self._backend.name else backend_of(name, environment)


class Unstored:
    """A batch of which no store is told: only its scheduler says what becomes of it.

    Raises:
        SubmissionError: the scheduler refused it.
    """

    def __init__(self, spec: BatchSpec, capacity: Capacity, backend: Backend, order: Order) -> None:
        submission = alone(spec, capacity, order)
        own_folder(order.folder)
        [self.jobid] = backend.submit(submission)
        self._name = submission.name
        self._backend = backend

    def look(self) -> Allocation:
        """Ask what became of its allocation."""
        return self._backend.poll(self._named)[self.jobid]

    def cancel(self) -> None:
        """End its allocation."""
        self._backend.cancel(self._named)

    @property
    def _named(self) -> Mapping[str, str]:
        return {self.jobid: self._name}


def follow(
    followed: Followed, patience: float, begun: Callable[[], None], pause: Callable[[float], None]
) -> Allocation | None:
    """Look at an allocation until it has ended; end it, and return None, if that takes too long.

    Args:
        followed: what was submitted.
        patience: seconds that it may take in all.
        begun: called once when it runs.
        pause: waits so many seconds.

    Raises:
        SubmissionError: it cannot be ended.
    """
    until, looks, runs = time.monotonic() + patience, 0, False
    while not (found := followed.look()).is_over:
        if found.state is AllocationState.RUNNING and not runs:
            runs, looks = True, 0
            begun()
        left = until - time.monotonic()
        if left <= 0:
            followed.cancel()
            return None
        pause(min(_LOOKS[min(looks, len(_LOOKS) - 1)], left))
        looks += 1
    return found
