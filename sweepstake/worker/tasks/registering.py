"""How a worker says what it has, so that people see it and why a job waits."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from sweepstake.domain.tasks.needs import Offer
from sweepstake.domain.workers import LIVE_SECONDS, WorkerReport
from sweepstake.errors import SweepstakeError
from sweepstake.queue.queue import Queue
from sweepstake.worker.repeating import repeated

__all__ = ["registered"]

#: Seconds between two reports; so one may fail.
_PAUSE: Final = LIVE_SECONDS / 4
#: Seconds between two looks whether what is free has changed, which is reported at once.
_LOOK: Final = 5.0

_logger = logging.getLogger(__name__)


@contextmanager
def registered(
    queue: Queue,
    name: str,
    slots: Offer,
    free: Callable[[], Offer],
    pause: float = _PAUSE,
    look: float = _LOOK,
) -> Iterator[None]:
    """Let a store know within the block who this worker is and what it has; at its end it has left.

    Args:
        queue: of the store.
        name: by which people know the worker.
        slots: all that it has for jobs, and its labels.
        free: returns what of that no job has.
        pause: seconds between two reports.
        look: seconds between two looks whether what is free has changed.
    """
    said, at = free(), time.monotonic()

    def report(*, leaves: bool = False) -> None:
        nonlocal said, at
        said, at = free(), time.monotonic()
        try:
            queue.heartbeat_of(WorkerReport(name=name, slots=slots, free=said, leaves=leaves))
        except SweepstakeError:  # the store is away, or knows no workers: nobody waits for this
            _logger.debug("The worker could not be registered.", exc_info=True)

    def look_again() -> None:
        if free() != said or time.monotonic() - at >= pause:
            report()

    report()
    try:
        with repeated(look_again, min(look, pause), "sweepstake-registration"):
            yield
    finally:
        report(leaves=True)
