"""The worker behind `sweepstake run` and `worker`: job after job, several side by side, until it has to stop.

It is long because all that its one lock guards stands in it.
"""

from __future__ import annotations

import logging
import math
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Final

from attrs import field, frozen

from sweepstake.client import Experiment, Session
from sweepstake.client.attempt.process import PROCESS
from sweepstake.client.attempt.reporting import Told, report_end
from sweepstake.client.waiting import no_job
from sweepstake.domain.drafts import Finish
from sweepstake.domain.lengths import MAX_AT_ONCE
from sweepstake.domain.query.queries import JobQuery
from sweepstake.domain.records import Claim, Claims, Finished, NoJob
from sweepstake.domain.status import JobStatus, NoJobReason, Outcome
from sweepstake.errors import ConfigurationError, NotFoundError, StoreUnavailableError, SweepstakeError
from sweepstake.plaintext import counted
from sweepstake.queue.retrying import FINAL_PATIENCE, PATIENCE, TERM_PATIENCE
from sweepstake.worker.attempt import Attempt, Plan
from sweepstake.worker.breaker import Breaker
from sweepstake.worker.duty import Duty, Opening
from sweepstake.worker.heartbeat_process import HeartbeatProcess
from sweepstake.worker.process import no_room
from sweepstake.worker.reports.gathering import Gathering
from sweepstake.worker.reports.reporting import End, Wanted, report_alone, report_together
from sweepstake.worker.reports.tally import Tally, first_line
from sweepstake.worker.round_robin import RoundRobin
from sweepstake.worker.stopping import Signals, Stop, heeded_signals, meaning, next_step

__all__ = ["Options", "Summary", "Worker"]

_logger = logging.getLogger(__name__)

#: Seconds between two looks for other experiments.
_BETWEEN_DISCOVERIES: Final = 5.0
#: Reasons for having no job that are the usual end of the work.
_DONE: Final = {NoJobReason.EMPTY, NoJobReason.EXHAUSTED}


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
        crashes: how many jobs in a row that crash quickly stop it; 0 for any.
        quickly: seconds within which a crash is quick.
    """

    idle: float | None = 0.0
    max_jobs: int | None = None
    stop_on_crash: bool = False
    drain: float = 0.0
    crashes: int = 0
    quickly: float = 10.0


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


class Worker:
    """Runs a command for each job of some experiments, which take turns: see `RoundRobin`.

    One thread claims, one for each job waits for its command and reports its end, and the one that calls `run` listens
    to signals. Whoever reports claims the next jobs in the same call, if nobody else claims.

    Args:
        session: of a connection.
        experiments: where the jobs come from; all of that connection.
        duty: which jobs it takes, and what is run for them.
        plan: how that is run.
        options: how many jobs, and when it is enough.
        heartbeats: keeps the leases.
        tell: takes a line for people whenever something happens.
        discover: returns experiments that jobs come from as well, which may be others each time.
    """

    def __init__(
        self,
        session: Session,
        experiments: Sequence[Experiment],
        duty: Duty,
        plan: Plan,
        options: Options,
        heartbeats: HeartbeatProcess,
        tell: Callable[[str], None],
        discover: Callable[[], Iterable[Experiment]] | None = None,
    ) -> None:
        self._experiments = {experiment.reference: experiment for experiment in experiments}
        self._tally = Tally(tell)
        self._tally.name(experiments)
        self._session = session
        self._discover = discover
        self._duty = duty
        self._plan = plan
        self._options = options
        self._heartbeats = heartbeats
        self._tell = tell
        self._rounds = RoundRobin(self._experiments, time.monotonic(), random.random)
        self._breaker = Breaker(options.crashes, options.quickly)
        self._wake = threading.Condition()
        self._step = Stop.NO
        self._stopping = threading.Event()
        self._enough = False
        self._begun = 0
        self._running: set[Attempt] = set()
        #: Whether a thread claims; only one does at a time, as what is offered is offered once.
        self._claiming = False
        #: How many have ended and are not reported yet: whoever does that claims as well.
        self._ended = 0
        self._ends = Gathering[End](MAX_AT_ONCE)
        self._tripped = ""
        self._reasons: dict[str, NoJobReason] = {}
        self._failure: BaseException | None = None

    def run(self) -> Summary:
        """Run jobs until there is none, it is enough, or signals tell to stop; call it in the main thread.

        The first signal lets running jobs go on for `Options.drain` seconds; after that, or with the second, the
        commands are ended and their jobs given back; a third one kills the commands at once.
        """
        self._heartbeats.wait()
        with heeded_signals() as signals:
            threading.Thread(target=self._take_jobs, args=(signals,), name="sweepstake-claims", daemon=True).start()
            stopped_by = self._heed(signals)
        return Summary(
            outcomes=self._tally.outcomes,
            step=self._step,
            stopped_by=stopped_by,
            tripped=self._tripped,
            failure=self._failure,
        )

    def _heed(self, signals: Signals) -> signal.Signals | None:
        """Do what signals say until the last job has ended; return the last signal."""
        last: signal.Signals | None = None
        drained = math.inf
        while True:
            try:
                number = signals.next(drained)
            except TimeoutError:
                drained = math.inf
                self._stop(Stop.END, f"{self._options.drain:g} s are over")
                continue
            if number is None:
                return last
            last = number
            step = next_step(self._step, drains=self._options.drain > 0)
            drained = time.monotonic() + self._options.drain if step is Stop.DRAIN else math.inf
            self._stop(step, number.name)

    def _stop(self, step: Stop, why: str) -> None:
        with self._wake:
            self._step = step
            running = list(self._running)
            self._wake.notify_all()
        self._stopping.set()
        self._tell(f"{why}: {meaning(step, len(running), drain=self._options.drain, grace=self._plan.grace)}")
        for attempt in running:
            if step is Stop.KILL:
                attempt.kill()
            elif step is Stop.END:
                attempt.stop()

    def _take_jobs(self, signals: Signals) -> None:
        """Claim jobs as long as it makes sense, and wait for the last of them to end."""
        try:
            if self._discover is not None:
                self._find_others(self._discover)
                threading.Thread(
                    target=self._go_on_finding, args=(self._discover,), name="sweepstake-discovery", daemon=True
                ).start()
            while (experiment := self._next_turn()) is not None:
                self._look(experiment)
        except Exception as error:  # the thread ends here; `run` reports the error
            _logger.debug("Claiming failed.", exc_info=True)
            self._fail(error)
        with self._wake:
            self._wake.wait_for(lambda: not self._running and not self._claiming)
        signals.end()

    def _go_on_finding(self, discover: Callable[[], Iterable[Experiment]]) -> None:
        """Look for other experiments again and again."""
        while not self._stopping.wait(_BETWEEN_DISCOVERIES):
            try:
                self._find_others(discover)
            except SweepstakeError:  # the store is away, which those who claim tell
                _logger.debug("Looking for other experiments failed.", exc_info=True)

    def _find_others(self, discover: Callable[[], Iterable[Experiment]]) -> None:
        found = {each.reference: each for each in discover()}
        with self._wake:
            for name in found.keys() - self._experiments.keys():
                self._rounds.add(name, time.monotonic())
            self._experiments |= found
            self._tally.name(self._experiments.values())
            self._wake.notify_all()

    def _next_turn(self) -> Experiment | None:
        """Wait until another job may begin, and return the experiment to ask for one; None when it is enough.

        Nobody else claims until `_look` has.
        """
        with self._wake:
            while not self._is_enough():
                now = time.monotonic()
                if self._claiming or self._ended or not self._duty.has_room():
                    pause = math.inf
                elif not self._breaker.allows(now):
                    pause = self._breaker.pause(now)
                elif (name := self._rounds.turn(now)) is not None:
                    self._claiming = True
                    return self._experiments[name]
                else:
                    waits = bool(self._running) or self._options.idle is None
                    left = math.inf if waits else self._rounds.left(self._options.idle or 0.0, now)
                    if left <= 0:
                        return None
                    pause = min(left, self._rounds.pause(now))
                self._wake.wait(None if pause == math.inf else pause)
        return None

    def _is_enough(self) -> bool:
        limit = self._options.max_jobs
        if self._options.stop_on_crash and self._tally.outcomes[Outcome.CRASHED]:
            return True
        return self._enough or self._step is not Stop.NO or (limit is not None and self._begun >= limit)

    def _look(self, experiment: Experiment) -> None:
        """Ask an experiment for jobs, and begin them."""
        name = experiment.reference
        try:
            with self._duty.open(experiment) as opening:
                if opening is None:
                    self._pass_over(name)
                    return
                self._take(experiment, self._claim(name, opening), opening)
        except NotFoundError as error:
            with self._wake:
                others = self._rounds.remove(name)
            if not others:
                raise
            self._tell(f"{error}; going on without it")
            return
        except StoreUnavailableError:
            if not self._is_enough():
                raise
        finally:
            self._let_claim()

    def _claim(self, name: str, opening: Opening) -> Claims:
        """Take as many jobs as there is room for and may begin, at least one; or say why there is none."""
        with self._wake:
            at_once = self._at_once(opening)
        queue, patience = self._session.queue, self._patience_to_claim
        if at_once == 1:
            answer = queue.claim(name, PROCESS.worker, offer=opening.offer, patience=patience)
            return Claims(reason=answer.reason) if isinstance(answer, NoJob) else Claims(claims=(answer,))
        return queue.claim_jobs(name, PROCESS.worker, at_once, offer=opening.offer, patience=patience)

    def _at_once(self, opening: Opening) -> int:
        """Return how many jobs to ask for."""
        left = math.inf if self._options.max_jobs is None else self._options.max_jobs - self._begun
        return int(max(min(opening.at_once, left, self._breaker.room(time.monotonic()), MAX_AT_ONCE), 1))

    def _take(self, experiment: Experiment, found: Claims, opening: Opening) -> None:
        """Begin what was claimed, or let an experiment rest that has nothing."""
        if not found.claims:
            self._rest(experiment.reference, found.reason or NoJobReason.EMPTY)
        for claim in found.claims:
            self._begin(experiment, claim, opening)

    def _let_claim(self) -> None:
        """Let others claim again."""
        with self._wake:
            self._claiming = False
            self._wake.notify_all()

    def _rest(self, name: str, reason: NoJobReason) -> None:
        """Let an experiment without a job rest, and say why it has none if that is not because all is done."""
        with self._wake:
            busy = bool(self._running)
        stuck = not busy and reason is NoJobReason.BLOCKED and self._options.idle is not None
        if stuck:
            running = JobQuery(status=frozenset({JobStatus.RUNNING}))
            stuck = not self._session.queue.list_jobs(name, running, limit=1).items
        with self._wake:
            self._rounds.had_none(name, reason, time.monotonic(), stuck=stuck)
        if not busy and reason not in _DONE and self._reasons.get(name) is not reason:
            self._reasons[name] = reason
            self._tell(str(no_job(name, reason)))

    def _begin(self, experiment: Experiment, claim: Claim, opening: Opening) -> None:
        try:
            assigned = opening.assign(experiment, claim, self._session.called(claim.job))
        except (ConfigurationError, NotFoundError) as error:
            self._give_back(experiment, claim, error)
            return
        attempt = Attempt(claim, assigned, self._plan, self._heartbeats, self._session.places, self._stopping)
        with self._wake:
            late = self._is_enough()
            if not late:
                now = time.monotonic()
                self._begun += 1
                self._running.add(attempt)
                self._rounds.had(experiment.reference, now)
                self._breaker.begin(claim.key, (experiment.reference, claim.job.id), now)
        if late:
            assigned.end()
            self._hand_back(claim, "the worker was to stop")
            return
        self._heartbeats.hold(claim.key, claim.lease, None)
        self._tell(f"{self._tally.title(claim)}: attempt {claim.job.attempt} begins")
        try:
            threading.Thread(
                target=self._work,
                args=(attempt, experiment, opening.offer is not None),
                name="sweepstake-job",
                daemon=True,
            ).start()
        except RuntimeError as error:  # the machine has no room for another thread
            _logger.debug("A thread could not be started.", exc_info=True)
            self._fail(no_room(error))
            self._work(attempt, experiment, offered=False)

    def _give_back(self, experiment: Experiment, claim: Claim, error: Exception) -> None:
        """Give a job back that cannot be run on this machine, and let its experiment rest."""
        self._tell(f"{self._tally.title(claim)}: it cannot be run on this machine: {error}")
        self._hand_back(claim, f"its worker could not run it: {error}")
        self._pass_over(experiment.reference)

    def _hand_back(self, claim: Claim, reason: str) -> None:
        """Give a job back that did not begin."""
        report = Finish(attempt=claim.key, outcome=Outcome.RELEASED, reason=reason)
        try:
            end = report_end(self._session, claim.job, report, patience=self._patience_to_finish)
        except SweepstakeError as error:
            if self._tally.refused(claim, error):
                raise
        else:
            if end is None:
                self._tally.spooled(claim, report)

    def _pass_over(self, name: str) -> None:
        """Let an experiment rest whose jobs this machine cannot run now."""
        with self._wake:
            self._rounds.had_none(name, NoJobReason.UNMET, time.monotonic())

    def _work(self, attempt: Attempt, experiment: Experiment, offered: bool) -> None:
        """Run a job's command, and report its end together with what ends meanwhile.

        Args:
            attempt: the job, and what is run for it.
            experiment: whose it is.
            offered: whether it was claimed for an offer, so that the store knows calls of several jobs.
        """
        started = time.monotonic()
        report = self._run_command(attempt)
        with self._wake:
            self._ended += 1
        attempt.assigned.end()
        end = End(attempt=attempt, report=report, seconds=time.monotonic() - started)
        if not offered:
            self._report(experiment, [end], together=False)
            return
        for ends in self._ends.turns(experiment.reference, end):
            self._report(experiment, ends, together=True)

    def _report(self, experiment: Experiment, ends: Sequence[End], *, together: bool) -> None:
        """Report how jobs ended, which others may have decided otherwise, and begin what is claimed with that."""
        name, given_back = experiment.reference, False
        try:
            with self._opened_again(experiment, ends) as opening:
                try:
                    told = self._send(name, ends, opening, together=together)
                    given_back = any(
                        isinstance(each, Finished) and each.ended is Outcome.RELEASED for each in told.ends
                    )
                    self._take_ends(ends, told.ends)
                finally:
                    self._forget(name, ends, given_back=given_back)
                if opening is not None and told.next is not None:
                    self._take(experiment, told.next, opening)
        except Exception as error:  # the thread ends here; `run` reports the error
            _logger.debug("Reporting failed.", exc_info=True)
            self._fail(error)

    @contextmanager
    def _opened_again(self, experiment: Experiment, ends: Sequence[End]) -> Iterator[Opening | None]:
        """Offer what those that ended had, with their reports; None if it is not the time for it, or another claims."""
        if not self._may_claim(experiment.reference, ends):
            yield None
            return
        try:
            with ExitStack() as stack:
                opening = None
                with suppress(SweepstakeError, OSError):  # who claims without a report will tell
                    opening = stack.enter_context(self._duty.open(experiment))
                yield opening
        finally:
            self._let_claim()

    def _may_claim(self, name: str, ends: Sequence[End]) -> bool:
        """Tell whether jobs are claimed with these reports; then nobody else claims until `_let_claim`."""
        outcomes = {end.report.outcome for end in ends}
        if Outcome.RELEASED in outcomes or (self._options.stop_on_crash and Outcome.CRASHED in outcomes):
            return False
        with self._wake:
            now = time.monotonic()
            if self._claiming or self._is_enough() or not (self._breaker.allows(now) and self._duty.has_room()):
                return False
            self._claiming = self._rounds.takes(name, now)
            return self._claiming

    def _send(self, name: str, ends: Sequence[End], opening: Opening | None, *, together: bool) -> Told:
        wanted = None
        if opening is not None:
            with self._wake:
                wanted = Wanted(at_once=self._at_once(opening), offer=opening.offer)
        if not together:
            return report_alone(self._session, ends[0], wanted, patience=self._patience_to_finish)
        return report_together(
            self._session,
            name,
            ends,
            wanted,
            patience=self._patience_to_finish,
            away=lambda: self._ends.go_on(name),
        )

    def _take_ends(self, ends: Sequence[End], told: Sequence[Finished | SweepstakeError | None]) -> None:
        """Count what ended, and tell of it."""
        failure: SweepstakeError | None = None
        for end, finished in zip(ends, told, strict=True):
            if isinstance(finished, SweepstakeError):
                if self._tally.refused(end.claim, finished):
                    failure = failure or finished
            elif finished is None:
                self._tally.spooled(end.claim, end.report)
            else:
                self._tally.recorded(end, finished)
        if failure is not None:
            raise failure

    def _forget(self, name: str, ends: Sequence[End], *, given_back: bool) -> None:
        """Note that jobs of an experiment are over."""
        for end in ends:
            self._heartbeats.drop(end.claim.key)
        with self._wake:
            self._running.difference_update(end.attempt for end in ends)
            self._ended -= len(ends)
            self._rounds.ended(name, time.monotonic(), given_back=given_back)
            self._wake.notify_all()

    def _run_command(self, attempt: Attempt) -> Finish:
        key = attempt.claim.key
        try:
            report = attempt.run()
        except Exception as error:  # a fault of this machine, such as a full disk: not the job's
            _logger.debug("Running failed.", exc_info=True)
            self._fail(error)
            report = Finish(attempt=key, outcome=Outcome.RELEASED, reason=f"its worker could not run it: {error}")
        with self._wake:
            tripped = self._breaker.tripped
            self._breaker.end(key, report.outcome, time.monotonic(), timed_out=attempt.timed_out)
            if not self._breaker.tripped or tripped:
                return report
            self._enough = True
            self._tripped = (
                f"{counted(self._options.crashes, 'job')} in a row crashed within {self._options.quickly:g} s each, "
                f"the last with: {first_line(report.reason)}"
            )
        self._tell(f"taking no more jobs: {self._tripped}")
        return report

    def _fail(self, error: Exception) -> None:
        """Begin nothing more; the first error is what `run` reports."""
        with self._wake:
            first = self._failure is None
            self._failure = self._failure or error
            self._enough = True
            self._wake.notify_all()
        if first:
            self._tell(f"taking no more jobs: {error}")

    def _patience_to_claim(self) -> float:
        if self._is_enough():
            return 0.0
        return math.inf if self._options.idle is None else PATIENCE

    def _patience_to_finish(self) -> float:
        return FINAL_PATIENCE if self._step is Stop.NO else TERM_PATIENCE  # it is in the spool as well
