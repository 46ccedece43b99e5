"""How the end of a job's block becomes the outcome of its attempt."""

from __future__ import annotations

import asyncio
import os
import threading
import traceback

# `signal` wraps its C half to make enums of handlers, at a tenth of the cost of a whole job; a watch needs no enums.
from _signal import SIG_DFL, SIGTERM, getsignal  # type: ignore[import-not-found] # typeshed leaves it out
from _signal import signal as set_handler
from types import FrameType
from typing import Final

from attrs import frozen

from sweepstake.domain.causes import causes_of
from sweepstake.domain.status import Outcome
from sweepstake.errors import PruneJob, UnusableFolderError

__all__ = ["EXIT_RELEASE", "Leaving", "TermWatch", "Terminated", "leaving"]

#: The exit code by which a job gives itself back to the queue (EX_TEMPFAIL of sysexits.h).
EXIT_RELEASE: Final = 75
#: The most characters of a traceback that are kept: its beginning and its end.
_MAX_REASON: Final = 32 * 1024


class Terminated(SystemExit):
    """The process was told to end (SIGTERM) while a job ran in it."""


@frozen
class Leaving:
    """What is recorded, and whether the exception ends here.

    Attributes:
        swallow: the exception was a message to us.
        reason: the traceback, or the exit code.
        causes: what the experiment's `no_retry_on` may name, of a crash.
    """

    outcome: Outcome
    swallow: bool = False
    reason: str = ""
    causes: tuple[str | int, ...] = ()


_DONE: Final = Leaving(Outcome.DONE)


def leaving(error: BaseException | None) -> Leaving:
    """Return what the exception that left a block (None: none did) means for its job."""
    if error is None:
        return _DONE
    if isinstance(error, PruneJob):
        return Leaving(Outcome.PRUNED, swallow=True, reason=str(error))
    if isinstance(error, (KeyboardInterrupt, Terminated, asyncio.CancelledError)):
        return Leaving(Outcome.PREEMPTED, reason=type(error).__name__)
    if isinstance(error, UnusableFolderError):
        return Leaving(Outcome.RELEASED, reason=str(error))
    if isinstance(error, SystemExit):
        return _exit(error)
    return Leaving(Outcome.CRASHED, reason=_traceback(error), causes=causes_of(error))


def _exit(error: SystemExit) -> Leaving:
    code = error.code
    if code is None or code == 0:
        return Leaving(Outcome.DONE)
    if code == EXIT_RELEASE:
        return Leaving(Outcome.RELEASED, reason=f"exit code {EXIT_RELEASE}")
    return Leaving(Outcome.CRASHED, reason=f"exit code {code}", causes=causes_of(error))


def _traceback(error: BaseException) -> str:
    text = "".join(traceback.format_exception(error)).encode("utf-8", "backslashreplace").decode()
    text = text.replace("\x00", "\\x00")
    if len(text) <= _MAX_REASON:
        return text
    half = _MAX_REASON // 2
    return f"{text[:half]}\n... {len(text) - 2 * half:,} characters left out ...\n{text[-half:]}"


class TermWatch:
    """Turns SIGTERM into an exception while a job runs, and puts the default action back afterwards.

    It acts only in the main thread and only over the default action; a handler of the user's stays as it is.
    """

    def __init__(self) -> None:
        self._watching = False
        self._reporting = False
        self._asked = False

    @property
    def asked(self) -> bool:
        """Whether SIGTERM has arrived."""
        return self._asked

    def start(self) -> None:
        """Begin to watch, if this thread can."""
        if threading.current_thread() is threading.main_thread() and getsignal(SIGTERM) == SIG_DFL:
            set_handler(SIGTERM, self._receive)
            self._watching = True

    def report(self) -> None:
        """From here on only remember that SIGTERM arrived: the job's end is being reported."""
        self._reporting = True

    def stop(self, *, raising: bool) -> None:
        """Put the default action back; a SIGTERM only remembered happens now, unless an exception tells of it."""
        if not self._watching:
            return
        self._watching = False
        set_handler(SIGTERM, SIG_DFL)
        if self._asked and not raising:
            os.kill(os.getpid(), SIGTERM)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._asked = True
        if not self._reporting:
            raise Terminated(128 + SIGTERM)
