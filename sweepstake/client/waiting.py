"""Asking for a job until there is one, or the time is over; and saying why there is none."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from sweepstake.client.attempt.process import PROCESS
from sweepstake.client.attempt.terminating import TERM_WATCH
from sweepstake.client.session import Session
from sweepstake.domain.addresses import called
from sweepstake.domain.records import Claim
from sweepstake.domain.status import NoJobReason
from sweepstake.errors import InvalidInputError, NoJobError, shown
from sweepstake.queue.retrying import PATIENCE

__all__ = ["check_wait", "claim_within", "no_job", "pause"]

#: The longest wait, in seconds.
_GENERATION: Final = 1e9
#: Seconds between looks at what somebody waits for, growing from the first to the last.
_POLL: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)

_WHY: Final[Mapping[NoJobReason, str]] = {
    NoJobReason.EMPTY: "its queue is empty and its search proposes nothing; add jobs",
    NoJobReason.FINISHED: "it is DONE, because it was paused or its search is complete; resume() lets it go on",
    NoJobReason.BLOCKED: "its jobs wait for jobs they depend on, of which retry what is CRASHED or PRUNED, or for a "
    "gang that collects its jobs",
    NoJobReason.DELAYED: "its jobs are not due yet",
    NoJobReason.AT_LIMIT: "as many of its jobs are RUNNING as max_running allows",
    NoJobReason.WAITING: "its search waits for running jobs to end",
    NoJobReason.EXHAUSTED: "its search has proposed all it may: the space is used up, or max_jobs is reached",
    NoJobReason.UNMET: "its jobs need what this worker does not have, as `sweepstake why` tells",
    NoJobReason.NOT_READY: "none of those asked for is ready",
}


def check_wait(wait: object, path: str = "wait") -> float:
    """Return how many seconds to wait; a time that has passed is none, and for ever is a generation."""
    if isinstance(wait, bool) or not isinstance(wait, (int, float)) or wait != wait:  # noqa: PLR0124 -- NaN
        raise InvalidInputError.at(path, f"must be a number of seconds, is {shown(wait)}")
    return float(max(0, min(wait, _GENERATION)))


def claim_within(session: Session, name: str, wait: float) -> Claim:
    """Claim a job of an experiment, within so many seconds.

    Raises:
        NoJobError: there was none; it says why. It comes at once from an experiment that is DONE.
    """
    # `Experiment.next_job` hands on what its user gave, which mostly is a plain number
    until = time.monotonic() + (wait if type(wait) is float and 0.0 <= wait <= _GENERATION else check_wait(wait))
    looks = 0
    while True:
        if TERM_WATCH.asked:
            TERM_WATCH.refuse_more()
        answer = session.queue.claim(name, PROCESS.worker, patience=_patience)
        if isinstance(answer, Claim):
            return answer
        left = until - time.monotonic()
        if left <= 0 or answer.reason is NoJobReason.FINISHED:
            raise no_job(name, answer.reason)
        TERM_WATCH.nap(time.sleep, min(left, pause(looks)))
        looks += 1


def pause(looks: int) -> float:
    """Return how many seconds to wait before the next look, after so many others that showed nothing new."""
    return _POLL[min(looks, len(_POLL) - 1)]


def no_job(name: str, reason: NoJobReason) -> NoJobError:
    """Return the error that says why no job of an experiment can be claimed."""
    return NoJobError(f"no job of {called(name)!r} can be claimed: {_WHY[reason]}", reason)


def _patience() -> float:
    return 0.0 if TERM_WATCH.asked else PATIENCE
