"""`RetryingQueue`: gives each write its op key, and repeats calls while the store is away."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from attrs import evolve
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential, wait_random

from sweepstake.domain.addresses import called
from sweepstake.domain.duplicates import Added, OnDuplicate
from sweepstake.domain.keys import uuid7
from sweepstake.domain.portable import ExportPage, ImportPart
from sweepstake.domain.query.queries import JobQuery
from sweepstake.domain.queueing import QueueingChanges
from sweepstake.domain.records import (
    AttemptRecord,
    Beat,
    Claim,
    Dependency,
    Document,
    ExperimentRecord,
    Finish,
    Finished,
    Guard,
    JobDraft,
    JobRecord,
    NoJob,
    Page,
)
from sweepstake.domain.situation import Why
from sweepstake.errors import ConfigurationError, LeaseLostError, StoreUnavailableError
from sweepstake.ports import MAX_PAGE, Clock, Counts, ExperimentDraft, PutAnswer, Queue

__all__ = ["FINAL_PATIENCE", "PATIENCE", "TERM_PATIENCE", "Patience", "RetryingQueue", "outlast"]

T = TypeVar("T")

#: Seconds a call keeps trying while the store is away.
PATIENCE: Final = 120.0
#: The same for the report at a job's end: hours of training hang on it.
FINAL_PATIENCE: Final = 3600.0
#: The same once the process was told to end (SIGTERM).
TERM_PATIENCE: Final = 10.0

#: Returns the seconds to keep trying, counted from the first try; asked again after each failure.
Patience = Callable[[], float]

_logger = logging.getLogger(__name__)
_backoff = wait_exponential(multiplier=0.1, max=10.0) + wait_random(0.0, 0.5)


class RetryingQueue:
    """What a client holds: a queue that makes its own op keys and outlasts a store that is away.

    A call is repeated with the same key, so that it has the effect of one. Between tries it waits 0.1 s, doubled up to
    10 s, plus up to 0.5 s of jitter, and never less than the other side asked for (`Retry-After`).

    Args:
        queue: the queue behind it, which raises StoreUnavailableError when it is away.
        clock: for the time in op keys and the length of a wait.
        entropy: returns that many random bytes.
        sleep: waits that many seconds.
        beside: called after each call that reached the store, and before each that claims, since whoever has claimed
            a job should begin with it.
    """

    def __init__(
        self,
        queue: Queue,
        clock: Clock,
        entropy: Callable[[int], bytes],
        sleep: Callable[[float], None],
        beside: Callable[[], None] = lambda: None,
    ) -> None:
        self._queue = queue
        self._clock = clock
        self._entropy = entropy
        self._sleep = sleep
        self._beside = beside
        self._closed = False

    def new_id(self) -> str:
        """Make an id for a job, or a key for a call: a UUIDv7, in order of time."""
        return uuid7(int(self._clock.wall() * 1000), self._entropy(10))

    @property
    def identity(self) -> str | None:
        """See `Queue.identity`."""
        return self._queue.identity

    def put_experiment(self, name: str, draft: ExperimentDraft, guard: Guard) -> ExperimentRecord:
        """See `Queue.put_experiment`."""
        key = self.new_id()
        return self._call(lambda _: self._queue.put_experiment(name, draft, guard=guard, key=key))

    def get_experiment(self, name: str) -> ExperimentRecord:
        """See `Queue.get_experiment`."""
        return self._call(lambda _: self._queue.get_experiment(name))

    def list_experiments(self, start: str | None = None) -> Page[ExperimentRecord]:
        """See `Queue.list_experiments`."""
        return self._call(lambda _: self._queue.list_experiments(start))

    def delete_experiment(self, name: str, guard: Guard, *, force: bool = False) -> None:
        """See `Queue.delete_experiment`."""
        key = self.new_id()
        self._call(lambda _: self._queue.delete_experiment(name, guard=guard, key=key, force=force))

    def count_jobs(self, name: str) -> Counts:
        """See `Queue.count_jobs`."""
        return self._call(lambda _: self._queue.count_jobs(name))

    def add_jobs(self, name: str, drafts: Sequence[JobDraft], on_duplicate: OnDuplicate = OnDuplicate.ALLOW) -> Added:
        """See `Queue.add_jobs`."""
        key = self.new_id()
        return self._call(lambda _: self._queue.add_jobs(name, drafts, key=key, on_duplicate=on_duplicate))

    def put_job(
        self, name: str, job_id: str, document: Document, guard: Guard, attempt: str | None = None
    ) -> PutAnswer:
        """See `Queue.put_job`."""
        key = self.new_id()
        return self._call(lambda _: self._queue.put_job(name, job_id, document, guard=guard, key=key, attempt=attempt))

    def get_job(self, name: str, job_id: str) -> JobRecord:
        """See `Queue.get_job`."""
        return self._call(lambda _: self._queue.get_job(name, job_id))

    def list_jobs(self, name: str, query: JobQuery, start: str | None = None, limit: int = MAX_PAGE) -> Page[JobRecord]:
        """See `Queue.list_jobs`."""
        return self._call(lambda _: self._queue.list_jobs(name, query, start, limit))

    def list_attempts(self, name: str, job_id: str) -> tuple[AttemptRecord, ...]:
        """See `Queue.list_attempts`."""
        return self._call(lambda _: self._queue.list_attempts(name, job_id))

    def list_dependencies(self, name: str, job_id: str) -> tuple[Dependency, ...]:
        """See `Queue.list_dependencies`."""
        return self._call(lambda _: self._queue.list_dependencies(name, job_id))

    def delete_job(self, name: str, job_id: str, guard: Guard) -> None:
        """See `Queue.delete_job`."""
        key = self.new_id()
        self._call(lambda _: self._queue.delete_job(name, job_id, guard=guard, key=key))

    def claim(
        self, name: str, worker: str, patience: Patience = lambda: PATIENCE, ids: Sequence[str] = ()
    ) -> Claim | NoJob:
        """See `Queue.claim`; when the claimed job was lost together with the answer, another is claimed."""
        return self._claim(name, worker, self.new_id(), patience, ids=ids)

    def _claim(
        self,
        name: str,
        worker: str,
        key: str,
        patience: Patience,
        *,
        repeated: bool = False,
        ids: Sequence[str] = (),
    ) -> Claim | NoJob:
        """Claim under this key, and under another if what was claimed under it is lost."""
        try:
            return self._call(
                lambda repeat: self._queue.claim(name, worker=worker, key=key, repeat=repeat or repeated, ids=ids),
                patience,
                claiming=True,
            )
        except LeaseLostError:
            _logger.warning(
                "A job of %r was claimed, but the answer came after its lease; claiming another.", called(name)
            )
        return self._claim(name, worker, self.new_id(), patience, ids=ids)

    def finish(
        self,
        name: str,
        job_id: str,
        finish: Finish,
        *,
        key: str,
        claim: bool = False,
        worker: str = "",
        patience: Patience,
        away: Callable[[StoreUnavailableError], None],
    ) -> Finished:
        """See `Queue.finish`; `claim` asks for the next job in the same call.

        Args:
            name: the experiment's.
            job_id: the job's.
            finish: the report.
            key: op key of the report, so that the caller can keep it and have it repeated later.
            claim: claim the next job in the same call.
            worker: who claims.
            patience: how long to try.
            away: called after each try that found the store away.
        """
        next_key = self.new_id() if claim else None

        def report(repeat: bool) -> Finished:
            try:
                return self._queue.finish(name, job_id, finish, key=key, claim=next_key, worker=worker, repeat=repeat)
            except StoreUnavailableError as error:
                away(error)
                raise

        finished = self._call(report, patience, claiming=claim)
        if next_key is not None and finished.next is None:
            return evolve(finished, next=self._claim(name, worker, next_key, patience, repeated=True))
        return finished

    def heartbeat(self, attempts: Sequence[str]) -> tuple[Beat, ...]:
        """See `Queue.heartbeat`; tried once, because the next beat is the repeat."""
        return self._queue.heartbeat(attempts)

    def prune(self, name: str, job_id: str) -> JobRecord:
        """See `Queue.prune`."""
        key = self.new_id()
        return self._call(lambda _: self._queue.prune(name, job_id, key=key))

    def retry(self, name: str, job_id: str) -> JobRecord:
        """See `Queue.retry`."""
        key = self.new_id()
        return self._call(lambda _: self._queue.retry(name, job_id, key=key))

    def set_queueing(self, name: str, job_id: str, changes: QueueingChanges) -> JobRecord:
        """See `Queue.set_queueing`."""
        key = self.new_id()
        return self._call(lambda _: self._queue.set_queueing(name, job_id, changes, key=key))

    def export_page(self, name: str, start: str | None = None) -> ExportPage:
        """See `Queue.export_page`."""
        return self._call(lambda _: self._queue.export_page(name, start))

    def import_part(self, name: str, part: ImportPart) -> None:
        """See `Queue.import_part`."""
        self._call(lambda _: self._queue.import_part(name, part))

    def why(self, name: str, job_id: str) -> Why:
        """See `Queue.why`."""
        return self._call(lambda _: self._queue.why(name, job_id))

    def ping(self) -> None:
        """See `Queue.ping`."""
        self._queue.ping()

    def close(self) -> None:
        """See `Queue.close`; every later call is refused at once."""
        self._closed = True
        self._queue.close()

    def _call(self, call: Callable[[bool], T], patience: Patience = lambda: PATIENCE, *, claiming: bool = False) -> T:
        """Call, and on StoreUnavailableError again until `patience` has run out; repeats are told that they are."""
        if self._closed:
            raise ConfigurationError("this connection to the store was closed; call sweepstake.connect() again")
        if claiming:
            self._beside()
        try:
            answer = call(False)
        except StoreUnavailableError as error:
            answer = self._repeat(call, error, patience)
        if not claiming:
            self._beside()
        return answer

    def _repeat(self, call: Callable[[bool], T], first: StoreUnavailableError, patience: Patience) -> T:
        failed = [first]
        started = self._clock.monotonic()

        def again() -> T:
            if failed:  # the first try was made outside tenacity, which costs more than the call on a file
                raise failed.pop()
            return call(True)

        def enough(waits: float) -> bool:
            return self._closed or self._clock.monotonic() - started + waits > patience()

        return _while_away(again, enough, self._sleep)


def outlast(call: Callable[[], T], clock: Clock, sleep: Callable[[float], None]) -> T:
    """Make a call that may have to wait for its store, such as the first connection to it, and return its answer.

    It is repeated as every call is, for `PATIENCE`.
    """
    started = clock.monotonic()
    return _while_away(call, lambda waits: clock.monotonic() - started + waits > PATIENCE, sleep)


def _while_away(call: Callable[[], T], enough: Callable[[float], bool], sleep: Callable[[float], None]) -> T:
    """Call again and again while the store is away.

    Args:
        call: raises StoreUnavailableError while it is.
        enough: told how long the next wait would be, says whether to give up instead.
        sleep: waits that many seconds.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(StoreUnavailableError),
        wait=_wait,
        stop=lambda state: enough(state.upcoming_sleep),
        sleep=sleep,
        before_sleep=_log_wait,
        reraise=True,
    )
    return retrying(call)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, StoreUnavailableError) else None
    return max(_backoff(state), asked or 0.0)


def _log_wait(state: RetryCallState) -> Any:
    error = state.outcome.exception() if state.outcome else None
    _logger.warning("The store is away (%s); trying again in %.1f s.", error, state.upcoming_sleep)
