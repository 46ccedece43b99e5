"""Asking for a job until there is one, or the time is over."""

from __future__ import annotations

import time
from typing import Final

from sweepstake.client.attempt.terminating import TERM_WATCH
from sweepstake.client.nothing import no_job
from sweepstake.client.session import Session
from sweepstake.domain.records import Claim
from sweepstake.domain.status import NoJobReason
from sweepstake.errors import InvalidInputError, shown
from sweepstake.queue.retrying import PATIENCE

__all__ = ["check_wait", "claim_within"]

#: The longest wait, in seconds.
_GENERATION: Final = 1e9
#: Seconds between looks for a job, growing from the first to the last.
_POLL: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


def check_wait(wait: object) -> float:
    """Return how many seconds to wait; a time that has passed is none, and for ever is a generation."""
    if type(wait) is float and 0.0 <= wait <= _GENERATION:
        return wait
    if isinstance(wait, bool) or not isinstance(wait, (int, float)) or wait != wait:  # noqa: PLR0124 -- NaN
        raise InvalidInputError.at("wait", f"must be a number of seconds, is {shown(wait)}")
    return float(max(0, min(wait, _GENERATION)))


def claim_within(session: Session, name: str, wait: float) -> Claim:
    """Claim a job of an experiment, within so many seconds.

    Raises:
        NoJobError: there was none; it says why. It comes at once from an experiment that is DONE.
    """
    until = time.monotonic() + check_wait(wait)
    looks = 0
    while True:
        if TERM_WATCH.asked:
            TERM_WATCH.refuse_more()
        answer = session.queue.claim(name, session.worker(), patience=_patience)
        if isinstance(answer, Claim):
            return answer
        left = until - time.monotonic()
        if left <= 0 or answer.reason is NoJobReason.FINISHED:
            raise no_job(name, answer.reason)
        TERM_WATCH.nap(time.sleep, min(left, _POLL[min(looks, len(_POLL) - 1)]))
        looks += 1


def _patience() -> float:
    return 0.0 if TERM_WATCH.asked else PATIENCE
