"""How the end of a job's block becomes the outcome of its attempt."""

from __future__ import annotations

import asyncio
import traceback
from typing import Final

from attrs import field, frozen

from sweepstake.domain.causes import causes_of
from sweepstake.domain.drafts import shortened_reason
from sweepstake.domain.status import Outcome
from sweepstake.errors import PruneJob, UnusableFolderError

__all__ = ["DONE", "EXIT_RELEASE", "Leaving", "Terminated", "leaving"]

#: The exit code by which a job gives itself back to the queue (EX_TEMPFAIL of sysexits.h).
EXIT_RELEASE: Final = 75


class Terminated(SystemExit):
    """The process was told to end (SIGTERM) while a job ran in it."""


@frozen
class Leaving:
    """What is recorded, and whether the exception ends here.

    Attributes:
        swallow: the exception was a message to us, and is raised no further.
        reason: the traceback, or the exit code.
        causes: what the experiment's `no_retry_on` may name, of a crash.
    """

    outcome: Outcome
    swallow: bool = False
    reason: str = field(default="", converter=shortened_reason)
    causes: tuple[str | int, ...] = ()


#: What is recorded when no exception left the block.
DONE: Final = Leaving(Outcome.DONE)


def leaving(error: BaseException) -> Leaving:
    """Return what the exception that left a block means for its job."""
    try:
        return _meaning(error)
    except Exception:  # noqa: BLE001 -- an exception that cannot tell what it is: the job's end is recorded all the same
        return Leaving(Outcome.CRASHED, reason=f"{type(error).__name__}, which cannot be shown")


def _meaning(error: BaseException) -> Leaving:
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
    return text.replace("\x00", "\\x00")
