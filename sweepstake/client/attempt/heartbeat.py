"""The heartbeat of a process: one thread that renews all its leases in one call."""

from __future__ import annotations

import logging
import sys
import threading
import weakref
from collections.abc import Callable
from math import inf
from typing import Final, Protocol

from attrs import define

from sweepstake.client.attempt.process import PROCESS
from sweepstake.clock import Clock
from sweepstake.domain.status import Signal
from sweepstake.errors import SweepstakeError
from sweepstake.plaintext import counted
from sweepstake.queue.queue import Queue
from sweepstake.queue.retrying import TERM_PATIENCE

__all__ = ["BEGIN_SECONDS", "Heartbeat", "Lease", "LeaseHolder"]

#: A lease is renewed this many times before it would run out.
_BEATS_PER_LEASE: Final = 3
#: Seconds for which the lease of a job is renewed that has not begun.
BEGIN_SECONDS: Final = 60.0

_logger = logging.getLogger(__name__)


class LeaseHolder(Protocol):
    """What holds a lease: a job of this process, or what stands here for a command that runs in another one."""

    def receive(self, signal: Signal) -> None:
        """Take what the store says of the attempt; called on the heartbeat's thread."""


@define(eq=False)
class Lease:
    """A lease that is renewed. Made by `Heartbeat.add`.

    Attributes:
        attempt: key of the attempt that it belongs to.
        seconds: how long it lasts.
        holder: returns who holds it, if anybody still does.
        begin_by: by which time of the clock its job must begin; infinite once it has.
        returned: set once the job is back in the queue; None unless it is being given back.
    """

    _heartbeat: Heartbeat
    _give_back: Callable[[], None] | None
    attempt: str
    seconds: float
    holder: weakref.ref[LeaseHolder]
    begin_by: float = inf
    returned: threading.Event | None = None

    def begin(self) -> bool:
        """Renew it from now on for as long as the job runs.

        Returns:
            Whether it is still held; if the job was given back, False, once it is in the queue again.
        """
        with self._heartbeat.mutex:
            if self.returned is None:
                self._heartbeat.idle.discard(self)
                self.begin_by = inf
                self._give_back = None
                return True
        self.wait()
        return False

    def is_idle(self) -> bool:
        """Tell whether its job has not begun, whether or not it was given back since."""
        return self.begin_by < inf

    def wait(self) -> None:
        """Wait until the job that is being given back is back, but not for ever."""
        if self.returned is not None:
            self.returned.wait(TERM_PATIENCE)

    def give_back_idle(self) -> bool:
        """Give the job back if it has not begun; tell whether it was, by this call or another."""
        if not sys.is_finalizing() and self._heartbeat.take(lambda lease: lease is self):
            self.give_back()
        self.wait()
        return self.returned is not None

    def give_back(self) -> None:
        """Put the job back into the queue; whoever calls has taken the lease out of the heartbeat."""
        assert self.returned is not None, "set by whoever took it out"
        try:
            if self._give_back is not None:
                self._give_back()
        except Exception:  # a thread or the process ends here: the others must be given back all the same
            _logger.exception("A job that did not begin could not be given back.")
        finally:
            self.returned.set()


class Heartbeat:
    """Renews the leases that are registered with it, three times per lease.

    It refers to holders weakly: a job that nobody refers to any more is not kept alive. A job that has not begun is
    given back when nobody refers to it any more, after BEGIN_SECONDS, when the connection is closed, and when the
    program ends. A forked child begins without leases. While the interpreter clears its objects away, nothing is done
    here: all was given back before, and the thread is gone, perhaps with the lock.

    Args:
        queue: where leases are renewed.
        clock: for the time between beats.

    Attributes:
        mutex: held by whoever changes the leases.
        idle: the leases of jobs that have not begun.
    """

    def __init__(self, queue: Queue, clock: Clock) -> None:
        self._queue = queue
        self._clock = clock
        self._reset()
        PROCESS.when_forked(self, Heartbeat._reset)  # the parent's thread may have held the lock at that moment

    def _reset(self) -> None:
        self.mutex = threading.RLock()  # a signal may end a job in the middle of another call
        self.idle: set[Lease] = set()
        self._returning: list[Lease] = []
        self._wake = threading.Condition(self.mutex)  # the two below take its lock without its detour
        self._leases: dict[str, Lease] = {}
        self._thread: threading.Thread | None = None
        self._next_beat = self._next_look = inf
        self._closed = False

    def add(
        self, attempt: str, seconds: float, holder: LeaseHolder, give_back: Callable[[], None] | None = None
    ) -> Lease:
        """Renew a lease from now on.

        Args:
            attempt: key of the attempt.
            seconds: how long the lease lasts.
            holder: who holds it.
            give_back: puts the job back into the queue if it does not begin; None: it has begun already.
        """
        known = weakref.ref(holder, None if give_back is None else self.look)
        lease = Lease(self, give_back, attempt, seconds, known)
        with self.mutex:
            self._leases[attempt] = lease
            now = self._clock.monotonic()
            due = now + seconds / _BEATS_PER_LEASE
            if give_back is not None:
                lease.begin_by = begin_by = now + BEGIN_SECONDS
                self.idle.add(lease)
                self._next_look = min(self._next_look, begin_by)
            if self._thread is None:
                self._start(due)
            elif due < self._next_beat:
                self._next_beat = due
                self._wake.notify()
        return lease

    def remove(self, attempt: str) -> None:
        """Stop renewing the lease of an attempt."""
        if sys.is_finalizing():
            return
        with self.mutex:
            lease = self._leases.pop(attempt, None)
            if lease is not None:
                self.idle.discard(lease)

    def close(self) -> None:
        """Give back what has not begun, and stop the thread; the other leases run out."""
        if sys.is_finalizing():
            return
        self.give_back_idle()
        with self._wake:
            self._closed = True
            self._leases.clear()
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()

    def give_back_idle(self) -> None:
        """Give back all jobs that have not begun; those that another thread gives back are back as well."""
        for lease in self.take(lambda _: True):
            lease.give_back()
        for lease in list(self._returning):
            lease.wait()

    def take(self, wanted: Callable[[Lease], bool]) -> list[Lease]:
        """Take out those of the wanted leases whose jobs have not begun; the caller gives them back."""
        with self.mutex:
            taken = [lease for lease in self.idle if wanted(lease)]
            for lease in taken:
                self.idle.discard(lease)
                self._leases.pop(lease.attempt, None)
                lease.returned = threading.Event()
            waiting = [each for each in self._returning if each.returned is not None and not each.returned.is_set()]
            self._returning = waiting + taken
        return taken

    def look(self, _dropped: object = None) -> None:
        """Look soon for jobs that have not begun and that nobody refers to; may be called at any moment."""
        if sys.is_finalizing():
            return
        with self._wake:
            self._next_look = -inf
            self._wake.notify()

    def holds(self, attempt: str) -> bool:
        """Tell whether this process renews the lease of `attempt`; a forked child never does."""
        return attempt in self._leases

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
        """Give back what has not begun, if nobody refers to it or its time is over.

        That happens on a thread of its own: the leases of the others do not wait for it.
        """
        now = self._clock.monotonic()
        given_up = self.take(lambda lease: lease.holder() is None or lease.begin_by <= now)
        with self.mutex:
            self._next_look = min((lease.begin_by for lease in self.idle), default=inf)
        if given_up:
            threading.Thread(target=_return, args=(given_up,), name="sweepstake-give-back", daemon=True).start()

    def _beat(self) -> None:
        with self._wake:
            held = [lease for lease in self._leases.values() if lease.holder() is not None or lease in self.idle]
            self._leases = {lease.attempt: lease for lease in held}
            leases = dict(self._leases)
        failed = False
        if leases:
            try:
                for beat in self._queue.heartbeat(tuple(leases)):
                    self._tell(leases.get(beat.attempt), beat.signal)
            except SweepstakeError as error:
                failed = True
                _logger.warning(
                    "A heartbeat for %s failed (%s); trying again.", counted(len(leases), "running job"), error
                )
            except Exception:  # a thread ends here: one odd failure must not cost the leases of the process
                failed = True
                _logger.exception("A heartbeat for %s failed; trying again.", counted(len(leases), "running job"))
        self._plan(failed=failed)

    def _tell(self, lease: Lease | None, signal: Signal) -> None:
        if lease is None:
            return
        if signal is not Signal.CONTINUE:
            self.remove(lease.attempt)
        holder = lease.holder()
        if holder is None:
            return
        try:
            holder.receive(signal)
        except Exception:  # a thread ends here: one that cannot do as it is told must not cost the others' leases
            _logger.exception("What the store says of an attempt (%s) could not be followed.", signal)

    def _plan(self, *, failed: bool) -> None:
        with self._wake:
            shortest = min((lease.seconds for lease in self._leases.values()), default=inf)
            pause = shortest / _BEATS_PER_LEASE
            if failed:
                pause = min(pause / 2, 5.0)
            self._next_beat = self._clock.monotonic() + pause


def _return(leases: list[Lease]) -> None:
    for lease in leases:
        lease.give_back()
