"""The worker behind `sweepstake run`: job after job, several side by side, until it has to stop."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType
from typing import Final

from attrs import field, frozen

from sweepstake.client import Experiment, Job
from sweepstake.client.reporting import report_end
from sweepstake.domain.records import Claim, Finish, Finished
from sweepstake.domain.status import NoJobReason, Outcome
from sweepstake.errors import NotFoundError, SweepstakeError
from sweepstake.retrying import FINAL_PATIENCE, TERM_PATIENCE
from sweepstake.worker.attempt import Attempt, Plan
from sweepstake.worker.pulse import Pulse

__all__ = ["Options", "Summary", "Worker"]

#: Seconds between two looks for a job, growing from the first to the last.
_PAUSES: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
#: Reasons for having no job that pass without anybody adding one.
_PASSING: Final = {NoJobReason.BLOCKED, NoJobReason.DELAYED, NoJobReason.AT_LIMIT, NoJobReason.WAITING}

_STOP: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_logger = logging.getLogger(__name__)


@frozen(kw_only=True)
class Options:
    """What a worker does beyond running commands.

    Attributes:
        once: run one job only.
        ignore_errors: go on with the next job after one that crashed.
        workers: how many jobs run side by side.
        wait: seconds to wait for another job when there is none; jobs that are only delayed, blocked behind others or
            held up by a limit are always waited for.
    """

    once: bool = False
    ignore_errors: bool = False
    workers: int = 1
    wait: float = 0.0


@frozen(kw_only=True)
class Summary:
    """What a worker did.

    Attributes:
        outcomes: how many attempts ended in which way.
        stopped_by: the signal that ended it, or None.
        failure: the error of ours that ended it, or None.
    """

    outcomes: Counter[Outcome] = field(factory=Counter)
    stopped_by: signal.Signals | None = None
    failure: BaseException | None = None


class _LaneEnded:
    """Said by a lane when it takes no more jobs."""


class Worker:
    """Runs a command for each job of an experiment.

    Args:
        experiment: where the jobs come from.
        plan: how commands are run.
        options: how many jobs, and what a crash means.
        pulse: keeps the leases.
        tell: takes a line for people whenever a job begins or ends.
    """

    def __init__(
        self, experiment: Experiment, plan: Plan, options: Options, pulse: Pulse, tell: Callable[[str], None]
    ) -> None:
        self._experiment = experiment
        self._session = experiment.session
        self._plan = plan
        self._options = options
        self._pulse = pulse
        self._tell = tell
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._told_to_stop = False
        self._running: set[Attempt] = set()
        self._outcomes: Counter[Outcome] = Counter()
        self._failure: BaseException | None = None
        self._events: SimpleQueue[_LaneEnded | signal.Signals] = SimpleQueue()

    def run(self) -> Summary:
        """Run jobs until there is none, one crashes, or a signal to stop arrives; call it in the main thread.

        The first signal ends the commands and gives their jobs back; a second one kills the commands at once.
        """
        stopped_by: signal.Signals | None = None
        self._pulse.wait()
        with _signals_go_to(self._events):
            lanes = 1 if self._options.once else self._options.workers
            for number in range(lanes):
                threading.Thread(target=self._lane, name=f"sweepstake-lane-{number}", daemon=True).start()
            while lanes:
                event = self._events.get()
                if isinstance(event, _LaneEnded):
                    lanes -= 1
                else:
                    self._stop(kill=stopped_by is not None)
                    stopped_by = event
        return Summary(outcomes=self._outcomes, stopped_by=stopped_by, failure=self._failure)

    def _stop(self, *, kill: bool) -> None:
        with self._lock:
            self._told_to_stop = True
            running = list(self._running)
        self._stopping.set()
        for attempt in running:
            if kill:
                attempt.kill()
            else:
                attempt.stop()

    def _lane(self) -> None:
        try:
            released = 0
            while not self._stopping.is_set():
                claim = self._claim()
                if claim is None:
                    return
                outcome = self._attempt(claim)
                if self._options.once or (outcome is Outcome.CRASHED and not self._options.ignore_errors):
                    self._stopping.set()
                released = released + 1 if outcome is Outcome.RELEASED else 0
                if released:  # a command that gives its job back at once would be given it again at once
                    self._stopping.wait(_PAUSES[min(released, len(_PAUSES) - 1)])
        except Exception as error:  # the thread ends here; `run` reports the error
            _logger.debug("A lane failed.", exc_info=True)
            with self._lock:
                self._failure = self._failure or error
            self._stopping.set()
        finally:
            self._events.put(_LaneEnded())

    def _claim(self) -> Claim | None:
        """Claim a job; None when there is none to wait for."""
        looks = 0
        until = time.monotonic() + self._options.wait
        while not self._stopping.is_set():
            answer = self._session.queue.claim(self._experiment.name, self._session.worker())
            if isinstance(answer, Claim):
                return answer
            left = until - time.monotonic()
            pause = _PAUSES[min(looks, len(_PAUSES) - 1)]
            if answer.reason not in _PASSING:
                if left <= 0 or answer.reason is NoJobReason.FINISHED:
                    return None
                pause = min(pause, left)
            self._stopping.wait(pause)
            looks += 1
        return None

    def _attempt(self, claim: Claim) -> Outcome:
        """Run a job's command and return how the attempt ended in the end, which others may have decided."""
        job = Job(self._session, self._experiment, claim.job)
        attempt = Attempt(claim, self._plan, self._pulse, job.checkpoint_dir)
        with self._lock:
            self._running.add(attempt)
            stopping = self._told_to_stop
        if stopping:
            attempt.stop()
        self._tell(f"job {claim.job.id}: attempt {claim.job.attempt} begins")
        started = time.monotonic()
        try:
            report = attempt.run()
        except BaseException:
            self._finish(claim, Finish(attempt=claim.key, outcome=Outcome.RELEASED, reason="the worker failed"))
            raise
        finally:
            with self._lock:
                self._running.discard(attempt)
        finished = self._finish(claim, report)
        if finished is None:
            return Outcome.SUPERSEDED
        self._count(claim, report, finished, time.monotonic() - started)
        return finished.ended

    def _finish(self, claim: Claim, report: Finish) -> Finished | None:
        try:
            finished = report_end(self._session, claim.job, report, patience=self._patience)
        except NotFoundError:
            self._tell(f"job {claim.job.id}: it was deleted while it ran")
            return None
        except SweepstakeError as error:
            self._tell(f"job {claim.job.id}: its end could not be recorded: {error}")
            raise
        if finished is None:
            self._tell(f"job {claim.job.id}: {report.outcome.value}; it waits in the spool until the store answers")
        return finished

    def _count(self, claim: Claim, report: Finish, finished: Finished, seconds: float) -> None:
        with self._lock:
            self._outcomes[finished.ended] += 1
        line = f"job {claim.job.id}: {finished.ended.value} after {seconds:.1f} s"
        if finished.ended is Outcome.CRASHED:
            line += f": {report.reason.partition(chr(10))[0]}"
        if not finished.recorded and finished.ended is not Outcome.PRUNED:
            line += " (it was no longer this worker's; its results were kept as late results)"
        self._tell(line)

    def _patience(self) -> float:
        return TERM_PATIENCE if self._told_to_stop else FINAL_PATIENCE


@contextmanager
def _signals_go_to(events: SimpleQueue[_LaneEnded | signal.Signals]) -> Iterator[None]:
    """Put SIGINT, SIGTERM and SIGHUP into the queue instead of acting on them, unless they are ignored (`nohup`).

    `SimpleQueue.put` is safe in a handler, which may run in the middle of anything.
    """

    def put(number: int, frame: FrameType | None) -> None:
        del frame
        events.put(signal.Signals(number))

    heeded = [number for number in _STOP if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, put) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
