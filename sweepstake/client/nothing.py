"""Why there is no job to claim, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sweepstake.domain.addresses import called
from sweepstake.domain.status import NoJobReason
from sweepstake.errors import NoJobError

__all__ = ["no_job"]

_WHY: Final[Mapping[NoJobReason, str]] = {
    NoJobReason.EMPTY: "its queue is empty and its search proposes nothing; add jobs",
    NoJobReason.FINISHED: "it is DONE, because it was paused or its search is complete; resume() lets it go on",
    NoJobReason.BLOCKED: "its jobs wait for jobs they depend on; of those, retry what is CRASHED or PRUNED",
    NoJobReason.DELAYED: "its jobs are not due yet",
    NoJobReason.AT_LIMIT: "as many of its jobs are RUNNING as max_running allows",
    NoJobReason.WAITING: "its search waits for running jobs to end",
    NoJobReason.EXHAUSTED: "its search has proposed all it may: the space is used up, or max_jobs is reached",
    NoJobReason.NOT_READY: "none of those asked for is ready",
}


def no_job(name: str, reason: NoJobReason) -> NoJobError:
    """Return the error that says why no job of an experiment can be claimed."""
    return NoJobError(f"no job of {called(name)!r} can be claimed: {_WHY[reason]}", reason)
