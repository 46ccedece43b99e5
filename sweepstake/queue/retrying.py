"""`PatientSender`: a sender that repeats calls while the store is away."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar, cast

from attrs import evolve
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential, wait_random

from sweepstake.clock import Clock
from sweepstake.domain.addresses import called
from sweepstake.domain.keys import new_key
from sweepstake.domain.records import Claim, Claims, Finished, NoJob
from sweepstake.errors import ConfigurationError, LeaseLostError, StoreUnavailableError
from sweepstake.queue.call import PATIENCE, Call, Patience
from sweepstake.queue.calls import ClaimJob, ClaimJobs, FinishAttempt, FinishAttempts
from sweepstake.queue.queue import Queue, Sender

__all__ = ["FINAL_PATIENCE", "PATIENCE", "TERM_PATIENCE", "Patience", "PatientSender", "outlast", "patient_queue"]

A = TypeVar("A")
T = TypeVar("T")

#: Seconds to try to report a job's end while the store is away: hours of training hang on it.
FINAL_PATIENCE: Final = 3600.0
#: The same once the process was told to end (SIGTERM).
TERM_PATIENCE: Final = 10.0

_logger = logging.getLogger(__name__)
_backoff = wait_exponential(multiplier=0.1, max=10.0) + wait_random(0.0, 0.5)


def patient_queue(
    sender: Sender,
    clock: Clock,
    entropy: Callable[[int], bytes],
    sleep: Callable[[float], None],
    beside: Callable[[], None] = lambda: None,
) -> Queue:
    """Return what a client holds: a queue that outlasts a store that is away.

    Args:
        sender: has the calls answered.
        clock: for the time in op keys and the length of a wait.
        entropy: returns that many random bytes.
        sleep: waits that many seconds.
        beside: see `PatientSender`.
    """
    new_id = partial(new_key, clock.wall, entropy)
    return Queue(PatientSender(sender, clock, new_id, sleep, beside), new_id)


class PatientSender:
    """Repeats calls while the store is away.

    A call is repeated with the same key, so that it has the effect of one. Between tries it waits 0.1 s, doubled up to
    10 s, plus up to 0.5 s of jitter, and never less than the other side asked for (`Retry-After`).

    Args:
        sender: the one behind it, which raises StoreUnavailableError when the store is away.
        clock: for the length of a wait.
        new_id: makes op keys.
        sleep: waits that many seconds.
        beside: called after each call that reached the store, and before each that claims, since whoever has claimed
            a job should begin with it.
    """

    def __init__(
        self,
        sender: Sender,
        clock: Clock,
        new_id: Callable[[], str],
        sleep: Callable[[float], None],
        beside: Callable[[], None],
    ) -> None:
        self._sender = sender
        self._send = sender.send
        self._clock = clock
        self._new_id = new_id
        self._sleep = sleep
        self._beside = beside
        self._closed = False

    @property
    def identity(self) -> str | None:
        """Which store it is."""
        return self._sender.identity

    def send(self, call: Call[A]) -> A:
        """Have a call answered, for as long as its patience lasts.

        When a claimed job was lost together with the answer, another is claimed.
        """
        patience = call.patience
        if patience is None:
            return self._send(call)
        if self._closed:
            raise ConfigurationError("this connection to the store was closed; call sweepstake.connect() again")
        if call.claims:
            self._beside()
        try:
            try:
                answer = self._send(call)
            except StoreUnavailableError as error:
                answer = self._repeat(call, patience, error)
        except LeaseLostError:
            if isinstance(call, ClaimJob | ClaimJobs):
                return cast("A", self._claim_another(call))
            raise
        if not call.claims:
            self._beside()
        elif isinstance(answer, Finished) and answer.next is None:
            return cast("A", self._with_next(cast("FinishAttempt", call), answer))
        return answer

    def close(self) -> None:
        """Close the sender behind it; every later call is refused at once."""
        self._closed = True
        self._sender.close()

    def _with_next(self, call: FinishAttempt, answer: Finished) -> Finished:
        """Claim what a repeated report did not claim again."""
        assert call.claim is not None, "only a report with a claim claims"
        claim = ClaimJob(name=call.name, key=call.claim, worker=call.worker, repeat=True, patience=call.patience)
        return evolve(answer, next=self.send(claim))

    def _claim_another(self, call: ClaimJob | ClaimJobs) -> Claim | NoJob | Claims:
        _logger.warning(
            "A job of %r was claimed, but the answer came after its lease; claiming another.", called(call.name)
        )
        again: Call[Any] = evolve(call, key=self._new_id(), repeat=False)
        found: Claim | NoJob | Claims = self.send(again)
        return found

    def _repeat(self, call: Call[A], patience: Patience, first: StoreUnavailableError) -> A:
        failed = [first]
        started = self._clock.monotonic()
        repeated: Call[A] = call
        if isinstance(call, (ClaimJob, ClaimJobs, FinishAttempt, FinishAttempts)):
            repeated = cast("Call[A]", evolve(call, repeat=True))
        told = call.away if isinstance(call, (FinishAttempt, FinishAttempts)) else None
        if told is not None:
            told(first)

        def again() -> A:
            if failed:  # the first try was made outside tenacity, which costs more than the call on a file
                raise failed.pop()
            try:
                return self._send(repeated)
            except StoreUnavailableError as error:
                if told is not None:
                    told(error)
                raise

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
