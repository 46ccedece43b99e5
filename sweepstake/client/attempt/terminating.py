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
from threading import get_ident
from types import FrameType, TracebackType
from typing import Final, Protocol

from sweepstake.client.attempt.leaving import Terminated
from sweepstake.client.attempt.preempting import HOOK_SECONDS

__all__ = ["TERM_WATCH", "Deferral", "Holder", "Running", "TermWatch", "raise_in"]

#: Seconds that a thread has to leave its block when it is told to, before the job is given back without it.
_GRACE: Final = 3.0
#: Seconds between two looks at whether the others have ended.
_LOOK: Final = 0.05

_logger = logging.getLogger(__name__)


class Running(Protocol):
    """A block that runs."""

    thread: int

    def is_leaving(self) -> bool:
        """Tell whether its end is being recorded, or is."""

    def raise_there(self, error: type[BaseException]) -> None:
        """Have its thread raise that, unless the block is being left."""

    def end_from_outside(self) -> None:
        """Give its job back as preempted, unless the block is being left."""


class Holder(Protocol):
    """Whoever holds jobs that have not begun: a heart."""

    def has_idle(self) -> bool:
        """Tell whether there are any."""

    def give_back_idle(self) -> None:
        """Give them back."""


class _Woken(BaseException):
    """A signal came while we slept."""


class TermWatch:
    """Turns SIGTERM into `Terminated` while jobs are held here, and else leaves it its default action.

    Python calls it in the main thread, and raises there what it raises. A call that must not be cut is made within
    `deferring`; the exception then comes at its end. Other threads that run blocks are told to leave them; those that
    do not, because they are busy outside Python, have their jobs given back all the same.

    It acts only over the default action: a handler of the user's, or of a library's, stays as it is, whether it was
    there before or came later.

    Attributes:
        asked: SIGTERM has arrived.
        deferring: the block of a call that is not to be cut: a report, or a claim.
    """

    def __init__(self) -> None:
        self._holders: tuple[weakref.ref[Holder], ...] = ()
        self._hooked = self._at_exit = False
        self.deferring: Final = Deferral(self)
        self._reset()

    def _reset(self) -> None:
        self._blocks: set[weakref.ref[Running]] = set()  # a `WeakSet` takes ten times as long
        self._deferred = 0
        self.asked = False
        self._raised = False
        self._napping = False
        #: The main thread, once somebody has asked for it.
        self._main: int | None = None

    def add(self, holder: Holder) -> None:
        """Give back what `holder` has not begun, too; from here on, if this is the main thread, SIGTERM is watched."""
        if not self._at_exit:
            atexit.register(self._give_back_idle)
            self._at_exit = True
        self._holders = (*self._without(holder), weakref.ref(holder))
        if self._is_main():
            self._install()

    def drop(self, holder: Holder) -> None:
        """End what `add` began."""
        self._holders = self._without(holder)
        self._rest()

    def begin(self, block: Running) -> None:
        """Watch while a block runs."""
        self._blocks.add(weakref.ref(block, self._blocks.discard))
        if get_ident() == self._main or self._is_main():
            self._install()

    def end(self, block: Running) -> None:
        """A block has been left."""
        self._blocks.discard(weakref.ref(block))
        if not self._deferred:
            self._rest()

    def nap(self, sleep: Callable[[float], None], seconds: float) -> None:
        """Sleep for so long, or until a signal comes."""
        if not self._deferred or not self._is_main():
            sleep(seconds)
            return
        try:
            self._napping = True
            if not self.asked:
                sleep(seconds)
        except _Woken:
            pass
        finally:
            self._napping = False

    def refuse_more(self) -> None:
        """Raise Terminated if the process was told to end, and should begin no more."""
        if self.asked:
            raise Terminated(128 + SIGTERM)

    def defer(self) -> None:
        """Begin to put signals off, if this is the thread that gets them."""
        if get_ident() == self._main or self._is_main():
            self._deferred += 1
            self._install()

    def go_on(self) -> None:
        """End what `defer` began; a signal that came meanwhile acts now.

        Raises:
            Terminated: one has come.
        """
        if (get_ident() != self._main and not self._is_main()) or not self._deferred:
            return
        self._deferred -= 1
        if self._deferred:
            return
        if self.asked and not self._raised:
            self._raised = True
            raise Terminated(128 + SIGTERM)
        self._rest()

    def _is_main(self) -> bool:
        """Tell whether this is the main thread; a fork may make another thread that."""
        if not self._hooked:
            os.register_at_fork(after_in_child=self._after_fork)
            self._hooked = True
        self._main = threading.main_thread().ident
        return get_ident() == self._main

    def _install(self) -> None:
        """Watch over the default action; called in the main thread."""
        if getsignal(SIGTERM) == SIG_DFL:
            set_handler(SIGTERM, self._receive)

    def _rest(self) -> None:
        """Put the default action back once nothing is held, if the handler is still ours."""
        if self._deferred or (get_ident() != self._main and not self._is_main()) or self._holds():
            return
        self.asked = self._raised = False
        if getsignal(SIGTERM) == self._receive:
            set_handler(SIGTERM, SIG_DFL)

    def _after_fork(self) -> None:
        """A child holds nothing, and ends at once when it is told to, as a pool of processes expects."""
        self._reset()
        if getsignal(SIGTERM) == self._receive:
            set_handler(SIGTERM, SIG_DFL)

    def _holds(self) -> bool:
        """Tell whether anything is held here; without any of it a signal has its default action."""
        if self._deferred or (self._blocks and self._running()):
            return True
        for each in self._holders:
            holder = each()
            if holder is not None and holder.has_idle():
                return True
        return False

    def _running(self) -> list[Running]:
        """Return the blocks that run, of those that somebody still has."""
        return [block for each in list(self._blocks) if (block := each()) is not None]

    def _without(self, holder: Holder) -> tuple[weakref.ref[Holder], ...]:
        """Return the holders but this one and those that are gone."""
        return tuple(each for each in self._holders if each() is not None and each() is not holder)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if not self._holds():
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
        with self.deferring:
            for each in self._holders:
                holder = each()
                if holder is not None:
                    holder.give_back_idle()

    def _end_others(self) -> None:
        """Give back what has not begun, and end the blocks of other threads."""
        self._give_back_idle()
        main = threading.main_thread().ident
        others = [block for block in self._running() if block.thread != main]
        for block in others:
            block.raise_there(Terminated)
        _wait_for(others, _GRACE)
        stuck = [block for block in others if not block.is_leaving()]
        for block in stuck:
            _end(block)
        mine = [block for block in self._running() if block.thread == main]
        _wait_for(mine, HOOK_SECONDS)
        for block in mine:
            _end(block)
        if stuck:
            _leave_behind(128 + SIGTERM)


class Deferral:
    """The time in which a signal waits, in the thread that gets signals; see `TermWatch.deferring`."""

    __slots__ = ("_watch",)

    def __init__(self, watch: TermWatch) -> None:
        self._watch = watch

    def __enter__(self) -> None:
        """Put signals off."""
        self._watch.defer()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let a signal act that came meanwhile."""
        self._watch.go_on()


def _wait_for(blocks: list[Running], seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not all(block.is_leaving() for block in blocks):
        time.sleep(_LOOK)


def _end(block: Running) -> None:
    try:
        block.end_from_outside()
    except Exception:  # a thread ends here: the other jobs must be given back all the same
        _logger.exception("A job could not be given back.")


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


#: The one of this process, as a process has one action for a signal.
TERM_WATCH: Final = TermWatch()
