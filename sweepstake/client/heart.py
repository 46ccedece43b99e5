"""The heartbeat of a process: one thread that renews all its leases in one call."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from typing import Final, Protocol

from sweepstake.domain.status import Signal
from sweepstake.errors import SweepstakeError
from sweepstake.ports import Clock
from sweepstake.retrying import RetryingQueue

__all__ = ["Heart", "Patient"]

#: A lease is renewed this many times before it would run out.
_BEATS_PER_LEASE: Final = 3

_logger = logging.getLogger(__name__)


class Patient(Protocol):
    """Whoever holds a lease and wants to hear what the store says of it."""

    def receive(self, signal: Signal) -> None:
        """Take the signal of a heartbeat's answer; called on the heartbeat's thread."""


class Heart:
    """Renews the leases that are registered with it, three times per lease.

    It holds its patients weakly: a job that nobody refers to any more is not kept alive. A forked child
    has an empty heart.

    Args:
        queue: where leases are renewed.
        clock: for the time between beats.
    """

    def __init__(self, queue: RetryingQueue, clock: Clock) -> None:
        self._queue = queue
        self._clock = clock
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._mutex = threading.RLock()  # a signal may end a job in the middle of another call
        self._wake = threading.Condition(self._mutex)  # the two below take its lock without its detour
        self._leases: dict[str, tuple[weakref.ref[Patient], float]] = {}
        self._thread: threading.Thread | None = None
        self._next_beat = float("inf")
        self._closed = False

    def add(self, attempt: str, lease: float, patient: Patient) -> None:
        """Renew this attempt's lease of `lease` seconds from now on."""
        self._forget_parent()
        with self._mutex:
            self._leases[attempt] = (weakref.ref(patient), lease)
            due = self._clock.monotonic() + lease / _BEATS_PER_LEASE
            if self._thread is None:
                self._start(due)
            elif due < self._next_beat:
                self._next_beat = due
                self._wake.notify()

    def remove(self, attempt: str) -> None:
        """Stop renewing this attempt's lease."""
        self._forget_parent()
        with self._mutex:
            self._leases.pop(attempt, None)

    def close(self) -> None:
        """Stop the thread; leases that are still registered run out."""
        self._forget_parent()
        with self._wake:
            self._closed = True
            self._leases.clear()
            self._wake.notify()
        if self._thread is not None and self._pid == os.getpid():
            self._thread.join()

    def holds(self, attempt: str) -> bool:
        """Tell whether this process renews the lease of `attempt`; a forked child never does."""
        return self._pid == os.getpid() and attempt in self._leases

    def _forget_parent(self) -> None:
        """In a forked child, begin empty: the parent's thread may have held the lock at that moment."""
        if self._pid != os.getpid():
            self._reset()

    def _start(self, due: float) -> None:
        self._next_beat = due
        thread = threading.Thread(target=self._run, name="sweepstake-heartbeat", daemon=True)
        thread.start()  # on a machine without room for it this fails, and the next lease tries again
        self._thread = thread

    def _run(self) -> None:
        while self._wait():
            self._beat()

    def _wait(self) -> bool:
        """Wait until the next beat is due; False ends the thread."""
        with self._wake:
            while not self._closed:
                left = self._next_beat - self._clock.monotonic()
                if left <= 0:
                    return True
                self._wake.wait(min(left, threading.TIMEOUT_MAX))
        return False

    def _beat(self) -> None:
        with self._wake:
            self._leases = {key: held for key, held in self._leases.items() if held[0]() is not None}
            leases = dict(self._leases)
        failed = False
        if leases:
            try:
                answers = self._queue.heartbeat(tuple(leases))
            except SweepstakeError as error:
                failed = True
                answers = ()
                _logger.warning("A heartbeat for %d running jobs failed (%s); trying again.", len(leases), error)
            except Exception:  # a thread ends here: one odd failure must not cost the leases of the process
                failed = True
                answers = ()
                _logger.exception("A heartbeat for %d running jobs failed; trying again.", len(leases))
            for beat in answers:
                self._tell(beat.attempt, beat.signal, leases)
        self._plan(failed=failed)

    def _tell(self, attempt: str, signal: Signal, leases: dict[str, tuple[weakref.ref[Patient], float]]) -> None:
        patient = leases[attempt][0]() if attempt in leases else None
        if signal is not Signal.CONTINUE:
            self.remove(attempt)
        if patient is None:
            return
        try:
            patient.receive(signal)
        except Exception:  # a thread ends here: one that cannot do as it is told must not cost the others' leases
            _logger.exception("What the store says of an attempt (%s) could not be heeded.", signal)

    def _plan(self, *, failed: bool) -> None:
        with self._wake:
            shortest = min((lease for _, lease in self._leases.values()), default=float("inf"))
            pause = shortest / _BEATS_PER_LEASE
            if failed:
                pause = min(pause / 2, 5.0)
            self._next_beat = self._clock.monotonic() + pause
