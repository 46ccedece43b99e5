"""What a worker may begin next: one lock by which its threads agree; it asks no store."""

from __future__ import annotations

import math
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from attrs import field, frozen

from sweepstake.domain.lengths import MAX_AT_ONCE
from sweepstake.domain.status import NoJobReason, Outcome
from sweepstake.plaintext import counted
from sweepstake.worker.allocation.deadline import Deadline
from sweepstake.worker.attempt import Attempt
from sweepstake.worker.duty import Duty
from sweepstake.worker.pacing.breaker import Breaker
from sweepstake.worker.pacing.round_robin import RoundRobin
from sweepstake.worker.stopping import Stop

__all__ = ["Agenda", "Options", "Summary"]


@frozen(kw_only=True)
class Options:
    """What a worker does beyond running commands.

    Attributes:
        idle: seconds to wait for another job when there is none; jobs that are only delayed, blocked behind others or
            held up by a limit are always waited for, except for blocked ones of an experiment in which nothing runs.
            None to wait until told to stop, also for a store that is away.
        max_jobs: begin no more than so many jobs; None for no limit.
        stop_on_crash: begin no other job after one that crashed.
        drain: seconds for which running jobs may go on after the first signal to stop; 0 to end them at once.
        crashes: how many quick crashes in a row stop it; 0: it goes on however many there are.
        quickly: seconds within which a crash is quick.
        deadline: of the allocation that the worker runs in, if it is one.
    """

    idle: float | None = 0.0
    max_jobs: int | None = None
    stop_on_crash: bool = False
    drain: float = 0.0
    crashes: int = 0
    quickly: float = 10.0
    deadline: Deadline | None = None


@frozen(kw_only=True)
class Summary:
    """What a worker did.

    Attributes:
        outcomes: how many attempts ended in which way.
        step: how urgently it was told to stop.
        stopped_by: the last signal that told it, or None.
        tripped: why the machine seems unfit, if too many jobs in a row crashed quickly; else empty.
        failure: the error of ours that ended it, or None.
    """

    outcomes: Counter[Outcome] = field(factory=Counter)
    step: Stop = Stop.NO
    stopped_by: signal.Signals | None = None
    tripped: str = ""
    failure: BaseException | None = None


class Agenda:
    """Which jobs run, whose turn it is to be asked for more, and whether that is still wanted.

    Only one thread claims at a time, as what is offered is offered once: the one that `next_turn` returned to, or one
    to which `may_claim` said so, until `let_claim`.

    Args:
        names: the references of the experiments.
        duty: which jobs there is room for.
        options: how many jobs, and when it is enough.
        outcomes: how many attempts ended in which way; others count there.

    Attributes:
        stopping: is set when a signal tells the worker to stop.
    """

    def __init__(self, names: Iterable[str], duty: Duty, options: Options, outcomes: Counter[Outcome]) -> None:
        self.stopping = threading.Event()
        self._duty = duty
        self._options = options
        self._outcomes = outcomes
        self._rounds = RoundRobin(names, time.monotonic(), random.random)
        self._breaker = Breaker(options.crashes, options.quickly)
        self._wake = threading.Condition()
        self._claiming = False
        self._running: set[Attempt] = set()
        #: Those of which the command has ended, and which are not reported yet: whoever reports claims as well.
        self._ended: set[Attempt] = set()
        self._begun = 0
        self._enough = False
        self._step = Stop.NO
        self._tripped = ""
        self._failure: BaseException | None = None

    # When it is enough

    def is_enough(self) -> bool:
        """Tell whether nothing more is to begin."""
        limit = self._options.max_jobs
        if self._options.stop_on_crash and self._outcomes[Outcome.CRASHED]:
            return True
        if self._enough or self._step is not Stop.NO or (limit is not None and self._begun >= limit):
            return True
        return self._duty.is_over()

    @property
    def step(self) -> Stop:
        """How urgently the worker was told to stop."""
        return self._step

    def stop(self, step: Stop) -> Sequence[Attempt]:
        """Begin nothing more; return what runs."""
        with self._wake:
            self._step = step
            self._wake.notify_all()
            running = list(self._running)
        self.stopping.set()
        return running

    def fail(self, error: Exception) -> bool:
        """Begin nothing more, because of an error; tell whether it is the first."""
        with self._wake:
            first = self._failure is None
            self._failure = self._failure or error
            self._enough = True
            self._wake.notify_all()
        return first

    def wait_for_the_last(self) -> None:
        """Wait until nothing runs, and nobody may begin something."""
        with self._wake:
            self._wake.wait_for(lambda: not self._running and not self._claiming)

    def summary(self, stopped_by: signal.Signals | None) -> Summary:
        """Return what was done, and why no more."""
        return Summary(
            outcomes=self._outcomes,
            step=self._step,
            stopped_by=stopped_by,
            tripped=self._tripped,
            failure=self._failure,
        )

    # Who is asked for jobs

    def add(self, names: Iterable[str]) -> None:
        """Let experiments take turns as well."""
        with self._wake:
            for name in names:
                self._rounds.add(name, time.monotonic())
            self._wake.notify_all()

    def remove(self, name: str) -> bool:
        """Leave an experiment out; tell whether others are left."""
        with self._wake:
            return self._rounds.remove(name)

    def had_none(self, name: str, reason: NoJobReason, *, stuck: bool = False) -> None:
        """Let an experiment rest that has no job for us; see `RoundRobin.had_none`."""
        with self._wake:
            self._rounds.had_none(name, reason, time.monotonic(), stuck=stuck)

    def next_turn(self) -> str | None:
        """Wait until another job may begin, and return which experiment to ask for one; None when it is enough."""
        with self._wake:
            while not self.is_enough():
                now = time.monotonic()
                if self._claiming or self._ended or not self._duty.has_room():
                    pause = math.inf
                elif not self._breaker.allows(now):
                    pause = self._breaker.pause(now)
                elif (name := self._rounds.turn(now)) is not None:
                    self._claiming = True
                    return name
                else:
                    waits = bool(self._running) or self._options.idle is None
                    left = math.inf if waits else self._rounds.left(self._options.idle or 0.0, now)
                    if left <= 0:
                        return None
                    pause = min(left, self._rounds.pause(now))
                self._wake.wait(None if pause == math.inf else pause)
        return None

    def may_claim(self, name: str, outcomes: Collection[Outcome]) -> bool:
        """Tell whether jobs of an experiment are claimed in the call that reports such ends of others of it."""
        if Outcome.RELEASED in outcomes or (self._options.stop_on_crash and Outcome.CRASHED in outcomes):
            return False
        with self._wake:
            now = time.monotonic()
            if self._claiming or self.is_enough() or not (self._breaker.allows(now) and self._duty.has_room()):
                return False
            self._rounds.hurry(name, now)  # an end lets others begin, however long there was no job before
            self._claiming = self._rounds.takes(name, now)
            return self._claiming

    def let_claim(self) -> None:
        """Let others claim again."""
        with self._wake:
            self._claiming = False
            self._wake.notify_all()

    def at_once(self, most: int) -> int:
        """Return for how many jobs to ask where there is room for so many: for one at least, unless there is none."""
        with self._wake:
            left = math.inf if self._options.max_jobs is None else self._options.max_jobs - self._begun
            return min(most, int(max(min(left, self._breaker.room(time.monotonic()), MAX_AT_ONCE), 1)))

    # What runs

    def is_busy(self) -> bool:
        """Tell whether something runs."""
        with self._wake:
            return bool(self._running)

    def running(self, keys: Collection[str]) -> Sequence[Attempt]:
        """Return those of the attempts with these keys that have not been reported."""
        with self._wake:
            return [attempt for attempt in self._running if attempt.claim.key in keys]

    def begin(self, attempt: Attempt, name: str) -> bool:
        """Note that an attempt at a job of an experiment begins, unless it is enough; tell whether it may."""
        job = attempt.claim.job
        with self._wake:
            if self.is_enough():
                return False
            now = time.monotonic()
            self._begun += 1
            self._running.add(attempt)
            self._rounds.had(name, now)
            # Jobs that wait for each other are one to the breaker, which would else never let the last begin.
            self._breaker.begin(attempt.claim.key, (name, job.gang or job.id), now)
            return True

    def ended(self, attempt: Attempt, outcome: Outcome, why: str) -> str:
        """Note that a command has ended, which is to be reported; return why it is enough, if it is by that.

        Args:
            attempt: whose it was.
            outcome: what will be reported.
            why: a line with the reason.
        """
        with self._wake:
            self._ended.add(attempt)
            tripped = self._breaker.tripped
            ended = Outcome.LEASE_LOST if attempt.lost else outcome  # which says nothing of this machine
            self._breaker.end(attempt.claim.key, ended, time.monotonic(), timed_out=attempt.timed_out)
            if tripped or not self._breaker.tripped:
                return ""
            self._enough = True
            self._tripped = (
                f"{counted(self._options.crashes, 'job')} in a row crashed within {self._options.quickly:g} s each, "
                f"the last with: {why}"
            )
            return self._tripped

    def over(self, name: str, attempts: Collection[Attempt], *, given_back: bool) -> None:
        """Note that jobs of an experiment are done with: their ends were reported, or never will be.

        Args:
            name: of the experiment.
            attempts: at the jobs.
            given_back: whether one of them is queued again, so that it might be claimed again at once.
        """
        with self._wake:
            now = time.monotonic()
            self._running.difference_update(attempts)
            self._ended.difference_update(attempts)
            self._rounds.ended(name, now, given_back=given_back)
            if (next_up := self._duty.next_up()) is not None:
                self._rounds.hurry(next_up, now)
            self._wake.notify_all()
