"""SIGTERM while this process holds jobs: one watch for all blocks, threads and connections."""

from __future__ import annotations

import atexit
import ctypes
import logging
import os
import sys
import threading
import time
import weakref

# `signal` wraps its C half to make enums of handlers, at a tenth of the cost of a whole job; a watch needs no enums.
from _signal import SIG_DFL, SIGTERM, getsignal  # type: ignore[import-not-found] # typeshed leaves it out
from _signal import signal as set_handler
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, get_ident
from types import FrameType, TracebackType
from typing import Final

from attrs import define, field

from sweepstake.client.attempt.heartbeat import Heartbeat
from sweepstake.client.attempt.leaving import Terminated
from sweepstake.client.attempt.preempting import HOOK_SECONDS
from sweepstake.client.attempt.process import PROCESS

__all__ = ["TERM_WATCH", "Running", "TermWatch", "raise_in"]

#: Seconds that a thread has to leave its block when it is told to, before the job is given back without it.
_GRACE: Final = 3.0
#: Seconds between two looks at whether the others have ended.
_LOOK: Final = 0.05
#: The longest single sleep of a nap: if another thread took the signal, the sleeper hears of it only afterwards.
_STRETCH: Final = 1.0

_logger = logging.getLogger(__name__)


@define(eq=False)
class Running:
    """A block that runs, from its beginning to when its end is recorded.

    Attributes:
        ending: taken by whoever records the end, and never given back.
        ended: held until the end is recorded; an event takes ten times as long to make.
        thread: the one that runs the block.
    """

    _preempt: Callable[[], None]  # gives the job back as preempted
    ending: Lock = field(factory=Lock)
    ended: Lock = field(factory=Lock)
    thread: int = field(factory=get_ident)

    def end_from_outside(self) -> None:
        """Give the job back as preempted, unless the block is being left; its thread goes on without it."""
        if not self.ending.acquire(blocking=False):
            return
        try:
            self._preempt()
        except Exception:  # a thread ends here: the other jobs must be given back all the same
            _logger.exception("A job could not be given back.")
        finally:
            self.ended.release()


class _Woken(BaseException):
    """Ends a nap: a signal came meanwhile."""


class TermWatch:
    """Turns SIGTERM into `Terminated` while jobs are held here, and otherwise leaves the signal its default action.

    Python calls the handler in the main thread, so `Terminated` is raised there. A call that must not be cut, such as a
    report or a claim, is made within ``with TERM_WATCH:``; the exception then comes at its end. Other threads that run
    blocks are told to leave them; those that do not, because they are busy outside Python, have their jobs given back
    all the same.

    It acts only over the default action: a handler of the user's, or of a library's, stays as it is, whether it was
    there before or came later.

    Attributes:
        asked: SIGTERM has arrived.
    """

    def __init__(self) -> None:
        self._heartbeats: tuple[weakref.ref[Heartbeat], ...] = ()
        self._registered = False
        self._reset()

    def _reset(self) -> None:
        self._blocks: set[weakref.ref[Running]] = set()  # a `WeakSet` takes ten times as long
        self._deferred = 0
        self.asked = False
        self._raised = False
        self._napping = False
        self._main = threading.main_thread().ident

    def __enter__(self) -> None:
        """Put signals off, if this is the thread that gets them."""
        if get_ident() == self._main:
            self._deferred += 1
            if getsignal(SIGTERM) == SIG_DFL:
                set_handler(SIGTERM, self._receive)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let a signal act that came meanwhile.

        Raises:
            Terminated: one has come.
        """
        if get_ident() != self._main or not self._deferred:
            return
        self._deferred -= 1
        if self._deferred:
            return
        if self.asked and not self._raised:
            self._raised = True
            raise Terminated(128 + SIGTERM)
        self._restore()

    def add(self, heartbeat: Heartbeat) -> None:
        """Watch for jobs of a connection that have not begun: they are given back at SIGTERM and as the program ends.

        From here on, if this is the main thread, SIGTERM is watched.
        """
        if not self._registered:
            self._registered = True
            atexit.register(self._give_back_idle)
            PROCESS.when_forked(self, TermWatch._begin_child)
        self._heartbeats = (*self._without(heartbeat), weakref.ref(heartbeat))
        self._install()

    def drop(self, heartbeat: Heartbeat) -> None:
        """End what `add` began."""
        self._heartbeats = self._without(heartbeat)
        self._restore()

    def begin(self, block: Running) -> None:
        """Watch while a block runs."""
        self._blocks.add(weakref.ref(block, self._blocks.discard))
        self._install()

    def end(self, block: Running) -> None:
        """Stop watching for a block, which has been left."""
        self._blocks.discard(weakref.ref(block))
        if not self._deferred:
            self._restore()

    def nap(self, sleep: Callable[[float], None], seconds: float) -> None:
        """Sleep for so long, or until a signal comes."""
        woken = self._deferred > 0 and get_ident() == self._main
        try:
            if woken:
                self._napping = True
            while seconds > 0 and not (woken and self.asked):
                sleep(min(seconds, _STRETCH))
                seconds -= _STRETCH
        except _Woken:
            pass
        finally:
            if woken:
                self._napping = False

    def refuse_more(self) -> None:
        """Raise Terminated if the process was told to end, and should begin no more."""
        if self.asked:
            raise Terminated(128 + SIGTERM)

    def _install(self) -> None:
        """Watch over the default action, if this is the main thread: no other may set a handler."""
        if get_ident() == self._main and getsignal(SIGTERM) == SIG_DFL:
            set_handler(SIGTERM, self._receive)

    def _restore(self) -> bool:
        """Put the default action back once nothing is held, if the handler is still ours; tell whether that is so."""
        if get_ident() != self._main or self._deferred or self._blocks:
            return False
        for each in self._heartbeats:
            heartbeat = each()
            if heartbeat is not None and heartbeat.idle:
                return False
        self.asked = self._raised = False
        if getsignal(SIGTERM) == self._receive:
            set_handler(SIGTERM, SIG_DFL)
        return True

    def _begin_child(self) -> None:
        """Begin anew in a forked child: it holds nothing, and ends at once when told to, as a pool expects of it."""
        self._reset()
        if getsignal(SIGTERM) == self._receive:
            set_handler(SIGTERM, SIG_DFL)

    def _running(self) -> list[Running]:
        """Return the blocks that run, of those that somebody still has."""
        return [block for each in list(self._blocks) if (block := each()) is not None]

    def _without(self, heartbeat: Heartbeat) -> tuple[weakref.ref[Heartbeat], ...]:
        """Return the heartbeats but this one and those that are gone."""
        return tuple(each for each in self._heartbeats if each() not in (None, heartbeat))

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self._restore():
            set_handler(SIGTERM, SIG_DFL)
            os.kill(os.getpid(), SIGTERM)
            return
        if not self.asked:
            self.asked = True
            with suppress(RuntimeError):  # no room for a thread; what runs in this one ends all the same
                threading.Thread(target=self._end_others, name="sweepstake-terminate", daemon=True).start()
        if self._napping:
            raise _Woken
        if not self._deferred and not self._raised:
            self._raised = True
            raise Terminated(128 + SIGTERM)

    def _give_back_idle(self) -> None:
        with self:
            for each in self._heartbeats:
                heartbeat = each()
                if heartbeat is not None:
                    heartbeat.give_back_idle()

    def _end_others(self) -> None:
        """Give back what has not begun, and end the blocks of other threads."""
        self._give_back_idle()
        others = [block for block in self._running() if block.thread != self._main]
        for block in others:
            if not block.ending.locked():
                raise_in(block.thread, Terminated)
        _wait_for(others, _GRACE)
        stuck = [block for block in others if not block.ending.locked()]
        for block in stuck:
            block.end_from_outside()
        mine = [block for block in self._running() if block.thread == self._main]
        _wait_for(mine, HOOK_SECONDS)
        for block in mine:
            block.end_from_outside()
        if stuck:
            _leave_behind(128 + SIGTERM)


def _wait_for(blocks: list[Running], seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not all(block.ending.locked() for block in blocks):
        time.sleep(_LOOK)


def _leave_behind(code: int) -> None:
    """End the process once its main thread has ended: the threads that are left do not hear that they should."""
    main = threading.main_thread()
    while main.is_alive():
        time.sleep(_LOOK)
    time.sleep(_GRACE)
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # whatever it is, it cannot keep the process
            stream.flush()
    os._exit(code)


def raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Have another thread raise an exception at its next step; None takes back one that it has not raised yet."""
    thrown = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), thrown)


#: The watch of this process: one, as a process has one action for a signal.
TERM_WATCH: Final = TermWatch()
