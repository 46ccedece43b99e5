"""How an experiment stands, in one word."""

from __future__ import annotations

from enum import StrEnum

from sweepstake.domain.records import ExperimentRecord
from sweepstake.domain.status import ExperimentStatus
from sweepstake.ports import Counts
from sweepstake.search import Proposal, policy_for

__all__ = ["Standing", "standing"]


class Standing(StrEnum):
    """What goes on in an experiment."""

    #: Workers hold jobs of it.
    RUNNING = "running"
    #: It may be claimed from, and nobody does.
    IDLE = "idle"
    #: Nothing is claimed from it until it is resumed.
    PAUSED = "paused"
    #: All that was to be done has ended.
    COMPLETE = "complete"


def standing(record: ExperimentRecord, counts: Counts) -> Standing:
    """Return how an experiment stands.

    One that is DONE was paused if jobs wait in it or if its search would go on, else it is complete.
    """
    if record.status is ExperimentStatus.RUNNING:
        return Standing.RUNNING if counts.running else Standing.IDLE
    if counts.ready or counts.blocked or counts.delayed or _would_propose(record):
        return Standing.PAUSED
    return Standing.RUNNING if counts.running else Standing.COMPLETE


def _would_propose(record: ExperimentRecord) -> bool:
    """Tell whether the search has more to propose; one that needs the jobs before has none once it is DONE."""
    most = record.settings.max_jobs
    if most is not None and record.created >= most:
        return False
    policy = policy_for(record.search)
    return not policy.history and isinstance(policy.propose(record.proposals, record.settings.seed or 0, ()), Proposal)
