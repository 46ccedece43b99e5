"""Reporting the end of an attempt: to the store, or to the spool on this machine's disk."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from attrs import asdict, define, frozen

from sweepstake.client.attempt.process import PROCESS
from sweepstake.client.attempt.terminating import TERM_WATCH
from sweepstake.client.session import Session
from sweepstake.domain.drafts import Finish
from sweepstake.domain.records import Claims, Finished, JobRecord
from sweepstake.domain.tasks.needs import Offer
from sweepstake.errors import KeyReusedError, NotFoundError, SpoolError, StoreUnavailableError, SweepstakeError
from sweepstake.queue.calls.several import AttemptReport, Reported
from sweepstake.queue.retrying import FINAL_PATIENCE, TERM_PATIENCE, Patience
from sweepstake.spool import Entry
from sweepstake.values import EMPTY
from sweepstake.wire.problems import error_of

__all__ = ["Told", "came_late", "report_end", "report_ends", "report_patience", "with_notes"]

_logger = logging.getLogger(__name__)


def report_end(
    session: Session, job: JobRecord, finish: Finish, *, patience: Patience, claim: bool = False
) -> Finished | None:
    """Report the end of an attempt, for as long as `patience` says; None when it waits in the spool instead.

    While the store is away the report is in the spool, where it is safe should this process die meanwhile. What the
    store refuses for other reasons than its state, such as an expired token, stays there as well.

    Args:
        session: the connection.
        job: as it was when last read.
        finish: the report.
        patience: how long to try.
        claim: claim the next job in the same call.

    Raises:
        SpoolError: it could be neither reported nor kept.
        NotFoundError: the job was deleted; its results stay in the spool, as a report that cannot be delivered.
        SweepstakeError: the store refused the report.
    """
    queue = session.queue
    keeper = _Keeper(session, job, finish, queue.new_id())
    try:
        finished = queue.finish(
            job.reference,
            job.id,
            finish,
            key=keeper.key,
            claim=queue.new_id() if claim else None,
            worker=PROCESS.worker if claim else "",
            patience=patience,
            away=keeper.keep,
        )
    except StoreUnavailableError as error:
        keeper.give_up(error)
        return None
    except SweepstakeError as error:
        keeper.refused(error)
        raise
    if keeper.entry is not None:
        session.spool.drop(keeper.key)
    return finished


@frozen(kw_only=True)
class Told:
    """What became of several reports, in their order, and of what was asked for with them.

    Attributes:
        ends: for each the true end of its attempt, why the store refused it, or None when it waits in the spool.
        next: what was claimed; None if nothing was asked for, or if the reports wait in the spool.
    """

    ends: tuple[Finished | SweepstakeError | None, ...]
    next: Claims | None = None


def report_ends(
    session: Session,
    reference: str,
    ends: Sequence[tuple[JobRecord, Finish]],
    *,
    patience: Patience,
    at_once: int,
    offer: Offer | None = None,
    slots: Offer | None = None,
    ids: Sequence[str] = (),
    away: Callable[[], None] | None = None,
) -> Told:
    """Report the ends of several attempts in a call; as `report_end`, but what is wrong with one is told of that alone.

    Args:
        session: the connection.
        reference: of the experiment.
        ends: the jobs, as they were when last read, and the reports.
        patience: how long to try.
        at_once: how many jobs to claim in the same call.
        offer: what there is for them together.
        slots: all that the worker has, if it wants to know which job waits for more than is offered.
        ids: the only jobs that are wanted, in their order; nothing for any.
        away: told when a try found the store away, and the reports are in the spool.
    """
    queue = session.queue
    keepers = [_Keeper(session, job, finish, queue.new_id()) for job, finish in ends]

    def keep(error: SweepstakeError) -> None:
        for keeper in keepers:
            keeper.keep(error)
        if away is not None:
            away()

    try:
        answer = queue.finish_attempts(
            reference,
            [
                AttemptReport(id=job.id, key=keeper.key, report=finish)
                for keeper, (job, finish) in zip(keepers, ends, strict=True)
            ],
            claim=queue.new_id() if at_once else None,
            at_once=at_once or 1,
            offer=offer,
            slots=slots,
            ids=ids,
            worker=PROCESS.worker if at_once else "",
            patience=patience,
            away=keep,
        )
    except StoreUnavailableError as error:
        for keeper in keepers:
            keeper.give_up(error)
        return Told(ends=(None,) * len(keepers))
    except SweepstakeError as error:
        for keeper in keepers:
            keeper.refused(error)
        raise
    told = tuple(keeper.told(reported) for keeper, reported in zip(keepers, answer.reports, strict=True))
    return Told(ends=told, next=answer.next)


def report_patience() -> float:
    """Return how many seconds to try to report an end: less once this process was told to end."""
    return TERM_PATIENCE if TERM_WATCH.asked else FINAL_PATIENCE


def came_late(finished: Finished) -> str:
    """Return, as a sentence without its full stop, that an attempt had ended otherwise before its report came."""
    return (
        f"the attempt at job {finished.job.id} ended as {finished.ended} before it reported; "
        "its results were kept as late results"
    )


def with_notes(error: SweepstakeError) -> str:
    """Return what an error says, with what was noted on it, such as where the results are."""
    return " ".join([str(error), *getattr(error, "__notes__", ())])


@define
class _Keeper:
    """Keeps a report in the spool while it cannot be delivered.

    Attributes:
        key: op key of the report.
        entry: the report as it stands in the spool; None while it does not.
    """

    _session: Session
    _job: JobRecord
    _finish: Finish
    key: str
    entry: Entry | None = None
    _problem: SpoolError | None = None

    def keep(self, error: SweepstakeError) -> None:
        """Put the report into the spool, unless it is there; when that fails, it is tried again with the next call."""
        if self.entry is not None:
            return
        entry = Entry(
            key=self.key,
            store=self._session.spool.store,
            experiment=self._job.experiment,
            address=self._job.address,
            job=self._job.id,
            hyperparameters=self._job.hyperparameters,
            written_at=self._session.clock.wall(),
            report=self._finish,
            identity=self._session.queue.identity,
        ).refused(error)
        try:
            path = self._session.spool.keep(entry)
        except SpoolError as problem:
            self._tell(problem)
            return
        self.entry = entry
        _logger.warning("The end of job %s is kept in %s.", self._job.id, path)

    def give_up(self, error: StoreUnavailableError) -> None:
        """Leave the report in the spool, or say that it is nowhere."""
        if self.entry is None:
            raise self._nowhere(error) from error
        _logger.warning(
            "The end of job %s could not be reported (%s). It stays in the spool and is delivered by the next call "
            "that reaches the store, or by `sweepstake spool push`.",
            self._job.id,
            error,
        )

    def refused(self, error: SweepstakeError) -> None:
        """Keep what the store does not take, unless it has taken another report, or there are no results to lose."""
        nothing = isinstance(error, NotFoundError) and self._finish.results == EMPTY
        if self.entry is not None:
            self._session.spool.update(self.entry.refused(error))
        elif not (nothing or isinstance(error, KeyReusedError)):
            self.keep(error)
            if self.entry is None:
                raise self._nowhere(error) from error
        if self.entry is not None:
            error.add_note(f"The results are kept in the spool; see `sweepstake spool show {self.key}`.")

    def told(self, reported: Reported) -> Finished | SweepstakeError:
        """Take what became of the report, and return it."""
        if reported.problem is not None:
            error = error_of(reported.problem.status, asdict(reported.problem))
            self.refused(error)
            return error
        if self.entry is not None:
            self._session.spool.drop(self.key)
        assert reported.finished is not None, "there is no problem"
        return reported.finished

    def _nowhere(self, error: SweepstakeError) -> SpoolError:
        return SpoolError(
            f"the end of job {self._job.id} could be neither reported ({error}) nor kept ({self._problem}); "
            "its results are in the memory of this process only: save job.results elsewhere"
        )

    def _tell(self, problem: SpoolError) -> None:
        if self._problem is None:
            _logger.warning("The end of job %s cannot be kept in the spool: %s.", self._job.id, problem)
        self._problem = problem
