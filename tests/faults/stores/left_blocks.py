"""F13: every way to leave a job's block, with the store there, slow, away, and the job in other hands."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from enum import Enum, auto
from typing import Final

from attrs import frozen

import sweepstake
from sweepstake import Database, Job
from sweepstake.client.attempt.leaving import Terminated
from sweepstake.config import Config
from sweepstake.connection import connect_with
from sweepstake.domain.records import Claim
from sweepstake.domain.status import JobStatus, Outcome, Signal
from sweepstake.spool import Spool, address_of
from tests.faults.fault import Fault, Figures, Place
from tests.faults.stores.gate import Gate
from tests.kit.clocks import LeapingClock
from tests.kit.lab import Lab, document
from tests.kit.stack import KINDS, open_queue

__all__ = ["FAULT"]


@frozen(kw_only=True)
class Row:
    """A way to leave the block, as in the table of the design.

    Attributes:
        leave: what the block does at last.
        status: of the job afterwards, if nothing is in the way.
        outcome: of its attempt.
        seen: the exception that the caller sees; None for none.
    """

    words: str
    leave: Callable[[], None]
    status: JobStatus
    outcome: Outcome
    seen: type[BaseException] | None = None


def _raising(error: type[BaseException], *arguments: object) -> Callable[[], None]:
    def leave() -> None:
        raise error(*arguments)

    return leave


def _given_back(words: str, error: type[BaseException], *arguments: object) -> Row:
    return Row(
        words=words,
        leave=_raising(error, *arguments),
        status=JobStatus.QUEUED,
        outcome=Outcome.PREEMPTED,
        seen=error,
    )


def _exit(code: int, status: JobStatus, outcome: Outcome) -> Row:
    return Row(words=f"exit {code}", leave=_raising(SystemExit, code), status=status, outcome=outcome, seen=SystemExit)


ROWS: Final = (
    Row(words="normally", leave=lambda: None, status=JobStatus.DONE, outcome=Outcome.DONE),
    Row(
        words="PruneJob",
        leave=_raising(sweepstake.PruneJob, "hopeless"),
        status=JobStatus.PRUNED,
        outcome=Outcome.PRUNED,
    ),
    _given_back("Ctrl-C", KeyboardInterrupt),
    _given_back("SIGTERM", Terminated, 143),
    _given_back("cancelled", asyncio.CancelledError),
    _exit(0, JobStatus.DONE, Outcome.DONE),
    _exit(75, JobStatus.QUEUED, Outcome.RELEASED),
    _exit(3, JobStatus.CRASHED, Outcome.CRASHED),
    Row(
        words="an error",
        leave=_raising(ZeroDivisionError),
        status=JobStatus.CRASHED,
        outcome=Outcome.CRASHED,
        seen=ZeroDivisionError,
    ),
)


class Store(Enum):
    """What the store is like when the block is left, and whether the job is still ours."""

    UP = auto()
    SLOW = auto()
    AWAY = auto()
    PRUNED = auto()
    LOST = auto()
    DELETED = auto()
    AWAY_AND_LOST = auto()
    AWAY_AND_DELETED = auto()


_AWAY: Final = {Store.AWAY, Store.AWAY_AND_LOST, Store.AWAY_AND_DELETED}
_RESULTS: Final = {"x": 1}


class Cell:
    """One way to leave, at one store."""

    def __init__(self, lab: Lab, config: Config, gate: Gate | None, row: Row, store: Store) -> None:
        self._lab = lab
        self._config = config
        self._gate = gate
        self._row = row
        self._store = store
        self._spool = Spool.of(config.spool, address_of(config.url))
        self._rival: Claim | None = None
        self._seen: BaseException | None = None

    def prove(self) -> None:
        """Leave the block, and see that what is recorded and what is raised are as the table says."""
        self._lab.add_many(1)
        job = self._leave()
        if self._gate is not None:
            self._gate.open()
            self._gate.delay = 0.0
        if self._store in _AWAY:
            assert len(self._spool.waiting()) == 1, f"{len(self._spool.waiting())} reports in the spool"
            with self._connect() as other:
                other.get_experiment(self._lab.name)
        self._check(job)

    def _connect(self) -> Database:
        # PostgreSQL is looked for 10 s long at each try, so an hour must be over in a few tries.
        clock = LeapingClock(20_000.0 if self._config.url.startswith("postgres") else 20.0)
        return connect_with(self._config, clock, clock.sleep)

    def _leave(self) -> Job:
        with self._connect() as database:
            job = database.get_experiment(self._lab.name).next_job()
            try:
                with job:
                    job.results |= _RESULTS
                    self._spoil(job)
                    self._row.leave()
            except BaseException as error:  # noqa: BLE001 -- the ways to leave include those that end a program
                self._seen = error
            return job

    def _spoil(self, job: Job) -> None:
        if self._gate is not None and self._store is Store.SLOW:
            self._gate.delay = 0.1
        if self._gate is not None and self._store in _AWAY:
            self._gate.shut()
        if self._store is Store.PRUNED:
            self._lab.prune(job.job_id)
        if self._store in (Store.LOST, Store.AWAY_AND_LOST):
            self._lab.put(job.job_id, document(JobStatus.QUEUED))
            self._rival = self._lab.claim()
        if self._store in (Store.DELETED, Store.AWAY_AND_DELETED):
            self._lab.delete(job.job_id)

    def _check(self, job: Job) -> None:
        deleted = self._store in (Store.DELETED, Store.AWAY_AND_DELETED)
        self._check_seen()
        waiting = self._spool.waiting()
        if deleted:
            assert [self._spool.read(key).undeliverable is not None for key in waiting] == [True]
            self._spool.drop(waiting[0])
        else:
            assert waiting == [], "something is left in the spool"
        if deleted:
            return
        attempts = self._lab.attempts(job.job_id)
        record = self._lab.job(job.job_id)
        if self._rival is not None or self._store is Store.PRUNED:
            late = attempts[0].late_results
            assert late is not None, "the results were not kept as late"
            assert late.decode() == _RESULTS, late
            assert record.results.decode() == {}, "late results were written over the job's"
        else:
            assert (record.status, record.results.decode()) == (self._row.status, _RESULTS), record
            assert [attempt.outcome for attempt in attempts] == [self._row.outcome], attempts
        if self._rival is not None:
            assert self._lab.beat(self._rival) is Signal.CONTINUE, "the newer attempt lost its lease"
            self._lab.finish(self._rival)
        elif self._store is Store.PRUNED:
            assert record.status is JobStatus.PRUNED, record
            assert job.status is JobStatus.PRUNED, job
        elif record.status is JobStatus.QUEUED:
            self._lab.finish(self._lab.claim())

    def _check_seen(self) -> None:
        """The user's exception is raised as it is; without one, ours, if the job was lost or is gone."""
        expected = self._row.seen
        if expected is None and self._store is Store.LOST and self._row.outcome is Outcome.DONE:
            expected = sweepstake.LeaseLostError
        elif expected is None and self._store is Store.DELETED:
            expected = sweepstake.NotFoundError
        assert type(self._seen) is (expected or type(None)), self._seen
        if self._row.seen is not None:
            noted = bool(getattr(self._seen, "__notes__", ()))
            assert noted == (self._store in (Store.LOST, Store.DELETED)), self._seen


def _cells(kind: str) -> Iterator[tuple[Row, Store]]:
    """Yield every cell that can be tried: a file is neither slow nor away, and PostgreSQL is given up after 10 s."""
    for store in Store:
        if kind == "sqlite" and store in _AWAY | {Store.SLOW}:
            continue
        for row in ROWS[:1] if kind == "postgres" and store in _AWAY else ROWS:
            yield row, store


def leave_blocks(place: Place, size: int) -> Figures:
    """Leave a block in every way at every kind of store, `size` times."""
    queue = open_queue(place.url)
    lab = Lab.new(queue)
    cells = 0
    with ExitStack() as stack:
        stack.callback(queue.close)
        gate = None if place.kind == "sqlite" else stack.enter_context(Gate(place.url))
        url = place.url if gate is None else gate.url
        config = Config(url=url, token=None, state=place.folder / "state", checkpoints=place.folder / "checkpoints")
        for row, store in [cell for _ in range(size) for cell in _cells(place.kind)]:
            try:
                Cell(lab, config, gate, row, store).prove()
            except AssertionError as error:
                error.add_note(f"leaving {row.words}, the store being {store.name.lower()}")
                raise
            cells += 1
    return {"cells": cells, "not as the table says": 0, "results lost": 0}


FAULT = Fault(
    number="F13",
    words="leaving a job's block in every way while the store is there, slow, away, or has given the job to others",
    holds="each cell is as the table of the design says, and no results are lost",
    run=leave_blocks,
    unit="rounds",
    small=1,
    full=5,
    small_kinds=("sqlite", "http-sqlite"),
    full_kinds=KINDS,
)
