"""The heartbeat of a process: one thread that renews all its leases in one call."""

from __future__ import annotations

import logging
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Final, Protocol

from sweepstake.client.process import PROCESS
from sweepstake.clock import Clock
from sweepstake.domain.status import Signal
from sweepstake.errors import SweepstakeError
from sweepstake.plaintext import counted
from sweepstake.queue.queue import Queue
from sweepstake.queue.retrying import TERM_PATIENCE

__all__ = ["BEGIN_SECONDS", "Heart", "Lease", "Patient"]

#: A lease is renewed this many times before it would run out.
_BEATS_PER_LEASE: Final = 3
#: Seconds for which the lease of a job is renewed that has not begun.
BEGIN_SECONDS: Final = 60.0

_logger = logging.getLogger(__name__)


class Patient(Protocol):
    """Whoever holds a lease and wants to hear what the store says of it."""

    def receive(self, signal: Signal) -> None:
        """Take the signal of a heartbeat's answer; called on the heartbeat's thread."""


class Lease:
    """A lease as its heart knows it. Made by `Heart.add`.

    Attributes:
        seconds: how long it lasts.
        patient: returns who holds it, if anybody still does.
        begin_by: by which time of the clock its job must begin; None once it has.
        returned: set when the job was given back; None unless that was begun.
    """

    def __init__(self, heart: Heart, seconds: float, patient: Patient, give_back: Callable[[], None] | None) -> None:
        self._heart = heart
        self._give_back = give_back
        self.seconds = seconds
        self.patient = weakref.ref(patient, None if give_back is None else heart.dropped)
        self.begin_by: float | None = None
        self.returned: threading.Event | None = None

    def begin(self) -> bool:
        """Have it renewed for as long as it takes; False, once the job is back in the queue, if it was given back."""
        with self._heart.mutex:
            if self.returned is None:
                self.begin_by = None
                self._give_back = None
                return True
        self.wait()
        return False

    def wait(self) -> None:
        """Wait until the job that is being given back is back, but not for ever."""
        if self.returned is not None:
            self.returned.wait(TERM_PATIENCE)

    def is_returned(self) -> bool:
        """Tell whether the job is back in the queue."""
        return self.returned is not None and self.returned.is_set()

    def give_back_idle(self) -> bool:
        """Give the job back if it has not begun; tell whether it was, by this call or another."""
        if self._heart.take(self):
            self.give_back()
        self.wait()
        return self.returned is not None

    def is_given_up(self, now: float) -> bool:
        """Tell whether its job has not begun, and nobody refers to it or its time is over."""
        return self.begin_by is not None and (self.begin_by <= now or self.patient() is None)

    def give_back(self) -> None:
        """Put the job back into the queue; whoever calls has taken the lease out of the heart."""
        assert self.returned is not None, "as said"
        try:
            if self._give_back is not None:
                self._give_back()
        except Exception:  # a thread or the process ends here: the others must be given back all the same
            _logger.exception("A job that did not begin could not be given back.")
        finally:
            self.returned.set()


class Heart:
    """Renews the leases that are registered with it, three times per lease.

    It holds its patients weakly: a job that nobody refers to any more is not kept alive. One that has not begun is
    given back when nobody refers to it any more, after BEGIN_SECONDS, when the heart is closed, and when the program
    ends. A forked child has an empty heart. What the interpreter clears away as it ends was given back before; the
    thread is gone by then, perhaps with the lock.

    Args:
        queue: where leases are renewed.
        clock: for the time between beats.
    """

    def __init__(self, queue: Queue, clock: Clock) -> None:
        self._queue = queue
        self._clock = clock
        self._reset()

    def _reset(self) -> None:
        """Begin empty, as a forked child must: the parent's thread may have held the lock at that moment."""
        self._pid = PROCESS.start()
        self.mutex = threading.RLock()  # a signal may end a job in the middle of another call
        self._returning: list[Lease] = []
        self._wake = threading.Condition(self.mutex)  # the two below take its lock without its detour
        self._leases: dict[str, Lease] = {}
        self._thread: threading.Thread | None = None
        self._next_beat = float("inf")
        self._next_look = float("inf")
        self._closed = False

    def add(self, attempt: str, lease: float, patient: Patient, give_back: Callable[[], None] | None = None) -> Lease:
        """Renew this attempt's lease of `lease` seconds from now on.

        Args:
            attempt: its key.
            lease: how long it lasts.
            patient: who holds it.
            give_back: puts its job back into the queue, if it does not begin; without it, it has begun.
        """
        if self._pid != PROCESS.pid:
            self._reset()
        held = Lease(self, lease, patient, give_back)
        with self.mutex:
            self._leases[attempt] = held
            now = self._clock.monotonic()
            due = now + lease / _BEATS_PER_LEASE
            if give_back is not None:
                held.begin_by = begin_by = now + BEGIN_SECONDS
                self._next_look = min(self._next_look, begin_by)
            if self._thread is None:
                self._start(due)
            elif due < self._next_beat:
                self._next_beat = due
                self._wake.notify()
        return held

    def remove(self, attempt: str) -> None:
        """Stop renewing this attempt's lease."""
        if sys.is_finalizing():
            return
        if self._pid != PROCESS.pid:
            self._reset()
        with self.mutex:
            self._leases.pop(attempt, None)

    def close(self) -> None:
        """Give back what has not begun, and stop the thread; the other leases run out."""
        if sys.is_finalizing():
            return
        if self._pid != PROCESS.pid:
            self._reset()
        self.give_back_idle()
        with self._wake:
            self._closed = True
            self._leases.clear()
            self._wake.notify()
        if self._thread is not None and self._pid == PROCESS.pid:
            self._thread.join()

    def give_back_idle(self) -> None:
        """Give back all jobs that have not begun; those that another thread gives back are back as well."""
        if self._pid != PROCESS.pid:
            return
        for lease in self._take(lambda lease: lease.begin_by is not None):
            lease.give_back()
        for lease in list(self._returning):
            lease.wait()

    def has_idle(self) -> bool:
        """Tell whether there are jobs here that have not begun."""
        if not self._leases or self._pid != PROCESS.pid:
            return False
        for lease in list(self._leases.values()):  # noqa: SIM110 -- a generator takes longer, and each job asks
            if lease.begin_by is not None:
                return True
        return False

    def take(self, lease: Lease) -> bool:
        """Take a lease out of the heart, to be given back by whoever calls, unless its job has begun."""
        return not sys.is_finalizing() and bool(self._take(lambda each: each is lease and each.begin_by is not None))

    def dropped(self, _: object) -> None:
        """Hear that nobody refers to a patient any more."""
        self.look()

    def look(self) -> None:
        """Look soon for jobs that have not begun and that nobody refers to; may be called at any moment."""
        if sys.is_finalizing():
            return
        with self._wake:
            self._next_look = float("-inf")
            self._wake.notify()

    def holds(self, attempt: str) -> bool:
        """Tell whether this process renews the lease of `attempt`; a forked child never does."""
        return self._pid == PROCESS.pid and attempt in self._leases

    def _start(self, due: float) -> None:
        self._next_beat = due
        thread = threading.Thread(target=self._run, name="sweepstake-heartbeat", daemon=True)
        thread.start()  # on a machine without room for it this fails, and the next lease tries again
        self._thread = thread

    def _run(self) -> None:
        while self._wait():
            self._return_given_up()
            if self._next_beat <= self._clock.monotonic():
                self._beat()

    def _wait(self) -> bool:
        """Wait until the next beat is due, or a job should be looked at; False ends the thread."""
        with self._wake:
            while not self._closed:
                left = min(self._next_beat, self._next_look) - self._clock.monotonic()
                if left <= 0:
                    return True
                self._wake.wait(min(left, threading.TIMEOUT_MAX))
        return False

    def _return_given_up(self) -> None:
        """Give back what has not begun in time, on a thread of its own: the leases of the others do not wait for it."""
        now = self._clock.monotonic()
        given_up = self._take(lambda lease: lease.is_given_up(now))
        with self.mutex:
            waiting = [lease.begin_by for lease in self._leases.values() if lease.begin_by is not None]
            self._next_look = min(waiting, default=float("inf"))
        if given_up:
            threading.Thread(target=_return, args=(given_up,), name="sweepstake-give-back", daemon=True).start()

    def _take(self, wanted: Callable[[Lease], bool]) -> list[Lease]:
        """Take leases out of the heart, to be given back by whoever calls."""
        with self.mutex:
            taken = {attempt: lease for attempt, lease in list(self._leases.items()) if wanted(lease)}
            for attempt, lease in taken.items():
                del self._leases[attempt]
                lease.returned = threading.Event()
            self._returning = [lease for lease in self._returning if not lease.is_returned()] + list(taken.values())
        return list(taken.values())

    def _beat(self) -> None:
        with self._wake:
            alive = {key: held for key, held in list(self._leases.items()) if held.patient() is not None}
            self._leases = {**alive, **{k: v for k, v in self._leases.items() if v.begin_by is not None}}
            leases = dict(self._leases)
        failed = False
        if leases:
            try:
                answers = self._queue.heartbeat(tuple(leases))
            except SweepstakeError as error:
                failed = True
                answers = ()
                _logger.warning(
                    "A heartbeat for %s failed (%s); trying again.", counted(len(leases), "running job"), error
                )
            except Exception:  # a thread ends here: one odd failure must not cost the leases of the process
                failed = True
                answers = ()
                _logger.exception("A heartbeat for %s failed; trying again.", counted(len(leases), "running job"))
            for beat in answers:
                self._tell(beat.attempt, beat.signal, leases)
        self._plan(failed=failed)

    def _tell(self, attempt: str, signal: Signal, leases: dict[str, Lease]) -> None:
        patient = leases[attempt].patient() if attempt in leases else None
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
            shortest = min((lease.seconds for lease in self._leases.values()), default=float("inf"))
            pause = shortest / _BEATS_PER_LEASE
            if failed:
                pause = min(pause / 2, 5.0)
            self._next_beat = self._clock.monotonic() + pause


def _return(leases: list[Lease]) -> None:
    for lease in leases:
        lease.give_back()
