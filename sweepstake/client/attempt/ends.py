"""Ends of jobs that wait to be reported together, so that one call does for several."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from attrs import define, evolve, field

from sweepstake.client.attempt.held import Held
from sweepstake.client.attempt.process import PROCESS
from sweepstake.client.attempt.reporting import came_late, report_ends, report_patience, with_notes
from sweepstake.client.session import Session
from sweepstake.domain.drafts import Finish
from sweepstake.domain.records import Claims, Finished
from sweepstake.domain.status import JobStatus, Outcome
from sweepstake.errors import SweepstakeError

__all__ = ["Ends"]

#: Seconds that an end waits at most for others to be reported with it.
_WAIT: Final = 1.0
#: Seconds between two looks whether one has waited so long; to wake a thread for each call would cost more than a job.
_LOOK: Final = 0.25

_logger = logging.getLogger(__name__)


@define(eq=False)
class Ends:
    """What ended in a loop that claims several jobs at once; the leases are renewed until it is reported.

    Args:
        session: the connection.
        reference: of the experiment.
        at_once: how many jobs are claimed together.
    """

    _session: Session
    _reference: str
    _at_once: int
    _waiting: list[tuple[Held, Finish]] = field(factory=list)
    _mutex: threading.RLock = field(factory=threading.RLock)
    _since: float = 0.0  # when the first of those that wait ended, on the monotonic clock
    _looker: threading.Thread | None = None
    _over: threading.Event = field(factory=threading.Event)
    _pid: int = field(factory=lambda: PROCESS.pid)

    def add(self, held: Held, report: Finish) -> None:
        """Take the end of a job, which is held no more by its object."""
        held.key = held.lease = None
        held.take(evolve(held.record, status=JobStatus[report.outcome.name], results=report.results))
        with self._mutex:
            if not self._waiting:
                self._since = time.monotonic()
            self._waiting.append((held, report))
            if self._looker is None:
                self._looker = threading.Thread(target=self._look, name="sweepstake-ends", daemon=True)
                self._looker.start()

    def report(self, *, claim: bool) -> Claims | None:
        """Report what waits, and claim the next jobs in the same call; None if nothing waits or nothing was claimed.

        What cannot be reported is in the spool, or told in the log.
        """
        if PROCESS.pid != self._pid:
            return None  # what the parent holds the parent reports
        with self._mutex:
            waiting, self._waiting = self._waiting, []
            if not waiting:
                return None
            try:
                ends = [(held.record, report) for held, report in waiting]
                told = report_ends(
                    self._session,
                    self._reference,
                    ends,
                    patience=report_patience,
                    at_once=self._at_once if claim else 0,
                )
                for (held, report), end in zip(waiting, told.ends, strict=True):
                    _take(held, report, end)
                return told.next
            finally:
                for _, report in waiting:
                    self._session.heartbeat.remove(report.attempt)

    def close(self) -> None:
        """Report what waits; nothing is added any more."""
        self._over.set()
        self.report(claim=False)

    def _look(self) -> None:
        """Report again and again what has waited long enough, while the next job runs."""
        while not self._over.wait(_LOOK):
            if self._waiting and time.monotonic() - self._since > _WAIT - _LOOK:
                self._report_late()

    def _report_late(self) -> None:
        try:
            self.report(claim=False)
        except SweepstakeError as error:
            _logger.warning("Ends of jobs could not be reported: %s", error)
        except Exception:  # the thread has others to report
            _logger.exception("Ends of jobs could not be reported.")


def _take(held: Held, report: Finish, end: Finished | SweepstakeError | None) -> None:
    """Take what became of a report."""
    if isinstance(end, SweepstakeError):
        _logger.warning("The end of job %s was not recorded: %s", held.record.id, with_notes(end))
    elif end is not None:
        held.take(end.job)
        if not end.recorded and Outcome.PRUNED not in (end.ended, report.outcome):
            _logger.warning("%s; going on.", came_late(end))
