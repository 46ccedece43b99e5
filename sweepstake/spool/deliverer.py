"""`Deliverer`: delivers what waits in the spool beside the calls of a connection."""

from __future__ import annotations

import logging
import threading
from typing import Final

from sweepstake.clock import Clock
from sweepstake.errors import SpoolError
from sweepstake.queue.queue import Queue
from sweepstake.spool.delivery import Delivery, Fate, deliver
from sweepstake.spool.folder import Spool

__all__ = ["Deliverer"]

#: Seconds between two looks into the folder when it was empty, and when something in it could not be delivered.
_LOOK: Final = 60.0
_AGAIN: Final = 10.0
#: Seconds that the caller of some other call is held up; the rest is delivered beside later calls.
_ROUND: Final = 2.0

_logger = logging.getLogger(__name__)


class Deliverer:
    """Delivers what waits for a store, whoever on this machine left it, beside calls that reach the store anyway.

    It looks into the folder with the first call and then at most once a minute, so that it costs other calls a look
    at the clock. Several threads and processes may have one each: who finds another at work leaves it to that.

    Args:
        spool: the store's.
        queue: the store itself; each report is tried once.
        clock: for the time between looks.
    """

    def __init__(self, spool: Spool, queue: Queue, clock: Clock) -> None:
        self._spool = spool
        self._queue = queue
        self._clock = clock
        self._busy = threading.Lock()
        self._next_look = float("-inf")

    def take_turn(self) -> None:
        """Deliver what is in the folder, if it is time to look; called beside calls that reach the store."""
        if not self._spool.news and self._clock.monotonic() < self._next_look:
            return
        if not self._busy.acquire(blocking=False):
            return
        self._spool.news = False
        try:
            pause = self._round()
        except (OSError, SpoolError) as error:  # whoever calls wants something else, and gets it
            _logger.warning("What waits in the spool could not be delivered: %s", error)
            pause = _LOOK
        finally:
            self._busy.release()
        self._next_look = self._clock.monotonic() + pause

    def _round(self) -> float:
        """Deliver for a while; return the seconds until the next look."""
        keys = self._spool.waiting()
        if not keys:
            return _LOOK
        until = self._clock.monotonic() + _ROUND
        with self._spool.alone() as alone:
            if not alone:
                return _AGAIN
            for delivery in deliver(self._spool, self._queue, keys):
                _tell(delivery)
                if delivery.futile:
                    return _AGAIN
                if self._clock.monotonic() > until:
                    return 0.0
        return _LOOK


def _tell(delivery: Delivery) -> None:
    entry = delivery.entry
    job = entry.job, entry.experiment
    if delivery.fate is Fate.RECORDED:
        _logger.info("The end of job %s of %r was delivered from the spool.", *job)
    elif delivery.fate is Fate.LATE:
        _logger.warning(
            "The end of job %s of %r was delivered from the spool, but the attempt was over (%s); its results were "
            "kept as late results.",
            *job,
            delivery.ended,
        )
    elif delivery.fate is Fate.UNDELIVERABLE:
        _logger.warning(
            "The end of job %s of %r cannot be delivered: %s It stays in the spool; see `sweepstake spool show %s`.",
            *job,
            entry.last_error,
            entry.key,
        )
