"""Jobs that begin together: a worker waits for the others of a gang, and asks after them while they run."""

from __future__ import annotations

import logging
import threading
from typing import Final

from sweepstake.domain.records import JobRecord
from sweepstake.domain.status import JobStatus, Signal
from sweepstake.domain.tasks.gangs import Gang, Member
from sweepstake.errors import NotFoundError, StoreUnavailableError, SweepstakeError
from sweepstake.queue.call import no_patience
from sweepstake.queue.queue import Queue
from sweepstake.worker.work import Interrupted, Preliminaries

__all__ = ["Gathering"]

#: Seconds between two questions whether all are there, growing from the first to the last.
_PAUSES: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
#: Seconds between two questions after a gang that runs.
_BETWEEN_LOOKS: Final = 2.0

_logger = logging.getLogger(__name__)


class Gathering:
    """The gang of a job that was claimed.

    Args:
        queue: of its store.
        job: as it was claimed.
        hostname: of this machine, as its labels say.
        pause: seconds between two questions after a gang that runs.
    """

    def __init__(self, queue: Queue, job: JobRecord, hostname: str, pause: float = _BETWEEN_LOOKS) -> None:
        self._queue = queue
        self._job = job
        self._hostname = hostname
        self._pause = pause
        self._over = threading.Event()

    def leader(self, before: Preliminaries) -> str:
        """Wait until all of the gang were claimed, and return the host of the first.

        From then on a thread asks after the gang, until it is closed.

        Raises:
            Interrupted: the attempt is to end: its worker takes no more jobs, it was stopped, or the gang was given up.
        """
        looks = 0
        while (gang := self._ask()) is None or not gang.together:
            before.wait(_PAUSES[min(looks, len(_PAUSES) - 1)])
            looks += 1
        threading.Thread(target=self._watch, name="sweepstake-gang", daemon=True).start()
        return self._host_of(gang.members[0])

    def close(self) -> None:
        """Ask no more."""
        self._over.set()

    def _watch(self) -> None:
        """Ask after the gang, so that a store notices when it lacks one of its jobs for too long.

        Perhaps nobody else asks, because all workers are busy. What the store decides is told with the heartbeats.
        """
        while not self._over.wait(self._pause):
            try:
                self._queue.get_gang(self._job.reference, self._job.id, patience=no_patience)
            except SweepstakeError:  # the store is away, or the job is gone: the heartbeats tell that
                _logger.debug("The gang could not be asked after.", exc_info=True)

    def _ask(self) -> Gang | None:
        """Return the gang; None while the store is away.

        Raises:
            Interrupted: this attempt is over.
        """
        try:
            gang = self._queue.get_gang(self._job.reference, self._job.id, patience=no_patience)
        except StoreUnavailableError:
            return None
        except NotFoundError as error:
            raise Interrupted(Signal.LOST) from error
        own = next((member for member in gang.members if member.id == self._job.id), None)
        if own is None or own.attempt != self._job.attempt or own.status is not JobStatus.RUNNING:
            pruned = own is not None and own.status is JobStatus.PRUNED
            raise Interrupted(Signal.PRUNE if pruned else Signal.LOST)
        return gang

    def _host_of(self, leader: Member) -> str:
        """Return the host of the first: as its worker's labels say, or else its worker's name."""
        if leader.id == self._job.id or leader.worker == self._job.worker:
            return self._hostname
        return leader.hostname or (leader.worker or "").rpartition(":")[0] or self._hostname
