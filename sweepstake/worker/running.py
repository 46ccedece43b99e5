"""The worker behind `sweepstake run` and `worker`: job after job, several side by side, until it has to stop."""

from __future__ import annotations

import logging
import math
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Final

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
from sweepstake.queue.call import no_patience
from sweepstake.queue.retrying import FINAL_PATIENCE, PATIENCE, TERM_PATIENCE
from sweepstake.worker.allocation.deadline import MARGIN, Deadline
from sweepstake.worker.attempt import Attempt, Plan
from sweepstake.worker.duty import Duty, Opening
from sweepstake.worker.heartbeat_process import HeartbeatProcess
from sweepstake.worker.pacing.agenda import Agenda, Options, Summary
from sweepstake.worker.process import no_room
from sweepstake.worker.reports.batches import Batches
from sweepstake.worker.reports.reporting import End, Wanted, report_alone, report_together
from sweepstake.worker.reports.tally import Tally, first_line
from sweepstake.worker.stopping import SOON, Signals, Stop, heeded_signals, meaning, next_step

__all__ = ["Worker"]

_logger = logging.getLogger(__name__)

#: Seconds between two looks for other experiments.
_BETWEEN_DISCOVERIES: Final = 5.0
#: Reasons for having no job that are the usual end of the work.
_DONE: Final = {NoJobReason.EMPTY, NoJobReason.EXHAUSTED}


class Worker:
    """Runs a command for each job of some experiments, which take turns: see `Agenda`.

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
        self._deadline = options.deadline or Deadline()
        self._heartbeats = heartbeats
        self._tell = tell
        self._agenda = Agenda(self._experiments, duty, options, self._tally.outcomes)
        self._ends = Batches[End](MAX_AT_ONCE)
        self._reasons: dict[str, NoJobReason] = {}

    def run(self) -> Summary:
        """Run jobs until there is none, it is enough, or signals tell to stop; call it in the main thread.

        The first signal lets running jobs go on for `Options.drain` seconds; after that, or with the second, the
        commands are ended and their jobs given back; a third one kills the commands at once. In an allocation of a
        cluster they are ended shortly before its end as well.
        """
        self._heartbeats.wait()
        also = () if self._options.deadline is None else (SOON,)
        with heeded_signals(also) as signals:
            threading.Thread(target=self._take_jobs, args=(signals,), name="sweepstake-claims", daemon=True).start()
            stopped_by = self._heed(signals)
        return self._agenda.summary(stopped_by)

    def _heed(self, signals: Signals) -> signal.Signals | None:
        """Do what signals say until the last job has ended; return the last signal."""
        last: signal.Signals | None = None
        drained = math.inf
        ends = self._deadline.gives_back
        while True:
            try:
                number = signals.next(min(drained, ends))
            except TimeoutError:
                over = f"{self._options.drain:g} s are over"
                why = over if drained < ends else f"the allocation ends in {MARGIN:g} s"
                drained = ends = math.inf
                if self._agenda.step < Stop.END:
                    self._stop(Stop.END, why)
                continue
            if number is None:
                return last
            if number is SOON:
                if self._agenda.step is Stop.NO and self._deadline.is_near(time.monotonic()):
                    self._stop(Stop.DRAIN, number.name)
                continue
            last = number
            step = next_step(self._agenda.step, drains=self._options.drain > 0)
            drained = time.monotonic() + self._options.drain if step is Stop.DRAIN else math.inf
            self._stop(step, number.name)

    def _stop(self, step: Stop, why: str) -> None:
        running = self._agenda.stop(step)
        left = self._deadline.left(time.monotonic())
        drain = self._options.drain if left == math.inf else float(round(left))
        self._tell(f"{why}: {meaning(step, len(running), drain=drain, grace=self._plan.grace)}")
        for attempt in running:
            if step is Stop.KILL:
                attempt.kill()
            elif step is Stop.END and self._deadline.is_near(time.monotonic()):
                attempt.run_out()
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
            while (name := self._agenda.next_turn()) is not None:
                self._look(self._experiments[name])
        except Exception as error:  # the thread ends here; `run` reports the error
            _logger.debug("Claiming failed.", exc_info=True)
            self._fail(error)
        self._agenda.wait_for_the_last()
        signals.end()

    def _go_on_finding(self, discover: Callable[[], Iterable[Experiment]]) -> None:
        """Look for other experiments again and again."""
        while not self._agenda.stopping.wait(_BETWEEN_DISCOVERIES):
            try:
                self._find_others(discover)
            except SweepstakeError:  # the store is away, which those who claim tell
                _logger.debug("Looking for other experiments failed.", exc_info=True)

    def _find_others(self, discover: Callable[[], Iterable[Experiment]]) -> None:
        found = {each.reference: each for each in discover()}
        new = found.keys() - self._experiments.keys()
        self._experiments |= found
        self._tally.name(self._experiments.values())
        self._agenda.add(new)

    # Claiming

    def _look(self, experiment: Experiment) -> None:
        """Ask an experiment for jobs, and begin them."""
        name = experiment.reference
        try:
            with self._duty.open(experiment, self._patience_to_claim) as opening:
                if opening is None:
                    self._pass_over(name)
                    return
                self._take(experiment, self._claim(name, opening), opening)
        except NotFoundError as error:
            if not self._agenda.remove(name) and self._discover is None:
                raise
            del self._experiments[name]  # one that is made in its place is another
            self._tell(f"{str(error).removesuffix('.')}; going on without it")
        except StoreUnavailableError:
            if not self._agenda.is_enough():
                raise
        finally:
            self._agenda.let_claim()

    def _claim(self, name: str, opening: Opening) -> Claims:
        """Take as many jobs as there is room for and may begin, at least one unless none is wanted."""
        at_once, offer, slots = self._agenda.at_once(opening.at_once), opening.offer, opening.slots
        queue, patience = self._session.queue, self._patience_to_claim
        if at_once == 1 and offer is None and not opening.ids:
            answer = queue.claim(name, PROCESS.worker, patience=patience)
            return Claims(reason=answer.reason) if isinstance(answer, NoJob) else Claims(claims=(answer,))
        return queue.claim_jobs(
            name, PROCESS.worker, at_once, offer=offer, slots=slots, ids=opening.ids, patience=patience
        )

    def _take(self, experiment: Experiment, found: Claims, opening: Opening) -> None:
        """Hear which job waits, and begin what was claimed, or let an experiment rest that has nothing."""
        self._let_give_way(opening.heard(experiment, found), found)
        if not opening.at_once:
            return  # it has the next turn as well, and then asks for a job
        if not found.claims:
            self._rest(experiment.reference, found.reason or NoJobReason.EMPTY)
        for claim in found.claims:
            self._begin(experiment, claim, opening)

    def _let_give_way(self, keys: Sequence[str], found: Claims) -> None:
        """Ask jobs to end, so that there is room for a more urgent one."""
        if not keys or found.waiting is None:
            return
        for attempt in self._agenda.running(keys):
            title = self._tally.title(attempt.claim)
            self._tell(f"{title}: gives way to job {found.waiting.id}, which is more urgent")
            attempt.give_way()

    def _rest(self, name: str, reason: NoJobReason) -> None:
        """Let an experiment without a job rest, and say why it has none if that is not because all is done."""
        busy = self._agenda.is_busy()
        stuck = not busy and reason is NoJobReason.BLOCKED and self._options.idle is not None
        if stuck:
            running = JobQuery(status=frozenset({JobStatus.RUNNING}))
            stuck = not self._session.queue.list_jobs(name, running, limit=1).items
        self._agenda.had_none(name, reason, stuck=stuck)
        if not busy and reason not in _DONE and self._reasons.get(name) is not reason:
            self._reasons[name] = reason
            self._tell(str(no_job(name, reason)))

    def _pass_over(self, name: str) -> None:
        """Let an experiment rest whose jobs this machine cannot run now."""
        self._agenda.had_none(name, NoJobReason.UNMET)

    # Running

    def _begin(self, experiment: Experiment, claim: Claim, opening: Opening) -> None:
        try:
            assigned = opening.assign(experiment, claim, self._session.called(claim.job))
        except (ConfigurationError, NotFoundError, StoreUnavailableError) as error:
            self._give_back(experiment, claim, error)
            return
        stopping = self._agenda.stopping
        attempt = Attempt(claim, assigned, self._plan, self._heartbeats, self._session.places, stopping)
        if not self._agenda.begin(attempt, experiment.reference):
            assigned.end()
            self._hand_back(claim, "the worker was to stop")
            return
        self._heartbeats.hold(claim.key, claim.lease, None)
        self._tell(f"{self._tally.title(claim)}: attempt {claim.job.attempt} begins")
        # Then the store knows calls with several reports.
        together = opening.offer is not None or self._options.deadline is not None
        try:
            threading.Thread(
                target=self._work, args=(attempt, experiment, together), name="sweepstake-job", daemon=True
            ).start()
        except RuntimeError as error:  # the machine has no room for another thread
            _logger.debug("A thread could not be started.", exc_info=True)
            self._fail(no_room(error))
            self._work(attempt, experiment, together=False)

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

    def _work(self, attempt: Attempt, experiment: Experiment, together: bool) -> None:
        """Run a job's command, and report its end.

        Args:
            attempt: the job, and what is run for it.
            experiment: whose it is.
            together: whether what ends meanwhile may be reported in the same call.
        """
        started = time.monotonic()
        try:
            report = self._run_command(attempt)
            end = End(attempt=attempt, report=report, seconds=time.monotonic() - started)
            if not together:
                self._report(experiment, [end], together=False)
                return
            for ends in self._ends.turns(experiment.reference, end):
                self._report(experiment, ends, together=True)
        except Exception as error:  # the thread ends here; `run` reports the error, and must not wait for this attempt
            _logger.debug("An attempt was left.", exc_info=True)
            self._forget(experiment.reference, [attempt], given_back=False)
            self._fail(error)

    def _run_command(self, attempt: Attempt) -> Finish:
        """Run a command to its end, give back what it had of the machine, and return what to report."""
        try:
            report = attempt.run()
        except Exception as error:  # a fault of this machine, such as a full disk: not the job's
            _logger.debug("Running failed.", exc_info=True)
            self._fail(error)
            reason = f"its worker could not run it: {error}"
            report = Finish(attempt=attempt.claim.key, outcome=Outcome.RELEASED, reason=reason)
        if tripped := self._agenda.ended(attempt, report.outcome, first_line(report.reason)):
            self._tell(f"taking no more jobs: {tripped}")
        try:
            attempt.assigned.end()
        except Exception as error:  # the end is reported all the same, or nobody would know that it is over
            _logger.debug("What a job had could not be given back.", exc_info=True)
            self._fail(error)
        return report

    # Reporting

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
                    self._forget(name, [end.attempt for end in ends], given_back=given_back)
                if opening is not None and told.next is not None:
                    self._take(experiment, told.next, opening)
        except Exception as error:  # the thread ends here; `run` reports the error
            _logger.debug("Reporting failed.", exc_info=True)
            self._fail(error)

    @contextmanager
    def _opened_again(self, experiment: Experiment, ends: Sequence[End]) -> Iterator[Opening | None]:
        """Offer what those that ended had, with their reports; None if it is not the time for it, or another claims."""
        if not self._agenda.may_claim(experiment.reference, {end.report.outcome for end in ends}):
            yield None
            return
        try:
            with ExitStack() as stack:
                opening = None
                with suppress(Exception):  # the report does not wait for it, and who claims without one will tell
                    opening = stack.enter_context(self._duty.open(experiment, no_patience))
                # Whoever only wants to know what waits does not ask with a report.
                yield opening if opening is not None and opening.at_once else None
        finally:
            self._agenda.let_claim()

    def _send(self, name: str, ends: Sequence[End], opening: Opening | None, *, together: bool) -> Told:
        wanted = None
        if opening is not None:
            at_once = self._agenda.at_once(opening.at_once)
            wanted = Wanted(at_once=at_once, offer=opening.offer, slots=opening.slots, ids=opening.ids)
        patience = self._patience_to_finish
        if not together:
            return report_alone(self._session, ends[0], wanted, patience=patience)
        return report_together(
            self._session, name, ends, wanted, patience=patience, away=lambda: self._ends.go_on(name)
        )

    def _take_ends(self, ends: Sequence[End], told: Sequence[Finished | SweepstakeError | None]) -> None:
        """Count what ended, and tell of it."""
        for end, finished in zip(ends, told, strict=True):
            if isinstance(finished, SweepstakeError):
                if self._tally.refused(end.claim, finished):
                    self._fail(finished)  # what was claimed in the same call is given back then
            elif finished is None:
                self._tally.spooled(end.claim, end.report)
            else:
                self._tally.recorded(end, finished)

    def _forget(self, name: str, attempts: Sequence[Attempt], *, given_back: bool) -> None:
        """Note that attempts at jobs of an experiment are over."""
        for attempt in attempts:
            self._heartbeats.drop(attempt.claim.key)
        self._agenda.over(name, attempts, given_back=given_back)

    def _fail(self, error: Exception) -> None:
        """Begin nothing more; the first error is what `run` reports."""
        if self._agenda.fail(error):
            self._tell(f"taking no more jobs: {error}")

    def _patience_to_claim(self) -> float:
        if self._agenda.is_enough():
            return 0.0
        return math.inf if self._options.idle is None else PATIENCE

    def _patience_to_finish(self) -> float:
        return FINAL_PATIENCE if self._agenda.step is Stop.NO else TERM_PATIENCE  # it is in the spool as well
