"""Pausing an experiment and letting it go on, whatever else is changed of its definition meanwhile."""

from __future__ import annotations

from typing import Final

from sweepstake.domain.records import ExperimentRecord, Guard
from sweepstake.domain.status import ExperimentStatus
from sweepstake.errors import UnsafeUpdateError
from sweepstake.ports import ExperimentDraft
from sweepstake.retrying import RetryingQueue

__all__ = ["set_status"]

#: How often somebody else may change the definition between our look and our write.
_MOST_TRIES: Final = 100


def set_status(queue: RetryingQueue, name: str, status: ExperimentStatus) -> tuple[ExperimentRecord, ExperimentRecord]:
    """Give an experiment another status and leave the rest of its definition as it is stored.

    Returns:
        The experiment just before and after; the same twice if it had the status already.

    Raises:
        UnsafeUpdateError: somebody else changed it each time that this tried.
    """
    for tries_left in reversed(range(_MOST_TRIES)):
        before = queue.get_experiment(name)
        if before.status is status:
            return before, before
        draft = ExperimentDraft(search=before.search, status=status)
        try:
            return before, queue.put_experiment(name, draft, Guard.match(before.etag))
        except UnsafeUpdateError:
            if not tries_left:
                raise
    raise AssertionError("the last try returns or raises")
